"""Import what people typed into a CRM: JSON in one file, or CSV with one file per table.

Importing again changes only what differs from the last import of that row: a stage that changed there is a person's
move, one that did not is silence. Nothing is written unless the whole file is understood.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, insert, select

from agent.errors import Rejected
from agent.model import Company, Contact, Deal, Rep
from agent.store import mirror
from agent.store.tables import import_row, stage_event


class RepRow(msgspec.Struct, kw_only=True):
    id: str
    name: str
    email: str
    tz: str = "UTC"


class PipelineRow(msgspec.Struct, kw_only=True):
    name: str
    stages: list[str]


class CompanyRow(msgspec.Struct, kw_only=True):
    id: str
    name: str
    domains: list[str] = []
    language: str | None = None


class ContactRow(msgspec.Struct, kw_only=True):
    id: str
    name: str
    emails: list[str] = []
    company_id: str | None = None
    title: str | None = None
    phone: str | None = None


class HistoryRow(msgspec.Struct, kw_only=True):
    stage: str
    date: datetime
    by: str = "import"


class DealRow(msgspec.Struct, kw_only=True):
    id: str
    name: str
    owner: str
    pipeline: str
    stage: str
    company_id: str | None = None
    contact_ids: list[str] = []
    status: Literal["open", "won", "lost"] = "open"
    created_at: datetime | None = None
    closed_at: datetime | None = None
    amount: float | None = None
    currency: str | None = None
    external_numbers: list[str] = []
    history: list[HistoryRow] | None = None


TABLES: Mapping[str, type[msgspec.Struct]] = {
    "reps": RepRow,
    "pipelines": PipelineRow,
    "companies": CompanyRow,
    "contacts": ContactRow,
    "deals": DealRow,
}
_LISTS = {"stages", "domains", "emails", "contact_ids", "external_numbers"}


class Parsed(NamedTuple):
    """A whole import, checked."""

    as_of: datetime | None
    own_domains: tuple[str, ...]
    rows: dict[str, list[Any]]
    warnings: tuple[str, ...]


class Imported(NamedTuple):
    """How many rows were new, changed or the same, and what the admin should know."""

    new: int
    changed: int
    same: int
    warnings: tuple[str, ...]


def parse(paths: Sequence[Path]) -> Parsed:
    """Read one JSON file, or CSV files named after their tables. Rejected tells every problem at once."""
    if len(paths) == 1 and paths[0].suffix.lower() != ".csv":
        return _checked(_json(paths[0]))
    raw: dict[str, Any] = {}
    for path in paths:
        if path.stem not in TABLES or path.suffix.lower() != ".csv":
            raise Rejected(f"{path}: a CSV file is named after its table: {', '.join(f'{t}.csv' for t in TABLES)}")
        raw[path.stem] = _csv(path)
    return _checked(raw)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Rejected(f"{path}: is not UTF-8 (byte {error.start})") from None
    except OSError as error:
        raise Rejected(f"{path}: cannot be read: {error.strerror}") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise Rejected(f"{path}, line {error.lineno}: {error.msg}") from None
    if not isinstance(raw, dict):
        raise Rejected(f"{path}: an object with the tables {', '.join(TABLES)} is expected")
    return raw


def _csv(path: Path) -> list[dict[str, Any]]:
    """Columns are named as in JSON; several values in one cell are parted by a semicolon; an empty cell is left out."""
    text = _text(path)
    comma = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
    rows = []
    for row in csv.DictReader(io.StringIO(text), delimiter=comma):
        cells = {k: v.strip() for k, v in row.items() if k and isinstance(v, str) and v.strip()}
        split = "|" if comma == ";" else ";"
        rows.append({k: [p.strip() for p in v.split(split)] if k in _LISTS else v for k, v in cells.items()})
    return rows


def _checked(raw: Mapping[str, Any]) -> Parsed:
    problems: list[str] = []
    warnings = [f"unknown key {key!r} is ignored" for key in raw if key not in {*TABLES, "as_of", "own_domains"}]
    rows = {table: _table(table, [] if raw.get(table) is None else raw[table], problems, warnings) for table in TABLES}
    as_of = _moment(raw.get("as_of"), problems)
    domains = raw.get("own_domains") or []
    if not isinstance(domains, list) or not all(isinstance(d, str) for d in domains):
        problems.append("own_domains: a list of domains is expected")
    if problems:
        raise Rejected("nothing was imported:\n" + "\n".join(problems))
    warnings += _dangling(rows)
    return Parsed(as_of, tuple(domains), rows, tuple(warnings))


def _table(table: str, raw: Any, problems: list[str], warnings: list[str]) -> list[Any]:
    model = TABLES[table]
    known = set(model.__struct_fields__)
    if not isinstance(raw, list):
        problems.append(f"{table}: a list of rows is expected")
        return []
    rows, unknown = [], set()
    for place, values in enumerate(raw):
        try:
            rows.append(msgspec.convert(values, model, strict=False))
        except msgspec.ValidationError as error:
            name = values.get("id", place) if isinstance(values, dict) else place
            problems.append(f"{table}, row {name}: {error}")
            continue
        unknown |= set(values) - known
    warnings += [f"{table}: unknown key {key!r} is ignored" for key in sorted(unknown)]
    return rows


def _moment(value: Any, problems: list[str]) -> datetime | None:
    if value is None:
        return None
    try:
        return _aware(datetime.fromisoformat(value))
    except (TypeError, ValueError):
        problems.append("as_of: an RFC 3339 time is expected, e.g. 2026-02-01T00:00:00+00:00")
        return None


def _aware(at: datetime) -> datetime:
    """A time without an offset is taken as UTC."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _dangling(rows: Mapping[str, list[Any]]) -> list[str]:
    """References to rows that this import does not hold; they may stand from an earlier one."""
    companies = {c.id for c in rows["companies"]}
    if not companies:
        return []
    lost = [c.id for c in rows["contacts"] if c.company_id and c.company_id not in companies]
    return [f"contact {i}: its company is not in this import" for i in lost]


# -- applying -----------------------------------------------------------------------------------------------------


def apply(tx: Connection, parsed: Parsed, now: datetime) -> Imported:
    """Bring the mirror up to this import."""
    counts = {"new": 0, "changed": 0, "same": 0}

    def each(table: str, put: Callable[[Any, dict[str, Any] | None], None], name: str = "id") -> None:
        last = {r.id: r.body for r in tx.execute(select(import_row).where(import_row.c.kind == table))}
        for row in parsed.rows[table]:
            row_id = getattr(row, name)
            body = msgspec.to_builtins(row)
            before = last.get(row_id)
            counts["new" if before is None else "same" if before == body else "changed"] += 1
            if before != body:
                put(row, before)
                _remember(tx, table, row_id, body)

    each("reps", lambda r, _: mirror.put_reps(tx, [Rep(id=r.id, name=r.name, email=r.email, tz=r.tz)]))
    each("pipelines", lambda r, _: mirror.put_pipelines(tx, [(r.name, r.stages)]), name="name")
    each("companies", lambda r, before: _put_company(tx, r, before))
    each("contacts", lambda r, before: _put_contact(tx, r, before))
    each("deals", lambda r, before: _put_deal(tx, r, before, parsed.as_of, now))
    return Imported(**counts, warnings=parsed.warnings)


def _remember(tx: Connection, table: str, row_id: str, body: Any) -> None:
    tx.execute(delete(import_row).where(import_row.c.kind == table, import_row.c.id == row_id))
    tx.execute(insert(import_row).values(kind=table, id=row_id, body=body))


def _put_company(tx: Connection, row: CompanyRow, before: Mapping[str, Any] | None) -> None:
    new = Company(id=row.id, name=row.name, domains=tuple(row.domains), language=row.language or "")
    standing = next((c for c in mirror.companies(tx, row.id)), None)
    mirror.put_companies(tx, [_only_changed(standing, new, before, msgspec.to_builtins(row))])


def _put_contact(tx: Connection, row: ContactRow, before: Mapping[str, Any] | None) -> None:
    new = Contact(
        id=row.id,
        name=row.name,
        emails=tuple(row.emails),
        company_id=row.company_id,
        title=row.title or "",
        phone=row.phone or "",
    )
    standing = next((c for c in mirror.contacts(tx, row.id)), None)
    mirror.put_contacts(tx, [_only_changed(standing, new, before, msgspec.to_builtins(row))])


def _only_changed(standing: Any, new: Any, before: Mapping[str, Any] | None, row: Mapping[str, Any]) -> Any:
    """What stands, with those fields of the new row that differ from its last import."""
    if standing is None or before is None:
        return new
    differing = {k for k in row if row[k] != before.get(k) and k in new.__struct_fields__}
    return msgspec.structs.replace(standing, **{k: getattr(new, k) for k in differing})


def _put_deal(
    tx: Connection, row: DealRow, before: Mapping[str, Any] | None, as_of: datetime | None, now: datetime
) -> None:
    new = Deal(
        id=row.id,
        name=row.name,
        company_id=row.company_id,
        contact_ids=tuple(row.contact_ids),
        owner=row.owner,
        pipeline=row.pipeline,
        stage=row.stage,
        status=row.status,
        created_at=_aware(row.created_at) if row.created_at else None,
        closed_at=_aware(row.closed_at) if row.closed_at else None,
        amount=row.amount,
        currency=row.currency,
        external_numbers=tuple(row.external_numbers),
    )
    standing = next((d for d in mirror.deals(tx, row.id)), None)
    mirror.put_deal(tx, _only_changed(standing, new, before, msgspec.to_builtins(row)))
    for stage, at, by in _events(tx, new, row, before, as_of, now):
        mirror.add_stage_event(tx, row.id, stage, at, by)


def _events(
    tx: Connection,
    deal: Deal,
    row: DealRow,
    before: Mapping[str, Any] | None,
    as_of: datetime | None,
    now: datetime,
) -> Iterable[tuple[str, datetime, str]]:
    """The stages that this import tells of and the one before it did not."""
    if row.history is not None:
        standing = {(r.stage, r.date) for r in tx.execute(select(stage_event).where(stage_event.c.deal_id == row.id))}
        told = [(h.stage, _aware(h.date), "human" if h.by == "human" else "import") for h in row.history]
        return [e for e in told if (e[0], e[1]) not in standing]
    if before is None:
        return _first_events(tx, deal, as_of, now)
    moved = before.get("stage") != row.stage or before.get("status") != row.status
    ending = deal.status != "open" and before.get("status") != row.status
    stage = _end_stage(tx, deal) if ending else row.stage
    at = deal.closed_at if ending and deal.closed_at else as_of or now
    return [(stage, at, "human")] if moved else []


def _first_events(
    tx: Connection, deal: Deal, as_of: datetime | None, now: datetime
) -> Iterable[tuple[str, datetime, str]]:
    """Without a history a deal's stage is known from the import's own time, or since the deal was made."""
    known = max((t for t in (as_of, deal.created_at) if t), default=now)
    if deal.status == "open":
        return [(deal.stage, known, "import")]
    end = _end_stage(tx, deal)
    ended = [(end, deal.closed_at or known, "import")]
    if deal.stage == end or deal.created_at is None:
        return ended
    return [(deal.stage, deal.created_at, "import"), *ended]


def _end_stage(tx: Connection, deal: Deal) -> str:
    """The stage in which a closed deal stands: its own, or the pipeline's stage of that name."""
    named = [s for s in mirror.pipelines(tx).get(deal.pipeline, []) if s.lower() == deal.status]
    return named[0] if named else deal.stage
