"""The same one twice: a record that a person enters takes the place of the one that we had made.

A hosted CRM keeps both, for we delete nothing there; here only the person's counts, and our changes name it.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Column, Connection, Table, delete, insert, select, update

from agent.model import Company, Contact
from agent.store.tables import company, contact, deal, outbox, twin

OURS = "agent"


def gives_way_company(tx: Connection, new: Company) -> bool:
    """Is this one of ours, and a person's company has its domain? Else those of ours give way to this one."""
    return _gives_way(tx, company, company.c.domains, new.id, new.created_by, {d.lower() for d in new.domains})


def gives_way_contact(tx: Connection, new: Contact) -> bool:
    """The same for a contact, by its addresses."""
    return _gives_way(tx, contact, contact.c.emails, new.id, new.created_by, {e.lower() for e in new.emails})


def now(tx: Connection, record_id: str | None) -> str | None:
    """The id by which a company or contact goes on: a person's, when he has entered it too."""
    found: str | None = tx.scalar(select(twin.c.now).where(twin.c.id == record_id))
    return found or record_id


def _gives_way(
    tx: Connection, table: Table, names: Column[Any], record_id: str, by: str, mine: Collection[str]
) -> bool:
    ours = table.c.created_by == OURS
    others = select(table.c.id, names.label("names")).where(table.c.id != record_id, ~ours if by == OURS else ours)
    twins = [row.id for row in tx.execute(others) if not set(mine).isdisjoint(row.names)]
    if by == OURS:
        if twins:
            _replace(tx, table, record_id, twins[0])
        return bool(twins)
    for one in twins:
        _replace(tx, table, one, record_id)
    return False


def _replace(tx: Connection, table: Table, old: str, new: str) -> None:
    """Whatever names our record, or waits for it, is of the person's from now on."""
    made = (outbox.c.remote_id == old, outbox.c.kind.in_(("create_company", "create_contact")))
    tx.execute(update(outbox).where(*made).values(remote_id=new))
    tx.execute(delete(twin).where(twin.c.id == old))
    tx.execute(insert(twin).values(id=old, now=new))
    tx.execute(delete(table).where(table.c.id == old))
    if table is company:
        for other in (contact, deal):
            tx.execute(update(other).where(other.c.company_id == old).values(company_id=new))
        return
    for row in tx.execute(select(deal.c.id, deal.c.contact_ids)).all():
        if old in row.contact_ids:
            kept = list(dict.fromkeys(new if i == old else i for i in row.contact_ids))
            tx.execute(update(deal).where(deal.c.id == row.id).values(contact_ids=kept))
