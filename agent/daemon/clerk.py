"""The daemon's clerk: requests of `sync`, the lease's heartbeat, and what systemd is told; a thread of its own."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

import structlog

from agent.daemon.polling import Polls
from agent.daemon.pulse import POLL_LIMIT, Pulse
from agent.daemon.systemd import Notifier
from agent.errors import DealscribeError
from agent.flow import utc_now
from agent.store import Store, sources

EVERY = 1.0  # seconds between two looks at the requests
BEAT_EVERY = 10.0
FEED_EVERY = 10.0  # or a third of what systemd waits, whichever is shorter
NAMED = 3  # sources named in the status line

log = structlog.get_logger()


class Request(NamedTuple):
    """A `sync` in another process that waits for us."""

    id: int
    sources: tuple[str, ...]
    polls: tuple[Future[None], ...]
    error: str  # it cannot be served: no such source


class LeaseLost(DealscribeError):
    """Another one took the lease over: we were silent for too long and must write nothing more."""


class Clerk:
    """Works each second, whatever the main thread and the polls are at; `failed` is told what ended it."""

    def __init__(
        self,
        store: Store,
        token: str,
        polls: Polls,
        pulse: Pulse,
        notifier: Notifier,
        asked: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._store, self._token = store, token
        self._polls, self._pulse, self._notifier = polls, pulse, notifier
        self._asked, self._failed = asked, failed
        self._open: list[Request] = []
        self._hung: set[str] = set()
        self._next_beat = self._next_feed = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="clerk", daemon=True)

    def start(self) -> None:
        with self._store.transaction() as tx:
            sources.take_over_requests(tx, utc_now())
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def polled(self) -> list[Request]:
        """The requests whose sources have been polled."""
        return [r for r in list(self._open) if all(f.done() for f in r.polls)]

    def finish(self, requests: Sequence[Request], crm_error: str) -> None:
        """What their polls brought is in the CRM, or `crm_error` says why not."""
        if not requests:
            return
        with self._store.transaction() as tx:
            states = sources.states(tx)
            for one in requests:
                errors = [f"{n}: {states[n].last_error}" for n in one.sources if n in states and states[n].last_error]
                told = "\n".join(e for e in (one.error, *errors, crm_error) if e)
                sources.finish_request(tx, one.id, utc_now(), told or None)
        for one in requests:
            self._open.remove(one)

    # -- its own thread -------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while not self._over.wait(EVERY):
                self._take_requests()
                self._beat()
                self._note_hanging()
                self._tell_systemd()
        except Exception as error:
            self._failed(error)

    def _take_requests(self) -> None:
        with self._store.reading() as tx:
            if not sources.has_requests(tx):
                return
        with self._store.transaction() as tx:
            rows = sources.take_requests(tx, utc_now())
        known = self._polls.names()
        for row in rows:
            names = tuple(known) if row.source is None else (row.source,) if row.source in known else ()
            error = "" if row.source is None or names else f"the running dealscribe has no source {row.source}"
            self._open.append(Request(row.id, names, tuple(self._polls.poll_now(names)), error))
            log.info("asked to sync", source=row.source)
        self._asked()

    def _beat(self) -> None:
        if time.monotonic() < self._next_beat:
            return
        with self._store.transaction() as tx:
            if not sources.beat(tx, self._token, utc_now()):
                raise LeaseLost("another dealscribe took the store over")
        self._next_beat = time.monotonic() + BEAT_EVERY

    def _note_hanging(self) -> None:
        """A poll without a step for very long: `status` and the log tell it, once."""
        hanging = set(self._pulse.hanging())
        for name in hanging - self._hung:
            log.warning("a poll hangs", source=name, minutes=POLL_LIMIT // 60)
            with self._store.transaction() as tx:
                sources.save(tx, name, last_error=f"no answer for {POLL_LIMIT // 60:.0f} minutes; still waiting")
        self._hung = hanging

    def _tell_systemd(self) -> None:
        polling = self._pulse.polling()
        more = f" and {len(polling) - NAMED} more" if len(polling) > NAMED else ""
        self._notifier.status(f"polling {', '.join(polling[:NAMED])}{more}" if polling else "waiting for news")
        if time.monotonic() >= self._next_feed and self._pulse.is_alive():
            self._notifier.alive()
            self._next_feed = time.monotonic() + min(FEED_EVERY, (self._notifier.watchdog_seconds or FEED_EVERY) / 3)
