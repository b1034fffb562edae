"""The new records' room: which deals a person is asked about before they are made."""

from sqlalchemy import Connection

from agent.model import NewRecord
from agent.store import histories


def proposed(tx: Connection) -> list[NewRecord]:
    """Deals that wait for a person: what is asked for, in whose words, and what would be created; oldest first.

    The answer is `accepted` or `declined` with the record's key as its subject, and with `pipeline` where the record
    gives choices.
    """
    found = [new for one in histories.every(tx) for new in one.records if new.state == "proposed"]
    return sorted(found, key=lambda new: (new.date, new.key))
