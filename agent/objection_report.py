"""The report on objections: how many of each type at each stage, real and stalling, and what became of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from agent.model import ObjectionLife, Pipeline
from agent.reports import Book
from agent.stages import funnel_order

STATES = ("open", "answered", "closed")


class ObjectionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One objection, with all that helps to answer it."""

    pipeline: str
    stage: str
    owner: str
    deal: str
    objection: ObjectionLife


class ObjectionCount(msgspec.Struct, frozen=True, kw_only=True):
    """One manager's objections of one type at one stage, or those of all managers together."""

    pipeline: str
    stage: str  # where they arose
    type: str
    owner: str | None  # None: all managers
    real: int
    stalling: int
    open: int
    answered: int
    met: int
    dropped: int
    passed: int
    proposed: int  # wait for a person: nobody can tell who wrote them
    conditions_open: int  # the client would buy if
    conditions_met: int


class ObjectionReport(msgspec.Struct, frozen=True, kw_only=True):
    counts: list[ObjectionCount]
    objections: list[ObjectionRow]


def objection_report(book: Book, pipelines: Iterable[Pipeline]) -> ObjectionReport:
    """By pipeline and by the stage at which they arose, in the funnel's order; open ones first."""
    places = funnel_order(pipelines)
    rows = [
        ObjectionRow(pipeline=deal.pipeline, stage=o.stage, owner=deal.owner, deal=deal.name, objection=o)
        for o in book.objections
        if (deal := book.deals.get(o.deal_id)) is not None
    ]
    rows.sort(
        key=lambda r: (
            r.pipeline,
            places.get((r.pipeline, r.stage), (0, -1))[1],
            r.stage,
            STATES.index(r.objection.state),
            r.objection.opened,
            r.objection.key,
        )
    )
    return ObjectionReport(counts=_counts(rows), objections=rows)


def _counts(rows: Sequence[ObjectionRow]) -> list[ObjectionCount]:
    """In the order of the rows: each stage, its most frequent type first; all managers before each of them."""
    of_stage: dict[tuple[str, str], list[ObjectionRow]] = defaultdict(list)
    for row in rows:
        of_stage[row.pipeline, row.stage].append(row)
    counted = []
    for here in of_stage.values():
        often = Counter(row.objection.type for row in here)
        for type_ in sorted(often, key=lambda t: (-often[t], t)):
            some = [row for row in here if row.objection.type == type_]
            owners = (None, *sorted({row.owner for row in some}))
            counted += [_count(type_, owner, [row for row in some if owner in (None, row.owner)]) for owner in owners]
    return counted


def _count(type_: str, owner: str | None, rows: Sequence[ObjectionRow]) -> ObjectionCount:
    some = [row.objection for row in rows]
    became = Counter("proposed" if o.why else o.cause or o.state for o in some)
    return ObjectionCount(
        pipeline=rows[0].pipeline,
        stage=rows[0].stage,
        type=type_,
        owner=owner,
        real=sum(o.genuine for o in some),
        stalling=sum(not o.genuine for o in some),
        open=became["open"],
        answered=became["answered"],
        met=became["met"],
        dropped=became["dropped"],
        passed=became["passed"],
        proposed=became["proposed"],
        conditions_open=sum(bool(o.condition) and o.state != "closed" and not o.why for o in some),
        conditions_met=sum(bool(o.condition) and o.cause == "met" for o in some),
    )
