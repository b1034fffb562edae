"""Since when each hand-off rule is watched: what fell due before is the past's, and nobody is told of it.

A rule begins when it is first seen, and anew when its conditions change. Later, what fell due before the last look is
the past's too: it was found by a backfill. A day is allowed for letters that come late.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection

from agent.flow import Flow
from agent.model import HandoffRule
from agent.store import pending, sources

LATE = timedelta(days=1)
LOOK = timedelta(minutes=10)  # the last look need not be known more exactly

BEGAN, LOOKED = "handoffs_began", "handoffs_looked"  # settings


def rules(tx: Connection, configured: Sequence[HandoffRule]) -> tuple[HandoffRule, ...]:
    """The rules, each with the moment before which all is past."""
    if not configured:
        return ()
    known = sources.settings(tx)
    began, looked = json.loads(known.get(BEGAN, "{}")), known.get(LOOKED)
    late = datetime.fromisoformat(looked) - LATE if looked else None
    found = []
    for rule in configured:
        since = datetime.fromisoformat(began[_name(rule)]) if _name(rule) in began else None
        moments = [moment for moment in (since, late) if moment is not None]
        found.append(msgspec.structs.replace(rule, since=max(moments) if since is not None else None))
    return tuple(found)


def begin(flow: Flow) -> None:
    """Note the rules that are new; whoever has deals is looked at again, for he may fall under them one day."""
    configured = {_name(rule) for rule in flow.config.handoffs}
    with flow.store.reading() as tx:
        began = json.loads(sources.settings(tx).get(BEGAN, "{}"))
    if configured == set(began):
        return
    now = flow.now().isoformat()
    with flow.store.transaction() as tx:
        sources.set_setting(tx, BEGAN, json.dumps({name: began.get(name, now) for name in sorted(configured)}))
        pending.mark_dirty(tx, pending.clients_with_history(tx), fresh=True)


def done(flow: Flow) -> None:
    """All that was known until now has been looked at."""
    if not flow.config.handoffs:
        return
    now = flow.now()
    with flow.store.reading() as tx:
        looked = sources.settings(tx).get(LOOKED)
    if looked is None or now - datetime.fromisoformat(looked) > LOOK:
        with flow.store.transaction() as tx:
            sources.set_setting(tx, LOOKED, now.isoformat())


def _name(rule: HandoffRule) -> str:
    return hashlib.blake2b(msgspec.json.encode(rule), digest_size=10).hexdigest()
