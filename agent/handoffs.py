"""When a deal is handed to somebody else by a rule of the admin's, and when it is taken back; pure.

what happened to the deal, in its order  ->  do a rule's conditions hold, since when?  ->  handed off
the client writes, or the conditions hold no more                                       ->  taken back

Every hand-off of the past is found here, that of a backfill too; which of them are told is decided by `changes`.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from agent.known import Client, Seen
from agent.model import Deal, Handoff, HandoffRule, History, Meeting, ObjectionLife, Stage
from agent.proof import is_verified

SHORTLY = timedelta(microseconds=1)
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def handoffs(client: Client, letters: Sequence[Seen], said: History, now: datetime) -> History:
    """The history with its hand-offs, and with the time at which the next one falls due."""
    if not client.handoffs:
        return said
    events = _events(client, letters, said, now)
    found: list[Handoff] = []
    due = [said.due] if said.due else []
    for deal in client.deals:
        objections = [o for o in said.objections if o.deal_id == deal.id and not o.why]
        for rule in client.handoffs:
            if rule.pipelines and deal.pipeline not in rule.pipelines:
                continue
            watch = _Watch(rule, deal, client, objections).through(events[deal.id], now)
            found += watch.found
            due += watch.next_due(now)
    return replace(said, handoffs=tuple(found), due=min(due, default=None))


class _Event(NamedTuple):
    """Something that happened to a deal."""

    at: datetime
    what: str  # stage, client, us, both, objection, closed
    key: str  # of the activity; or the stage's name


def _events(client: Client, letters: Sequence[Seen], said: History, now: datetime) -> Mapping[str, list[_Event]]:
    events: dict[str, list[_Event]] = defaultdict(list)
    for deal in client.deals:
        events[deal.id] += [_Event(e.date, "stage", e.stage) for e in deal.events]
        if deal.closed_at is not None:
            events[deal.id].append(_Event(deal.closed_at, "closed", ""))
    for move in said.moves:
        if move.state == "written":
            events[move.deal_id].append(_Event(move.date, "stage", move.stage))
    for o in said.objections:
        events[o.deal_id] += [_Event(at, "objection", o.key) for at in (o.opened, o.closed) if at is not None]
    seen_by_key = {seen.key: seen for seen in letters}
    for link in said.links:
        what = _who_spoke(seen_by_key[link.activity]) if link.outcome == "logged" and link.deal_ids else ""
        for deal_id in link.deal_ids if what else ():
            events[deal_id].append(_Event(seen_by_key[link.activity].at, what, link.activity))
    return {i: sorted(e for e in of if e.at <= now) for i, of in events.items()} | {
        d.id: [] for d in client.deals if d.id not in events
    }


def _who_spoke(seen: Seen) -> str:
    """A letter that nobody can verify is nobody's answer."""
    if isinstance(seen.record, Meeting):
        return "both"
    if not is_verified(seen) or seen.reading.automated:
        return ""
    return "client" if seen.direction == "inbound" else "us"


class _Anchor(NamedTuple):
    """Since when a rule's conditions hold, or will hold."""

    due: datetime
    key: str  # tells one time from another
    evidence: str  # the activity from which on nobody answered, or that bears the objection


@dataclass
class _Watch:
    """One rule over one deal, while time goes on."""

    rule: HandoffRule
    deal: Deal
    client: Client
    objections: Sequence[ObjectionLife]
    found: list[Handoff] = field(default_factory=list)
    stage: str = ""
    since: datetime = LONG_AGO  # of the stage
    closed: bool = False
    waits_for: str = ""  # client, us; "" when nobody owes an answer
    asked: _Event | None = None  # the first letter that is unanswered
    last: _Event | None = None

    def through(self, events: Iterable[_Event], now: datetime) -> "_Watch":
        pipeline = self.client.pipelines.get(self.deal.pipeline)
        self.stage = pipeline.stages[0].name if pipeline and pipeline.stages else self.deal.stage
        self.since = self.deal.created_at or LONG_AGO
        for event in events:
            self._look(event.at - SHORTLY)  # what falls due with an event is seen in the light of it
            self._take(event)
        self._look(now)
        return self

    def next_due(self, now: datetime) -> list[datetime]:
        anchor = None if self._is_out else self._anchor(now)
        return [anchor.due] if anchor is not None and anchor.due > now else []

    @property
    def _is_out(self) -> bool:
        return bool(self.found) and self.found[-1].ended is None

    def _look(self, at: datetime) -> None:
        """Has it fallen due until then?"""
        anchor = None if self._is_out else self._anchor(at)
        if anchor is None or anchor.due > at:
            return
        key = handoff_key(self.deal.id, self.rule.name, anchor.key)
        if all(one.key != key for one in self.found):  # once for each silence, or objection, or stage
            self.found.append(
                Handoff(
                    key=key,
                    rule=self.rule.name,
                    deal_id=self.deal.id,
                    stage=self.stage,
                    at=anchor.due,
                    evidence=anchor.evidence,
                )
            )

    def _take(self, event: _Event) -> None:
        match event.what:
            case "stage":
                self.stage, self.since, self.closed = event.key, event.at, False
            case "closed":
                self.closed = True
            case "client" | "us" | "both":
                self._hear(event)
        if not self._is_out:
            return
        if event.what in ("client", "both"):
            self._end(event.at, "client", event.key)
        elif not self._holds(event.at):
            self._end(event.at, "passed", event.key if event.what == "us" else "")

    def _hear(self, event: _Event) -> None:
        self.last = event
        owes = {"client": "us", "us": "client", "both": ""}[event.what]
        if owes != self.waits_for:  # a reminder does not begin the silence anew
            self.waits_for, self.asked = owes, event if owes else None

    def _end(self, at: datetime, why: str, key: str) -> None:
        self.found[-1] = replace(self.found[-1], ended=at, ended_why=why, ended_by=key)

    def _holds(self, at: datetime) -> bool:
        anchor = self._anchor(at)
        return anchor is not None and handoff_key(self.deal.id, self.rule.name, anchor.key) == self.found[-1].key

    def _anchor(self, at: datetime) -> _Anchor | None:
        rule = self.rule
        if not self._stands_right():
            return None
        due, key, evidence = self.since, f"{self.stage} {self.since.isoformat()}", ""
        if rule.objections or rule.genuine is not None:
            held = [o for o in self.objections if self._is_meant(o) and _is_open(o, at)]
            if not held:
                return None
            first = min(held, key=lambda o: (o.opened, o.key))
            due, key, evidence = max(due, first.opened), first.key, first.activity
        if rule.days is not None:
            silent = self.last if rule.waiting_for == "anybody" else self.asked
            if silent is None or rule.waiting_for not in ("anybody", self.waits_for):
                return None
            due, key, evidence = max(due, silent.at + timedelta(days=rule.days)), silent.key, silent.key
        return _Anchor(due, key, evidence)

    def _stands_right(self) -> bool:
        if self.rule.stages:
            return self.stage in self.rule.stages
        return not self.closed and self._stage().kind in ("open", "hold")

    def _stage(self) -> Stage:
        pipeline = self.client.pipelines.get(self.deal.pipeline)
        return next((s for s in (pipeline.stages if pipeline else ()) if s.name == self.stage), Stage(name=self.stage))

    def _is_meant(self, o: ObjectionLife) -> bool:
        rule = self.rule
        return (not rule.objections or o.type in rule.objections) and rule.genuine in (None, o.genuine)


def _is_open(o: ObjectionLife, at: datetime) -> bool:
    return o.opened <= at and (o.closed is None or o.closed > at)


def handoff_key(deal_id: str, rule: str, anchor: str) -> str:
    """Names one hand-off: the same silence, objection or stage is handed off once."""
    return f"handoff:{deal_id}:" + hashlib.blake2b(f"{rule}\0{anchor}".encode(), digest_size=10).hexdigest()
