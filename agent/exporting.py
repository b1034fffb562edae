"""Export what dealscribe knows: one JSON line per letter, meeting, stage, objection, contact, company and deal."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from agent.changes import as_they_stand, merged, move_of, standing_moves
from agent.model import History, Link, Meeting, ObjectionEvent, ObjectionLife
from agent.sent import Sent
from agent.store import handoffs, histories, mirror
from agent.store.tables import activity, ledger, link, outbox, participant, sighting, stage_event

MOVES = ("move_stage", "withdraw_stage")


def export(tx: Connection) -> Iterator[str]:
    """All rows as JSON lines, without line ends; one consistent view."""
    said = histories.every(tx)
    for rows in (activities(tx), _stages(tx, said), _objections(said), _handoffs(tx), _records(tx)):
        for row in rows:
            yield json.dumps(row, ensure_ascii=False)


def activities(tx: Connection) -> Iterator[dict[str, Any]]:
    """Every letter and meeting with what became of it."""
    links: dict[int, list[Link]] = defaultdict(list)
    for row in tx.execute(select(link.c.activity_id, link.c.body).order_by(link.c.client)):
        links[row.activity_id].append(msgspec.json.decode(row.body, type=Link))
    seen_by: dict[int, set[str]] = defaultdict(set)
    query = select(sighting.c.activity_id, ledger.c.source).join(ledger, ledger.c.id == sighting.c.ledger_id)
    for row in tx.execute(query):
        seen_by[row.activity_id].add(row.source)
    reps = {r.email: r.id for r in mirror.reps(tx)}
    wrote: dict[int, set[str]] = defaultdict(set)
    for row in tx.execute(select(participant).where(participant.c.role == "from", participant.c.address.in_(reps))):
        wrote[row.activity_id].add(reps[row.address])
    for row in tx.execute(select(activity).order_by(activity.c.date, activity.c.key)):
        settled = merged(links[row.id])
        if row.kind == "message":
            yield _message(row, settled, sorted(seen_by[row.id]), sorted(wrote[row.id]))
        else:
            yield _meeting(row, settled, sorted(seen_by[row.id]), reps)
    yield from _quarantined(tx)


def _message(row: Any, settled: Link | None, seen_by: list[str], wrote: list[str]) -> dict[str, Any]:
    return {
        "kind": "message",
        "key": row.key,
        "message_id": row.identity,
        **_outcome(row, settled),
        "deal_ids": list(settled.deal_ids) if settled else [],
        "contact_ids": list(settled.contact_ids) if settled else [],
        "company_id": settled.company_id if settled else None,
        "ambiguous": list(settled.ambiguous) if settled else [],
        "direction": row.direction,
        "date": row.date.isoformat(),
        "sources": seen_by,
        "reps": wrote,
        "verified": row.verified,
    }


def _meeting(row: Any, settled: Link | None, seen_by: list[str], reps: Mapping[str, str]) -> dict[str, Any]:
    meeting = msgspec.json.decode(row.record, type=Meeting) if row.record else None
    vanished = row.gone_at is not None and (meeting is None or row.gone_at < meeting.end)
    cancelled = vanished or (settled is not None and settled.reason == "cancelled")
    return {
        "kind": "meeting",
        "key": row.key,
        "uid": row.identity,
        "recurrence_id": row.recurrence_id,
        **_outcome(row, settled),
        "deal_ids": list(settled.deal_ids) if settled else [],
        "contact_ids": list(settled.contact_ids) if settled else [],
        "start": row.date.isoformat(),
        "end": meeting.end.isoformat() if meeting else None,
        "status": "cancelled" if cancelled else meeting.status if meeting else None,
        "sources": seen_by,
        "reps": sorted(_who_met(meeting, reps)) if meeting else [],
    }


def _who_met(meeting: Meeting, reps: Mapping[str, str]) -> set[str]:
    people = {a.email: a.answer for a in (*meeting.attendees, *filter(None, [meeting.organizer]))}
    return {reps[email] for email, answer in people.items() if email in reps and answer != "declined"}


def _outcome(row: Any, settled: Link | None) -> dict[str, Any]:
    if row.skipped:
        return {"outcome": "skipped", "reason": row.skipped}
    if settled is None:
        return {"outcome": "waiting", "reason": "not_read_yet"}
    return {"outcome": settled.outcome, "reason": settled.reason or None}


def _quarantined(tx: Connection) -> Iterator[dict[str, Any]]:
    for row in tx.execute(select(ledger).where(ledger.c.outcome == "quarantined").order_by(ledger.c.id)):
        yield {
            "kind": "message",
            "key": f"quarantine:{row.source}:{row.ref}",
            "message_id": None,
            "outcome": "quarantined",
            "reason": row.reason,
            "deal_ids": [],
            "contact_ids": [],
            "company_id": None,
            "ambiguous": [],
            "direction": None,
            "date": row.seen_at.isoformat(),
            "sources": [row.source],
            "reps": [],
            "verified": None,
        }


def _stages(tx: Connection, said: list[History]) -> Iterator[dict[str, Any]]:
    """Stages that people gave, those that we wrote, and those that wait for a person."""
    people = select(stage_event).where(stage_event.c.by != "agent").order_by(stage_event.c.date, stage_event.c.id)
    for row in tx.execute(people):
        yield _stage(row.deal_id, row.stage, row.date, row.by, row.evidence, row.quote, "written")
    rows = list(tx.execute(select(outbox).where(outbox.c.kind.in_(MOVES)).order_by(outbox.c.seq)))
    sent = [Sent(key=r.key, kind=r.kind, subject=r.subject, body=r.body) for r in rows]
    standing = standing_moves(sent)
    moves = (move for one in said for move in one.moves if move.state == "written")
    now_known = {move.key: move for move in as_they_stand(moves, standing)}
    written = {r.key for r in rows if r.state == "written"}
    firsts: dict[str, Sent] = {}
    for one in sent:
        if (key := move_of(one)) is not None:
            firsts.setdefault(key, one)
    for key, first in firsts.items():
        last = standing.get(key)
        state = "undone" if last is None else "written" if last.key in written else "proposed"
        body = (last or first).body
        if (move := now_known.get(key)) is not None:  # earlier evidence may have come since it was written
            yield _stage(move.deal_id, move.stage, move.date, "agent", move.evidence, move.quote, state, key)
            continue
        at = datetime.fromisoformat(body["at"])
        yield _stage(body["deal_id"], body["stage"], at, "agent", body["evidence"], body["quote"], state, key)
    for move in sorted((m for h in said for m in h.moves if m.state == "proposed"), key=lambda m: (m.date, m.key)):
        yield _stage(move.deal_id, move.stage, move.date, "agent", move.evidence, move.quote, "proposed", move.key)


def _stage(
    deal_id: str,
    stage: str,
    date: datetime,
    by: str,
    evidence: str | None,
    quote: str | None,
    state: str,
    key: str | None = None,
) -> dict[str, Any]:
    return {
        "kind": "stage",
        "deal_id": deal_id,
        "stage": stage,
        "date": date.isoformat(),
        "by": by,
        "evidence": evidence,
        "quote": quote,
        "state": state,
        "key": key,  # for `undo` and `explain`; a person's move has none
    }


def _objections(said: list[History]) -> Iterator[dict[str, Any]]:
    every: list[ObjectionLife] = [o for h in said for o in h.objections]
    for o in sorted(every, key=lambda o: (o.opened, o.key)):
        yield {
            "kind": "objection",
            "key": o.key,
            "deal_id": o.deal_id,
            "message_id": o.message_id,
            "stage": o.stage,
            "type": o.type,
            "genuine": o.genuine,
            "reason": o.reason,
            "condition": o.condition,
            "quote": o.quote,
            "state": "proposed" if o.why else o.state,
            "opened": o.opened.isoformat(),
            "closed": o.closed.isoformat() if o.closed else None,
            "cause": o.cause or None,
            "closed_by": o.closed_by or None,
            "closed_quote": o.closed_quote or None,
            "life": [_turn(event) for event in o.events],
        }


def _turn(event: ObjectionEvent) -> dict[str, Any]:
    return {
        "what": event.what,
        "date": event.at.isoformat(),
        "stage": event.stage,
        "evidence": event.activity or None,
        "quote": event.quote,
    }


def _handoffs(tx: Connection) -> Iterator[dict[str, Any]]:
    for one in handoffs.every(tx):
        yield {"kind": "handoff", **msgspec.to_builtins(one)}


def _records(tx: Connection) -> Iterator[dict[str, Any]]:
    for company in mirror.companies(tx):
        yield {"kind": "company", **_as_imported(company)}
    for contact in mirror.contacts(tx):
        yield {"kind": "contact", **_as_imported(contact)}
    for deal in mirror.deals_as_they_stand(tx):
        yield {"kind": "deal", **_as_imported(deal)}


def _as_imported(record: Any) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in record.__struct_fields__ if name != "events"}
    return {
        k: list(v) if isinstance(v, tuple) else v.isoformat() if isinstance(v, datetime) else v
        for k, v in values.items()
    }
