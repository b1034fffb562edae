"""Parts of the flow that die when told to, before or after any call, as a process does that is killed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from sqlalchemy import Connection

from agent.errors import Retry
from agent.model import Change
from agent.store import Store
from agent.workers import InProcess
from connectors import base
from connectors.base import Batch, Facts, Finding, Item, Ref, Scope
from connectors.mail.memory import MemoryMailbox, MemoryOptions


class Death(BaseException):
    """The process is killed here; no `except Exception` of the product sees it."""


class Fate:
    """Counts the moments at which one can die, and strikes at the chosen one."""

    def __init__(self) -> None:
        self.left: int | None = None  # moments to live; None: for ever
        self.moments = 0

    def moment(self) -> None:
        self.moments += 1
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Death

    @contextmanager
    def around(self) -> Iterator[None]:
        self.moment()
        yield
        self.moment()


FATE = Fate()  # of the sources, which the flow opens by itself


class MortalStore(Store):
    """May die before a transaction begins, before it commits, and after."""

    def __init__(self, url: str, fate: Fate) -> None:
        self._fate = Fate()  # immortal while it is made
        super().__init__(url)
        self._fate = fate

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        if self._current is not None:  # inside one
            with super().transaction() as tx:
                yield tx
            return
        self._fate.moment()
        with super().transaction() as tx:
            yield tx
            self._fate.moment()
        self._fate.moment()


class MortalMailbox:
    """kind = "mortal": the mailbox in memory; may die before and after each batch, each look and each fetch."""

    what: ClassVar[str] = "mailbox"
    Options: ClassVar[type[base.Options]] = MemoryOptions

    def __init__(self, name: str, owner: str, options: MemoryOptions, scope: Scope) -> None:
        self.name, self.owner = name, owner
        self._box = MemoryMailbox(name, owner, options, scope)

    def check(self) -> list[Finding]:
        return self._box.check()

    def fetch(self, cursor: str | None) -> Iterator[Batch]:
        return self._each(self._box.fetch(cursor))

    def get(self, refs: Sequence[str]) -> Iterator[Item]:
        return self._each(self._box.get(refs))

    def refs(self) -> Iterator[Ref]:
        return self._each(self._box.refs())

    def close(self) -> None:
        self._box.close()

    def _each(self, found: Iterator[Any]) -> Iterator[Any]:
        FATE.moment()
        for one in found:
            FATE.moment()
            yield one
            FATE.moment()


class ShakyMailbox(MemoryMailbox):
    """The line breaks after every second batch."""

    def fetch(self, cursor: str | None) -> Iterator[Batch]:
        for number, batch in enumerate(super().fetch(cursor)):
            if number == 2:
                raise Retry("the line broke")
            yield batch


class MortalCrm:
    """May die before and after each call."""

    Options: ClassVar[type[base.Options]] = base.Options
    transactional: bool

    def __init__(self, crm: Any, fate: Fate) -> None:
        self._crm, self._fate = crm, fate
        self.transactional = crm.transactional

    def check(self) -> list[Finding]:
        return list(self._crm.check())

    def capabilities(self) -> frozenset[str]:
        return frozenset(self._crm.capabilities())

    def pull(self, cursor: str | None) -> Iterator[Facts]:
        for facts in self._crm.pull(cursor):
            self._fate.moment()
            yield facts
            self._fate.moment()

    def write(self, change: Change, remote: Mapping[str, str]) -> str:
        with self._fate.around():
            return str(self._crm.write(change, remote))

    def find(self, key: str) -> str | None:
        with self._fate.around():
            found: str | None = self._crm.find(key)
            return found


class MortalWorkers(InProcess):
    """May die before and after each batch of work."""

    def __init__(self, fate: Fate) -> None:
        self._fate = fate

    def run(self, function: str, items: Sequence[Any], *args: Any) -> list[Any]:
        with self._fate.around():
            return super().run(function, items, *args)


def survives(fate: Fate, moments: int | None, run: Callable[[], object]) -> bool:
    """Run with so many moments to live, None: without an end; did it live through it?"""
    fate.left = moments
    try:
        run()
    except Death:
        return False
    finally:
        fate.left = None
    return True
