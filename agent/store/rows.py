"""What the rooms of the store share: long lists in parts, many rows at once, and records as they are kept."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Dialect, Table, func, insert, select

from agent.model import Meeting, Message, title

CHUNK = 500  # values in one IN (...)


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    rest = list(values)
    for start in range(0, len(rest), CHUNK):
        yield rest[start : start + CHUNK]


def next_id(tx: Connection, table: Table) -> int:
    """The first free id. The one writer numbers its rows himself: so he need not ask which numbers they were given."""
    return 1 + (tx.scalar(select(func.max(table.c.id))) or 0)


def insert_rows(tx: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Many rows at once, each with a value for every column of the table, in its order."""
    if not rows:
        return
    if not tx.dialect.positional:
        names = [column.name for column in table.columns]
        tx.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])
        return
    # SQLAlchemy looks at each value of each row, which costs more than SQLite's own work: only times need it
    statement, processors = _driver_insert(tx.dialect, table)
    for place, process in processors:
        rows = [(*row[:place], process(row[place]), *row[place + 1 :]) for row in rows]
    tx.exec_driver_sql(statement, list(rows))


@lru_cache(maxsize=64)
def _driver_insert(dialect: Dialect, table: Table) -> tuple[str, list[tuple[int, Callable[[Any], Any]]]]:
    """The statement as the driver takes it, and what must be done to the values in some places."""
    processors: list[Any] = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in table.columns]
    places = [(place, process) for place, process in enumerate(processors) if process is not None]
    return str(insert(table).compile(dialect=dialect)), places


def title_of(row: Any) -> str:
    """What an activity is called; empty when no text of it is kept. The row has `kind` and `record`."""
    return title(record_of(row.kind, row.record)) if row.record else ""


def record_of(kind: str, record: str) -> Message | Meeting:
    if kind == "message":
        return msgspec.json.decode(record, type=Message)
    return msgspec.json.decode(record, type=Meeting)
