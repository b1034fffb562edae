"""What is let go: text of what is nobody's history, words that an exclusion takes back; and what is wanted again."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update

from agent.intake import keyed_hash
from agent.store.rows import chunks
from agent.store.tables import (
    activity,
    again,
    crm_activity,
    crm_objection,
    ledger,
    link,
    membership,
    outbox,
    participant,
    reading,
    sighting,
    stage_event,
    to_read,
)

BY_FOLD = ("private", "vendor", "recruit", "newsletter")  # reasons that a later contact puts in question
ABOUT = ("evidence", "activity", "closed_by")  # where a change's body names an activity
WORDLESS: dict[str, Any] = {
    "subject": "",
    "excerpt": "",
    "quote": "",
    "reasons": [],
    "reason": None,
    "condition": None,
    "closed_quote": "",
}


def forget_words(tx: Connection, activities: Sequence[str]) -> None:
    """Subject, excerpt and quotes of these activities, given by their keys; in the built-in CRM and in the outbox.

    An objection that was raised in one of them loses all its words.
    """
    for keys in chunks(activities):
        _blank_outbox(tx, keys)
        tx.execute(update(crm_activity).where(crm_activity.c.key.in_(keys)).values(subject="", excerpt=""))
        tx.execute(update(stage_event).where(stage_event.c.evidence.in_(keys)).values(quote=""))
        wordless = {name: nothing for name, nothing in WORDLESS.items() if name in crm_objection.c}
        tx.execute(update(crm_objection).where(crm_objection.c.activity.in_(keys)).values(**wordless))
        tx.execute(update(crm_objection).where(crm_objection.c.closed_by.in_(keys)).values(closed_quote=""))


def _blank_outbox(tx: Connection, keys: Collection[str]) -> None:
    body = outbox.c.body
    raised = select(outbox.c.subject).where(body["activity"].as_string().in_(keys))
    about = or_(
        outbox.c.subject.in_(keys),
        outbox.c.subject.in_(raised),
        *(body[name].as_string().in_(keys) for name in ABOUT),
    )
    for row in list(tx.execute(select(outbox.c.seq, outbox.c.body).where(about))):
        blank = {**row.body, **{name: nothing for name, nothing in WORDLESS.items() if name in row.body}}
        tx.execute(update(outbox).where(outbox.c.seq == row.seq).values(body=blank))


def to_fetch_again(tx: Connection, source: str) -> list[str]:
    """Refs of items that were let go and are wanted after all."""
    query = select(ledger.c.ref).join(again).where(ledger.c.source == source).order_by(ledger.c.id)
    return list(tx.scalars(query))


def fetched_again(tx: Connection, source: str, refs: Iterable[str]) -> None:
    for part in chunks(refs):
        rows = select(ledger.c.id).where(ledger.c.source == source, ledger.c.ref.in_(part))
        tx.execute(delete(again).where(again.c.ledger_id.in_(rows)))


def want_again(tx: Connection, addresses: Collection[str], domains: Collection[str]) -> None:
    """Somebody became known: what was skipped of him, by his keyed hashes, is fetched again from its source."""
    found: set[int] = set()
    for column, values in ((participant.c.address, addresses), (participant.c.domain, domains)):
        for part in chunks(sorted(values)):
            query = (
                select(sighting.c.ledger_id)
                .join(participant, participant.c.activity_id == sighting.c.activity_id)
                .join(activity, activity.c.id == sighting.c.activity_id)
                .where(column.in_(part), activity.c.skipped.in_(BY_FOLD))
            )
            found |= set(tx.scalars(query))
    _add(tx, found)


def fetch_again(tx: Connection, key: str) -> None:
    """A person wants this activity after all: all its items are fetched again from their sources."""
    query = select(sighting.c.ledger_id).join(activity).where(activity.c.key == key)
    _add(tx, set(tx.scalars(query)))


def _add(tx: Connection, ledger_ids: Collection[int]) -> None:
    standing = set(tx.scalars(select(again.c.ledger_id)))
    rows = [{"ledger_id": i} for i in sorted(set(ledger_ids) - standing)]
    if rows:
        tx.execute(insert(again), rows)


def let_go(tx: Connection, skipped: Mapping[str, str], hash_key: bytes) -> None:
    """Keep nothing of these activities but identity, time, reason and keyed hashes. `skipped`: key -> reason."""
    for part in chunks(skipped):
        query = select(activity.c.id, activity.c.key, activity.c.content).where(activity.c.key.in_(part))
        for row in list(tx.execute(query)):
            values = {"skipped": skipped[row.key], "record": None, "content": ""}
            tx.execute(update(activity).where(activity.c.id == row.id).values(**values))
            _hash_participants(tx, row.id, hash_key)
            for table in (membership, link, to_read):
                tx.execute(delete(table).where(table.c.activity_id == row.id))
            if row.content and not tx.scalar(select(activity.c.id).where(activity.c.content == row.content).limit(1)):
                tx.execute(delete(reading).where(reading.c.content == row.content))


def _hash_participants(tx: Connection, activity_id: int, hash_key: bytes) -> None:
    rows = list(tx.execute(select(participant).where(participant.c.activity_id == activity_id)))
    tx.execute(delete(participant).where(participant.c.activity_id == activity_id))
    hashed = [
        {
            "activity_id": activity_id,
            "role": r.role,
            "address": keyed_hash(r.address, hash_key),
            "domain": keyed_hash(r.domain, hash_key),
        }
        for r in rows
    ]
    if hashed:
        tx.execute(insert(participant), hashed)
