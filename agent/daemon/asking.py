"""Asks a running daemon to sync now, and follows it until it is done."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from agent.flow import Progress, utc_now
from agent.store import Store, sources

LOOK_EVERY = 0.3  # seconds


class Served(NamedTuple):
    """What became of the request."""

    done: bool  # False: whoever held the lease ended before, and nobody will do it
    errors: tuple[str, ...] = ()  # sources that could not be polled, a CRM that takes nothing


def ask_daemon(
    store: Store,
    names: Sequence[str] | None,
    tell: Callable[[Progress], None],
    now: Callable[[], datetime] = utc_now,
) -> Served:
    """Have these sources, or all, polled, read and delivered by the daemon; `tell` is told how far it is.

    When a `sync` holds the lease and no daemon, nobody takes the request; it ends with the one who holds it.
    """
    with store.transaction() as tx:
        asked = [sources.ask(tx, name, now()) for name in (names if names is not None else [None])]
    told: dict[str, tuple[int, int | None]] = {}
    while True:
        with store.reading() as tx:
            rows = [sources.request(tx, one) for one in asked]
            states = sources.states(tx)
            running = sources.is_running(tx, now())
        _show(states, names, told, tell)
        if all(row.done_at for row in rows):
            return Served(True, tuple(dict.fromkeys(row.error for row in rows if row.error)))
        if not running:
            with store.transaction() as tx:
                sources.withdraw(tx, asked)
            return Served(False)
        time.sleep(LOOK_EVERY)


def _show(
    states: dict[str, Any],
    names: Sequence[str] | None,
    told: dict[str, tuple[int, int | None]],
    tell: Callable[[Progress], None],
) -> None:
    """Tell what changed since the last look."""
    for name, state in states.items():
        if names is not None and name not in names:
            continue
        standing = (state.done, state.total)
        if name in told and told[name] != standing:
            tell(Progress("collect", name, state.done, state.total, state.rate))
        told[name] = standing
