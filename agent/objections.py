"""The life of a client's objections: opened at the deal's stage of that moment, then answered, met, dropped or passed.

a letter of the client:  what he says is opened, or recognized as what he said before; the rest may be settled by it
a letter of ours:        what stood before may be met or answered by it; what it records is opened
a move of the deal:      what arose at an earlier stage, and is not said again in that very letter, is passed
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime

from msgspec.structs import replace

from agent.known import Seen
from agent.model import Cause, Message, ObjectionEvent, ObjectionLife, ObjectionRead, ObjectionTurn
from agent.prices import Sum
from agent.proof import UNVERIFIED, is_verified
from agent.settling import Standing, offered, settled
from agent.terms import Terms, same_grounds, shared_figures, terms
from classifiers import PROPOSE

MOST = 100  # objections of one deal with which a new one is compared
MOST_TURNS = 60  # of one objection that are told one by one


class ObjectionBook:
    """All objections of one client while the fold walks through time."""

    def __init__(self, undone: Collection[str], accepted: Collection[str] = ()) -> None:
        self._undone = undone  # keys of objections, and of turns, that a person took back
        self._accepted = accepted  # keys that a person has confirmed
        self._all: dict[str, Standing] = {}
        self._of_deal: dict[str, list[str]] = defaultdict(list)
        self._asked: dict[str, Sum] = {}  # deal -> what our last offer asks for the whole

    def all(self) -> tuple[ObjectionLife, ...]:
        return tuple(one.life for one in self._all.values())

    def has_any(self, deal_id: str) -> bool:
        """Has the client ever held something against this deal?"""
        return bool(self._of_deal[deal_id])

    def unsettled(self, deal_id: str) -> list[ObjectionLife]:
        return [one.life for one in self._standing(deal_id) if one.life.state != "closed"]

    def _standing(self, deal_id: str) -> list[Standing]:
        return [self._all[key] for key in self._of_deal[deal_id][-MOST:]]

    def stand(self, life: ObjectionLife, seen: Seen, until: datetime) -> None:
        """One whose words are gone, as it was last said; `seen` is the letter that raised it."""
        if life.key in self._undone:
            return
        one = Standing(life, terms(""), life.events[-1].stage if life.events else life.stage, until=until)
        one.said_in(seen)
        one.since = until
        self._all[life.key] = one
        self._of_deal[life.deal_id].append(life.key)

    # -- a letter -------------------------------------------------------------------------------------------------

    def hear(self, seen: Seen, deal_id: str, stage: str, *, alone: bool = True) -> None:
        """What one letter or meeting means for a deal's objections; `stage`: the deal's before it moved the deal.

        `alone`: the letter is about this deal only.
        """
        read = seen.reading
        said = (
            [o for o in read.objections if o.confidence >= PROPOSE] if not read.automated else []
        )  # no machine objects
        if seen.direction == "outbound":  # it speaks to what stood before, also where it records it
            self._settle(seen, deal_id, stage, alone, self._standing(deal_id))
            settled_now = {one.life.key for one in self._standing(deal_id) if one.life.closed_by == seen.key}
            for one in said:
                self._say(one, seen, deal_id, stage, settled_now)
        else:
            now = {key for one in said if (key := self._say(one, seen, deal_id, stage, ()))}
            others = [one for one in self._standing(deal_id) if one.life.key not in now]
            self._settle(seen, deal_id, stage, alone, others)
        for standing in self._standing(deal_id):
            standing.heard(seen)
        if alone and (asked := offered(seen)) is not None:
            self._asked[deal_id] = asked

    def _say(
        self, read: ObjectionRead, seen: Seen, deal_id: str, stage: str, settled_now: Collection[str]
    ) -> str | None:
        """The client raises an objection, or one that he raised before; returns its key.

        What nobody can tell who wrote is only proposed: it adds nothing to what stands, and the client's own word
        takes its place.
        """
        verified = is_verified(seen)
        standing = self._standing(deal_id)
        weighed = [one for one in standing if one.is_weighed(seen)]
        for one in weighed:
            if one.life.type == read.type and seen.key in one.life.letters:
                return one.life.key
        standing = [one for one in standing if one not in weighed]
        before = [one for one in standing if one.last != seen.key]  # two of one letter are never the same
        same = _same(read, stage, [one for one in before if not (verified and one.life.why)])
        if verified:
            for one in standing:
                if one.life.why and one.life.type == read.type:
                    self._forget(one.life)
        if same is None:
            return self._open(read, seen, deal_id, stage)
        if same.life.key not in settled_now and (verified or same.life.why):
            self._again(same, read, seen, stage)
        return same.life.key

    def _forget(self, life: ObjectionLife) -> None:
        del self._all[life.key]
        self._of_deal[life.deal_id].remove(life.key)

    def _open(self, read: ObjectionRead, seen: Seen, deal_id: str, stage: str) -> str | None:
        key = f"objection:{deal_id}:{seen.key}:{read.type}"
        if key in self._all:  # two reasons of one type in one letter
            key = f"{key}:{sum(k.startswith(key) for k in self._of_deal[deal_id]) + 1}"
        if key in self._undone:
            return None
        life = ObjectionLife(
            key=key,
            deal_id=deal_id,
            activity=seen.key,
            message_id=seen.record.message_id if isinstance(seen.record, Message) else None,
            stage=stage,
            type=read.type,
            genuine=read.genuine,
            reason=read.reason.quote if read.reason else None,
            condition=read.condition.quote if read.condition else None,
            quote=read.evidence.quote,
            state="open",
            opened=seen.at,
            why="" if key in self._accepted or is_verified(seen) else UNVERIFIED,
        )
        self._all[key] = Standing(life, grounds_of(read), stage)
        self._of_deal[deal_id].append(key)
        self._turn(self._all[key], "opened", seen.at, stage, seen.key, read.evidence.quote)
        self._all[key].said_in(seen, self._asked.get(deal_id))
        return key

    def _again(self, same: Standing, read: ObjectionRead, seen: Seen, stage: str) -> None:
        """It keeps its first day; a reason, or another condition, is learnt."""
        before = same.life
        explained = read.genuine and not before.genuine
        what: ObjectionTurn = "explained" if explained else "repeated" if before.state == "open" else "reopened"
        same.life = replace(
            before,
            genuine=before.genuine or read.genuine,
            reason=before.reason or (read.reason.quote if read.reason else None),
            condition=read.condition.quote if read.condition else before.condition,
            quote=read.evidence.quote if explained else before.quote,
            state="open",
            closed=None,
            cause="",
            closed_by="",
            closed_quote="",
        )
        same.grounds = Terms(
            same.grounds.figures | grounds_of(read).figures, same.grounds.words | grounds_of(read).words
        )
        same.stage = stage
        self._turn(same, what, seen.at, stage, seen.key, read.evidence.quote)
        same.said_in(seen, self._asked.get(same.life.deal_id))

    def _settle(self, seen: Seen, deal_id: str, stage: str, alone: bool, standing: Iterable[Standing]) -> None:
        still = [one for one in standing if one.life.state != "closed" and not one.life.why]
        still = [one for one in still if not one.is_weighed(seen)]
        for one, what, quote in settled(seen, still, alone=alone):
            if f"{one.life.key}:{what}:{seen.key}" in self._undone:
                continue
            if what == "answered":
                one.life = replace(one.life, state="answered")
                self._turn(one, "answered", seen.at, stage, seen.key, quote)
            else:
                self._close(one, what, seen.at, stage, seen.key, quote)

    # -- a move ---------------------------------------------------------------------------------------------------

    def passed(self, passed: Collection[str], at: datetime, stage: str, activity: str = "", quote: str = "") -> None:
        """The deal moved on: to `stage`, as the activity shows, or by a person's hand."""
        for key in passed:
            one = self._all[key]
            again = one.last == activity and bool(activity)  # said again in the letter that moves the deal
            if not again and one.since < at and f"{key}:passed:{activity}" not in self._undone:
                self._close(one, "passed", at, stage, activity, quote)

    def stage_of(self, key: str) -> str:
        """Where the deal stood when the client last spoke of it."""
        return self._all[key].stage

    def _close(self, one: Standing, cause: Cause, at: datetime, stage: str, activity: str, quote: str) -> None:
        one.life = replace(one.life, state="closed", closed=at, cause=cause, closed_by=activity, closed_quote=quote)
        if cause:
            self._turn(one, cause, at, stage, activity, quote)

    def _turn(self, one: Standing, what: ObjectionTurn, at: datetime, stage: str, activity: str, quote: str) -> None:
        if what == "repeated" and len(one.life.events) >= MOST_TURNS:
            return
        event = ObjectionEvent(what=what, at=at, stage=stage, activity=activity, quote=quote)
        one.life = replace(one.life, events=(*one.life.events, event))


# -- is it the same one? ------------------------------------------------------------------------------------------


def grounds_of(read: ObjectionRead) -> Terms:
    """What an objection is told by: its reason, its condition and the sentence."""
    parts = (read.reason, read.condition, read.evidence)
    return terms(" ".join(part.quote for part in parts if part is not None))


def _same(read: ObjectionRead, stage: str, standing: Collection[Standing]) -> Standing | None:
    """The objection that the client raised before; what is open comes before what was closed, late before early."""
    grounds = grounds_of(read)
    condition = terms(read.condition.quote) if read.condition else None
    latest = list(reversed(list(standing)))
    unsettled = [one for one in latest if one.life.state != "closed"]
    of_type = [one for one in unsettled if one.life.type == read.type]
    close = [one for one in of_type if same_grounds(one.grounds, grounds)]
    vague = [one for one in of_type if not (one.life.genuine and read.genuine)]
    elsewhere = [one for one in unsettled if _same_terms(one, condition, grounds)]
    closed = [one for one in latest if one.life.state == "closed" and _returns(one, read, grounds, stage)]
    return next(iter([*close, *vague, *elsewhere, *closed]), None)


def _same_terms(one: Standing, condition: Terms | None, grounds: Terms) -> bool:
    """Another type, but the same condition or the same figures: the reader took it for something else this time."""
    known = terms(one.life.condition) if one.life.condition else None
    if known is not None and condition is not None and same_grounds(known, condition):
        return True
    return len(shared_figures(one.grounds, grounds)) >= 2


def _returns(one: Standing, read: ObjectionRead, grounds: Terms, stage: str) -> bool:
    """A closed one comes back in close words; a pretext, which has none, only at the stage where it arose."""
    if one.life.type != read.type:
        return False
    if one.life.genuine and read.genuine:
        return same_grounds(one.grounds, grounds)
    return one.stage == stage and not (one.life.genuine or read.genuine)


def stated(read: ObjectionRead) -> str:
    """All of its words: what is held against us, why, and what would change it."""
    return "\n".join(s.quote for s in (read.evidence, read.reason, read.condition) if s is not None)
