"""Take the words of letters and meetings out of what was written and what waits to be; counts and places stay."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, or_, select, update

from agent.store.tables import crm_activity, crm_objection, outbox, stage_event

CHUNK = 500  # values in one IN (...)
WORDLESS: dict[str, Any] = {"subject": "", "excerpt": "", "quote": "", "reasons": [], "reason": None, "condition": None}


def forget_words(tx: Connection, activities: Sequence[str]) -> None:
    """Subject, excerpt and quotes of these activities, given by their keys; in the built-in CRM and in the outbox."""
    for start in range(0, len(activities), CHUNK):
        keys = activities[start : start + CHUNK]
        _blank_outbox(tx, keys)
        tx.execute(update(crm_activity).where(crm_activity.c.key.in_(keys)).values(subject="", excerpt=""))
        tx.execute(update(stage_event).where(stage_event.c.evidence.in_(keys)).values(quote=""))
        wordless = {"reason": None, "condition": None, "quote": ""}
        tx.execute(update(crm_objection).where(crm_objection.c.activity.in_(keys)).values(**wordless))


def _blank_outbox(tx: Connection, keys: Collection[str]) -> None:
    body = outbox.c.body
    about = or_(
        outbox.c.subject.in_(keys), body["evidence"].as_string().in_(keys), body["activity"].as_string().in_(keys)
    )
    for row in list(tx.execute(select(outbox.c.seq, outbox.c.body).where(about))):
        blank = {**row.body, **{name: nothing for name, nothing in WORDLESS.items() if name in row.body}}
        tx.execute(update(outbox).where(outbox.c.seq == row.seq).values(body=blank))
