"""`report`: what a sales manager asks: the funnel, the objections, what was logged, and what was left out."""

from enum import StrEnum
from itertools import groupby
from typing import Annotated, Any

import msgspec
import typer
from sqlalchemy import Connection, select

from agent import reports
from agent.answers import Verdicts
from agent.cli.common import NO, ConfigPath, Json, complain, opened, safe_json, tell, tell_table
from agent.cli.objections import rep_name, show_objections
from agent.config import Config
from agent.model import History
from agent.objection_report import objection_report
from agent.store import answers, mirror
from agent.store.tables import history
from agent.texts import say, word
from agent.trust import TrustRow, trust


class Report(StrEnum):
    """Which report."""

    funnel = "funnel"
    objections = "objections"
    logged = "logged"
    skipped = "skipped"
    trust = "trust"


def report(
    name: Annotated[Report, typer.Argument(help="Which report.")], as_json: Json = False, config: ConfigPath = None
) -> None:
    """The funnel per manager; objections per stage; what was logged where; what was left out; what people think."""
    with opened(config) as (loaded, store), store.reading() as tx:
        book = reports.load(tx)
        if name is Report.logged:
            rows: list[Any] = reports.logged(tx, book)
        elif name is Report.skipped:
            rows = reports.left_out(tx, [c.name for c in loaded.calendars])
        elif name is Report.trust:
            rows = _trust(tx, loaded)
        else:
            _needs_pipelines(loaded)
            if name is Report.objections:
                show_objections(objection_report(book, loaded.pipelines), book, as_json=as_json)
                return
            rows = reports.funnel(book, loaded.pipelines)
    if as_json:
        print(safe_json(msgspec.json.encode(rows).decode()))
    elif name is Report.funnel:
        _print_funnel(rows, book, loaded)
    elif name is Report.trust:
        _print_trust(rows)
    elif name is Report.logged:
        _print_logged(rows, book)
    else:
        _print_left_out(rows)


def _trust(tx: Connection, config: Config) -> list[TrustRow]:
    said = [msgspec.json.decode(body, type=History) for body in tx.scalars(select(history.c.body))]
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


def _print_funnel(rows: list[reports.FunnelRow], book: reports.Book, config: Config) -> None:
    heads = [say(f"report.{name}") for name in ("stage", "entered", "moved_on", "here", "days", "proposed")]
    for pipeline in config.pipelines:
        table = []
        for stage in pipeline.stages:
            for r in (r for r in rows if (r.pipeline, r.stage) == (pipeline.name, stage.name)):
                result = f": {stage.result}" if stage.result else ""
                who = f"  {rep_name(book, r.owner)}" if r.owner else f"{stage.name}{result}"
                table.append((who, r.entered, _moved_on(r), r.here, _days(r), r.proposed or ""))
        tell(say("report.funnel", pipeline=pipeline.name))
        tell_table(heads, table)
        tell("")
    tell(say("report.legend"))


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
            where = book.deals[r.deal_id].name if r.deal_id else _no_deal(r)
            table.append((f"  {where}", r.stage, r.letters, r.meetings or "", f"{r.last:%Y-%m-%d}"))
    tell(say("report.logged"))
    heads = [say(f"report.{name}") for name in ("client", "stage", "letters", "meetings", "last")]
    tell_table(heads, table, texts=2)


def _no_deal(row: reports.LoggedRow) -> str:
    return say("report.between", deals=" / ".join(row.ambiguous)) if row.ambiguous else say("report.no_deal")


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
