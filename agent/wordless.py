"""What is left of records when their words are let go: kinds, times, people, places and versions; pure."""

from collections.abc import Collection, Iterable
from typing import Any

from msgspec.structs import replace

from agent.model import (
    Candidate,
    History,
    Link,
    Meeting,
    Message,
    ObjectionLife,
    Reading,
    Span,
    StageMove,
)


def record(one: Message | Meeting) -> Message | Meeting:
    """Who wrote or met, and when."""
    if isinstance(one, Meeting):
        return replace(one, title="", description="", location="", problems=())
    attachments = tuple(replace(a, name="") for a in one.attachments)
    return replace(one, subject="", text="", cuts=(), attachments=attachments, invitations=(), signals={}, problems=())


def reading(one: Reading) -> Reading:
    """What was read, where it stood, and by which version."""
    return replace(
        one,
        milestones=tuple(_read(m) for m in one.milestones),
        objections=tuple(_read(o) for o in one.objections),
        settling=tuple(_read(s) for s in one.settling),
    )


def _read(one: Any) -> Any:
    spans = {
        name: replace(value, quote="")
        for name in one.__struct_fields__
        if isinstance(value := getattr(one, name), Span)
    }
    return replace(one, **spans)


def link(one: Link) -> Link:
    """The reasons' names and weights."""
    return replace(one, candidates=tuple(_candidate(c) for c in one.candidates))


def _candidate(one: Candidate) -> Candidate:
    return replace(one, reasons=tuple(replace(r, detail="") for r in one.reasons))


def move(one: StageMove) -> StageMove:
    return replace(one, quote="")


def objection(one: ObjectionLife) -> ObjectionLife:
    """An objection loses its words as a whole, with its first letter: they are told from each other by them."""
    return replace(
        one,
        reason=None,
        condition=None,
        quote="",
        closed_quote="",
        events=tuple(replace(e, quote="") for e in one.events),
    )


def has_part(one: ObjectionLife, activities: Collection[str]) -> bool:
    """Was it raised, repeated, answered or closed in one of these?"""
    return one.activity in activities or any(e.activity in activities for e in one.events)


def history(said: History, activities: Collection[str]) -> History:
    """What was said of a client, without the words of these activities."""
    return replace(
        said,
        moves=_without(said.moves, activities),
        judged=tuple(replace(j, move=move(j.move)) if j.move.evidence in activities else j for j in said.judged),
        objections=tuple(objection(o) if has_part(o, activities) else o for o in said.objections),
        records=_without(said.records, activities),
    )


def _without(some: Iterable[Any], activities: Collection[str]) -> tuple[Any, ...]:
    return tuple(replace(one, quote="") if one.evidence in activities else one for one in some)
