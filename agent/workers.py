"""Worker processes for what hostile input could hang or kill: parsing and reading.

Started anew, few, long-lived; each with limits of time, work and memory. Work is processor time, so that a hang ends
soon and an honest letter on a busy machine is not given up. A batch that kills its worker is taken apart, and
the item that does it three times is given back as `Poison`; the others are not lost.
"""

import atexit
import contextlib
import gc
import json
import logging
import math
import os
import queue
import resource
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Protocol

import msgspec

TRIES = 3
SECONDS = 60.0  # for one batch, however busy the machine is
PARSING, READING = 10.0, 30.0  # seconds of work for a batch of one; reading begins with loading the models
_EACH = 0.25  # seconds of work more for each further item
_SWEEP = 100_000  # objects made before a worker looks for cycles among them: a batch leaves hardly any
MEMORY = 3 << 30  # bytes of address space for one worker


class Poison(NamedTuple):
    """What became of an item that could not be worked on."""

    error: str


class Limits(NamedTuple):
    """What one batch may take."""

    work: float  # seconds of processor time
    seconds: float  # on the clock


class Workers(Protocol):
    """Runs a function over a batch of items; the answers come in the same order."""

    size: int  # how many batches it works on at the same time

    def start(self, function: str) -> None:
        """Soon this function will be run: what takes long to get ready for it may begin now."""

    def run(self, function: str, items: Sequence[Any], *args: Any) -> list[Any]:
        """`function`: "module:name" of a function(items, *args) -> answers. Poison stands for what failed."""

    def close(self) -> None: ...


class InProcess:
    """Works without processes, for small amounts; an exception is an item's Poison, a hang is a hang."""

    size = 1

    def start(self, function: str) -> None:
        pass

    def run(self, function: str, items: Sequence[Any], *args: Any) -> list[Any]:
        return _work(_find(function), items, args)

    def close(self) -> None:
        pass


class ProcessPool:
    """`size` worker processes, started when they are first needed; safe to use from several threads."""

    def __init__(
        self,
        size: int,
        *,
        work: float = PARSING,
        seconds: float = SECONDS,
        step: Callable[[], None] = lambda: None,
    ) -> None:
        """`step` is called after each answer of a worker, and after each time limit."""
        self.size = size
        self._work, self._seconds = work, seconds
        self._step = step
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(size):
            self._idle.put(None)

    def start(self, function: str) -> None:
        slots: list[_Worker | None] = []
        with contextlib.suppress(queue.Empty):  # those that are at work have started
            while True:
                slots.append(self._idle.get_nowait())
        for slot in slots:
            self._idle.put(slot or _Worker(function))

    def run(self, function: str, items: Sequence[Any], *args: Any) -> list[Any]:
        if not items:
            return []
        worker = self._idle.get()
        try:
            worker, answers = self._attempt(worker, function, list(items), args)
            return answers
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                worker = self._idle.get_nowait()
                if worker is not None:
                    worker.stop()

    def _limits(self, items: Sequence[Any]) -> "Limits":
        return Limits(self._work + _EACH * (len(items) - 1), self._seconds)

    def _attempt(
        self, worker: "_Worker | None", function: str, items: list[Any], args: tuple[Any, ...]
    ) -> "tuple[_Worker | None, list[Any]]":
        """Run a batch; when it kills the worker, run its items one by one, each at most three times."""
        worker = worker or _Worker(function)
        answers, error = worker.ask(function, items, args, self._limits(items))
        self._step()
        if error is None:
            return worker, answers
        worker.stop()
        if len(items) > 1:
            answers, worker = [], None
            for item in items:
                worker, one = self._attempt(worker, function, [item], args)
                answers += one
            return worker, answers
        for _ in range(TRIES - 1):
            worker = _Worker(function)
            answers, error = worker.ask(function, items, args, self._limits(items))
            self._step()
            if error is None:
                return worker, answers
            worker.stop()
        return None, [Poison(error)]


# `multiprocessing` would import our main module there, and with it all commands, which costs more than to start Python
_START = (
    "import gc, sys, json; gc.disable(); sys.path[:] = json.loads(sys.argv[4]); "
    "from agent.workers import serve; serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])"
)


_RUNNING: "set[_Worker]" = set()


@atexit.register
def kill_workers() -> None:
    """End all worker processes of this one, whatever they are at."""
    for worker in list(_RUNNING):
        worker.kill()


class _Worker:
    """One process and the pipe to it; it ends when the pipe does."""

    def __init__(self, function: str) -> None:
        """`function`: what it will be asked for first."""
        self._pipe, theirs = Pipe()
        arguments = (str(theirs.fileno()), str(os.getpid()), function, json.dumps(sys.path))
        self._process = subprocess.Popen(  # noqa: S603 - ourselves, by arguments of our own
            [sys.executable, "-P", "-c", _START, *arguments], stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
        )
        theirs.close()
        _RUNNING.add(self)

    def ask(
        self, function: str, items: Sequence[Any], args: tuple[Any, ...], limits: Limits
    ) -> tuple[list[Any], str | None]:
        """(answers, None), or ([], what happened to the worker)."""
        try:
            self._pipe.send((function, args, limits.work))
            _send(self._pipe, items)
            if not self._pipe.poll(limits.seconds):
                return [], f"not finished after {limits.seconds:g} s"
            return _received(self._pipe), None
        except (EOFError, BrokenPipeError, ConnectionResetError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            if self._process.returncode == -signal.SIGXCPU:
                return [], f"not finished after {limits.work:g} s of work"
            return [], f"killed its worker (exit code {self._process.returncode})"

    def stop(self) -> None:
        self._pipe.close()
        self.kill()
        self._process.wait()
        _RUNNING.discard(self)

    def kill(self) -> None:
        self._process.kill()  # one that has ended is left alone


def _send(pipe: Connection, values: Sequence[Any]) -> None:
    """Records of one kind go as MessagePack, which takes a fifth of the time of a pickle; all else is pickled."""
    kind = type(values[0]) if values else None
    if kind and issubclass(kind, msgspec.Struct) and all(type(value) is kind for value in values):
        with contextlib.suppress(ValueError, TypeError, OverflowError):  # halves of characters in a folder's name
            packed = msgspec.msgpack.encode(values)
            pipe.send(kind)
            pipe.send_bytes(packed)
            return
    pipe.send(None)
    pipe.send(values)


def _received(pipe: Connection) -> list[Any]:
    kind: Any = pipe.recv()
    if kind is None:
        return list(pipe.recv())
    values: list[Any] = msgspec.msgpack.decode(pipe.recv_bytes(), type=list[kind])
    return values


def serve(descriptor: int, parent: int, first: str) -> None:
    """What a worker process does until its pipe or its parent is gone; `first`: the function it will be asked for."""
    pipe = Connection(descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a memory image would hold letters
    logging.disable()  # what a library logs here may quote a letter, and nobody masks it
    warnings.simplefilter("ignore")
    _find(first)
    gc.freeze()  # what was imported stays: no need to look through it again and again
    gc.set_threshold(_SWEEP)
    gc.enable()
    with contextlib.suppress(EOFError, KeyboardInterrupt, OSError):
        while os.getppid() == parent:
            if pipe.poll(5):
                function, args, work = pipe.recv()
                items = _received(pipe)
                _allow(work)
                _send(pipe, _work(_find(function), items, args))


def _allow(work: float) -> None:
    """The system ends this process (SIGXCPU) once it has worked so many seconds more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    until = math.ceil(used.ru_utime + used.ru_stime + work)
    resource.setrlimit(resource.RLIMIT_CPU, (until if most == resource.RLIM_INFINITY else min(until, most), most))


def _work(function: Callable[..., list[Any]], items: Sequence[Any], args: tuple[Any, ...]) -> list[Any]:
    """The whole batch at once; item by item only when it fails, so that one odd item costs itself."""
    try:
        return function(items, *args)
    except Exception as error:
        if len(items) == 1:
            return [Poison(f"{type(error).__name__}: {error}"[:500])]
        return [answer for item in items for answer in _work(function, [item], args)]


def _find(function: str) -> Callable[..., list[Any]]:
    module, _, name = function.partition(":")
    found: Callable[..., list[Any]] = getattr(import_module(module), name)
    return found
