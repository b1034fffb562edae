"""The life of a client's objections: opened at the deal's stage of that moment, answered, closed."""

from collections.abc import Collection
from datetime import datetime

from msgspec.structs import replace

from agent.model import ObjectionLife, ObjectionRead
from agent.words import WordIndex, words


class ObjectionBook:
    """All objections of one client while the fold walks through time."""

    def __init__(self, undone: Collection[str], accepted: Collection[str] = ()) -> None:
        self._undone = undone  # keys that a person took back
        self._accepted = accepted  # keys that a person has confirmed
        self._all: dict[str, ObjectionLife] = {}

    def all(self) -> tuple[ObjectionLife, ...]:
        return tuple(self._all.values())

    def has_any(self, deal_id: str) -> bool:
        """Has the client ever held something against this deal?"""
        return any(o.deal_id == deal_id for o in self._all.values())

    def unsettled(self, deal_id: str) -> list[ObjectionLife]:
        return [o for o in self._all.values() if o.deal_id == deal_id and o.state != "closed"]

    def raise_(
        self,
        read: ObjectionRead,
        *,
        deal_id: str,
        stage: str,
        activity: str,
        message_id: str | None,
        at: datetime,
        why: str = "",
    ) -> None:
        """The client raises an objection; one of the same type that is not settled yet is the same one.

        `why` it is only proposed: nobody can tell who wrote it. Such a one is not the same as one that stands, so that
        a stranger adds nothing to it; and the client's own word takes its place.
        """
        same = next((o for o in self.unsettled(deal_id) if o.type == read.type and (not o.why or why)), None)
        if same is not None:
            if read.genuine and not same.genuine and bool(why) == bool(same.why):  # now he says why
                self._all[same.key] = _with_grounds(same, read)
            return
        if not why:
            self._all = {k: o for k, o in self._all.items() if not (o.why and _is(o, deal_id, read.type))}
        key = f"objection:{deal_id}:{activity}:{read.type}"
        if key in self._undone:
            return
        self._all[key] = ObjectionLife(
            key=key,
            deal_id=deal_id,
            activity=activity,
            message_id=message_id,
            stage=stage,
            type=read.type,
            genuine=read.genuine,
            reason=read.reason.quote if read.reason else None,
            condition=read.condition.quote if read.condition else None,
            quote=read.evidence.quote,
            state="open",
            opened=at,
            why="" if key in self._accepted else why,
        )

    def we_wrote(self, deal_id: str, new_text: str) -> None:
        """A later letter of ours that takes up an objection's own words answers it."""
        open_ones = [o for o in self.unsettled(deal_id) if o.state == "open"]
        if not open_ones:
            return
        index = WordIndex(new_text)
        for objection in open_ones:
            grounds = words(f"{objection.reason or ''} {objection.condition or ''}")
            telling = {w for w in grounds if len(w) > 3 or w.isdigit()}
            if sum(index.has((word,)) for word in telling) >= 2:
                self._all[objection.key] = replace(objection, state="answered")

    def close(self, objections: Collection[ObjectionLife], at: datetime, why: str) -> None:
        for objection in objections:
            self._all[objection.key] = replace(objection, state="closed", closed=at, closed_by=why)


def _is(objection: ObjectionLife, deal_id: str, type_: str) -> bool:
    return (objection.deal_id, objection.type) == (deal_id, type_) and objection.state != "closed"


def _with_grounds(objection: ObjectionLife, read: ObjectionRead) -> ObjectionLife:
    return replace(
        objection,
        genuine=True,
        reason=read.reason.quote if read.reason else None,
        condition=read.condition.quote if read.condition else None,
        quote=read.evidence.quote,
    )
