"""Is the program getting on? Each thread at work leaves a sign of life with every step; from these it is judged."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

MAIN = "main"
MAIN_LIMIT = 300.0  # seconds without a step after which the main loop hangs; a worker gives one a minute at the latest
POLL_LIMIT = 600.0  # the same for a poll
HOPELESS = 3600.0  # a poll that hangs for this long needs a restart, even when the others go on


@dataclass
class _Work:
    name: str
    last: float


class Pulse:
    """Which threads are at work, at what, and when each of them last made a step."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._working: dict[int, _Work] = {}
        self._last_poll_step = clock()

    @contextmanager
    def at_work(self, name: str) -> Iterator[None]:
        """This thread works at `name`, MAIN or a source's, until the block ends."""
        with self._lock:
            self._working[threading.get_ident()] = _Work(name, self._clock())
        try:
            yield
        finally:
            self.step()
            with self._lock:
                del self._working[threading.get_ident()]

    def step(self) -> None:
        """The thread that calls got on; one that is not at work says nothing."""
        with self._lock:
            if (work := self._working.get(threading.get_ident())) is not None:
                work.last = self._clock()
                if work.name != MAIN:
                    self._last_poll_step = work.last

    def polling(self) -> list[str]:
        with self._lock:
            return sorted({w.name for w in self._working.values() if w.name != MAIN})

    def hanging(self) -> list[str]:
        """The polls that made no step for too long."""
        now = self._clock()
        with self._lock:
            return sorted({w.name for w in self._working.values() if w.name != MAIN and now - w.last > POLL_LIMIT})

    def is_alive(self) -> bool:
        """The main loop goes round, and polls that hang are not all there is. Being idle is no lack of life."""
        now = self._clock()
        with self._lock:
            main = [now - w.last for w in self._working.values() if w.name == MAIN]
            polls = [now - w.last for w in self._working.values() if w.name != MAIN]
            since_any = now - self._last_poll_step
        if not main or max(main) > MAIN_LIMIT:
            return False
        longest = max(polls, default=0.0)
        return longest <= POLL_LIMIT or (longest <= HOPELESS and since_any <= POLL_LIMIT)
