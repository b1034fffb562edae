"""Retention's room: words that have been kept for long enough are let go; what was said because of them stands."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, exists, insert, select, update

from agent import wordless
from agent.changes import merged
from agent.known import NO_READING, Stood
from agent.model import History, Link, Reading
from agent.store.forget import ABOUT, forget_words
from agent.store.histories import links_of
from agent.store.rows import chunks, record_of
from agent.store.tables import activity, dirty, history, link, membership, outbox, reading, stood, to_read


def let_go_before(tx: Connection, day: datetime, now: datetime) -> int:
    """Let go the words of what is older than `day`; returns of how many letters and meetings.

    What is still to be read, folded or delivered waits until that is done.
    """
    undelivered = _undelivered(tx)
    rows = [row for row in _due(tx, day) if row.key not in undelivered]
    keys = {row.key for row in rows}
    said = _histories(tx, [row.id for row in rows])
    for part in chunks(rows):
        _keep_what_was_said(tx, part, list(said.values()), keys, now)
        _blank(tx, part)
    for client, one in said.items():
        body = msgspec.json.encode(wordless.history(one, keys)).decode()
        tx.execute(update(history).where(history.c.client == client).values(body=body))
    forget_words(tx, sorted(keys))
    return len(rows)


def _due(tx: Connection, day: datetime) -> list[Any]:
    waits = select(membership.c.activity_id).join(dirty, dirty.c.client == membership.c.client)
    query = select(activity).where(
        activity.c.date < day,
        activity.c.record.is_not(None),
        ~exists().where(stood.c.activity_id == activity.c.id),
        ~exists().where(to_read.c.activity_id == activity.c.id),
        activity.c.id.in_(select(link.c.activity_id)),
        activity.c.id.not_in(waits),
    )
    return list(tx.execute(query))


def _undelivered(tx: Connection) -> set[str]:
    """The activities of which the CRM is still to be told."""
    query = select(outbox.c.subject, outbox.c.body).where(outbox.c.state.in_(("pending", "sending")))
    found: set[str] = set()
    for row in tx.execute(query):
        found |= {row.subject, *(str(row.body[name]) for name in ABOUT if row.body.get(name))}
    return found


def _histories(tx: Connection, activity_ids: Sequence[int]) -> dict[str, History]:
    """What was said of the clients of these activities."""
    found: dict[str, History] = {}
    for part in chunks(activity_ids):
        clients = select(membership.c.client).where(membership.c.activity_id.in_(part))
        for row in tx.execute(select(history.c.client, history.c.body).where(history.c.client.in_(clients))):
            found[row.client] = msgspec.json.decode(row.body, type=History)
    return found


def _keep_what_was_said(
    tx: Connection, rows: Sequence[Any], said: Sequence[History], keys: set[str], now: datetime
) -> None:
    links = {key: merged(of) for key, of in links_of(tx, [row.key for row in rows]).items()}
    readings = _readings(tx, [row.content for row in rows])
    moves: dict[str, list[Any]] = defaultdict(list)
    objections: dict[str, list[Any]] = defaultdict(list)
    for one in said:
        for move in one.moves:
            moves[move.evidence].append(wordless.move(move))
        for life in one.objections:
            for key in {life.activity, *(e.activity for e in life.events)} & keys:
                objections[key].append(wordless.objection(life))
    kept = [
        {
            "activity_id": row.id,
            "body": msgspec.json.encode(
                Stood(
                    until=now,
                    link=wordless.link(of),
                    reading=wordless.reading(readings.get(row.content, NO_READING)),
                    moves=tuple(moves[row.key]),
                    objections=tuple(objections[row.key]),
                )
            ).decode(),
        }
        for row in rows
        if (of := links[row.key]) is not None
    ]
    tx.execute(insert(stood), kept)


def _readings(tx: Connection, contents: Sequence[str]) -> Mapping[str, Reading]:
    """What the latest version read in each."""
    rows = tx.execute(select(reading).where(reading.c.content.in_(contents)).order_by(reading.c.version))
    return {row.content: msgspec.json.decode(row.body, type=Reading) for row in rows}


def _blank(tx: Connection, rows: Sequence[Any]) -> None:
    """Out of our own tables; of readings, those that no other activity needs."""
    for row in rows:
        record = wordless.record(record_of(row.kind, row.record))
        values = {"record": msgspec.json.encode(record).decode(), "content": ""}
        tx.execute(update(activity).where(activity.c.id == row.id).values(**values))
    contents = {row.content for row in rows}
    contents -= set(tx.scalars(select(activity.c.content).where(activity.c.content.in_(contents))))
    tx.execute(delete(reading).where(reading.c.content.in_(contents)))
    of_rows = select(link.c.client, link.c.activity_id, link.c.body)
    for row in list(tx.execute(of_rows.where(link.c.activity_id.in_([row.id for row in rows])))):
        body = msgspec.json.encode(wordless.link(msgspec.json.decode(row.body, type=Link))).decode()
        here = (link.c.client == row.client, link.c.activity_id == row.activity_id)
        tx.execute(update(link).where(*here).values(body=body))
