"""Who is new: contacts and companies from two-way, verified business mail, with what their signatures say; pure.

through the letters, in their order  ->  who wrote to us and heard from us?  ->  whose colleague?  ->  what to create

Decided by what had been written until then: so that it is the same whether it is asked each day or at the end.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec

from agent.clients import STRANGER, domain_of, free_mail_domains, name_words, without_tag
from agent.known import Client, Seen
from agent.model import Address, Company, Contact, Link, Message, NewRecord, RecordKind
from agent.proof import is_verified
from agent.words import listed, words
from classifiers import WRITE, signature

NO_CLIENTS = ("vendor", "recruit")  # whose house writes such letters does not buy from us
BUYS = ("contact_established", "needs_identified", "proposal_requested", "proposal_received", "contract_approval")
PAYS = ("contract_signed", "payment_confirmed")
WE_SELL = ("proposal_sent", "invoice_sent")
MOST = 50  # people of one letter
LONGEST = 180  # characters of an address: its record's id must fit
SIGNED = 3  # of his letters, the last ones, are asked for a signature


def newcomers(client: Client, letters: Sequence[Seen], links: Mapping[str, Link]) -> list[NewRecord]:
    """The contacts and companies to be made of this client's letters, which are in their order."""
    return list(_Walk(client, links).through(letters))


@dataclass
class _Talk:
    """One address, and what went to and fro."""

    wrote: list[tuple[Seen, Message]] = field(default_factory=list)
    spelled: str = ""  # his address as he wrote it, with a tag
    heard: bool = False
    done: bool = False


class _Walk:
    """The state of one walk through a client's letters."""

    def __init__(self, client: Client, links: Mapping[str, Link]) -> None:
        self.client, self.links = client, links
        self.is_stranger = client.key.startswith(STRANGER)
        self.talks: dict[str, _Talk] = defaultdict(_Talk)
        self.refused: set[str] = set()  # domains, or addresses at a free-mail provider
        self.buys = not self.is_stranger  # has anything been said of a sale to them?
        self.company: str | None = None  # of a stranger: the id of his company
        self.founded: str | None = None  # ... when it is to be made
        self.people = {_plain(c.name) for c in client.contacts}
        self.accounts = {email.partition("@")[0] for c in client.contacts for email in c.emails}

    def through(self, letters: Sequence[Seen]) -> Iterator[NewRecord]:
        for seen in letters:
            if not isinstance(seen.record, Message):
                continue
            if not self._counts(seen):
                self._refuse(seen, seen.record)
                continue
            touched = self._note(seen, seen.record)
            if not self.buys and _of_a_sale(seen):
                self.buys, touched = True, list(self.talks)
            for email in touched if self.buys else ():
                yield from self._meet(email, self.talks[email], seen)

    def _counts(self, seen: Seen) -> bool:
        """Business between people, of which it is sure who wrote it."""
        link = self.links.get(seen.key)
        talked = link is not None and (link.outcome == "logged" or link.reason == "no_client")
        return talked and is_verified(seen) and not seen.reading.automated and not seen.reading.matter

    def _refuse(self, seen: Seen, letter: Message) -> None:
        if seen.direction == "inbound" and is_verified(seen) and seen.reading.matter:
            whole = self.is_stranger and seen.reading.matter in NO_CLIENTS
            self.refused.update(_house(a.email) if whole else without_tag(a.email) for a in letter.from_)

    def _note(self, seen: Seen, letter: Message) -> list[str]:
        if seen.direction == "inbound":
            if len(letter.from_) != 1:
                return []
            email = without_tag(letter.from_[0].email)
            self.talks[email].wrote.append((seen, letter))
            self.talks[email].spelled = letter.from_[0].email
            return [email]
        emails = [without_tag(a.email) for a in (*letter.to, *letter.cc)[:MOST] if a.email]
        for email in emails:
            self.talks[email].heard = True
        return emails

    def _meet(self, email: str, talk: _Talk, seen: Seen) -> Iterator[NewRecord]:
        """What is to be made of this address, now that it may have become two-way."""
        unknown = self.client.unknown.get(talk.spelled)
        if talk.done or unknown is None or not talk.heard or len(email) > LONGEST:
            return
        if email in self.refused or _house(email) in self.refused:
            return
        at_home = unknown.company_id is not None
        if not at_home and unknown.elsewhere is not None and unknown.elsewhere < seen.at:
            return  # whose is he: this client's, or one of those with whom he wrote before?
        talk.done = True
        signed = _Signed(talk.wrote[-SIGNED:])
        if self.is_stranger:
            yield from self._found(seen, signed)
            company_id = self.company
        else:
            company_id = unknown.company_id or self._of_thread(talk.wrote[-1][0], signed)
            if company_id is None:
                return
        if not is_role(email) and not self._is_alias(email, signed.name):
            self.people.add(_plain(signed.name))
            needs = (self.founded,) if self.founded is not None and self.founded == company_id else ()
            yield _contact(email, company_id, seen, signed, needs)

    def _found(self, seen: Seen, signed: "_Signed") -> Iterator[NewRecord]:
        """A stranger's company, once; one that the CRM knows by its name alone is not made again."""
        domain = self.client.key.removeprefix(STRANGER)
        if self.company is not None or "@" in domain or "." not in domain:
            return
        self.company = self.client.nameless.get(name_words(signed.value("company")))
        if self.company is None:
            self.company = self.founded = f"company:{domain}"
            made = Company(
                id=self.company,
                name=signed.value("company") or domain,
                domains=(domain,),
                language=signed.language,
                created_by="agent",
            )
            yield _record("company", made, seen, signed)

    def _of_thread(self, seen: Seen, signed: "_Signed") -> str | None:
        """The company whose thread he joined; None when he says that he works for somebody else."""
        link = self.links.get(seen.key)
        company = next((c for c in self.client.companies if link is not None and c.id == link.company_id), None)
        says = name_words(signed.value("company"))
        if company is None or (says and says != name_words(company.name)):
            return None
        return company.id

    def _is_alias(self, email: str, name: str) -> bool:
        """The CRM has him under another address: by his full name, or by the same name before the @."""
        account = email.partition("@")[0]
        return (" " in _plain(name) and _plain(name) in self.people) or (len(account) > 4 and account in self.accounts)


def _house(email: str) -> str:
    domain = domain_of(email)
    return email if domain in free_mail_domains() else domain


def _plain(name: str) -> str:
    return " ".join(sorted(words(name)))


def _of_a_sale(seen: Seen) -> bool:
    """We sell, they buy: said by whoever's step it is. A supplier's letters prove only what he does for us."""
    steps = (*BUYS, *PAYS) if seen.direction == "inbound" else WE_SELL
    said = any(m.name in steps and m.confidence >= WRITE for m in seen.reading.milestones)
    objects = seen.direction == "inbound" and any(o.confidence >= WRITE for o in seen.reading.objections)
    return said or objects


# -- who he is ------------------------------------------------------------------------------------------------------


class _Signed:
    """What the last letters of one sender say of him: his signature, else his display name."""

    def __init__(self, letters: Sequence[tuple[Seen, Message]]) -> None:
        self.sender, self.letter, self.fields = _signature(letters)
        self.language = self.letter.reading.language if self.letter.reading.language != "other" else ""
        display = " ".join(self.sender.name.split())
        signed = self.value("name")
        shorter = set(words(signed)) <= set(words(display))  # "Vera" of "Vera Pole"
        self.name = (display if shorter and "@" not in display else signed) or signed or self.sender.email

    def value(self, name: str) -> str:
        return next((f.value for f in self.fields if f.name == name), "")

    @property
    def quote(self) -> str:
        said = " | ".join(" ".join(f.quote.split()) for f in self.fields)
        return said or f"{self.sender.name} <{self.sender.email}>".strip()


def _signature(letters: Sequence[tuple[Seen, Message]]) -> tuple[Address, Seen, Sequence[Any]]:
    """The latest signature among these letters; without one, the latest letter."""
    for seen, letter in reversed(letters):
        sender = letter.from_[0]
        if fields := signature(letter.text, seen.reading.cuts, sender.email, sender.name):
            return sender, seen, fields
    return letters[-1][1].from_[0], letters[-1][0], ()


_NO_LETTER = re.compile(r"[\W\d_]+")


@cache
def _roles() -> frozenset[str]:
    return frozenset(listed("role_mailboxes.txt"))


def is_role(email: str) -> bool:
    """A mailbox of an office, not of a person: info@, sales.north@, no-reply@."""
    parts = [part for part in _NO_LETTER.split(email.partition("@")[0]) if part]
    return not parts or parts[0] in _roles() or "".join(parts) in _roles()


# -- what is to be created ------------------------------------------------------------------------------------------


def contact_key(email: str) -> str:
    """Names a contact that we make; not by his address, which may have to be forgotten."""
    return "contact:" + hashlib.blake2b(email.encode(), digest_size=10).hexdigest()


def _contact(email: str, company_id: str | None, seen: Seen, signed: _Signed, needs: tuple[str, ...]) -> NewRecord:
    made = Contact(
        id=contact_key(email),
        name=signed.name,
        emails=(email,),
        company_id=company_id,
        title=signed.value("title"),
        phone=signed.value("phone"),
        created_by="agent",
    )
    return _record("contact", made, seen, signed, needs)


def _record(
    kind: RecordKind, made: Company | Contact, seen: Seen, signed: _Signed, needs: tuple[str, ...] = ()
) -> NewRecord:
    return NewRecord(
        key=made.id,
        kind=kind,
        state="written",
        name=made.name,
        date=seen.at,
        evidence=signed.letter.key,
        quote=signed.quote,
        body=msgspec.to_builtins(made),
        needs=needs,
    )
