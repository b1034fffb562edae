"""The reports that prove what was captured: per owner and source, and everything that was taken from one rep."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from agent.reports import Book
from agent.store import mirror
from agent.store.rows import chunks, title_of
from agent.store.tables import activity, ledger, outbox

Row = Mapping[str, Any]


class SourceRow(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all that one mailbox or calendar held; what two of them hold counts at both."""

    owner: str  # rep id; "" of a source that is not configured any more
    source: str
    seen: int
    logged: int
    ambiguous: int  # of the logged ones
    ambiguous_share: float | None
    skipped: dict[str, int]  # by reason
    waiting: dict[str, int]  # by reason
    quarantined: int
    excluded: int


class SilentDeal(msgspec.Struct, frozen=True, kw_only=True):
    """An open deal about which no letter and no meeting is known."""

    owner: str
    deal_id: str
    deal: str
    stage: str
    created_at: datetime | None


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    sources: list[SourceRow]
    silent_deals: list[SilentDeal]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """One letter or meeting of a rep's, and where it went."""

    date: str
    kind: str
    key: str
    subject: str  # "" when no text is kept
    sources: list[str]
    outcome: str
    reason: str | None
    company_id: str | None
    contact_ids: list[str]
    deal_ids: list[str]
    ambiguous: list[str]
    in_crm: bool  # it stands there


class Mine(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was taken from one rep's mailboxes and calendars."""

    owner: str
    sources: list[str]
    taken: list[Taken]
    excluded: dict[str, int]  # by rule; nothing else is known of them


def coverage(tx: Connection, every: Sequence[Row], book: Book, owners: Mapping[str, str]) -> Coverage:
    """By owner and source. `every`: letters and meetings, as exported; `owners`: source -> rep id."""
    excluded = _excluded(tx)
    names = {*owners, *(s for row in every for s in row["sources"]), *(source for source, _ in excluded)}
    worked_on = {i for row in every if row["outcome"] == "logged" for i in row["deal_ids"]}
    rows = []
    for name in sorted(names, key=lambda n: (owners.get(n, ""), n)):
        held = [row for row in every if name in row["sources"]]
        out = sum(n for (source, _), n in excluded.items() if source == name)
        rows.append(_source_row(name, owners.get(name, ""), held, out))
    silent = [
        SilentDeal(owner=d.owner, deal_id=d.id, deal=d.name, stage=d.stage, created_at=d.created_at)
        for d in sorted(book.deals.values(), key=lambda d: (d.owner, d.id))
        if d.status == "open" and d.id not in worked_on
    ]
    return Coverage(sources=rows, silent_deals=silent)


def _source_row(source: str, owner: str, held: Sequence[Row], excluded: int) -> SourceRow:
    outcomes = Counter(row["outcome"] for row in held)
    logged = outcomes["logged"]
    ambiguous = sum(bool(row.get("ambiguous")) for row in held if row["outcome"] == "logged")
    return SourceRow(
        owner=owner,
        source=source,
        seen=len(held) + excluded,
        logged=logged,
        ambiguous=ambiguous,
        ambiguous_share=round(ambiguous / logged, 4) if logged else None,
        skipped=_reasons(held, "skipped"),
        waiting=_reasons(held, "waiting"),
        quarantined=outcomes["quarantined"],
        excluded=excluded,
    )


def _reasons(held: Sequence[Row], outcome: str) -> dict[str, int]:
    counts = Counter(row["reason"] or "" for row in held if row["outcome"] == outcome)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _excluded(tx: Connection) -> dict[tuple[str, str], int]:
    """(source, rule) -> how many items were kept out."""
    query = select(ledger.c.source, ledger.c.reason, func.count().label("n")).where(ledger.c.outcome == "excluded")
    rows = tx.execute(query.group_by(ledger.c.source, ledger.c.reason))
    return {(row.source, row.reason): row.n for row in rows}


def mine(tx: Connection, every: Sequence[Row], owner: str, sources: Collection[str]) -> Mine:
    """In the order of time. `every`: letters and meetings, as exported; `sources`: the rep's."""
    rows = [row for row in every if not set(sources).isdisjoint(row["sources"])]
    subjects, in_crm = _subjects(tx, {row["key"] for row in rows}), _in_crm(tx)
    rules: Counter[str] = Counter()
    for (source, rule), count in _excluded(tx).items():
        rules[rule] += count if source in sources else 0
    taken = [
        Taken(
            date=row.get("date") or row["start"],
            kind=row["kind"],
            key=row["key"],
            subject=subjects.get(row["key"], ""),
            sources=[s for s in row["sources"] if s in sources],
            outcome=row["outcome"],
            reason=row["reason"],
            company_id=row.get("company_id"),
            contact_ids=row["contact_ids"],
            deal_ids=row["deal_ids"],
            ambiguous=row.get("ambiguous", []),
            in_crm=row["key"] in in_crm,
        )
        for row in rows
    ]
    by_date = sorted(taken, key=lambda one: (datetime.fromisoformat(one.date), one.key))
    return Mine(owner=owner, sources=sorted(sources), taken=by_date, excluded=dict(sorted((+rules).items())))


def _subjects(tx: Connection, keys: Collection[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    query = select(activity.c.key, activity.c.kind, activity.c.record)
    for part in chunks(sorted(keys)):
        found |= {row.key: title_of(row) for row in tx.execute(query.where(activity.c.key.in_(part)))}
    return found


def _in_crm(tx: Connection) -> set[str]:
    """The activities that stand in the CRM: written, and not taken back since."""
    kinds = ("log_activity", "unlink")
    query = select(outbox.c.subject, outbox.c.kind, outbox.c.body).where(
        outbox.c.kind.in_(kinds), outbox.c.state == "written"
    )
    standing: set[str] = set()
    for row in tx.execute(query.order_by(outbox.c.seq)):
        if row.kind == "log_activity":
            standing.add(row.subject)
        elif not row.body["stays"]:
            standing.discard(row.subject)
    return standing


def who(tx: Connection, name: str, owners: Mapping[str, str]) -> str | None:
    """The rep of this id, address or name; None for nobody."""
    wanted = name.strip().casefold()
    reps = {text.casefold(): r.id for r in mirror.reps(tx) for text in (r.name, r.email, r.id)}
    return reps.get(wanted) or next((o for o in owners.values() if o.casefold() == wanted), None)
