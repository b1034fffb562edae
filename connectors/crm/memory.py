"""A CRM that lives in memory and behaves like a hosted one; for trying dealscribe out, and for its tests.

It takes the same record twice, gives ids of its own, refuses whoever is too fast, and loses an answer now and then when
told to. What we wrote is found again by a mark in the record, as in the CRMs that know no foreign ids.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

import msgspec
from msgspec.structs import replace
from pydantic import Field

from agent.errors import CursorExpired, NeedsHuman, OutcomeUnknown, Rejected, Retry
from agent.model import Change, Company, Contact, Deal, Pipeline, Rep, StageEvent
from connectors import base
from connectors.base import Facts, Finding, translated

PART = 100  # records a part of `pull`
CREATES: dict[str, type[Company] | type[Contact] | type[Deal]] = {
    "create_company": Company,
    "create_contact": Contact,
    "create_deal": Deal,
}
STATUS: dict[str, Literal["open", "won", "lost"]] = {"won": "won", "lost": "lost"}  # kind of stage -> the deal's

Fact = Rep | Pipeline | Company | Contact | Deal
Failure = Literal["busy", "broken", "lost", "rejected", "locked"]


class MemoryCrmOptions(base.Options):
    """`kind = "memory"` in config.toml."""

    requests_per_second: float = Field(default=2.0, gt=0)


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """One record that was written by us: an activity, a move or an objection."""

    id: str
    kind: str  # of the change that made it
    body: dict[str, Any]
    marks: tuple[str, ...]  # keys of all changes that made or edited it, as its text bears them
    removed: bool = False


class MemoryCrm:
    """The CRM; its state lies on the object, and so do the verbs of the people who use it."""

    Options: ClassVar[type[base.Options]] = MemoryCrmOptions
    transactional: ClassVar[bool] = False

    def __init__(self, options: MemoryCrmOptions | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self.records: dict[str, Stored] = {}
        self.facts: dict[tuple[type[Fact], str], Fact] = {}  # by the CRM's own id (a pipeline's name), as they are now
        self._options = options or MemoryCrmOptions()
        self._now = now
        self._asked: deque[float] = deque()
        self._failures: deque[tuple[Failure, float | None]] = deque()
        self._marked: dict[str, str] = {}  # key of a change -> the record that bears it
        self._changed: dict[tuple[type[Fact], str], int] = {}  # number of the latest change, in the order of these
        self._count = 0

    # -- the contract ---------------------------------------------------------------------------------------------

    def check(self) -> list[Finding]:
        self._request()
        return [Finding(level="note", text="the CRM lives in memory: what is written is gone when dealscribe ends")]

    def capabilities(self) -> frozenset[str]:
        return frozenset({"activities", "objections", "stages", "records", "handoffs"})

    def pull(self, cursor: str | None) -> Iterator[Facts]:
        since = self._number(cursor)
        changed = [(number, fact) for fact, number in self._changed.items() if number > since]
        for start in range(0, len(changed), PART):
            self._request()
            part = changed[start : start + PART]
            yield _facts(str(part[-1][0]), [self.facts[fact] for _, fact in part])

    def write(self, change: Change, remote: Mapping[str, str]) -> str:
        self._request()
        failure, after = self._failures.popleft() if self._failures else ("", None)
        match failure:
            case "busy":
                raise Retry("the CRM answers 429: too many requests", after)
            case "broken":
                raise OutcomeUnknown("the CRM answers 500", after)
            case "rejected":
                raise Rejected("the CRM answers 422: it does not take this record")
            case "locked":
                raise NeedsHuman("the CRM answers 401: connect it again")
        written = self._apply(change, remote)
        if failure == "lost":
            raise OutcomeUnknown("the line to the CRM broke before its answer came")
        return written

    def find(self, key: str) -> str | None:
        self._request()
        return self._marked.get(key)

    # -- what people do in it, and what befalls it ----------------------------------------------------------------

    def add(self, *facts: Fact) -> None:
        """Somebody enters or edits these records; a company comes before its contacts, and these before its deals."""
        for fact in facts:
            self._keep(fact)

    def move_stage(self, deal_id: str, stage: str, at: datetime) -> None:
        """A person moves a deal, forward or back."""
        deal = self.deal(deal_id)
        events = (*deal.events, StageEvent(stage=stage, date=at, by="human"))
        self._keep(replace(deal, stage=stage, events=events, **self._standing(deal, stage, at)))

    def remove(self, record_id: str) -> None:
        """A person deletes what we wrote."""
        stored = self.records.pop(record_id)
        for key in stored.marks:
            del self._marked[key]
            others = [other.id for other in self.records.values() if key in other.marks]
            if others:
                self._marked[key] = others[-1]

    def fail_next(self, failure: Failure, after: float | None = None) -> None:
        """The next write (after those already told) fails.

        busy: 429, come back after so many seconds. broken: 500, nothing was applied. lost: applied, and the answer was
        lost. rejected: refused for good. locked: the password no longer holds.
        """
        self._failures.append((failure, after))

    def deal(self, deal_id: str) -> Deal:
        found = self.facts.get((Deal, deal_id))
        if not isinstance(found, Deal):
            raise Rejected(f"there is no deal {deal_id}")
        return found

    def written(self, kind: str) -> list[Stored]:
        """The records of one kind, in the order in which they were made: log_activity, move_stage, open_objection."""
        return [stored for stored in self.records.values() if stored.kind == kind]

    # -- how it works ---------------------------------------------------------------------------------------------

    def _request(self) -> None:
        """One request. Too many of them within the window: 429, with the time until the next one is taken."""
        rate = self._options.requests_per_second
        burst = max(1, int(rate))
        window, now = burst / rate, self._now()
        while self._asked and self._asked[0] <= now - window:
            self._asked.popleft()
        if len(self._asked) >= burst:
            raise Retry("the CRM answers 429: too many requests", self._asked[0] + window - now)
        self._asked.append(now)

    def _apply(self, change: Change, remote: Mapping[str, str]) -> str:
        body = translated(change.body, remote)
        earlier = next((remote[key] for key in change.needs if remote.get(key) in self.records), None)
        match change.kind:
            case "create_company" | "create_contact" | "create_deal":
                return self._create(change, body)
            case "remove_record":
                return self._remove(change, remote[body["record"]])
            case "log_activity":
                return self._edit(change, earlier, body) if self._is_same(earlier, body) else self._new(change, body)
            case "unlink":
                return self._edit(change, earlier, {"deal_ids": body["deal_ids"]}, removed=not body["stays"])
            case "move_stage":
                return self._move(change, body)
            case "withdraw_stage":
                with self._put_where_it_stands(body):
                    return self._edit(change, earlier, {"why": body["why"]}, removed=True)
            case "correct_move":
                with self._put_where_it_stands(body):
                    return self._edit(change, earlier, {name: body[name] for name in ("at", "evidence", "quote")})
            case "open_objection" | "hand_off":
                self.deal(body["deal_id"])
                return self._new(change, body)
            case "update_objection" | "close_objection":
                return self._edit(change, earlier, body)
            case "remove_objection":
                return self._edit(change, earlier, {}, removed=True)
            case "take_back":
                return self._edit(change, earlier, {"why": body["why"]}, removed=True)
            case "notify":
                raise Rejected("this is not for a CRM")

    def _new(self, change: Change, body: dict[str, Any]) -> str:
        record_id = self._next_id()
        self.records[record_id] = Stored(id=record_id, kind=change.kind, body=body, marks=(change.key,))
        self._marked[change.key] = record_id
        return record_id

    def _is_same(self, record_id: str | None, body: Mapping[str, Any]) -> bool:
        """Is this the record of the activity that `body` logs?"""
        stored = self.records.get(record_id or "")
        return stored is not None and stored.body.get("activity") == body["activity"]

    def _edit(self, change: Change, record_id: str | None, news: Mapping[str, Any], *, removed: bool = False) -> str:
        stored = self.records.get(record_id or "")
        if stored is None:
            raise Rejected(f"what {change.key} changes is not in the CRM any more")
        marks = tuple(dict.fromkeys((*stored.marks, change.key)))
        self.records[stored.id] = replace(stored, body={**stored.body, **news}, marks=marks, removed=removed)
        self._marked[change.key] = stored.id
        return stored.id

    def _create(self, change: Change, body: dict[str, Any]) -> str:
        """Make a record under an id of the CRM's own."""
        record_id = self._next_id()
        made = msgspec.convert({**body, "id": record_id, "created_by": "agent"}, CREATES[change.kind])
        self._keep(made)
        self._marked[change.key] = record_id
        return record_id

    def _remove(self, change: Change, record_id: str) -> str:
        """What we made is deleted; whatever names it goes on without it."""
        for fact in list(self.facts.values()):
            if isinstance(fact, Deal) and record_id in fact.contact_ids:
                self._keep(replace(fact, contact_ids=tuple(i for i in fact.contact_ids if i != record_id)))
            elif isinstance(fact, Contact | Deal) and fact.company_id == record_id:
                self._keep(replace(fact, company_id=None))
        for kind in (Company, Contact, Deal):
            self.facts.pop((kind, record_id), None)
            self._changed.pop((kind, record_id), None)
        self._marked[change.key] = record_id
        return record_id

    def _move(self, change: Change, body: dict[str, Any]) -> str:
        """Put the deal into a stage; a move of the past leaves it where it is."""
        deal = self.deal(body["deal_id"])
        pipeline = self.facts.get((Pipeline, deal.pipeline))
        if isinstance(pipeline, Pipeline) and body["stage"] not in {each.name for each in pipeline.stages}:
            raise Rejected(f"the pipeline {deal.pipeline} has no stage {body['stage']}")
        with self._put_where_it_stands(body):
            return self._new(change, body)

    @contextmanager
    def _put_where_it_stands(self, body: Mapping[str, Any]) -> Iterator[None]:
        """What happens to a move of the deal; where its latest one is another then, the deal goes there."""
        deal = self.deal(body["deal_id"])
        before = self._latest(deal)
        yield
        latest = self._latest(deal)
        if latest is not None and latest != before:
            at, _, stage = latest
            self._keep(replace(deal, stage=stage, **self._standing(deal, stage, at)))
        elif latest is None and before is not None and body["stage"] is not None:  # its last one was taken back
            at = deal.created_at or datetime.fromtimestamp(self._now(), UTC)
            self._keep(replace(deal, stage=body["stage"], **self._standing(deal, body["stage"], at)))

    def _latest(self, deal: Deal) -> tuple[datetime, int, str] | None:
        """When, and into which stage, the deal was moved last: by people (0) or by us, in the order of writing."""
        ours = [one.body for one in self.written("move_stage") if not one.removed and one.body["deal_id"] == deal.id]
        moves = [(event.date, 0, event.stage) for event in deal.events]
        moves += [(datetime.fromisoformat(body["at"]), n, body["stage"]) for n, body in enumerate(ours, 1)]
        return max(moves, default=None)

    def _standing(self, deal: Deal, stage: str, at: datetime) -> dict[str, Any]:
        """Open, won or lost: what the stage makes of the deal."""
        pipeline = self.facts.get((Pipeline, deal.pipeline))
        stages = pipeline.stages if isinstance(pipeline, Pipeline) else ()
        kind = next((each.kind for each in stages if each.name == stage), "open")
        status = STATUS.get(kind, "open")
        return {"status": status, "closed_at": None if status == "open" else at}

    def _keep(self, fact: Fact) -> None:
        self._count += 1
        known_as = type(fact), fact.name if isinstance(fact, Pipeline) else fact.id
        self.facts[known_as] = fact
        self._changed.pop(known_as, None)  # so that the dictionary keeps the order of the latest changes
        self._changed[known_as] = self._count

    def _next_id(self) -> str:
        self._count += 1
        return f"m{self._count}"

    def _number(self, cursor: str | None) -> int:
        if cursor is None:
            return 0
        if not cursor.isdecimal() or int(cursor) > self._count:
            raise CursorExpired("this CRM has begun anew since")
        return int(cursor)


def _facts(cursor: str, facts: Sequence[Fact]) -> Facts:
    return Facts(
        cursor=cursor,
        reps=tuple(fact for fact in facts if isinstance(fact, Rep)),
        pipelines=tuple(fact for fact in facts if isinstance(fact, Pipeline)),
        companies=tuple(fact for fact in facts if isinstance(fact, Company)),
        contacts=tuple(fact for fact in facts if isinstance(fact, Contact)),
        deals=tuple(fact for fact in facts if isinstance(fact, Deal)),
    )
