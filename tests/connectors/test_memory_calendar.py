"""The calendar in memory keeps the terms of every source."""

from datetime import UTC, datetime

import pytest

from agent.errors import Retry
from connectors.base import Scope
from connectors.calendars import memory
from connectors.calendars.memory import MemoryCalendar
from tests.connectors.calendar_suite import CalendarSuite, event, uids

SCOPE = Scope(since=datetime(2026, 1, 1, tzinfo=UTC), exclude_labels=("no-crm",))


class MemoryWorld:
    batch = memory.BATCH

    def __init__(self) -> None:
        self.calendar = MemoryCalendar("memory", "anna@ours.example", scope=SCOPE)
        self.texts: dict[str, str] = {}

    def open(self) -> MemoryCalendar:
        return self.calendar

    def put(self, uid: str, text: str) -> None:
        self.texts[uid] = text
        self.calendar.put(uid, text)

    def remove(self, uid: str) -> None:
        del self.texts[uid]
        self.calendar.remove(uid)

    def expired(self, cursor: str) -> str:
        self.calendar.expire_cursor()
        return cursor

    def content(self) -> object:
        return {item.ref: item.raw for item in self.calendar.get(list(self.texts))}


class TestMemoryCalendar(CalendarSuite):
    ordered_by_time = False

    @pytest.fixture
    def world(self) -> MemoryWorld:
        return MemoryWorld()


def test_a_broken_connection_fails_as_often_as_it_was_told() -> None:
    calendar = MemoryCalendar()
    calendar.put("a", event("a"))
    calendar.break_connection(2)
    for _ in range(2):
        with pytest.raises(Retry):
            list(calendar.fetch(None))
    assert uids(calendar.fetch(None)) == ["a"]
