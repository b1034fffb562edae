"""The hand-offs' room: what was handed off, by which rule, whom it was told, and what was taken back."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from agent.store.tables import outbox

KINDS = ("hand_off", "notify", "take_back")


class Told(msgspec.Struct, kw_only=True):
    """One hand-off, as it was told."""

    key: str
    rule: str
    deal_id: str
    stage: str
    owner: str
    tag: str
    at: str
    evidence: str  # key of the activity that nobody answered
    told: dict[str, str]  # crm, webhook, file -> state of the change
    ended: str | None = None
    why: str = ""  # client: he wrote; passed: its conditions hold no more


def every(tx: Connection, deal_id: str | None = None) -> list[Told]:
    """All hand-offs, or those of one deal, in the order in which they fell due."""
    query = select(outbox).where(outbox.c.kind.in_(KINDS)).order_by(outbox.c.seq)
    rows = tx.execute(query if deal_id is None else query.where(outbox.c.subject == f"handoff:{deal_id}"))
    return sorted(_told(rows), key=lambda one: (one.at, one.key))


def _told(rows: Iterable[Any]) -> list[Told]:
    found: dict[str, Told] = {}
    for row in rows:
        body = row.body
        if body["event"] == "handed_off":
            names = ("rule", "deal_id", "stage", "owner", "tag", "at", "evidence")
            new = Told(key=body["handoff"], told={}, **{name: body[name] for name in names})
            found.setdefault(body["handoff"], new).told[body["channel"]] = row.state
        else:
            found[body["handoff"]].ended, found[body["handoff"]].why = body["at"], body["why"]
    return list(found.values())


def untold(tx: Connection, tries: int) -> list[tuple[str, str]]:
    """(key, error) of what a webhook or a file did not take, so often that somebody should look."""
    query = select(outbox.c.key, outbox.c.error).where(
        outbox.c.kind == "notify", outbox.c.state.in_(("pending", "sending")), outbox.c.tries >= tries
    )
    return [(row.key, row.error or "") for row in tx.execute(query.order_by(outbox.c.seq))]
