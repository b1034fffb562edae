"""Plays a situation of situations/*.toml: the CRM's facts, what happened, and what is expected of it.

How a situation is written stands at the head of situations/cast.toml.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from agent.answers import Verdicts
from agent.changes import difference, merged
from agent.clients import STRANGER, Directory
from agent.history import fold
from agent.known import Answer, Client, Seen
from agent.model import (
    Change,
    Cut,
    CutKind,
    Deal,
    Direction,
    Handoff,
    HandoffRule,
    History,
    Letter,
    Link,
    Meeting,
    Message,
    MilestoneRead,
    NewRecord,
    ObjectionLife,
    ObjectionRead,
    Reading,
    SettlingRead,
)
from agent.sent import Sent
from agent.takeback import withdrawals
from agent.whose import clients_by_record, clients_of_people, doubted, whose
from classifiers.reader import ruled_all
from tests.core import builders as b

FOLDER = Path(__file__).with_name("situations")
EVERYTHING = ("activities", "stages", "objections", "records")
SURE, UNSURE, NO_OPINION = 0.95, 0.6, 0.3


@cache
def cast() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "cast.toml").read_text(encoding="utf-8"))


def situations() -> Iterator[tuple[str, dict[str, Any]]]:
    """(theme and name, situation) of every table."""
    for path in sorted(FOLDER.glob("*.toml")):
        for one in tomllib.loads(path.read_text(encoding="utf-8")).get("situation", ()):
            yield f"{path.stem}: {one['name']}", one


@dataclass
class Played:
    """All that the agent says of a situation."""

    links: dict[str, Link]
    histories: list[History]

    @property
    def moves(self) -> list[str]:
        return self._moves("written")

    @property
    def proposed(self) -> list[str]:
        return self._moves("proposed")

    def _moves(self, state: str) -> list[str]:
        found = [m for h in self.histories for m in h.moves if m.state == state]
        return [f"{m.deal_id}: {m.stage}, {m.date:%m-%d}" for m in sorted(found, key=lambda m: (m.date, m.deal_id))]

    @property
    def new(self) -> list[str]:
        found = [r for h in self.histories for r in h.records]
        return [_made(r) for r in sorted(found, key=lambda r: (r.date, r.kind != "company", r.kind, r.name))]

    @property
    def handed_off(self) -> list[str]:
        found = [h for history in self.histories for h in history.handoffs]
        return [_handed(h) for h in sorted(found, key=lambda h: (h.at, h.deal_id, h.rule))]

    @property
    def objections(self) -> list[str]:
        found = [o for h in self.histories for o in h.objections]
        return [_told(o) for o in sorted(found, key=lambda o: (o.opened, o.deal_id, o.type))]

    @property
    def lives(self) -> list[str]:
        found = [o for h in self.histories for o in h.objections]
        return [_life(o) for o in sorted(found, key=lambda o: (o.opened, o.deal_id, o.type))]


def _told(o: ObjectionLife) -> str:
    grounds = f"{'genuine' if o.genuine else 'stalling'} {o.type}"
    state = "proposed" if o.why else o.cause or o.state
    return f"{o.deal_id}: {grounds} at {o.stage}, {state}" + (f" {o.closed:%m-%d}" if o.closed else "")


def _life(o: ObjectionLife) -> str:
    return f"{o.deal_id} {o.type}: " + ", ".join(f"{turn.what} {turn.at:%m-%d}" for turn in o.events)


def _handed(one: Handoff) -> str:
    told = f"{one.deal_id}: {one.rule} at {one.stage}, {one.at:%m-%d}"
    return f"{told}, back {one.ended:%m-%d} ({one.ended_why})" if one.ended else told


def _change(change: Change) -> str:
    body: dict[str, Any] = dict(change.body)
    match change.kind:
        case "log_activity" | "unlink":
            return f"{change.kind} {change.subject}: {' '.join(body['deal_ids']) or 'no deal'}"
        case "move_stage" | "correct_move":
            return f"{change.kind} {body['deal_id']}: {body['stage']}, {body['evidence']}"
        case "withdraw_stage":
            return (
                f"{change.kind} {body['deal_id']}: {body['from']}, back to {body['stage'] or 'where a person put it'}"
            )
        case "open_objection" | "update_objection" | "close_objection" | "remove_objection":
            deal_id, letter, type_ = change.subject.removeprefix("objection:").split(":")[:3]
            state = body.get("cause") or body.get("state")
            return f"{change.kind} {deal_id}: {type_} of {letter}" + (f", {state}" if state else "")
    return f"{change.kind} {change.subject}"


def _made(new: NewRecord) -> str:
    body = new.body
    whose = body.get("company_id") or " ".join(body.get("contact_ids", ())) or "nobody"
    match new.kind:
        case "company":
            return f"company {new.name}, {' '.join(body['domains'])}"
        case "contact":
            more = ", ".join(body[name] for name in ("title", "phone") if body.get(name))
            return f"contact {new.name}, {' '.join(body['emails'])}, of {whose}" + (f", {more}" if more else "")
    where = " or ".join(new.choices) or body["pipeline"]
    return f"deal {new.name}, of {whose}, {body['owner']}, {where}, {new.date:%m-%d}" + (
        f" ({new.why})" if new.why else ""
    )


@dataclass
class Situation:
    """One table of the files, ready to be folded."""

    told: dict[str, Any]
    people: Directory
    clients: dict[str, list[Seen]]
    answers: list[Answer]
    now: datetime

    @property
    def happens(self) -> list[dict[str, Any]]:
        return list(self.told["happens"])

    def facts(self, client: str) -> Client:
        common = (self.told.get("mode", "auto"), self.told.get("terminal", "propose"))
        told = self.told.get("pipelines", {"New business": {"create_deals": self.told.get("create_deals", "off")}})
        pipelines = [b.pipeline(*common, p["create_deals"], name, p.get("takes")) for name, p in told.items()]
        rules = [msgspec.convert({"name": "rule"} | rule, HandoffRule) for rule in self.told.get("rules", ())]
        return b.client_of(client, self.people, letters=self.clients, pipelines=pipelines, rules=rules)

    def play(self, *, backwards: bool = False, asked: bool = False) -> Played:
        """Fold every client whom something of this concerns; `backwards`: what came last is handed over first.

        `asked`: nobody has answered anything yet.
        """
        answers = [] if asked else self.answers
        said = [
            fold(self.facts(client), reversed(seen) if backwards else seen, answers, self.now)
            for client, seen in sorted(self.clients.items())
        ]
        of_activity: dict[str, list[Link]] = defaultdict(list)
        for history in said:
            for link in history.links:
                of_activity[link.activity].append(link)
        together = {key: merged(of) for key, of in of_activity.items()}
        return Played({key: link for key, link in together.items() if link is not None}, said)

    def taken_back(self) -> list[str]:
        """What the CRM is told because of the answers, after all that was said without them stands there."""
        told: list[str] = []
        before, after = self.play(asked=True), self.play()
        for unanswered, said in zip(before.histories, after.histories, strict=True):
            facts, seen = self.facts(said.client), self.clients[said.client]
            written = difference(unanswered, {k.activity: k for k in unanswered.links}, seen, [], EVERYTHING)
            sent = [Sent(key=c.key, kind=c.kind, subject=c.subject, body=c.body) for c in written]
            back = withdrawals(said, unanswered, Verdicts.of(self.answers), sent, facts, EVERYTHING)
            back += difference(said, {k.activity: k for k in said.links}, seen, sent, EVERYTHING)
            told += [_change(change) for change in back]
        return told

    def expected_link(self, number: int) -> tuple[str, list[str], list[str]]:
        """Outcome with its reason, deals, and the deals between which nobody can tell."""
        one = self.happens[number]
        if "not_logged" in one:
            return one["not_logged"], [], []
        if "unsure" in one:
            return "logged", [], sorted(one["unsure"])
        deals = one.get("deal", self.told["deals"] if len(self.told["deals"]) == 1 else None)
        assert deals is not None, f"{self.told['name']}: which deal is no. {number + 1} about?"
        return "logged", sorted([deals] if isinstance(deals, str) else deals), []


def situation(told: dict[str, Any]) -> Situation:
    """Everything that a table says, as the fold is given it."""
    people = _people(told)
    records = [_record(one, f"no. {n}") for n, one in enumerate(told["happens"], 1)]
    threads = _threads(told["happens"])
    senders = [one.get("sender", "") for one in told["happens"]]
    clients: dict[str, list[Seen]] = defaultdict(list)
    for one, record, thread, belongs in zip(
        told["happens"], records, threads, _clients(people, records, threads, senders), strict=True
    ):
        for client in sorted(belongs):
            clients[client].append(
                b.seen(
                    record,
                    people,
                    client,
                    thread=thread,
                    sender=one.get("sender", ""),
                    mailbox=one.get("mailbox", ""),
                    read=_reading(one, record),
                    gone=one.get("gone", False),
                )
            )
    clients = {client: doubted(letters, people) for client, letters in clients.items()}
    this = Situation(told, people, clients, [], b.day(told.get("now", "12-31")))
    for one in told.get("answers", ()):
        this.answers.append(_answer(one, this))
    return this


def _people(told: dict[str, Any]) -> Directory:
    companies = [b.company(i, c["name"], *c.get("domains", ())) for i, c in cast()["companies"].items()]
    contacts = [
        b.contact(i, *c["emails"], of=c.get("of"), name=c.get("name", "")) for i, c in cast()["contacts"].items()
    ]
    return Directory.of(companies, contacts, [_deal(i, told) for i in told["deals"]])


def _deal(deal_id: str, told: dict[str, Any]) -> Deal:
    facts = cast()["deals"][deal_id]
    changed = told.get("but", {}).get(deal_id, {})
    return b.deal(
        deal_id,
        facts["name"],
        *changed.get("people", facts["people"]),
        of=facts.get("of"),
        owner=changed.get("owner", facts.get("owner", "anna")),
        number=facts.get("number", ""),
        made=changed.get("made", "01-05"),
        closed=changed.get("closed", ""),
        events=[(e["on"], e["to"]) for e in changed.get("moved", ())],
    )


def _email(name: str) -> str:
    """An address, or the first one of somebody in the cast."""
    ours = {rep: email for email, rep in b.REPS.items()}
    known = cast()["contacts"].get(name)
    return ours[name] if name in ours else known["emails"][0] if known else name


def _emails(names: str | list[str]) -> list[str]:
    return [_email(name) for name in ([names] if isinstance(names, str) else names)]


def _record(one: dict[str, Any], key: str) -> Message | Meeting:
    if "meeting" in one:
        return b.meeting(
            key,
            one["on"],
            one["meeting"],
            *_emails(one.get("with", [])),
            host=_email(one.get("host", "anna")),
            hours=one.get("hours", 1),
            answers={_email(name): answer for name, answer in one.get("answers", {}).items()},
            status=one.get("status", "confirmed"),
            text=one.get("text", ""),
            series=one.get("series", False),
        )
    default = "anna" if not b.is_ours(_email(one["from"])) else None
    to = one.get("to", default)
    assert to, f"{key}: to whom?"
    return b.letter(
        key,
        one["on"],
        _email(one["from"]),
        *_emails(to),
        cc=_emails(one.get("cc", [])),
        subject=one.get("subject", ""),
        text=one["text"],
        files=one.get("files", ()),
        name=one.get("name", ""),
        signs=one.get("signs") or one.get("quotes", ""),
    )


def _threads(happens: list[dict[str, Any]]) -> list[int]:
    numbers = count(1)
    named: dict[str, int] = defaultdict(lambda: next(numbers))
    return [named[one.get("thread", f"alone {n}")] for n, one in enumerate(happens)]


def _clients(
    people: Directory, records: list[Message | Meeting], threads: list[int], senders: list[str]
) -> list[set[str]]:
    """Per record the clients in whose histories it stands."""
    known, strangers = [], []
    of_thread: dict[int, set[str]] = defaultdict(set)
    for record, thread, verified in zip(records, threads, senders, strict=True):
        found, new = clients_of_people(people, [e for e in b.addresses(record) if not b.is_ours(e)])
        found = found or clients_by_record(people, record, verified, b.is_ours)
        known.append(found)
        strangers.append(new)
        of_thread[thread] |= found
    return [whose(k, of_thread[t], s) or {STRANGER} for k, t, s in zip(known, threads, strangers, strict=True)]


def _reading(one: dict[str, Any], record: Message | Meeting) -> Reading:
    text = one.get("text", "")
    sender = record.from_[0].email if isinstance(record, Message) else ""
    return b.reading(
        [_milestone(name, text) for name in one.get("proves", ())],
        [_objection(told, text) for told in one.get("objects", ())],
        one.get("automated", ""),
        one.get("matter", ""),
        [*_below(text, one.get("signs", ""), "signature"), *_below(text, one.get("quotes", ""), "quoted")],
        _settling("outbound" if b.is_ours(sender) else "inbound", text) if sender and "automated" not in one else (),
    )


def _below(text: str, said: str, kind: CutKind) -> list[Cut]:
    start = len(text) + 2
    return [Cut(start=start, end=start + len(said), kind=kind)] if said else []


@cache
def _settling(direction: Direction, text: str) -> tuple[SettlingRead, ...]:
    """Here the reader itself reads: what grants, withdraws or tells something is told by the letter's own words."""
    return ruled_all([Letter(direction=direction, subject="", body=text)])[0].settling


def _milestone(name: str, text: str) -> MilestoneRead:
    plain = name.rstrip("?")
    return b.milestone(plain, text, (SURE, UNSURE, NO_OPINION)[len(name) - len(plain)])


def _objection(told: dict[str, str], text: str) -> ObjectionRead:
    plain = told["type"].rstrip("?")
    return b.objection(
        plain,
        text,
        reason=told.get("reason", ""),
        condition=told.get("condition", ""),
        quote=told.get("quote", text),
        sure=(SURE, UNSURE, NO_OPINION)[len(told["type"]) - len(plain)],
    )


def _answer(one: dict[str, Any], this: Situation) -> Answer:
    """linked = 3 and deals; or accepted, declined, undone = "kran: won", of what is said before it is given."""
    if "linked" in one:
        return Answer(kind="linked", subject=f"no. {one['linked']}", deal_ids=tuple(one["deals"]))
    kind, subject = next(iter(one.items()))
    if subject.startswith("deal of "):  # a new one, with its pipeline where that was not clear
        key = subject.replace("deal of ", "deal:")
        return Answer(kind=kind, subject=key, evidence=key, pipeline=one.get("pipeline", ""))
    if kind == "vouched" or (": " not in subject and ", " not in subject):  # a letter's sender, or its link
        return Answer(kind=kind, subject=subject)
    if subject.startswith("no. "):  # an objection, by its letter and type
        key, deal_id, type_, *turn = subject.split(", ")
        how = f":{turn[0].replace(' by ', ':')}" if turn else ""
        return Answer(kind=kind, subject=f"objection:{deal_id}:{key}:{type_}{how}", deal_ids=(deal_id,), evidence=key)
    deal_id, _, stage = subject.partition(": ")
    given = [a for a in this.answers if (a.deal_ids, a.stage) == ((deal_id,), stage)]
    if kind == "restored":
        return replace(given[-1], kind=kind)
    moves = [m for h in this.play().histories for m in h.moves if (m.deal_id, m.stage) == (deal_id, stage)]
    found = moves[-1]
    return Answer(
        kind=kind,
        subject=found.key,
        deal_ids=(deal_id,),
        stage=stage,
        evidence=found.evidence,
        milestone=found.milestone,
    )
