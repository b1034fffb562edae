"""The built-in CRM's room: a change is applied to the store's own tables, in the outbox row's transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, or_, select, update

from agent.errors import Rejected
from agent.model import Change, Company, Contact, Deal
from agent.store import mirror
from agent.store.tables import company, contact, crm_activity, crm_objection, deal, outbox, stage_event
from connectors.base import translated

CLOSING = {"won": "won", "lost": "lost"}  # kind of stage -> the deal's status


def apply(
    tx: Connection, change: Change, kind_of_stage: Mapping[tuple[str, str], str], remote: Mapping[str, str]
) -> str:
    """Apply one change; returns the id of what was written. Rejected when its deal is not there.

    `kind_of_stage`: (pipeline, stage) -> open, won, lost or hold.
    """
    change = msgspec.structs.replace(change, body=translated(change.body, remote))
    match change.kind:
        case "log_activity":
            return _log(tx, change.body)
        case "unlink":
            return _unlink(tx, change.body)
        case "move_stage":
            return _move(tx, change, kind_of_stage)
        case "withdraw_stage":
            return _withdraw(tx, change, kind_of_stage)
        case "correct_move":
            return _correct_move(tx, change.body, kind_of_stage)
        case "open_objection":
            return _open_objection(tx, change.body)
        case "update_objection" | "close_objection":
            return _update_objection(tx, change.body)
        case "remove_objection":
            return _remove_objection(tx, change.body)
        case "create_company" | "create_contact" | "create_deal":
            put_created(tx, change, str(change.body["id"]), remote)
        case "remove_record":
            return remove_created(tx, change, remote)
        case "hand_off" | "take_back" | "notify":  # the outbox itself is where the built-in CRM keeps them
            return change.key
    return str(change.body["id"])


def put_created(tx: Connection, change: Change, record_id: str, remote: Mapping[str, str]) -> None:
    """A record that we made stands in the mirror at once, under the CRM's id."""
    body: Any = {**translated(change.body, remote), "id": record_id, "created_by": "agent"}
    if change.kind == "create_company":
        mirror.put_companies(tx, [msgspec.convert(body, Company)])
    elif change.kind == "create_contact":
        mirror.put_contacts(tx, [msgspec.convert(body, Contact)])
    else:
        made = msgspec.convert(body, Deal)
        mirror.put_deal(tx, made)
        if made.created_at is not None:
            why = {"change": change.key, "evidence": body.get("evidence"), "quote": body.get("quote")}
            mirror.add_stage_event(tx, made.id, made.stage, made.created_at, "agent", **why)


def remove_created(tx: Connection, change: Change, remote: Mapping[str, str]) -> str:
    """A record of ours leaves the mirror, and whatever names it; one that a person has made his own stays."""
    record_id = remote[str(change.body["record"])]
    table = {"company": company, "contact": contact, "deal": deal}[str(change.body["kind"])]
    gone = tx.execute(delete(table).where(table.c.id == record_id, table.c.created_by == "agent")).rowcount
    if gone and table is company:
        for other in (contact, deal):
            tx.execute(update(other).where(other.c.company_id == record_id).values(company_id=None))
    if gone and table is contact:
        for row in tx.execute(select(deal.c.id, deal.c.contact_ids)).all():
            if record_id in row.contact_ids:
                kept = [i for i in row.contact_ids if i != record_id]
                tx.execute(update(deal).where(deal.c.id == row.id).values(contact_ids=kept))
    if gone and table is deal:
        tx.execute(delete(stage_event).where(stage_event.c.deal_id == record_id))
    mirror.touch(tx)
    return record_id


def find(tx: Connection, key: str) -> str | None:
    """Was the change with this key applied? With one transaction for both, the outbox row says so."""
    return tx.scalar(select(outbox.c.remote_id).where(outbox.c.key == key, outbox.c.state == "written"))


def _log(tx: Connection, body: Mapping[str, Any]) -> str:
    tx.execute(delete(crm_activity).where(crm_activity.c.key == body["activity"]))
    tx.execute(
        insert(crm_activity).values(
            key=body["activity"],
            kind=body["kind"],
            at=datetime.fromisoformat(body["at"]),
            subject=body["subject"],
            direction=body["direction"],
            owners=body["owners"],
            company_id=body["company_id"],
            contact_ids=body["contact_ids"],
            deal_ids=body["deal_ids"],
            excerpt=body["excerpt"],
            removed=False,
        )
    )
    return str(body["activity"])


def _unlink(tx: Connection, body: Mapping[str, Any]) -> str:
    values = {"deal_ids": body["deal_ids"], "removed": not body["stays"]}
    tx.execute(update(crm_activity).where(crm_activity.c.key == body["activity"]).values(**values))
    return str(body["activity"])


def _move(tx: Connection, change: Change, kind_of_stage: Mapping[tuple[str, str], str]) -> str:
    """Add the stage to the deal's history; the deal stands where its latest event says."""
    body: Mapping[str, Any] = change.body
    row = tx.execute(select(deal).where(deal.c.id == body["deal_id"])).first()
    if row is None:
        raise Rejected(f"the deal {body['deal_id']} is not in the CRM any more")
    at = datetime.fromisoformat(body["at"])
    latest = tx.scalar(select(func.max(stage_event.c.date)).where(stage_event.c.deal_id == row.id))
    mirror.add_stage_event(
        tx, row.id, body["stage"], at, "agent", change=change.key, evidence=body["evidence"], quote=body["quote"]
    )
    if latest is None or at >= latest:
        _put_into(tx, row, body["stage"], at, "agent", kind_of_stage)
    return change.key


def _put_into(
    tx: Connection, row: Any, stage: str, at: datetime, by: str, kind_of_stage: Mapping[tuple[str, str], str]
) -> None:
    """The deal stands here now, open or closed as the stage is."""
    status = CLOSING.get(kind_of_stage.get((row.pipeline, stage), "open"))
    closed = {"closed_at": at if status else None, "closed_by": by if status else None}
    tx.execute(update(deal).where(deal.c.id == row.id).values(stage=stage, status=status or "open", **closed))


def _latest(tx: Connection, deal_id: str) -> Any:
    """The last thing that happened to a deal's stage."""
    of_deal = select(stage_event).where(stage_event.c.deal_id == deal_id)
    return tx.execute(of_deal.order_by(stage_event.c.date.desc(), stage_event.c.id.desc()).limit(1)).first()


def _withdraw(tx: Connection, change: Change, kind_of_stage: Mapping[tuple[str, str], str]) -> str:
    """Strike a move of ours out of the deal's history; if the deal stood there, it goes back to its latest event."""
    body: Mapping[str, Any] = change.body
    row = tx.execute(select(deal).where(deal.c.id == body["deal_id"])).first()
    if row is None:
        raise Rejected(f"the deal {body['deal_id']} is not in the CRM any more")
    stood, move = _latest(tx, row.id), body["move"]
    tx.execute(
        delete(stage_event).where(
            or_(stage_event.c.change == move, stage_event.c.change.startswith(f"{move}~", autoescape=True))
        )
    )
    latest = _latest(tx, row.id)
    if latest is not None and stood is not None and latest.id != stood.id:
        _put_into(tx, row, latest.stage, latest.date, latest.by, kind_of_stage)
    elif latest is None and body["stage"] is not None:
        _put_into(tx, row, body["stage"], row.created_at, "agent", kind_of_stage)
    return change.key


def _correct_move(tx: Connection, body: Mapping[str, Any], kind_of_stage: Mapping[tuple[str, str], str]) -> str:
    """Another day and quote for a stage that we gave; the deal stands where its latest event says."""
    at = datetime.fromisoformat(body["at"])
    row = tx.execute(select(stage_event).where(stage_event.c.change == body["change"])).first()
    if row is None:
        raise Rejected(f"the stage {body['stage']} of the deal {body['deal_id']} is not in the CRM any more")
    values = {"date": at, "evidence": body["evidence"], "quote": body["quote"]}
    stood = _latest(tx, row.deal_id)
    tx.execute(update(stage_event).where(stage_event.c.id == row.id).values(**values))
    latest = _latest(tx, row.deal_id)
    if latest.id != stood.id:
        of = tx.execute(select(deal).where(deal.c.id == row.deal_id)).one()
        _put_into(tx, of, latest.stage, latest.date, latest.by, kind_of_stage)
    closed_then = (deal.c.id == row.deal_id, deal.c.stage == row.stage, deal.c.closed_at == row.date)
    tx.execute(update(deal).where(*closed_then).values(closed_at=at))
    return str(body["change"])


_OBJECTION = ("deal_id", "activity", "stage", "type", "genuine", "reason", "condition", "quote", "state")
_ENDING = ("cause", "closed_by", "closed_quote")


def _open_objection(tx: Connection, body: Mapping[str, Any]) -> str:
    values = {name: body[name] for name in _OBJECTION}
    opened = datetime.fromisoformat(body["at"])
    tx.execute(insert(crm_objection).values(key=body["objection"], opened=opened, **values))
    return str(body["objection"])


def _update_objection(tx: Connection, body: Mapping[str, Any]) -> str:
    """What a correction, an answer, an end or a return says of it; what it does not name stays."""
    values: dict[str, Any] = {name: body[name] for name in (*_OBJECTION, *_ENDING) if name in body}
    for column, name in (("opened", "at"), ("closed", "closed")):
        if name in body:
            values[column] = datetime.fromisoformat(body[name]) if body[name] else None
    tx.execute(update(crm_objection).where(crm_objection.c.key == body["objection"]).values(**values))
    return str(body["objection"])


def _remove_objection(tx: Connection, body: Mapping[str, Any]) -> str:
    tx.execute(delete(crm_objection).where(crm_objection.c.key == body["objection"]))
    return str(body["objection"])
