"""Polls every source in its own rhythm, on the threads of a scheduler; what happens to one never stops another."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor as Threads
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from agent import reconcile
from agent.collect import LONGEST_PAUSE, collect, note_failure
from agent.config import SourceConfig
from agent.daemon.logs import place_of
from agent.daemon.pulse import Pulse
from agent.errors import NeedsHuman, Retry
from agent.flow import Flow
from agent.store import sources

THREADS = 16  # polls at the same time; they wait for servers most of the time
JITTER = 0.1  # of a source's rhythm, so that many sources do not ask all at once
SHORTEST_PAUSE = timedelta(seconds=1)  # also before a server that says "at once" is asked again
PULL_EVERY = timedelta(minutes=5)
PROOF_PAUSE = 3600.0  # seconds before a proof that did not hold is made again

log = structlog.get_logger()


class Poller:
    """Polls one source, once at a time; a proof that is due follows the poll."""

    def __init__(self, flow: Flow, source: SourceConfig, pulse: Pulse, wake: Callable[[], None]) -> None:
        self.source = source
        self.importing = False  # its first import runs now
        self._flow, self._pulse, self._wake = flow, pulse, wake
        self._lock = threading.Lock()
        self._was_imported = False
        self._no_proof_before = 0.0

    def poll(self, *, wait: bool) -> Any:
        """Collect what is new; returns the source's state, or None when another thread polls it or all ends."""
        if not self._lock.acquire(blocking=wait):
            return None
        try:
            if self._flow.stopping():
                return None
            with self._pulse.at_work(self.source.name):
                return self._poll()
        finally:
            self._lock.release()

    def _poll(self) -> Any:
        began = time.monotonic()
        self.importing = not (self._was_imported or self._has_succeeded(self._state()))
        new = 0
        try:
            new = collect(self._flow, self.source)
            if self._is_proof_due(self._state()):
                self._prove()
        except Exception as error:
            self._note(error)
        finally:
            was_import, self.importing = self.importing, False
        state = self._state()
        self._was_imported = self._has_succeeded(state)
        self._tell(state, new, time.monotonic() - began)
        if new or was_import:
            self._wake()
        return state

    def _state(self) -> Any:
        with self._flow.store.reading() as tx:
            return sources.state(tx, self.source.name)

    def _has_succeeded(self, state: Any) -> bool:
        return state is not None and state.last_success is not None

    def _tell(self, state: Any, new: int, seconds: float) -> None:
        values = {"source": self.source.name, "new": new, "seconds": round(seconds, 3)}
        if state.last_error:
            log.warning("poll failed", **values, why=state.last_error, next_try=state.next_try)
        else:
            log.info("polled", **values, done=state.done, total=state.total)

    def _note(self, error: Exception) -> None:
        """A source that cannot be opened, or a defect of ours in one poll, is noted at the source and tried again."""
        if isinstance(error, Retry):
            note_failure(self._flow, self.source, str(error), error.after)
        elif isinstance(error, NeedsHuman):
            pause = LONGEST_PAUSE.total_seconds()
            note_failure(self._flow, self.source, str(error), pause, phase="needs a person")
        else:
            log.error("a defect ended a poll", source=self.source.name, error=error)
            note_failure(self._flow, self.source, f"a defect of dealscribe: {place_of(error)}", None)

    def _is_proof_due(self, state: Any) -> bool:
        if self._flow.stopping() or time.monotonic() < self._no_proof_before:
            return False
        return reconcile.is_due(state, self._flow.now())

    def _prove(self) -> None:
        began = time.monotonic()
        proof = reconcile.prove(self._flow, self.source, repair=True)
        if proof.taken_up:
            self._wake()
        if not proof.holds:
            self._no_proof_before = time.monotonic() + PROOF_PAUSE
        (log.info if proof.holds and not proof.missing else log.warning)(
            "proved",
            source=proof.source,
            holds=proof.holds,
            on_server=proof.on_server,
            known=proof.known,
            missing=len(proof.missing),
            taken_up=proof.taken_up,
            vanished=proof.vanished,
            why=proof.error or None,
            seconds=round(time.monotonic() - began, 3),
        )


class Polls:
    """All pollers and their scheduler."""

    def __init__(self, flow: Flow, pulse: Pulse, wake: Callable[[], None]) -> None:
        self._flow, self._wake = flow, wake
        self._pollers = {s.name: Poller(flow, s, pulse, wake) for s in flow.config.sources}
        size = min(max(len(self._pollers), 1), THREADS)
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(size), "aside": ThreadPoolExecutor(1)},
            # a late poll is made all the same, and several that are late are made once
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._asked = Threads(size, thread_name_prefix="asked")

    def start(self, pull: Callable[[], None]) -> None:
        """Poll everything now and then in its rhythm; `pull` is called when the CRM's news are due."""
        now = datetime.now(UTC)
        for name, poller in self._pollers.items():
            rhythm = poller.source.poll.total_seconds()
            self._scheduler.add_job(
                self._in_turn,
                "interval",
                args=[poller],
                id=name,
                seconds=rhythm,
                jitter=JITTER * rhythm,
                next_run_time=now,
            )
        self._scheduler.add_job(pull, "interval", seconds=PULL_EVERY.total_seconds(), executor="aside")
        self._scheduler.start()

    def poll_now(self, names: Sequence[str]) -> list[Future[None]]:
        """Poll these after whatever polls them now; what arrived before the call has been seen then."""
        futures = [self._asked.submit(self._because_asked, self._pollers[name]) for name in names]
        for future in futures:
            future.add_done_callback(lambda _: self._wake())
        return futures

    def names(self) -> list[str]:
        return list(self._pollers)

    def importing(self) -> bool:
        return any(p.importing for p in self._pollers.values())

    def stop(self) -> None:
        """Wait for the polls that run; `flow.stopping()` ends them after the batch in hand."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
        self._asked.shutdown(wait=True, cancel_futures=True)

    def _in_turn(self, poller: Poller) -> None:
        state = poller.poll(wait=False)
        if state is not None and state.next_try is not None:
            self._at(poller, state.next_try)

    def _because_asked(self, poller: Poller) -> None:
        state = poller.poll(wait=True)
        if state is not None:
            pause = poller.source.poll * random.uniform(1 - JITTER, 1 + JITTER)
            self._at(poller, state.next_try or datetime.now(UTC) + pause)

    def _at(self, poller: Poller, moment: datetime) -> None:
        """The next poll of this source; after it comes its rhythm again."""
        moment = max(moment, datetime.now(UTC) + SHORTEST_PAUSE)
        if not self._flow.stopping():
            with contextlib.suppress(JobLookupError):  # the scheduler has just been shut down
                self._scheduler.modify_job(poller.source.name, next_run_time=moment)
