"""The histories' room: what the fold is given of a client, and what it said of him."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, func, insert, select

from agent.changes import merged
from agent.clients import STRANGER, Directory
from agent.intake import House
from agent.known import NO_READING, Seen, Stood, Unknown
from agent.model import History, Link, Meeting, Message, Reading
from agent.store.memberships import outside_of
from agent.store.rows import chunks, record_of
from agent.store.tables import activity, dirty, history, ledger, link, membership, participant, reading, sighting, stood
from agent.whose import doubted, names_shown
from classifiers.clean import new_text


def gather(
    tx: Connection, client: str, people: Directory, house: House, version: str, owner_of: Mapping[str, str]
) -> list[Seen]:
    """All activities of one client, as the fold sees them. `owner_of`: source -> rep id."""
    rows = list(
        tx.execute(
            select(activity, reading.c.body.label("reading"), stood.c.body.label("stood"))
            .join(membership)
            .outerjoin(stood)
            .outerjoin(reading, (reading.c.content == activity.c.content) & (reading.c.version == version))
            .where(membership.c.client == client, activity.c.skipped == "")
        )
    )
    ids = [r.id for r in rows]
    outside = outside_of(tx, ids, house)
    seen_in = _seen_in(tx, ids)
    older = _older_readings(tx, {r.content for r in rows if r.reading is None and r.content})
    read = {r.id: r.reading or older.get(r.content) for r in rows}
    seen = [_seen(r, read[r.id], client, outside.get(r.id, []), seen_in[r.id], owner_of, people, house) for r in rows]
    seen = doubted(seen, people)
    if not any(one.stood for one in seen):
        return seen
    said = {key: merged(of) for key, of in links_of(tx, [one.key for one in seen]).items()}
    return [one if one.stood else msgspec.structs.replace(one, link=said[one.key]) for one in seen]


def _older_readings(tx: Connection, contents: Collection[str]) -> dict[str, str]:
    """What an earlier version read of these: better than nothing until `replay` has them read again."""
    found: dict[str, str] = {}
    for part in chunks(sorted(contents)):
        rows = tx.execute(select(reading).where(reading.c.content.in_(part)).order_by(reading.c.version))
        found.update({r.content: r.body for r in rows})
    return found


def unknown_people(tx: Connection, client: str, seen: Iterable[Seen], people: Directory) -> dict[str, Unknown]:
    """The addresses of these letters that no contact has, and when they first wrote with another client."""
    told = people.unknown(client, {email for one in seen for email in one.outside})
    elsewhere: dict[str, datetime] = {}
    for part in chunks(sorted(told)):
        query = (
            select(participant.c.address, func.min(activity.c.date).label("first"))
            .select_from(participant.join(activity).join(membership, membership.c.activity_id == activity.c.id))
            .where(participant.c.address.in_(part), membership.c.client != client)
            .group_by(participant.c.address)
        )
        elsewhere |= {row.address: row.first for row in tx.execute(query)}
    return {email: Unknown(company_id=told[email], elsewhere=elsewhere.get(email)) for email in told}


def _seen_in(tx: Connection, activity_ids: Sequence[int]) -> dict[int, set[str]]:
    """The sources that hold each activity."""
    found: dict[int, set[str]] = defaultdict(set)
    for part in chunks(activity_ids):
        query = (
            select(sighting.c.activity_id, ledger.c.source)
            .join(ledger, ledger.c.id == sighting.c.ledger_id)
            .where(sighting.c.activity_id.in_(part))
        )
        for row in tx.execute(query):
            found[row.activity_id].add(row.source)
    return found


def _seen(
    row: Any,
    body: str | None,
    client: str,
    outside: Sequence[str],
    seen_in: Collection[str],
    owner_of: Mapping[str, str],
    people: Directory,
    house: House,
) -> Seen:
    record = record_of(row.kind, row.record)
    as_it_stood = msgspec.json.decode(row.stood, type=Stood) if row.stood else None
    read = msgspec.json.decode(body, type=Reading) if body else as_it_stood.reading if as_it_stood else NO_READING
    shown = names_shown(record, row.verified, house.is_ours)
    who = [people.recognize(email, shown.get(email, "")) for email in outside]
    claimed = [a.email for a in record.from_ if not house.is_ours(a.email)] if isinstance(record, Message) else []
    return Seen(
        key=row.key,
        record=record,
        direction=row.direction,
        verified=row.verified,
        thread=row.thread,
        owners=frozenset(owner_of.get(source, source) for source in seen_in),
        sources=frozenset(seen_in),
        outside=frozenset(outside),
        contact_ids=frozenset(i for w in who for i in w.contact_ids),
        company_ids=frozenset(i for w in who for i in w.company_ids),
        claims_client=any(client in people.clients_of(email) for email in claimed),
        new_text=new_text(record.text, read.cuts) if isinstance(record, Message) else record.description,
        reading=read,
        gone=_vanished(row, record),
        stood=as_it_stood,
    )


def _vanished(row: Any, record: Message | Meeting) -> bool:
    """Did a calendar drop a meeting before it was over? What is cleared away afterwards has taken place."""
    return row.gone_at is not None and isinstance(record, Meeting) and bool(row.gone_at < record.end)


def save(tx: Connection, said: History) -> None:
    """Replace what was said of a client, touching only what differs; it is no longer dirty."""
    tx.execute(delete(dirty).where(dirty.c.client == said.client))
    tx.execute(delete(history).where(history.c.client == said.client))
    body = msgspec.json.encode(msgspec.structs.replace(said, links=())).decode()
    tx.execute(insert(history).values(client=said.client, body=body, due_at=said.due))
    _save_links(tx, said)


def forget_stranger(tx: Connection, client: str) -> None:
    """A client that is not in the CRM and of whom nothing is kept any more: his key names a domain or an address."""
    if not client.startswith(STRANGER):
        return
    if tx.scalar(select(membership.c.activity_id).where(membership.c.client == client).limit(1)) is None:
        tx.execute(delete(history).where(history.c.client == client))


def _save_links(tx: Connection, said: History) -> None:
    standing = {
        r.activity_id: r.body
        for r in tx.execute(select(link.c.activity_id, link.c.body).where(link.c.client == said.client))
    }
    ids = _ids(tx, [one.activity for one in said.links])
    wanted = {ids[one.activity]: one for one in said.links}
    rows = []
    for activity_id, one in wanted.items():
        body = msgspec.json.encode(one).decode()
        if standing.get(activity_id) != body:
            rows.append(
                {
                    "client": said.client,
                    "activity_id": activity_id,
                    "outcome": one.outcome,
                    "reason": one.reason,
                    "body": body,
                }
            )
    outdated = [r["activity_id"] for r in rows] + [i for i in standing if i not in wanted]
    for part in chunks(outdated):
        tx.execute(delete(link).where(link.c.client == said.client, link.c.activity_id.in_(part)))
    if rows:
        tx.execute(insert(link), rows)


def _ids(tx: Connection, keys: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in chunks(keys):
        rows = tx.execute(select(activity.c.key, activity.c.id).where(activity.c.key.in_(part)))
        found.update({r.key: r.id for r in rows})
    return found


def every(tx: Connection) -> list[History]:
    """What the last folds said of all clients, without their links."""
    return _said(tx, select(history.c.body))


def naming(tx: Connection, text: str) -> list[History]:
    """Those histories in which a text stands: a key, an id, an address."""
    escaped = msgspec.json.encode(text).decode()[1:-1]
    return _said(tx, select(history.c.body).where(history.c.body.contains(escaped, autoescape=True)))


def _said(tx: Connection, bodies: Select[Any]) -> list[History]:
    return [msgspec.json.decode(body, type=History) for body in tx.scalars(bodies.order_by(history.c.client))]


def answered(tx: Connection, client: str) -> int:
    """The number of the last answer that the last fold knew."""
    body = tx.scalar(select(history.c.body).where(history.c.client == client))
    return msgspec.json.decode(body, type=History).answered if body else 0


def links(tx: Connection, client: str) -> list[Link]:
    bodies = tx.scalars(select(link.c.body).where(link.c.client == client).order_by(link.c.activity_id))
    return [msgspec.json.decode(body, type=Link) for body in bodies]


def links_of(tx: Connection, keys: Sequence[str]) -> dict[str, list[Link]]:
    """What all clients say of these activities, per activity key."""
    found: dict[str, list[Link]] = {key: [] for key in keys}
    for part in chunks(keys):
        query = (
            select(link.c.body).join(activity).where(activity.c.key.in_(part)).order_by(activity.c.id, link.c.client)
        )
        for body in tx.scalars(query):
            one = msgspec.json.decode(body, type=Link)
            found[one.activity].append(one)
    return found
