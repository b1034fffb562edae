"""A calendar in memory, with verbs for what can happen to a real one; for tests, demos and as a pattern."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Literal

from agent.errors import CursorExpired, Retry
from connectors.base import Batch, Finding, Item, Options, Ref, Scope
from connectors.calendars import ical
from connectors.calendars.ics import excluded_by

BATCH = 50


class MemoryOptions(Options):
    """It has none."""


class MemoryCalendar:
    """Every change has a number; a cursor is the number up to which all has been handed over."""

    what: ClassVar[Literal["mailbox", "calendar"]] = "calendar"
    Options: ClassVar[type[Options]] = MemoryOptions

    def __init__(
        self, name: str = "memory", owner: str = "", options: MemoryOptions | None = None, scope: Scope | None = None
    ) -> None:
        self.name = name
        self.owner = owner
        self._options = options or MemoryOptions()
        self._scope = scope or Scope(since=datetime.min.replace(tzinfo=UTC))
        self._texts: dict[str, str] = {}
        self._changes: dict[str, int] = {}  # uid -> number of its last change; gone ones too
        self._number = 0
        self._epoch = 1
        self._broken = 0

    # -- what a test can make happen ------------------------------------------------------------------------------

    def put(self, uid: str, ics_text: str) -> None:
        """Adds a calendar object, or changes it."""
        self._texts[uid] = ics_text
        self._touch(uid)

    def remove(self, uid: str) -> None:
        """Somebody deletes it."""
        del self._texts[uid]
        self._touch(uid)

    def expire_cursor(self) -> None:
        """All cursors given so far are forgotten."""
        self._epoch += 1

    def break_connection(self, n: int = 1) -> None:
        """The next `n` calls fail."""
        self._broken = n

    # -- the source -----------------------------------------------------------------------------------------------

    def check(self) -> list[Finding]:
        self._connect()
        return [Finding(level="ok", text=f"{len(self._texts)} events and series")]

    def fetch(self, cursor: str | None) -> Iterator[Batch]:
        self._connect()
        last = self._resume(cursor)
        pending = sorted((number, uid) for uid, number in self._changes.items() if number > last)
        if cursor is None:
            pending = [(number, uid) for number, uid in pending if uid in self._texts]
        for begin in range(0, len(pending), BATCH):
            part = pending[begin : begin + BATCH]
            yield Batch(
                items=tuple(self._item(uid) for _, uid in part if uid in self._texts),
                cursor=f"{self._epoch}:{part[-1][0]}",
                done=begin + len(part),
                total=len(pending),
                vanished=tuple(uid for _, uid in part if uid not in self._texts),
            )
        if cursor is None and not pending:
            yield Batch(items=(), cursor=f"{self._epoch}:{self._number}")

    def refs(self) -> Iterator[Ref]:
        self._connect()
        for uid in list(self._texts):
            yield Ref(ref=uid, folder="", uid=uid)

    def get(self, refs: Sequence[str]) -> Iterator[Item]:
        self._connect()
        yield from (self._item(ref) for ref in refs if ref in self._texts)

    def close(self) -> None:
        """There is no connection to let go of."""

    def _touch(self, uid: str) -> None:
        self._number += 1
        self._changes[uid] = self._number

    def _connect(self) -> None:
        if self._broken:
            self._broken -= 1
            raise Retry("the connection is broken")

    def _resume(self, cursor: str | None) -> int:
        if cursor is None:
            return 0
        epoch, _, number = cursor.partition(":")
        if epoch != str(self._epoch) or not number.isdigit():
            raise CursorExpired("the calendar has forgotten this cursor")
        return int(number)

    def _item(self, uid: str) -> Item:
        raw = self._texts[uid].encode()
        categories = [name for found in ical.objects(raw).objects for name in found.categories]
        rule = excluded_by(categories, self._scope)
        return Item(ref=uid, folder="", uid=uid, raw=b"" if rule else raw, excluded=rule, size=len(raw))
