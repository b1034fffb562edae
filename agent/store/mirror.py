"""The mirror's room: the CRM's facts; with the built-in CRM these tables are the CRM."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update

from agent.clients import Directory
from agent.model import Company, Contact, Deal, Rep, StageEvent
from agent.store.tables import company, contact, deal, pipeline, rep, stage_event


def directory(tx: Connection) -> Directory:
    """Everybody and every deal, indexed."""
    return Directory.of(companies(tx), contacts(tx), deals(tx))


def reps(tx: Connection) -> list[Rep]:
    return [Rep(id=r.id, name=r.name, email=r.email, tz=r.tz) for r in tx.execute(select(rep).order_by(rep.c.id))]


def companies(tx: Connection) -> list[Company]:
    return [
        Company(id=r.id, name=r.name, domains=tuple(r.domains), language=r.language, created_by=r.created_by)
        for r in tx.execute(select(company).order_by(company.c.id))
    ]


def contacts(tx: Connection) -> list[Contact]:
    return [
        Contact(
            id=r.id,
            name=r.name,
            emails=tuple(r.emails),
            company_id=r.company_id,
            title=r.title,
            created_by=r.created_by,
        )
        for r in tx.execute(select(contact).order_by(contact.c.id))
    ]


def deals(tx: Connection) -> list[Deal]:
    """Deals with the stages that people gave them; our own moves are not among their events."""
    events: dict[str, list[StageEvent]] = defaultdict(list)
    by_people = select(stage_event).where(stage_event.c.by != "agent").order_by(stage_event.c.date, stage_event.c.id)
    for r in tx.execute(by_people):
        events[r.deal_id].append(StageEvent(stage=r.stage, date=r.date, by=r.by))
    return [_deal(r, tuple(events[r.id])) for r in tx.execute(select(deal).order_by(deal.c.id))]


def _deal(r: Any, events: tuple[StageEvent, ...]) -> Deal:
    return Deal(
        id=r.id,
        name=r.name,
        company_id=r.company_id,
        contact_ids=tuple(r.contact_ids),
        owner=r.owner,
        pipeline=r.pipeline,
        stage=r.stage,
        status=r.status,
        created_at=r.created_at,
        closed_at=r.closed_at,
        amount=r.amount,
        currency=r.currency,
        external_numbers=tuple(r.external_numbers),
        events=events,
        created_by=r.created_by,
    )


def put_reps(tx: Connection, rows: Iterable[Rep]) -> None:
    for r in rows:
        _put(tx, rep, r.id, {"id": r.id, "name": r.name, "email": r.email.lower(), "tz": r.tz})


def put_pipelines(tx: Connection, rows: Iterable[tuple[str, Sequence[str]]]) -> None:
    for name, stages in rows:
        tx.execute(delete(pipeline).where(pipeline.c.name == name))
        tx.execute(insert(pipeline).values(name=name, stages=list(stages)))


def pipelines(tx: Connection) -> dict[str, list[str]]:
    return {r.name: list(r.stages) for r in tx.execute(select(pipeline).order_by(pipeline.c.name))}


def put_companies(tx: Connection, rows: Iterable[Company]) -> None:
    for c in rows:
        values = {"id": c.id, "name": c.name, "domains": [d.lower() for d in c.domains], "language": c.language}
        _put(tx, company, c.id, values | {"created_by": c.created_by})


def put_contacts(tx: Connection, rows: Iterable[Contact]) -> None:
    for c in rows:
        values = {"id": c.id, "name": c.name, "emails": [e.lower() for e in c.emails], "company_id": c.company_id}
        _put(tx, contact, c.id, values | {"title": c.title, "created_by": c.created_by})


def put_deal(tx: Connection, d: Deal) -> None:
    values = {
        "id": d.id,
        "name": d.name,
        "company_id": d.company_id,
        "contact_ids": list(d.contact_ids),
        "owner": d.owner,
        "pipeline": d.pipeline,
        "stage": d.stage,
        "status": d.status,
        "created_at": d.created_at,
        "closed_at": d.closed_at,
        "amount": d.amount,
        "currency": d.currency,
        "external_numbers": list(d.external_numbers),
        "created_by": d.created_by,
    }
    _put(tx, deal, d.id, values)


def add_stage_event(
    tx: Connection,
    deal_id: str,
    stage: str,
    date: datetime,
    by: str,
    *,
    change: str | None = None,
    evidence: str | None = None,
    quote: str | None = None,
) -> None:
    tx.execute(
        insert(stage_event).values(
            deal_id=deal_id, stage=stage, date=date, by=by, change=change, evidence=evidence, quote=quote
        )
    )


def _put(tx: Connection, table: Table, row_id: str, values: dict[str, Any]) -> None:
    if not tx.execute(update(table).where(table.c.id == row_id).values(**values)).rowcount:
        tx.execute(insert(table).values(**values))
