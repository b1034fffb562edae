"""How far a sync is: bars when a person watches, else JSON lines, always on standard error."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from agent.cli.common import err, plain, someone_watches
from agent.flow import Progress
from agent.texts import say


@contextmanager
def watching() -> Iterator[Callable[[Progress], None]]:
    """On standard error: bars when a person watches, else one JSON line per source and second at most."""
    if not someone_watches():
        yield _Lines()
        return
    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Bars(*columns, console=err, transient=True) as bars:
        yield _Bars(bars)


@contextmanager
def silence() -> Iterator[Callable[[Progress], None]]:
    yield lambda _: None


class _Bars:
    """A bar for each source, and a count of the letters that have been read."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, progress: Progress) -> None:
        rate = f"{progress.rate:.0f}/s" if progress.rate else ""
        if progress.step == "collect":
            task = self._task(progress.source, progress.total)
            self._bars.update(task, completed=progress.done, total=progress.total, rate=rate)
        elif progress.step == "read":
            self._bars.advance(self._task(say("sync.reading"), None), progress.done)

    def _task(self, name: str, total: int | None) -> TaskID:
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(plain(name), total=total, rate="")
        return self._tasks[name]


class _Lines:
    """One JSON line per source and second at most, and one when it is done."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}

    def __call__(self, progress: Progress) -> None:
        if progress.step != "collect":
            return
        done = progress.total is not None and progress.done >= progress.total
        with self._lock:
            now = time.monotonic()
            if not done and now - self._last.get(progress.source, 0.0) < 1.0:
                return
            self._last[progress.source] = now
            left = _seconds_left(progress)
            event = {"event": "progress", "source": progress.source, "done": progress.done, "total": progress.total}
            event |= {"rate": round(progress.rate or 0, 1), "seconds_left": left}
            print(json.dumps(event, ensure_ascii=False), file=sys.stderr, flush=True)


def _seconds_left(progress: Progress) -> float | None:
    if not progress.rate or progress.total is None:
        return None
    return round(max(0, progress.total - progress.done) / progress.rate, 1)
