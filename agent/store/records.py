"""The new records' room: which deals a person is asked about before they are made."""

import msgspec
from sqlalchemy import Connection, select

from agent.model import History, NewRecord
from agent.store.tables import history


def proposed(tx: Connection) -> list[NewRecord]:
    """Deals that wait for a person: what is asked for, in whose words, and what would be created; oldest first.

    The answer is `accepted` or `declined` with the record's key as its subject, and with `pipeline` where the record
    gives choices.
    """
    bodies = tx.scalars(select(history.c.body).where(history.c.body.contains('"records":')))
    said = [msgspec.json.decode(body, type=History) for body in bodies]
    found = [new for one in said for new in one.records if new.state == "proposed"]
    return sorted(found, key=lambda new: (new.date, new.key))
