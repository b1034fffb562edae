"""Who is it: from an address, or a meeting's title, to contacts, companies and the client whose history it belongs to.

A client is a company, or a person without one. Companies that share people on their deals (a consultant who acts for
two of them) are folded together: such a group is one client, named by its smallest id.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property

from agent.model import Company, Contact, Deal
from agent.words import everyday, latin, listed, name_parts, stems
from connectors.domains import registrable

MAX_TITLE = 50  # words of a meeting's title
SOLD_TO = 2  # clients in whose deals' names a word of what we sell stands
MAX_NAME = 200  # characters of a person's name
SHORT_NAME = 5  # letters of a word that may stand for a company's name

STRANGER = "new:"  # a client that is not in the CRM: "new:" + domain, or + address at a free-mail provider


@cache
def free_mail_domains() -> frozenset[str]:
    """Domains of mail providers for the public."""
    return frozenset(listed("freemail.txt"))


def domain_of(email: str) -> str:
    return email.rpartition("@")[2]


def within(domain: str, parents: Iterable[str]) -> bool:
    """Is `domain` one of `parents`, or below one of them?"""
    return any(domain == parent or domain.endswith("." + parent) for parent in parents)


def without_tag(email: str) -> str:
    """anna+offers@x.example -> anna@x.example."""
    local, at, domain = email.rpartition("@")
    return local.partition("+")[0] + at + domain if local.partition("+")[0] else email


@dataclass(frozen=True)
class Identity:
    """What the CRM knows of one address."""

    contact_ids: tuple[str, ...]
    company_ids: tuple[str, ...]
    how: str  # contact, domain, name, or "" for a stranger


@dataclass
class Directory:
    """All people and companies of the CRM, by address, domain and name."""

    companies: dict[str, Company] = field(default_factory=dict)
    contacts: dict[str, Contact] = field(default_factory=dict)
    deals: dict[str, Deal] = field(default_factory=dict)
    _by_email: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _by_domain: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _group: dict[str, str] = field(default_factory=dict)
    _members: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _names: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _people: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _short: dict[str, set[str]] = field(default_factory=dict)
    _called: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    products: frozenset[str] = frozenset()  # words by which deals of several clients are named: what we sell, and where

    @classmethod
    def of(cls, companies: Iterable[Company], contacts: Iterable[Contact], deals: Iterable[Deal]) -> "Directory":
        made = cls({c.id: c for c in companies}, {c.id: c for c in contacts}, {d.id: d for d in deals})
        made._index_addresses()
        made._index_groups()
        made._index_names()
        made._index_products()
        return made

    def _index_addresses(self) -> None:
        free = free_mail_domains()
        of_domain: dict[str, set[str]] = defaultdict(set)
        for contact in self.contacts.values():
            for email in contact.emails:
                self._by_email[email.lower()].append(contact.id)
                # whoever joined a thread need not work for the company: only people's word gives it a domain
                if contact.created_by != "agent" and contact.company_id and domain_of(email.lower()) not in free:
                    of_domain[domain_of(email.lower())].add(contact.company_id)
        for company in self.companies.values():
            for domain in company.domains:
                if domain.lower() not in free:
                    self._by_domain[domain.lower()].add(company.id)
        # a company without a domain of its own is known by its people's, as long as nobody else uses it
        for domain, ids in of_domain.items():
            if domain not in self._by_domain and len(ids) == 1:
                self._by_domain[domain] = set(ids)

    def _index_groups(self) -> None:
        parent: dict[str, str] = {}

        def root(node: str) -> str:
            while parent.setdefault(node, node) != node:
                parent[node] = parent[parent[node]]
                node = parent[node]
            return node

        def join(a: str, b: str) -> None:
            low, high = sorted((root(a), root(b)))
            parent[high] = low

        for company_id in self.companies:
            root(f"company:{company_id}")
        for contact in self.contacts.values():
            node = f"contact:{contact.id}"
            root(node)
            if contact.company_id:
                join(node, f"company:{contact.company_id}")
        for deal in self.deals.values():
            if deal.company_id:
                join(f"deal:{deal.id}", f"company:{deal.company_id}")
            for contact_id in deal.contact_ids:
                if contact_id in self.contacts:
                    join(f"deal:{deal.id}", f"contact:{contact_id}")
            root(f"deal:{deal.id}")
        for node in list(parent):
            self._group[node] = root(node)
            self._members[root(node)].append(node)

    def _index_names(self) -> None:
        first: dict[str, set[str]] = defaultdict(set)
        for company in self.companies.values():
            if name := name_words(company.name):
                self._names[name].add(f"company:{company.id}")
                first[name.partition(" ")[0]].add(f"company:{company.id}")
        for contact in self.contacts.values():
            name = " ".join(_WORD.findall(contact.name.lower().replace("ё", "е")))
            if " " in name:
                self._people[name].add(f"contact:{contact.id}")
                self._called[called(contact.name)].append(contact.id)
        # Fenwick Dairy is called Fenwick, as long as nobody else is
        self._short = {
            w: n for w, n in first.items() if len(n) == 1 and len(w) >= SHORT_NAME and w[:5] not in everyday()
        }

    def _index_products(self) -> None:
        clients: dict[str, set[str]] = defaultdict(set)
        for deal in self.deals.values():
            company = self.companies.get(deal.company_id or "")
            for stem in stems(
                word
                for part in name_parts(deal.name, name_words(company.name) if company else "")
                for unit in part
                for word in unit
            ):
                clients[stem].add(self._group[f"deal:{deal.id}"])
        self.products = frozenset(stem for stem, of in clients.items() if len(of) >= SOLD_TO)

    def identify(self, email: str) -> Identity:
        """The contacts and companies behind one address."""
        for spelling in (email, without_tag(email)):
            if ids := self._by_email.get(spelling):
                companies = {c for i in ids if (c := self.contacts[i].company_id)}
                return Identity(tuple(sorted(ids)), tuple(sorted(companies)), "contact")
        domain = domain_of(email)
        if len(domain) > 253:  # no such domain can exist; walking up it would cost its length squared
            return Identity((), (), "")
        while domain.count(".") and domain not in free_mail_domains():
            if found := self._by_domain.get(domain):
                return Identity((), tuple(sorted(found)), "domain")
            if domain == registrable(domain):
                break
            domain = domain.partition(".")[2]
        return Identity((), (), "")

    def recognize(self, email: str, name: str) -> Identity:
        """As `identify`; an address that nobody knows is that of the only contact who is called so.

        It must be one where he may well write from: it bears his name, and is at a free-mail provider, or anywhere if
        the CRM has none of his. Whoever writes for another company is somebody else, or works there now.
        """
        who = self.identify(email)
        ids = self._called.get(called(name), []) if name and not who.how else []
        if len(ids) != 1 or not is_account_of(email.partition("@")[0], name):
            return who
        contact = self.contacts[ids[0]]
        if contact.emails and domain_of(email) not in free_mail_domains():
            return who
        return Identity((contact.id,), (contact.company_id,) if contact.company_id else (), "name")

    def client_of(self, node: str) -> str | None:
        """The client of "company:ID", "contact:ID" or "deal:ID"."""
        return self._group.get(node)

    def clients_of(self, email: str) -> set[str]:
        """The clients to whose history an address belongs; empty for a stranger."""
        return self.clients_behind(self.identify(email))

    def clients_behind(self, who: Identity) -> set[str]:
        nodes = [f"contact:{i}" for i in who.contact_ids] or [f"company:{i}" for i in who.company_ids]
        return {self._group[node] for node in nodes if node in self._group}

    def clients_named(self, title: str) -> set[str]:
        """The clients whose company or contact is named in a title: in full, else by the company's first word.

        That stands for the name where it stands alone: "Visit (Fenwick)", "Dryer @ Fenwick", not "Fenwick Road".
        """
        words = name_words(title).split()[:MAX_TITLE]
        runs = [" ".join(words[i : i + length]) for length in range(1, 6) for i in range(len(words) - length + 1)]
        parts = [name_words(part) for part in _PART.split(title[:1_000])]
        for names, said in ((self._people, runs), (self._names, runs), (self._short, parts)):
            if found := {self._group[node] for name in said for node in names.get(name, ())}:
                return found
        return set()

    def clients_called(self, names: Iterable[str]) -> set[str]:
        """The clients of all contacts with one of these names, see `called`."""
        return {self._group[f"contact:{i}"] for name in names for i in self._called.get(name, ())}

    def with_several_deals(self) -> set[str]:
        """The clients among whose deals a letter's is chosen."""
        return {c for c, nodes in self._members.items() if sum(node.startswith("deal:") for node in nodes) > 1}

    def unknown(self, client: str, emails: Iterable[str]) -> dict[str, str | None]:
        """Those of a client's addresses that belong to no contact -> the company whose domain they bear, if one does.

        An address that bears another client's domain is that client's, and is left out.
        """
        found: dict[str, str | None] = {}
        for email in emails:
            who = self.identify(email)
            if who.contact_ids or (who.company_ids and client not in self.clients_of(email)):
                continue
            found[email] = who.company_ids[0] if len(who.company_ids) == 1 else None
        return found

    @cached_property
    def nameless(self) -> dict[str, str]:
        """Name -> id of the companies that are known by no domain; a name that two bear tells nothing."""
        told = {i for ids in self._by_domain.values() for i in ids}
        found: dict[str, list[str]] = defaultdict(list)
        for company in self.companies.values():
            if company.id not in told:
                found[name_words(company.name)].append(company.id)
        return {name: ids[0] for name, ids in found.items() if name and len(ids) == 1}

    def members(self, client: str) -> tuple[list[Company], list[Contact], list[Deal]]:
        """The companies, contacts and deals that are folded together under this client."""
        by_kind: dict[str, list[str]] = {"company": [], "contact": [], "deal": []}
        for node in self._members.get(client, ()):
            kind, _, row_id = node.partition(":")
            by_kind[kind].append(row_id)
        companies = [self.companies[i] for i in sorted(by_kind["company"]) if i in self.companies]
        contacts = [self.contacts[i] for i in sorted(by_kind["contact"])]
        return companies, contacts, [self.deals[i] for i in sorted(by_kind["deal"])]


# legal forms say nothing about which company it is
_FORMS = frozenset(
    "ltd limited llc llp inc plc gmbh ag kg sa sarl bv oy ab srl spa co corp company group the and "
    "ооо оао зао пао ао ип нко мау муп гуп фгуп тоо чп тов".split()
)
_WORD = re.compile(r"\w+")
_LETTERS = re.compile(r"[^\W\d_]+")
_PART = re.compile(r"[()\[\]/@:;,|–—]")


def name_words(name: str) -> str:
    """A company's name, or a title, as lower-case words without legal forms."""
    return " ".join(w for w in _WORD.findall(name.lower().replace("ё", "е")) if w not in _FORMS)


def called(name: str) -> str:
    """A person's name in whatever order it is given: "Brown, Olive" is Olive Brown. "" for a single word."""
    said = sorted(_WORD.findall(name[:MAX_NAME].lower().replace("ё", "е")))
    return " ".join(said) if len(said) > 1 else ""


def is_account_of(account: str, name: str) -> bool:
    """Does what stands before the @ bear this name? olive.brown, brownolive77, o.brown, brown for Olive Brown."""
    account = latin(account.lower())
    parts = _LETTERS.findall(account)
    own = [latin(word) for word in called(name).split()]
    in_full = [word for word in own if len(word) > 2 and word in account]
    begun = [word for word in own if any(word.startswith(part) for part in parts)]
    alone = bool(parts) and set(parts) <= set(own)
    return alone or len(in_full) > 1 or bool(in_full and set(begun) - set(in_full))


def stranger(email: str) -> str:
    """The client key of an address that the CRM does not know."""
    domain = domain_of(email)
    return STRANGER + (without_tag(email) if domain in free_mail_domains() else registrable(domain))


def changed_nodes(before: Directory, after: Directory) -> set[str]:
    """What is new, gone or different between two states of the CRM, as "company:ID", "contact:ID", "deal:ID"."""
    tables = (
        ("company", before.companies, after.companies),
        ("contact", before.contacts, after.contacts),
        ("deal", before.deals, after.deals),
    )
    return {f"{kind}:{i}" for kind, old, new in tables for i in old.keys() | new.keys() if old.get(i) != new.get(i)}
