"""The mirror's room: the CRM's facts; with the built-in CRM these tables are the CRM."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, Table, delete, insert, select, update

from agent.clients import Directory
from agent.model import Company, Contact, Deal, Rep, StageEvent
from agent.store import sources, twins
from agent.store.tables import company, contact, deal, pipeline, rep, stage_event
from connectors.base import Facts


def directory(tx: Connection) -> Directory:
    """Everybody and every deal, indexed."""
    return Directory.of(companies(tx), contacts(tx), deals(tx))


def revision(tx: Connection) -> str:
    """Changes whenever the mirror does."""
    return sources.settings(tx).get("mirror_revision", "0")


def touch(tx: Connection) -> None:
    sources.set_setting(tx, "mirror_revision", str(int(revision(tx)) + 1))


def reps(tx: Connection) -> list[Rep]:
    return [Rep(id=r.id, name=r.name, email=r.email, tz=r.tz) for r in tx.execute(select(rep).order_by(rep.c.id))]


def companies(tx: Connection, row_id: str | None = None) -> list[Company]:
    return [
        Company(id=r.id, name=r.name, domains=tuple(r.domains), language=r.language, created_by=r.created_by)
        for r in tx.execute(_rows(company, row_id))
    ]


def contacts(tx: Connection, row_id: str | None = None) -> list[Contact]:
    return [
        Contact(
            id=r.id,
            name=r.name,
            emails=tuple(r.emails),
            company_id=r.company_id,
            title=r.title,
            phone=r.phone,
            created_by=r.created_by,
        )
        for r in tx.execute(_rows(contact, row_id))
    ]


def client_names(tx: Connection) -> dict[str, str]:
    """Companies and contacts by id, as they are called."""
    return {c.id: c.name for c in companies(tx)} | {c.id: c.name for c in contacts(tx)}


def deals(tx: Connection, row_id: str | None = None) -> list[Deal]:
    """Deals as people left them: our own moves are not among their events, and do not close them."""
    events: dict[str, list[StageEvent]] = defaultdict(list)
    by_people = select(stage_event).where(stage_event.c.by != "agent").order_by(stage_event.c.date, stage_event.c.id)
    for r in tx.execute(by_people if row_id is None else by_people.where(stage_event.c.deal_id == row_id)):
        events[r.deal_id].append(StageEvent(stage=r.stage, date=r.date, by=r.by))
    return [_deal(r, tuple(events[r.id])) for r in tx.execute(_rows(deal, row_id))]


def deals_as_they_stand(tx: Connection) -> list[Deal]:
    """Deals with our own moves and closings in them."""
    closed = {r.id: r.closed_at for r in tx.execute(select(deal.c.id, deal.c.closed_at))}
    return [msgspec.structs.replace(d, closed_at=closed[d.id]) for d in deals(tx)]


def _rows(table: Table, row_id: str | None) -> Select[Any]:
    query = select(table).order_by(table.c.id)
    return query if row_id is None else query.where(table.c.id == row_id)


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
        closed_at=None if r.closed_by == "agent" else r.closed_at,
        amount=r.amount,
        currency=r.currency,
        external_numbers=tuple(r.external_numbers),
        events=events,
        created_by=r.created_by,
    )


def put_reps(tx: Connection, rows: Iterable[Rep]) -> None:
    touch(tx)
    for r in rows:
        _put(tx, rep, r.id, {"id": r.id, "name": r.name, "email": r.email.lower(), "tz": r.tz})


def put_pipelines(tx: Connection, rows: Iterable[tuple[str, Sequence[str]]]) -> None:
    for name, stages in rows:
        tx.execute(delete(pipeline).where(pipeline.c.name == name))
        tx.execute(insert(pipeline).values(name=name, stages=list(stages)))


def pipelines(tx: Connection) -> dict[str, list[str]]:
    return {r.name: list(r.stages) for r in tx.execute(select(pipeline).order_by(pipeline.c.name))}


def put_companies(tx: Connection, rows: Iterable[Company]) -> None:
    touch(tx)
    for c in rows:
        if twins.gives_way_company(tx, c):
            continue
        values = {"id": c.id, "name": c.name, "domains": [d.lower() for d in c.domains], "language": c.language}
        _put(tx, company, c.id, values | {"created_by": c.created_by})


def put_contacts(tx: Connection, rows: Iterable[Contact]) -> None:
    touch(tx)
    for c in rows:
        if twins.gives_way_contact(tx, c):
            continue
        company_id = twins.now(tx, c.company_id)
        values = {"id": c.id, "name": c.name, "emails": [e.lower() for e in c.emails], "company_id": company_id}
        _put(tx, contact, c.id, values | {"title": c.title, "phone": c.phone[:40], "created_by": c.created_by})


def put_deal(tx: Connection, d: Deal) -> None:
    touch(tx)
    values: dict[str, Any] = {
        "id": d.id,
        "name": d.name,
        "company_id": twins.now(tx, d.company_id),
        "contact_ids": list(dict.fromkeys(twins.now(tx, i) for i in d.contact_ids)),
        "owner": d.owner,
        "pipeline": d.pipeline,
        "stage": d.stage,
        "status": d.status,
        "created_at": d.created_at,
        "closed_at": d.closed_at,
        "closed_by": "import" if d.closed_at else None,
        "amount": d.amount,
        "currency": d.currency,
        "external_numbers": list(d.external_numbers),
        "created_by": d.created_by,
    }
    if d.closed_at is None and d.status != "open":  # we closed it: of that a row says nothing, and it stays so
        values = {k: v for k, v in values.items() if k not in ("closed_at", "closed_by")}
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
    if by != "agent":
        touch(tx)
    tx.execute(
        insert(stage_event).values(
            deal_id=deal_id, stage=stage, date=date, by=by, change=change, evidence=evidence, quote=quote
        )
    )


def put_facts(tx: Connection, facts: Facts) -> None:
    """What a hosted CRM told of itself; the stages that its people gave become events."""
    put_reps(tx, facts.reps)
    put_pipelines(tx, [(p.name, [s.name for s in p.stages]) for p in facts.pipelines])
    put_companies(tx, facts.companies)
    put_contacts(tx, facts.contacts)
    for d in facts.deals:
        put_deal(tx, d)
        tx.execute(delete(stage_event).where(stage_event.c.deal_id == d.id, stage_event.c.by != "agent"))
        for e in d.events:
            add_stage_event(tx, d.id, e.stage, e.date, e.by)


def _put(tx: Connection, table: Table, row_id: str, values: dict[str, Any]) -> None:
    if not tx.execute(update(table).where(table.c.id == row_id).values(**values)).rowcount:
        tx.execute(insert(table).values(**values))
