"""Reports: the funnel per pipeline and manager, what was logged and what was left out."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from statistics import median
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from agent.changes import merged
from agent.model import Deal, Link, ObjectionLife, Pipeline, Rep, Stage, StageMove
from agent.store import histories, mirror
from agent.store.tables import activity, ledger, link, stage_event


class Entered(NamedTuple):
    """A deal entered a stage."""

    deal_id: str
    stage: str
    at: datetime
    by: str  # import, human, agent


class Work(NamedTuple):
    """A letter or a meeting about a deal."""

    deal_id: str
    kind: str  # message, meeting
    at: datetime  # of a meeting its end
    reps: frozenset[str]  # who of ours wrote it, or met
    from_client: bool


class FunnelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One manager, or all of them together, at one stage of one pipeline.

    A deal counts for whoever wrote or met while it stood there; where nobody did, for those who did before; where
    nobody ever did, for its owner.
    """

    pipeline: str
    owner: str | None  # None: all managers
    stage: str
    entered: int  # deals that ever stood here
    moved_on: int | None  # of those, how many went to a later stage; None where a deal ends
    conversion: float | None  # this part of them; None when none entered, or none can move on
    here: int  # how many stand here now
    stuck: int  # of those, open ones from whose client no letter has come for so many days
    proposed: int  # moves into this stage that wait for a person
    median_days: float | None  # in this stage, of those that left it


class Book(NamedTuple):
    """What the reports are computed from."""

    deals: Mapping[str, Deal]
    reps: Mapping[str, Rep]
    entered: Sequence[Entered]
    proposed: Sequence[StageMove]
    objections: Sequence[ObjectionLife]
    work: Sequence[Work] = ()


def load(tx: Connection, rows: Iterable[Mapping[str, Any]]) -> Book:
    """`rows`: every letter and meeting, as exported."""
    said = histories.every(tx)
    events = tx.execute(select(stage_event).order_by(stage_event.c.date, stage_event.c.id))
    return Book(
        deals={d.id: d for d in mirror.deals_as_they_stand(tx)},
        reps={r.id: r for r in mirror.reps(tx)},
        entered=[Entered(r.deal_id, r.stage, r.date, r.by) for r in events],
        proposed=[m for h in said for m in h.moves if m.state == "proposed"],
        objections=[o for h in said for o in h.objections],
        work=sorted(_work(rows)),
    )


def _work(rows: Iterable[Mapping[str, Any]]) -> Iterator[Work]:
    for row in rows:
        is_letter = row["kind"] == "message"
        at = datetime.fromisoformat(row["date"] if is_letter else row["end"] or row["start"])
        if row["outcome"] == "logged":
            for deal_id in row["deal_ids"]:
                from_client = is_letter and row["direction"] == "inbound"
                yield Work(deal_id, row["kind"], at, frozenset(row["reps"]), from_client)


def funnel(book: Book, pipelines: Iterable[Pipeline], silent: Collection[str] = ()) -> list[FunnelRow]:
    """Per pipeline and stage, in the pipeline's order: all together, then each manager; unused stages are left out.

    `silent`: the deals from whose client nothing has come for long.
    """
    stays = _stays(book)
    rows = []
    for pipeline in pipelines:
        mine = {d.id: stays.get(d.id, []) for d in book.deals.values() if d.pipeline == pipeline.name}
        managers = {who for d in mine for who in (book.deals[d].owner, *(w for s in mine[d] for w in s.hands))}
        for stage in pipeline.stages:
            for owner in (None, *sorted(managers)):
                row = _funnel_row(book, pipeline, owner, stage, mine, silent)
                if row.entered or row.proposed:
                    rows.append(row)
    return rows


class Stay(NamedTuple):
    """A deal stood in a stage."""

    stage: str
    since: datetime
    until: datetime | None  # None: it stands there now
    hands: frozenset[str]  # the reps who had the deal in hand then


def _stays(book: Book) -> dict[str, list[Stay]]:
    paths: dict[str, list[Entered]] = defaultdict(list)
    for event in book.entered:
        if not paths[event.deal_id] or paths[event.deal_id][-1].stage != event.stage:
            paths[event.deal_id].append(event)
    work: dict[str, list[Work]] = defaultdict(list)
    for one in book.work:
        if one.reps:
            work[one.deal_id].append(one)
    return {
        deal_id: _in_hands(path, work[deal_id], book.deals[deal_id].owner)
        for deal_id, path in paths.items()
        if deal_id in book.deals
    }


def _in_hands(path: Sequence[Entered], work: Sequence[Work], owner: str) -> list[Stay]:
    """What brings a deal to a stage is work of the stage before."""
    stays: list[Stay] = []
    hands = frozenset({owner})
    for event, following in zip(path, [*path[1:], None], strict=True):
        until = following.at if following else None
        began = event.at if stays else None
        here = [w.reps for w in work if (began is None or w.at > began) and (until is None or w.at <= until)]
        hands = frozenset().union(*here) if here else hands
        stays.append(Stay(event.stage, event.at, until, hands))
    return stays


def _funnel_row(
    book: Book,
    pipeline: Pipeline,
    owner: str | None,
    stage: Stage,
    deals: Mapping[str, Sequence[Stay]],
    silent: Collection[str],
) -> FunnelRow:
    further = _further(pipeline, stage)
    entered = moved = here = stuck = 0
    spans: list[timedelta] = []
    for deal_id, stays in deals.items():
        places = [n for n, s in enumerate(stays) if s.stage == stage.name and (owner is None or owner in s.hands)]
        if not places:
            continue
        entered += 1
        stands = stays[places[-1]].until is None
        here += stands
        stuck += stands and deal_id in silent
        moved += any(s.stage in further for s in stays[places[0] + 1 :])
        spans += [until - stays[n].since for n in places if (until := stays[n].until) is not None]
    return FunnelRow(
        pipeline=pipeline.name,
        owner=owner,
        stage=stage.name,
        entered=entered,
        moved_on=moved if further else None,
        conversion=round(moved / entered, 4) if further and entered else None,
        here=here,
        stuck=stuck,
        proposed=sum(m.stage == stage.name and _has_in_hand(book, owner, m, deals) for m in book.proposed),
        median_days=round(median(s.total_seconds() for s in spans) / 86_400, 1) if spans else None,
    )


def _has_in_hand(book: Book, owner: str | None, move: StageMove, deals: Mapping[str, Sequence[Stay]]) -> bool:
    if move.deal_id not in deals:
        return False
    stays = deals[move.deal_id]
    return owner is None or owner in (stays[-1].hands if stays else {book.deals[move.deal_id].owner})


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
    names = mirror.client_names(tx)
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


def left_out(tx: Connection, rows: Iterable[Mapping[str, Any]], calendars: Sequence[str]) -> list[LeftOut]:
    """Every reason with its counts; of what was excluded only its rule is known, and where it stood."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row["outcome"] != "logged":
            counts[row["outcome"], row["reason"] or ""][row["kind"]] += 1
    excluded = select(ledger.c.source, ledger.c.reason).where(ledger.c.outcome == "excluded")
    for source, rule in tx.execute(excluded):
        counts["excluded", rule]["meeting" if source in calendars else "message"] += 1
    return [
        LeftOut(outcome=outcome, reason=reason, letters=of["message"], meetings=of["meeting"])
        for (outcome, reason), of in sorted(counts.items())
    ]
