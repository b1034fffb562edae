"""`report objections` on the terminal: the counts per stage and type, then each objection with its quotes."""

from itertools import groupby

from agent.cli.common import one_line, tell, tell_table
from agent.model import ObjectionLife
from agent.objection_report import ObjectionCount, ObjectionReport, ObjectionRow
from agent.reports import Book
from agent.texts import say, word

COUNTED = ("real", "stalling", "open", "answered", "met", "dropped", "passed")


def rep_name(book: Book, owner: str) -> str:
    return book.reps[owner].name if owner in book.reps else owner


def show_objections(report: ObjectionReport, book: Book) -> None:
    if not report.objections:
        tell(say("report.no_objections"))
        return
    for (pipeline, stage), group in groupby(report.objections, key=lambda r: (r.pipeline, r.stage)):
        rows = list(group)
        still_open = sum(r.objection.state == "open" for r in rows)
        tell(say("report.objections", pipeline=pipeline, stage=stage, count=len(rows), open=still_open))
        _print_counts([c for c in report.counts if (c.pipeline, c.stage) == (pipeline, stage)], book)
        for row in rows:
            _print_objection(row, book)
        tell("")
    tell(say("objections.legend"))


def _print_counts(counts: list[ObjectionCount], book: Book) -> None:
    heads = [say(f"objections.{name}") for name in ("type", *COUNTED, "conditions")]
    table: list[tuple[object, ...]] = []
    for count in counts:
        who = f"  {rep_name(book, count.owner)}" if count.owner else word("objection", count.type)
        conditions = f"{count.conditions_open}/{count.conditions_met}"
        numbers = (getattr(count, name) or "" for name in COUNTED)
        table.append((who, *numbers, conditions if conditions != "0/0" else ""))
    tell_table(heads, table)


def _print_objection(row: ObjectionRow, book: Book) -> None:
    o = row.objection
    sort = say("explain.genuine") if o.genuine else say("explain.stalling")
    kind = f"{word('objection', o.type)}, {sort}, {word('report', 'proposed' if o.why else o.cause or o.state)}"
    tell(f"{o.opened:%Y-%m-%d}  {kind}: {row.deal} ({rep_name(book, row.owner)})", indent=2)
    quote = one_line(o.quote)
    tell(f"“{quote}”", indent=6)
    if o.reason and one_line(o.reason) != quote.rstrip(".!"):
        tell(say("report.because", text=one_line(o.reason)), indent=6)
    if o.condition:
        tell(say("report.condition", text=one_line(o.condition)), indent=6)
    _print_end(o)


def _print_end(o: ObjectionLife) -> None:
    """When and by which words it was answered or closed."""
    last = o.events[-1] if o.events else None
    if last is not None and last.what in ("answered", "met", "dropped", "passed"):
        quote = f": “{one_line(last.quote)}”" if last.quote else ""
        tell(f"{last.at:%Y-%m-%d} {word('report', last.what)}{quote}", indent=6)
