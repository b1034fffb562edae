"""`status`, `report`, `explain`: commands that only read."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table
from sqlalchemy import Connection

from agent import explain as explaining
from agent import reports
from agent.cli.common import NO, ConfigPath, Json, complain, opened, out, plain, tell
from agent.config import Config
from agent.status import Status, look
from agent.store import mirror
from agent.texts import say


class Report(StrEnum):
    """Which report."""

    funnel = "funnel"
    objections = "objections"
    skipped = "skipped"


def status(as_json: Json = False, config: ConfigPath = None) -> None:
    """Is everything fresh? Per source: phase, done, last success, last proof, last error, next try."""
    with opened(config) as (loaded, store), store.reading() as tx:
        found = look(tx, loaded, datetime.now(UTC))
    if as_json:
        print(msgspec.json.encode(found).decode())
    else:
        _print_status(found)
    if not found.green:
        raise typer.Exit(NO)


def _print_status(found: Status) -> None:
    table = Table("source", "phase", "done", "last success", "last proof", "last error", "next try", box=None)
    for s in found.sources:
        done = f"{s.done}/{s.total}" if s.total is not None else str(s.done)
        error = "" if s.last_error is None else plain(s.last_error)
        table.add_row(
            plain(s.name), s.phase, done, _when(s.last_success), _when(s.last_proof), error, _when(s.next_try)
        )
    out.print(table)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(found.outcomes.items()))
    tell(say("status.outcomes", counts=counts or "0"))
    tell(say("status.outbox", **found.outbox))
    for note in found.notes:
        tell(note)
    tell(say("status.green") if found.green else say("status.not_green", what="; ".join(found.problems)))


def _when(at: datetime | None) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else "-"


def report(
    name: Annotated[Report, typer.Argument(help="Which report.")], as_json: Json = False, config: ConfigPath = None
) -> None:
    """The funnel per pipeline and manager; the objections per stage; what was left out."""
    with opened(config) as (loaded, store), store.reading() as tx:
        if name is Report.skipped:
            _skipped(tx, as_json)
            return
        book = reports.load(tx)
    if not loaded.pipelines:
        complain(say("report.no_pipelines"))
        raise typer.Exit(NO)
    if name is Report.funnel:
        rows: list[Any] = reports.funnel(book, loaded.pipelines)
    else:
        rows = reports.objections(book, loaded.pipelines)
    if as_json:
        print(msgspec.json.encode(rows).decode())
    elif name is Report.funnel:
        _print_funnel(rows, book, loaded)
    else:
        _print_objections(rows, book)


def _print_funnel(rows: list[reports.FunnelRow], book: reports.Book, config: Config) -> None:
    columns = ("stage", "manager", "entered", "moved_on", "conversion", "here", "days", "proposed")
    for pipeline in config.pipelines:
        order = {s.name: n for n, s in enumerate(pipeline.stages)}
        mine = sorted((r for r in rows if r.pipeline == pipeline.name), key=lambda r: (order[r.stage], r.owner))
        table = Table(*(say(f"report.{c}") for c in columns), title=say("report.funnel", pipeline=pipeline.name))
        for r in mine:
            table.add_row(
                plain(r.stage),
                plain(_rep(book, r.owner)),
                str(r.entered),
                str(r.moved_on),
                "-" if r.conversion is None else f"{r.conversion:.0%}",
                str(r.here),
                "-" if r.median_days is None else f"{r.median_days:g}",
                str(r.proposed or ""),
            )
        out.print(table)


def _rep(book: reports.Book, owner: str) -> str:
    return book.reps[owner].name if owner in book.reps else owner


def _print_objections(rows: list[reports.ObjectionRow], book: reports.Book) -> None:
    if not rows:
        tell(say("report.no_objections"))
    for (pipeline, stage), group in groupby(rows, key=lambda r: (r.pipeline, r.stage)):
        tell(say("report.objections", pipeline=pipeline, stage=stage))
        for r in group:
            o = r.objection
            sort = say("explain.genuine") if o.genuine else say("explain.stalling")
            state = say(f"report.{o.state}")
            tell(f"  {o.opened:%Y-%m-%d}  {o.type}, {sort}, {state}: {r.deal} ({_rep(book, r.owner)})")
            tell(f"      “{' '.join(o.quote.split())}”")
            for name, text in (("reason", o.reason), ("condition", o.condition)):
                if text:
                    tell(f"      {say(f'report.{name}')}: {' '.join(text.split())}")


def _skipped(tx: Connection, as_json: bool) -> None:
    """Reasons with their counts; nothing else is known of what was left out."""
    from agent.exporting import export

    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for line in export(tx):
        row = json.loads(line)
        if row["kind"] in ("message", "meeting") and row["outcome"] != "logged":
            counts[(row["outcome"], row["reason"] or "")][row["kind"]] += 1
    if as_json:
        rows = [{"outcome": o, "reason": r, **c} for (o, r), c in sorted(counts.items())]
        print(json.dumps(rows, ensure_ascii=False))
        return
    columns = ("state", "reason", "letters", "meetings")
    table = Table(*(say(f"report.{c}") for c in columns), title=say("report.left_out"))
    for (outcome, reason), of in sorted(counts.items()):
        table.add_row(outcome, plain(reason), str(of["message"] or ""), str(of["meeting"] or ""))
    out.print(table)


def explain(
    key: Annotated[str, typer.Argument(help="A key, a Message-ID or an iCalendar UID.")],
    as_json: Json = False,
    config: ConfigPath = None,
) -> None:
    """What was seen of a letter or meeting, what was decided and why, and what was written."""
    with opened(config) as (_, store), store.reading() as tx:
        found = explaining.explain(tx, key)
        names = {d.id: d.name for d in mirror.deals(tx)}
    if not found:
        complain(say("explain.unknown", key=key))
        raise typer.Exit(NO)
    if as_json:
        print(msgspec.json.encode(found).decode())
        return
    for one in found:
        _print_explanation(one, names)


def _print_explanation(one: explaining.Explanation, names: dict[str, str]) -> None:
    tell(f"{one.kind} {one.key}  {one.date}  {one.direction}, {one.verified}")
    tell(one.subject if one.subject is not None else say("explain.gone"))
    for s in one.sightings:
        tell("  " + say("explain.seen", **s))
    if one.skipped:
        tell("  " + say("explain.skipped", reason=one.skipped))
    for link in one.links:
        outcome = link.outcome + (f" ({link.reason})" if link.reason else "")
        tell("  " + say("explain.decided", client=link.company_id or "-", outcome=outcome))
        for c in link.candidates:
            mark = "=>" if c.deal_id in link.deal_ids else " ?" if c.deal_id in link.ambiguous else "  "
            reasons = ", ".join(f"{r.name} {r.weight:+g}" + (f" ({r.detail})" if r.detail else "") for r in c.reasons)
            deal = f"{c.deal_id} {names.get(c.deal_id, '')}".strip()
            tell("    " + say("explain.candidate", mark=mark, deal=deal, score=c.score, reasons=reasons))
        if link.ambiguous:
            tell("    " + say("explain.ambiguous", deals=", ".join(link.ambiguous)))
    if one.reading:
        for m in one.reading.milestones:
            quote = " ".join(m.evidence.quote.split())
            tell("  " + say("explain.proves", name=m.name, confidence=m.confidence, quote=quote))
        for o in one.reading.objections:
            sort = say("explain.genuine") if o.genuine else say("explain.stalling")
            quote = " ".join(o.evidence.quote.split())
            tell("  " + say("explain.objects", type=o.type, sort=sort, confidence=o.confidence, quote=quote))
    for change in one.changes:
        tell("  " + say("explain.written", kind=change["kind"], state=change["state"], key=change["key"]))
