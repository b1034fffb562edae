"""`report stuck`, `report coverage` and `report mine` on the terminal."""

from collections.abc import Mapping
from itertools import groupby

from agent.cli.common import one_line, tell, tell_table
from agent.cli.objections import rep_name
from agent.coverage_report import Coverage, Mine, SourceRow, Taken
from agent.reports import Book
from agent.stuck_report import StuckRow
from agent.texts import say, word


def print_stuck(rows: list[StuckRow], book: Book, days: int) -> None:
    if not rows:
        tell(say("report.nothing_stuck", days=days))
        return
    for (pipeline, stage), group in groupby(rows, key=lambda r: (r.pipeline, r.stage)):
        some = list(group)
        tell(say("report.stuck_at", pipeline=pipeline, stage=stage, count=len(some), days=days))
        for row in some:
            when = f"{row.last_letter:%Y-%m-%d}" if row.last_letter else say("report.never")
            name = f"{one_line(row.deal)} ({rep_name(book, row.owner)})"
            tell(say("report.silent", deal=name, days=row.days, last=when), indent=2)
            for o in row.objections:
                sort = say("explain.genuine") if o.genuine else say("explain.stalling")
                quote = f": “{one_line(o.quote)}”" if o.quote else ""
                tell(f"{word('objection', o.type)}, {sort}, {word('report', o.state)}{quote}", indent=6)
                if o.condition:
                    tell(say("report.condition", text=one_line(o.condition)), indent=8)
        tell("")


def print_coverage(report: Coverage, book: Book) -> None:
    if not report.sources:
        tell(say("report.nothing_logged"))
        return
    names = ("seen", "logged_short", "unclear", "skipped_short", "waiting", "failed", "kept_out")
    table: list[tuple[object, ...]] = []
    for owner, group in groupby(report.sources, key=lambda r: r.owner):
        table.append((rep_name(book, owner) or say("report.nobody"), *[""] * len(names)))
        for row in group:
            table += _source_lines(row)
    tell(say("report.coverage"))
    tell_table([say("report.source"), *(say(f"report.{name}") for name in names)], table)
    tell("")
    tell(say("report.silent_deals", count=len(report.silent_deals)))
    for deal in report.silent_deals:
        tell(f"{one_line(deal.deal)} ({rep_name(book, deal.owner)}), {deal.stage}", indent=2)
    tell(say("report.coverage_legend"))


def _source_lines(row: SourceRow) -> list[tuple[object, ...]]:
    share = "" if row.ambiguous_share is None else f"{row.ambiguous_share:.0%}"
    skipped, waiting = sum(row.skipped.values()), sum(row.waiting.values())
    rest = (n or "" for n in (skipped, waiting, row.quarantined, row.excluded))
    lines: list[tuple[object, ...]] = [(f"  {row.source}", row.seen, row.logged, share, *rest)]
    lines += [(f"    {word('because', why)}", "", "", "", n, "", "", "") for why, n in row.skipped.items()]
    lines += [(f"    {word('because', why)}", "", "", "", "", n, "", "") for why, n in row.waiting.items()]
    return lines


def print_mine(report: Mine, book: Book, clients: Mapping[str, str]) -> None:
    sources = ", ".join(report.sources)
    tell(say("report.mine", owner=rep_name(book, report.owner), sources=sources, count=len(report.taken)))
    for one in report.taken:
        what = one_line(one.subject) or say("report.no_text")
        tell(f"{one.date[:10]}  {what}", indent=2)
        tell(f"{_where(one, book, clients)}  [{', '.join(one.sources)}; {one.key}]", indent=14)
    for rule, count in report.excluded.items():
        tell(say("report.kept_out_by", rule=word("because", rule), count=count), indent=2)


def _where(one: Taken, book: Book, clients: Mapping[str, str]) -> str:
    if one.outcome != "logged":
        return f"{word('outcome', one.outcome)}: {word('because', one.reason or '')}"
    client = clients.get(one.company_id or next(iter(one.contact_ids), ""), "")
    deals = " + ".join(one_line(book.deals[i].name) for i in one.deal_ids if i in book.deals)
    between = say("report.between", deals=" / ".join(one.ambiguous)) if one.ambiguous else say("report.no_deal")
    where = f"{one_line(client)}, {deals or between}" if client else deals or between
    return say("report.in_crm", where=where) if one.in_crm else say("report.not_in_crm", where=where)
