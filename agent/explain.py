"""Why: what was seen of one activity, what was decided with which reasons, and what was written."""

from typing import Any

import msgspec
from sqlalchemy import Connection, or_, select

from agent.model import History, Link, Reading, StageMove
from agent.store.rows import title_of
from agent.store.tables import activity, history, ledger, link, outbox, participant, reading, sighting


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one activity."""

    key: str
    kind: str
    identity: str | None  # Message-ID or iCalendar UID
    date: str
    direction: str
    verified: str
    subject: str | None  # None when nothing of it is kept
    skipped: str  # the reason that the item alone proves
    sightings: list[dict[str, str]]
    participants: list[dict[str, str]]
    links: list[Link]
    reading: Reading | None
    proposed: list[StageMove]  # that wait for a person
    changes: list[dict[str, Any]]


def explain(tx: Connection, key: str) -> list[Explanation]:
    """By our key, a Message-ID (with or without <>) or an iCalendar UID; several when it names several."""
    names = (key, f"<{key}>")
    query = select(activity).where(or_(activity.c.key == key, activity.c.identity.in_(names))).order_by(activity.c.date)
    return [_explanation(tx, row) for row in tx.execute(query)]


def _explanation(tx: Connection, row: Any) -> Explanation:
    links = tx.scalars(select(link.c.body).where(link.c.activity_id == row.id).order_by(link.c.client))
    read = tx.scalar(select(reading.c.body).where(reading.c.content == row.content).limit(1))
    return Explanation(
        key=row.key,
        kind=row.kind,
        identity=row.identity,
        date=row.date.isoformat(),
        direction=row.direction,
        verified=row.verified,
        subject=title_of(row) if row.record else None,
        skipped=row.skipped,
        sightings=_sightings(tx, row.id),
        participants=[
            {"role": p.role, "address": p.address}
            for p in tx.execute(select(participant).where(participant.c.activity_id == row.id))
        ],
        links=[msgspec.json.decode(body, type=Link) for body in links],
        reading=msgspec.json.decode(read, type=Reading) if read else None,
        proposed=_proposed(tx, row),
        changes=[
            {"key": o.key, "kind": o.kind, "state": o.state, "remote_id": o.remote_id, "error": o.error, "body": o.body}
            for o in tx.execute(select(outbox).where(_concerns(row.key)).order_by(outbox.c.seq))
        ],
    )


def _proposed(tx: Connection, row: Any) -> list[StageMove]:
    query = select(history.c.body).join(link, link.c.client == history.c.client).where(link.c.activity_id == row.id)
    said = [msgspec.json.decode(body, type=History) for body in tx.scalars(query.order_by(history.c.client))]
    return [m for one in said for m in one.moves if m.state == "proposed" and m.evidence == row.key]


def _concerns(key: str) -> Any:
    return or_(outbox.c.subject == key, outbox.c.body["evidence"].as_string() == key)


def _sightings(tx: Connection, activity_id: int) -> list[dict[str, str]]:
    query = select(ledger).join(sighting).where(sighting.c.activity_id == activity_id).order_by(ledger.c.source)
    return [{"source": r.source, "folder": r.folder, "uid": r.uid} for r in tx.execute(query)]
