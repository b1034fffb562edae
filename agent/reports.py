"""Reports: the funnel per pipeline and manager, what was logged and what was left out."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from statistics import median
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, select

from agent.changes import merged
from agent.exporting import activities
from agent.model import Deal, History, Link, ObjectionLife, Pipeline, Rep, Stage, StageMove
from agent.store import mirror
from agent.store.tables import activity, history, ledger, link, stage_event


class Entered(NamedTuple):
    """A deal entered a stage."""

    deal_id: str
    stage: str
    at: datetime
    by: str  # import, human, agent


class FunnelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One manager, or all of them together, at one stage of one pipeline."""

    pipeline: str
    owner: str | None  # None: all managers
    stage: str
    entered: int  # deals that ever stood here
    moved_on: int | None  # of those, how many went to a later stage; None where a deal ends
    here: int  # how many stand here now
    proposed: int  # moves into this stage that wait for a person
    median_days: float | None  # in this stage, of those that left it

    @property
    def conversion(self) -> float | None:
        """Of the deals that entered, the part that moved on; None when none entered, or none can."""
        return None if self.moved_on is None or not self.entered else self.moved_on / self.entered


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
    """Per pipeline and stage, in the pipeline's order: all together, then each manager; unused stages are left out."""
    paths = _paths(book)
    rows = []
    for pipeline in pipelines:
        mine = [d for d in book.deals.values() if d.pipeline == pipeline.name]
        for stage in pipeline.stages:
            for owner in (None, *sorted({d.owner for d in mine})):
                ways = {d.id: paths[d.id] for d in mine if owner in (None, d.owner)}
                row = _funnel_row(book, pipeline, owner, stage, ways)
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
    book: Book, pipeline: Pipeline, owner: str | None, stage: Stage, paths: Mapping[str, list[Entered]]
) -> FunnelRow:
    further = _further(pipeline, stage)
    entered = moved = here = 0
    stays: list[timedelta] = []
    for path in paths.values():
        places = [n for n, event in enumerate(path) if event.stage == stage.name]
        if not places:
            continue
        entered += 1
        here += path[-1].stage == stage.name
        moved += any(e.stage in further for e in path[places[0] + 1 :])
        stays += [path[n + 1].at - path[n].at for n in places if n + 1 < len(path)]
    return FunnelRow(
        pipeline=pipeline.name,
        owner=owner,
        stage=stage.name,
        entered=entered,
        moved_on=moved if further else None,
        here=here,
        proposed=sum(1 for m in book.proposed if m.stage == stage.name and m.deal_id in paths),
        median_days=round(median(s.total_seconds() for s in stays) / 86_400, 1) if stays else None,
    )


def _further(pipeline: Pipeline, stage: Stage) -> set[str]:
    """The stages that count as having moved on from this one: losing or parking a deal is no success."""
    if stage.kind in ("won", "lost"):
        return set()
    later = pipeline.stages if stage.kind == "hold" else pipeline.stages[pipeline.stages.index(stage) + 1 :]
    return {s.name for s in later if s.kind in ("open", "won")}


# -- what was taken in, and what was not ----------------------------------------------------------------------------


class LoggedRow(msgspec.Struct, frozen=True, kw_only=True):
    """What was logged on one deal, or on a client without one."""

    client: str  # its name
    deal_id: str | None
    ambiguous: tuple[str, ...]  # deals between which nobody can tell
    stage: str  # of the deal
    letters: int
    meetings: int
    last: datetime


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """How many letters and meetings were not logged for one reason."""

    outcome: str
    reason: str
    letters: int
    meetings: int


def logged(tx: Connection, book: Book) -> list[LoggedRow]:
    """Per client and deal, by name; what belongs to two deals counts at both."""
    dates: dict[tuple[str, str, tuple[str, ...]], dict[str, list[datetime]]] = defaultdict(lambda: defaultdict(list))
    names = {c.id: c.name for c in mirror.companies(tx)} | {c.id: c.name for c in mirror.contacts(tx)}
    for kind, date, one in _logged_links(tx):
        client = names.get(one.company_id or next(iter(one.contact_ids), ""), "")
        for deal_id in one.deal_ids or ("",):
            dates[client, deal_id, one.ambiguous][kind].append(date)
    return [
        LoggedRow(
            client=client,
            deal_id=deal_id or None,
            ambiguous=ambiguous,
            stage=book.deals[deal_id].stage if deal_id else "",
            letters=len(of["message"]),
            meetings=len(of["meeting"]),
            last=max(date for some in of.values() for date in some),
        )
        for (client, deal_id, ambiguous), of in sorted(dates.items(), key=lambda item: item[0])
    ]


def _logged_links(tx: Connection) -> Iterator[tuple[str, datetime, Link]]:
    """Kind and date of each logged activity, and what its clients say of it together."""
    query = select(activity.c.id, activity.c.kind, activity.c.date, link.c.body).join(link).order_by(activity.c.id)
    for (_, kind, date), rows in groupby(tx.execute(query), key=lambda r: (r.id, r.kind, r.date)):
        one = merged([msgspec.json.decode(r.body, type=Link) for r in rows])
        if one is not None and one.outcome == "logged":
            yield kind, date, one


def left_out(tx: Connection, calendars: Sequence[str]) -> list[LeftOut]:
    """Every reason with its counts; of what was excluded only its rule is known, and where it stood."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in activities(tx):
        if row["outcome"] != "logged":
            counts[row["outcome"], row["reason"] or ""][row["kind"]] += 1
    excluded = select(ledger.c.source, ledger.c.reason).where(ledger.c.outcome == "excluded")
    for source, rule in tx.execute(excluded):
        counts["excluded", rule]["meeting" if source in calendars else "message"] += 1
    return [
        LeftOut(outcome=outcome, reason=reason, letters=of["message"], meetings=of["meeting"])
        for (outcome, reason), of in sorted(counts.items())
    ]
