"""Reports: the funnel per pipeline and manager, and the objections at each stage; from what stands in the CRM."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, select

from agent.model import Deal, History, ObjectionLife, Pipeline, Rep, StageMove
from agent.store import mirror
from agent.store.tables import history, stage_event


class Entered(NamedTuple):
    """A deal entered a stage."""

    deal_id: str
    stage: str
    at: datetime
    by: str  # import, human, agent


class FunnelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One manager at one stage of one pipeline."""

    pipeline: str
    owner: str
    stage: str
    entered: int  # deals that ever stood here
    moved_on: int  # of those, how many went to a later stage
    here: int  # how many stand here now
    proposed: int  # moves into this stage that wait for a person
    median_days: float | None  # in this stage, of those that left it

    @property
    def conversion(self) -> float | None:
        """Of the deals that entered, the part that moved on; None when none entered."""
        return self.moved_on / self.entered if self.entered else None


class ObjectionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One objection, with all that helps to answer it."""

    pipeline: str
    stage: str
    owner: str
    deal: str
    objection: ObjectionLife


class Book(NamedTuple):
    """What the reports are computed from."""

    deals: Mapping[str, Deal]
    reps: Mapping[str, Rep]
    entered: Sequence[Entered]
    proposed: Sequence[StageMove]
    objections: Sequence[ObjectionLife]


def load(tx: Connection) -> Book:
    said = [msgspec.json.decode(body, type=History) for body in tx.scalars(select(history.c.body))]
    events = tx.execute(select(stage_event).order_by(stage_event.c.date, stage_event.c.id))
    return Book(
        deals={d.id: d for d in mirror.deals_as_they_stand(tx)},
        reps={r.id: r for r in mirror.reps(tx)},
        entered=[Entered(r.deal_id, r.stage, r.date, r.by) for r in events],
        proposed=[m for h in said for m in h.moves if m.state == "proposed"],
        objections=[o for h in said for o in h.objections],
    )


def funnel(book: Book, pipelines: Iterable[Pipeline]) -> list[FunnelRow]:
    """Per pipeline, manager and stage, in the pipeline's order; stages that nobody entered are left out."""
    paths = _paths(book)
    rows = []
    for pipeline in pipelines:
        ranks = {s.name: n for n, s in enumerate(pipeline.stages)}
        mine = [d for d in book.deals.values() if d.pipeline == pipeline.name]
        for owner in sorted({d.owner for d in mine}):
            his = {d.id: paths[d.id] for d in mine if d.owner == owner}
            for stage in pipeline.stages:
                row = _funnel_row(book, pipeline.name, owner, stage.name, his, ranks)
                if row.entered or row.proposed:
                    rows.append(row)
    return rows


def _paths(book: Book) -> dict[str, list[Entered]]:
    paths: dict[str, list[Entered]] = defaultdict(list)
    for event in book.entered:
        if not paths[event.deal_id] or paths[event.deal_id][-1].stage != event.stage:
            paths[event.deal_id].append(event)
    return paths


def _funnel_row(
    book: Book, pipeline: str, owner: str, stage: str, paths: Mapping[str, list[Entered]], ranks: Mapping[str, int]
) -> FunnelRow:
    entered = moved = here = 0
    stays: list[timedelta] = []
    for path in paths.values():
        places = [n for n, event in enumerate(path) if event.stage == stage]
        if not places:
            continue
        entered += 1
        here += path[-1].stage == stage
        later = [e for e in path[places[0] + 1 :] if ranks.get(e.stage, -1) > ranks[stage]]
        moved += bool(later)
        stays += [path[n + 1].at - path[n].at for n in places if n + 1 < len(path)]
    return FunnelRow(
        pipeline=pipeline,
        owner=owner,
        stage=stage,
        entered=entered,
        moved_on=moved,
        here=here,
        proposed=sum(1 for m in book.proposed if m.stage == stage and m.deal_id in paths),
        median_days=round(median(s.total_seconds() for s in stays) / 86_400, 1) if stays else None,
    )


def objections(book: Book, pipelines: Iterable[Pipeline]) -> list[ObjectionRow]:
    """Every objection, by pipeline and by the stage at which it arose, open ones first."""
    ranks = {(p.name, s.name): n for p in pipelines for n, s in enumerate(p.stages)}
    rows = []
    for objection in book.objections:
        deal = book.deals.get(objection.deal_id)
        if deal is not None:
            rows.append(
                ObjectionRow(
                    pipeline=deal.pipeline,
                    stage=objection.stage,
                    owner=deal.owner,
                    deal=deal.name,
                    objection=objection,
                )
            )
    states = ("open", "answered", "closed")
    return sorted(
        rows,
        key=lambda r: (
            r.pipeline,
            ranks.get((r.pipeline, r.stage), -1),
            states.index(r.objection.state),
            r.objection.opened,
        ),
    )
