"""Why is it so: the story of a deal, a stage move, an objection, a contact or a company, event by event."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec
from sqlalchemy import Connection, select

from agent.changes import as_they_stand, move_of, standing_moves
from agent.model import Company, Contact, Deal, Link, ObjectionLife, StageMove
from agent.store import answers, handoffs, histories, mirror, outbox
from agent.store.answers import Given
from agent.store.rows import title_of
from agent.store.tables import activity, link
from agent.store.tables import outbox as outbox_table

MOST = 200  # letters of one contact


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened, or was decided."""

    at: datetime
    what: str  # message, meeting, human, import, written, proposed, objection, an objection's turn, answer, sent
    key: str  # of the activity, the move, the objection or the change
    said: str
    why: str = ""


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one thing that is no letter."""

    kind: str  # deal, move, objection, contact, company
    key: str
    name: str
    facts: dict[str, str]
    events: list[Event]


def tell(tx: Connection, key: str) -> Story | None:
    """By the id of a record, an address, or the key of a move or an objection."""
    for deal in mirror.deals(tx, key):
        return _of_deal(tx, deal)
    contacts = mirror.contacts(tx, key) or [c for c in mirror.contacts(tx) if key.lower() in c.emails]
    for contact in contacts:
        return _of_contact(tx, contact)
    for company in mirror.companies(tx, key):
        return _of_company(tx, company)
    said = histories.naming(tx, key)
    for move in (m for deal_id in {m.deal_id for one in said for m in one.moves} for m in _moves(tx, deal_id)):
        if move.key == key:
            return _of_move(tx, move)
    for objection in (o for one in said for o in one.objections if o.key == key):
        return _of_objection(tx, objection)
    return _of_change(tx, key)


def _story(kind: str, key: str, name: str, facts: dict[str, str], events: Iterable[Event]) -> Story:
    told = {k: v for k, v in facts.items() if v}
    return Story(kind=kind, key=key, name=name, facts=told, events=sorted(events, key=lambda e: e.at))


# -- records -------------------------------------------------------------------------------------------------------


def _of_deal(tx: Connection, deal: Deal) -> Story:
    said = histories.naming(tx, deal.id)
    facts = {"pipeline": deal.pipeline, "stage": deal.stage, "status": deal.status, "owner": deal.owner}
    facts |= {"company": deal.company_id or "", "created_by": deal.created_by}
    return _story("deal", deal.id, deal.name, facts, [
        *_activities(tx, deal.id),
        *(Event(at=e.date, what=e.by, key=deal.id, said=e.stage) for e in deal.events),
        *(_move(m) for m in _moves(tx, deal.id)),
        *(event for one in said for o in one.objections if o.deal_id == deal.id for event in _objection(o)),
        *(_answer(g) for g in answers.every(tx) if deal.id in g.answer.deal_ids),
        *(e for e in _sent(tx, f"deal:{deal.id}") if e.said == "withdraw_stage"),
        *(event for one in handoffs.every(tx, deal.id) for event in _handoff(one)),
    ])  # fmt: skip


def _of_contact(tx: Connection, contact: Contact) -> Story:
    facts = {"email": ", ".join(contact.emails), "company": contact.company_id or "", "title": contact.title}
    facts["created_by"] = contact.created_by
    facts["deals"] = ", ".join(d.id for d in mirror.deals(tx) if contact.id in d.contact_ids)
    events = [*_activities(tx, contact.id), *_sent(tx, contact.id)]
    return _story("contact", contact.id, contact.name, facts, events)


def _of_company(tx: Connection, company: Company) -> Story:
    facts = {"domains": ", ".join(company.domains), "created_by": company.created_by}
    facts["deals"] = ", ".join(d.id for d in mirror.deals(tx) if d.company_id == company.id)
    events = [*_activities(tx, company.id), *_sent(tx, company.id)]
    return _story("company", company.id, company.name, facts, events)


def _activities(tx: Connection, of: str) -> Iterator[Event]:
    """The latest letters and meetings that are linked to a deal, a contact or a company."""
    columns = (activity.c.key, activity.c.kind, activity.c.date, activity.c.record, link.c.body)
    named = link.c.body.contains(f'"{of}"', autoescape=True)
    query = select(*columns).join(link).where(link.c.outcome == "logged", named).order_by(activity.c.date.desc())
    count = 0
    for row in tx.execute(query):
        one = msgspec.json.decode(row.body, type=Link)
        if of not in (*one.deal_ids, *one.contact_ids, one.company_id) or count == MOST:
            continue
        count += 1
        reasons = (r for c in one.candidates if c.deal_id == of for r in c.reasons)
        why = ", ".join(f"{r.name} {r.weight:+g}" + (f" ({r.detail})" if r.detail else "") for r in reasons)
        yield Event(at=row.date, what=row.kind, key=row.key, said=title_of(row), why=one.settled or why)


# -- what was decided ----------------------------------------------------------------------------------------------


def _moves(tx: Connection, deal_id: str) -> list[StageMove]:
    """A deal's moves, under the keys by which `undo` takes them back."""
    said = [m for one in histories.naming(tx, deal_id) for m in one.moves if m.deal_id == deal_id]
    standing = standing_moves(outbox.of_subjects(tx, [f"deal:{deal_id}"]))
    written = as_they_stand((m for m in said if m.state == "written"), standing)
    return [*written, *(m for m in said if m.state != "written")]


def _move(move: StageMove) -> Event:
    said = f"{move.before} -> {move.stage}" if move.before else move.stage
    why = f"“{move.quote}”" + (f" ({move.why})" if move.why else "")
    return Event(at=move.date, what=move.state, key=move.key, said=said, why=why)


def _objection(one: ObjectionLife) -> Iterator[Event]:
    yield Event(at=one.opened, what="objection", key=one.key, said=f"{one.type}, {one.stage}", why=f"“{one.quote}”")
    for turn in (e for e in one.events if e.what != "opened"):
        why = f"“{turn.quote}”" if turn.quote else ""
        yield Event(at=turn.at, what=turn.what, key=turn.activity or one.key, said=f"{one.type}, {turn.stage}", why=why)


def _handoff(one: handoffs.Told) -> Iterator[Event]:
    to = ", ".join(filter(None, (one.owner, one.tag, *(c for c in one.told if c != "crm"))))
    yield Event(at=datetime.fromisoformat(one.at), what="handed_off", key=one.key, said=one.rule, why=to)
    if one.ended is not None:
        yield Event(at=datetime.fromisoformat(one.ended), what="taken_back", key=one.key, said=one.rule, why=one.why)


def _answer(given: Given) -> Event:
    one = given.answer
    said = " ".join([one.kind, one.stage or ", ".join(one.deal_ids)])
    return Event(at=given.at, what="answer", key=one.subject, said=said, why=given.by)


def _sent(tx: Connection, subject: str) -> Iterator[Event]:
    """What was written into the CRM about one subject."""
    for row in tx.execute(select(outbox_table).where(outbox_table.c.subject == subject).order_by(outbox_table.c.seq)):
        if row.written_at is not None:
            yield Event(at=row.written_at, what="sent", key=row.key, said=row.kind, why=str(row.body.get("why", "")))


def _of_move(tx: Connection, move: StageMove) -> Story:
    facts = {"deal": move.deal_id, "stage": move.stage, "before": move.before, "state": move.state, "why": move.why}
    facts |= {"milestone": move.milestone, "quote": move.quote, "evidence": move.evidence, "by": move.by}
    wrote = {one.key for one in outbox.of_subjects(tx, [f"deal:{move.deal_id}"]) if move_of(one) == move.key}
    sent = [e for e in _sent(tx, f"deal:{move.deal_id}") if e.key in wrote]
    told = [*_one_activity(tx, move.evidence), *sent, *(_answer(g) for g in answers.on(tx, move.key))]
    return _story("move", move.key, f"{move.deal_id}: {move.stage}", facts, told)


def _of_objection(tx: Connection, one: ObjectionLife) -> Story:
    facts = {"deal": one.deal_id, "stage": one.stage, "state": one.state, "why": one.why, "quote": one.quote}
    facts |= {"reason": one.reason or "", "condition": one.condition or "", "evidence": one.activity}
    told = [*_one_activity(tx, one.activity), *_objection(one), *_sent(tx, one.key)]
    told += [_answer(g) for g in answers.on(tx, one.key)]
    return _story("objection", one.key, f"{one.deal_id}: {one.type}", facts, told)


def _of_change(tx: Connection, key: str) -> Story | None:
    """A move or an objection that is said no longer, but was: what the CRM was told of it."""
    row = tx.execute(select(outbox_table).where(outbox_table.c.key == key)).first()
    if row is None or row.kind not in ("move_stage", "open_objection"):
        return None
    kind = "move" if row.kind == "move_stage" else "objection"
    facts = {name: str(row.body.get(name) or "") for name in ("stage", "type", "quote", "evidence", "activity")}
    facts["deal"] = row.body["deal_id"]
    about = [e for e in _sent(tx, row.subject) if kind == "objection" or key in e.key]
    told = [*about, *(_answer(g) for g in answers.on(tx, key))]
    return _story(
        kind, key, f"{row.body['deal_id']}: {facts['stage'] if kind == 'move' else facts['type']}", facts, told
    )


def _one_activity(tx: Connection, key: str) -> Iterator[Event]:
    for row in tx.execute(select(activity).where(activity.c.key == key)):
        yield Event(at=row.date, what=row.kind, key=row.key, said=title_of(row))
