"""`report`: what a sales manager asks: the funnel, the objections, what is stuck, and whether all was captured."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import groupby
from typing import Annotated, Any

import msgspec
import typer
from sqlalchemy import Connection

from agent import reports
from agent.answers import Verdicts
from agent.cli.common import NO, ConfigPath, Json, complain, opened, safe_json, tell, tell_table
from agent.cli.coverage import print_coverage, print_mine, print_stuck
from agent.cli.objections import rep_name, show_objections
from agent.config import Config
from agent.coverage_report import coverage, mine, who
from agent.exporting import activities
from agent.flow import owners_of, utc_now
from agent.objection_report import objection_report
from agent.store import answers, histories, mirror
from agent.stuck_report import stuck
from agent.texts import say, word
from agent.trust import TrustRow, trust


class Report(StrEnum):
    """Which report."""

    funnel = "funnel"
    objections = "objections"
    logged = "logged"
    skipped = "skipped"
    trust = "trust"
    stuck = "stuck"
    coverage = "coverage"
    mine = "mine"


@dataclass
class Asked:
    """What a report is computed from; what it needs of it is gathered once."""

    tx: Connection
    config: Config
    days: int
    owner: str

    @cached_property
    def every(self) -> list[dict[str, Any]]:
        """Letters and meetings, as exported."""
        return list(activities(self.tx))

    @cached_property
    def book(self) -> reports.Book:
        return reports.load(self.tx, self.every)


Told = tuple[Any, Callable[[], None]]  # what --json prints, and how a person is told the same


def report(
    name: Annotated[Report, typer.Argument(help="Which report.")],
    owner: Annotated[str, typer.Argument(help="Of mine: the rep's name, address or id.")] = "",
    days: Annotated[int, typer.Option(min=0, help="So many days without a letter of the client are stuck.")] = 14,
    as_json: Json = False,
    config: ConfigPath = None,
) -> None:
    """The funnel per manager; objections; what is stuck, was logged, was left out; whether all was captured."""
    with opened(config) as (loaded, store), store.reading() as tx:
        rows, show = TELLERS[name](Asked(tx, loaded, days, owner))
    if as_json:
        print(safe_json(msgspec.json.encode(rows).decode()))
    else:
        show()


def _funnel(asked: Asked) -> Told:
    _needs_pipelines(asked.config)
    silent = {row.deal_id for row in stuck(asked.book, asked.config.pipelines, asked.days, utc_now())}
    rows = reports.funnel(asked.book, asked.config.pipelines, silent)
    return rows, lambda: _print_funnel(rows, asked.book, asked.config, asked.days)


def _objections(asked: Asked) -> Told:
    _needs_pipelines(asked.config)
    found = objection_report(asked.book, asked.config.pipelines)
    return found, lambda: show_objections(found, asked.book)


def _logged(asked: Asked) -> Told:
    rows = reports.logged(asked.tx, asked.book)
    return rows, lambda: _print_logged(rows, asked.book)


def _skipped(asked: Asked) -> Told:
    rows = reports.left_out(asked.tx, asked.every, [c.name for c in asked.config.calendars])
    return rows, lambda: _print_left_out(rows)


def _trusted(asked: Asked) -> Told:
    rows = _trust(asked.tx, asked.config)
    return rows, lambda: _print_trust(rows)


def _stuck(asked: Asked) -> Told:
    rows = stuck(asked.book, asked.config.pipelines, asked.days, utc_now())
    return rows, lambda: print_stuck(rows, asked.book, asked.days)


def _coverage(asked: Asked) -> Told:
    found = coverage(asked.tx, asked.every, asked.book, owners_of(asked.config, asked.tx))
    return found, lambda: print_coverage(found, asked.book)


def _mine(asked: Asked) -> Told:
    owners = owners_of(asked.config, asked.tx)
    rep = who(asked.tx, asked.owner, owners)
    if rep is None:
        raise typer.BadParameter(say("report.whose", owners=", ".join(sorted(set(owners.values())))))
    found = mine(asked.tx, asked.every, rep, [source for source, of in owners.items() if of == rep])
    book, clients = asked.book, mirror.client_names(asked.tx)
    return found, lambda: print_mine(found, book, clients)


TELLERS: dict[Report, Callable[[Asked], Told]] = {
    Report.funnel: _funnel,
    Report.objections: _objections,
    Report.logged: _logged,
    Report.skipped: _skipped,
    Report.trust: _trusted,
    Report.stuck: _stuck,
    Report.coverage: _coverage,
    Report.mine: _mine,
}


def _trust(tx: Connection, config: Config) -> list[TrustRow]:
    said = histories.every(tx)
    verdicts = Verdicts.of(given.answer for given in answers.every(tx))
    return trust(said, verdicts, config.pipelines, {d.id: d.pipeline for d in mirror.deals(tx)})


def _print_trust(rows: list[TrustRow]) -> None:
    if not rows:
        tell(say("report.nothing_moved"))
        return
    names = ("transition", "waiting", "accepted", "declined", "written", "undone", "overruled", "right")
    for pipeline, group in groupby(rows, key=lambda r: r.pipeline):
        tell(say("report.trust", pipeline=pipeline))
        tell_table([say(f"report.{name}") for name in names], [_trust_cells(r) for r in group])
        tell("")
    tell(say("report.trust_legend"))


def _trust_cells(row: TrustRow) -> tuple[object, ...]:
    counts = (row.waiting, row.accepted, row.declined, row.written, row.undone, row.overruled)
    right = "" if row.right is None else f"{row.right:.0%}"
    return (f"{row.before or '?'} -> {row.stage}", *(n or "" for n in counts), right)


def _needs_pipelines(config: Config) -> None:
    if not config.pipelines:
        complain(say("report.no_pipelines"))
        raise typer.Exit(NO)


def _print_funnel(rows: list[reports.FunnelRow], book: reports.Book, config: Config, days: int) -> None:
    names = ("stage", "entered", "moved_on", "here", "stuck", "days", "waiting")
    heads = [say(f"report.{name}") for name in names]
    for pipeline in config.pipelines:
        table = []
        for stage in pipeline.stages:
            for r in (r for r in rows if (r.pipeline, r.stage) == (pipeline.name, stage.name)):
                result = f": {stage.result}" if stage.result else ""
                who = f"  {rep_name(book, r.owner)}" if r.owner else f"{stage.name}{result}"
                table.append((who, r.entered, _moved_on(r), r.here, r.stuck or "", _days(r), r.proposed or ""))
        tell(say("report.funnel", pipeline=pipeline.name))
        tell_table(heads, table)
        tell("")
    tell(say("report.legend", days=days))


def _moved_on(row: reports.FunnelRow) -> str:
    return "" if row.conversion is None else f"{row.moved_on} {row.conversion:4.0%}"


def _days(row: reports.FunnelRow) -> str:
    return "" if row.median_days is None else f"{row.median_days:.1f}"


def _print_logged(rows: list[reports.LoggedRow], book: reports.Book) -> None:
    if not rows:
        tell(say("report.nothing_logged"))
        return
    table: list[tuple[object, ...]] = []
    for client, group in groupby(rows, key=lambda r: r.client):
        table.append((client, "", "", "", ""))
        for r in group:
            where = book.deals[r.deal_id].name if r.deal_id else _no_deal(r, book)
            table.append((f"  {where}", r.stage, r.letters, r.meetings or "", f"{r.last:%Y-%m-%d}"))
    tell(say("report.logged"))
    heads = [say(f"report.{name}") for name in ("client", "stage", "letters", "meetings", "last")]
    tell_table(heads, table, texts=2)


def _no_deal(row: reports.LoggedRow, book: reports.Book) -> str:
    between = " / ".join(book.deals[i].name for i in row.ambiguous)
    return say("report.between", deals=between) if between else say("report.no_deal")


def _print_left_out(rows: list[reports.LeftOut]) -> None:
    if not rows:
        tell(say("report.nothing_left_out"))
        return
    table = [
        (f"{word('outcome', r.outcome)}: {r.reason}", word("because", r.reason), r.letters or "", r.meetings or "")
        for r in rows
    ]
    tell(say("report.left_out"))
    heads = [say("outcome.skipped"), *(say(f"report.{name}") for name in ("why", "letters", "meetings"))]
    tell_table(heads, table, texts=2)
