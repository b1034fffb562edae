"""`dealscribe run`: the flow for good, as a service.

start   the store, the lease, READY
polls   each source in its rhythm, on the scheduler's threads; a daily proof after a poll
main    woken by a poll, a request or the clock: pull, read, fold, deliver
clerk   each second: requests of `sync`, the lease's heartbeat, signs of life for systemd
stop    SIGTERM, SIGINT: every thread ends after the item in hand, workers are closed, the lease is given back
"""

import contextlib
import os
import queue
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, NoReturn

import structlog
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError

from agent.config import Config
from agent.daemon import logs
from agent.daemon.clerk import Clerk, LeaseLost
from agent.daemon.crm_turn import CrmTurn
from agent.daemon.polling import Polls
from agent.daemon.pulse import MAIN, Pulse
from agent.daemon.systemd import Notifier
from agent.errors import DealscribeError, NeedsHuman
from agent.flow import Flow, Progress, open_crm, utc_now
from agent.retention import let_go_old_words
from agent.store import Store, outbox, pending, sources
from agent.sync import digest
from agent.texts import say
from agent.workers import READING, ProcessPool, kill_workers
from connectors.secrets import SecretRef

DONE, DEFECT, PERSON, RUNNING = 0, 1, 3, 5  # exit codes, as the command line documents them

ROUND = 5.0  # seconds between rounds when nothing calls: answers and imports come unannounced, from other processes
SHORTEST_WAIT = 0.2
PATIENCE = 15.0  # seconds of reading after which what has been read is folded and delivered
GRACE = 8.0  # seconds for the item in hand; people and systemd expect an end within ten

log = structlog.get_logger()


class Held(DealscribeError):
    """Another dealscribe holds the lease."""


def run(config: Config) -> int:
    """Run until a signal; returns the exit code. What keeps it from starting is said in one sentence."""
    logs.set_up()
    for warning in config.warnings:
        log.warning("a note on the configuration", why=warning)
    try:
        _check_secrets(config)
        with contextlib.closing(Store(config.store.url)) as store, _lease(store) as token:
            return Daemon(config, store, token).run()
    except Held as error:
        return _refuse(str(error), RUNNING)
    except NeedsHuman as error:
        return _refuse(say("error.person", error=error), PERSON)
    except DBAPIError as error:
        log.critical("the store fails", why=_reason(error), error=error)
        return DEFECT


@contextmanager
def _lease(store: Store) -> Iterator[str]:
    """Be the only one who runs the flow; one who died without giving it back is no hindrance."""
    with store.transaction() as tx:
        token = sources.take_lease(tx, utc_now())
        holder = sources.lease_holder(tx)
    if token is None:
        raise Held(say("error.running", holder=f"{holder.host}, pid {holder.pid}"))
    try:
        yield token
    finally:
        with store.transaction() as tx:
            sources.give_back(tx, token)


class Daemon:
    """The main thread's loop, and what it shares with the others."""

    def __init__(self, config: Config, store: Store, token: str) -> None:
        self._store = store
        self._stop = False
        self._defect: BaseException | None = None
        self._let_go_on: date | None = None
        # not an Event: a signal handler may put into this queue even while its own thread waits on it
        self._calls: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._pulse, self._notifier, self._end = Pulse(), Notifier(), End()
        self._flow = Flow(
            config,
            store,
            open_crm(config, store),
            ProcessPool(os.cpu_count() or 1, step=self._pulse.step),
            ProcessPool(1, work=READING, step=self._pulse.step),
            tell=self._told,
            stopping=lambda: self._stop,
        )
        self._crm = CrmTurn(self._flow)
        self._polls = Polls(self._flow, self._pulse, self._wake)
        self._clerk = Clerk(store, token, self._polls, self._pulse, self._notifier, self._asked, self._failed)

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._clerk.start()
        self._notifier.ready()
        log.info("started", sources=len(self._polls.names()), pid=os.getpid())
        code = DONE
        try:
            with self._pulse.at_work(MAIN):
                self._polls.start(self._pull_is_due)
                self._go_round()
        except Exception as error:
            log.critical("a defect ends the program", why=_reason(error), error=error)
            code = DEFECT
        self._shut_down(code)
        return code

    # -- the main thread ------------------------------------------------------------------------------------------

    def _go_round(self) -> None:
        while not self._stop:
            self._pulse.step()
            more = self._round()
            if self._defect is not None:
                raise self._defect
            self._wait(0.0 if more else self._pause())

    def _round(self) -> bool:
        """Pull, read, fold, deliver what waits; True when there may be more to do."""
        polled = self._clerk.polled()  # looked at first: what their polls brought is in this round
        began = time.monotonic()
        self._crm.pull()
        done = digest(self._flow, fresh_only=self._polls.importing(), patience=PATIENCE)
        written = done.written + self._crm.deliver()
        if done.read or done.folded or written:
            counts = {"read": done.read, "folded": done.folded, "written": written, "more": done.more}
            log.info("understood", **counts, seconds=round(time.monotonic() - began, 3))
        more = done.more or written > 0  # who is new in the CRM has letters to be folded
        if not more:
            self._clerk.finish(polled, self._crm.error)
            self._let_go()
        return more

    def _let_go(self) -> None:
        """Once a day, words that were kept for long enough."""
        today = self._flow.now().date()
        if self._let_go_on != today and (count := let_go_old_words(self._flow)):
            log.info("old words are let go", activities=count)
        self._let_go_on = today

    def _pause(self) -> float:
        """Seconds until there is something to do, or until the next round."""
        with self._store.reading() as tx:
            moments = [pending.next_due(tx), self._crm.next_try(outbox.next_try(tx))]
        now = self._flow.now()
        left = [(moment - now).total_seconds() for moment in moments if moment is not None and moment > now]
        return max(min([ROUND, *left]), SHORTEST_WAIT)

    def _wait(self, seconds: float) -> None:
        with contextlib.suppress(queue.Empty):
            if seconds:
                self._calls.get(timeout=seconds)
            while True:  # one round answers all calls that came until now
                self._calls.get_nowait()

    def _shut_down(self, code: int) -> None:
        self._stop = True
        self._notifier.stopping()
        self._end.within(GRACE, code)
        self._polls.stop()
        self._clerk.stop()
        self._flow.parsers.close()
        self._flow.readers.close()
        log.info("stopped", code=code)

    # -- called by the other threads and by signals -----------------------------------------------------------------

    def _wake(self) -> None:
        self._calls.put(None)

    def _told(self, progress: Progress) -> None:
        self._pulse.step()
        if progress.step == "collect":
            self._wake()  # a batch is stored: it is read while the next one is fetched

    def _pull_is_due(self) -> None:
        self._crm.pull_due = True
        self._wake()

    def _asked(self) -> None:
        self._crm.try_now()
        self._wake()

    def _failed(self, error: BaseException) -> None:
        """The clerk ended. Without the lease nothing more may be written; else the main thread ends in order."""
        if isinstance(error, LeaseLost):
            log.critical("the lease is lost", why=str(error))
            end_now(RUNNING)
        self._defect = error
        self._wake()

    def _on_signal(self, number: int, _frame: Any) -> None:
        if self._stop:
            end_now(128 + number)
        self._stop = True
        self._end.within(GRACE, DONE)
        self._wake()


class End:
    """Sees to it that the program ends in time, even if a thread waits for a server that does not answer."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[float, int]] = queue.SimpleQueue()
        threading.Thread(target=self._see_to_it, name="end", daemon=True).start()

    def within(self, seconds: float, code: int) -> None:
        """The first call counts. A signal handler may call it."""
        self._calls.put((seconds, code))

    def _see_to_it(self) -> None:
        seconds, code = self._calls.get()
        time.sleep(seconds)
        log.warning("stopped in the middle of something; the next start takes it up", code=code)
        end_now(code)


def end_now(code: int) -> NoReturn:
    """End at once. What was stored is whole, what was not is done again: every step is one transaction."""
    kill_workers()
    os._exit(code)


def _refuse(sentence: str, code: int) -> int:
    log.error("not started", why=sentence, code=code)
    if sys.stderr.isatty():  # a person reads it better so; else it would stand in the journal twice
        print(sentence, file=sys.stderr)
    return code


def _check_secrets(config: Config) -> None:
    """A source without its secret is told at the source; when none can be opened, or the CRM, a person must act."""
    _missing(config.crm.options, "[crm]", wanted=True)
    missing = [_missing(s.options, s.name) for s in config.sources]
    if missing and all(missing):
        raise NeedsHuman("\n".join(m for m in missing if m))


def _missing(options: BaseModel, name: str, *, wanted: bool = False) -> str:
    """Which secret is not there, as a sentence, or ""."""
    for key in type(options).model_fields:
        value = getattr(options, key)
        try:
            if isinstance(value, SecretRef):
                value.resolve()
        except NeedsHuman as error:
            if wanted:
                raise NeedsHuman(f"{name}: {error}") from None
            return f"{name}: {error}"
    return ""


def _reason(error: BaseException) -> str | None:
    """What SQLite says of a disk or a lock, which is nobody's data; other databases quote rows."""
    failed = error.orig if isinstance(error, DBAPIError) else None
    return str(failed) if isinstance(failed, sqlite3.OperationalError) else None
