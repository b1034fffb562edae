"""What every calendar source must do; a connector's test inherits CalendarSuite and gives it a `world`."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Protocol

import pytest

from agent.errors import CursorExpired
from connectors.base import Batch, Item, Source
from connectors.calendars import ical


class World(Protocol):
    """A real calendar and the people who change it."""

    batch: int  # items in one batch of the source

    def open(self) -> Source:
        """The source, as after a restart. It leaves out the category "no-crm"."""

    def put(self, uid: str, text: str) -> None:
        """Somebody enters or changes an event."""

    def remove(self, uid: str) -> None:
        """Somebody deletes it."""

    def expired(self, cursor: str) -> str:
        """The cursor as it looks to a source that has forgotten it."""

    def content(self) -> object:
        """All that the calendar holds, to be compared."""


def event(uid: str, day: int = 1, title: str = "Call", *lines: str) -> str:
    """A calendar object with one event in March 2026."""
    body = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Invented Calendar//EN",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20260101T000000Z",
        f"DTSTART:202603{day:02}T100000Z",
        f"SUMMARY:{title}",
        *lines,
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return "".join(f"{line}\r\n" for line in body)


def uid_of(item: Item) -> str:
    return ical.split(item.raw)[0][0]


def items_of(batches: Iterable[Batch]) -> list[Item]:
    return [item for batch in batches for item in batch.items]


def uids(batches: Iterable[Batch]) -> list[str]:
    return [uid_of(item) for item in items_of(batches)]


class CalendarSuite:
    """The terms of connectors/base.py, each as a case."""

    def fill(self, world: World, n: int) -> list[str]:
        """`n` events, entered in the order of their days."""
        names = [f"meeting-{i:03}@ours.example" for i in range(n)]
        for i, name in enumerate(names):
            world.put(name, event(name, 1 + i % 28))
        return names

    def test_without_a_cursor_every_meeting_is_handed_over_once(self, world: World) -> None:
        names = self.fill(world, 2 * world.batch + 1)
        batches = list(world.open().fetch(None))
        assert sorted(uids(batches)) == names
        assert len(batches) >= 3

    def test_the_oldest_meeting_comes_first(self, world: World) -> None:
        world.put("a-late", event("a-late", 20))
        world.put("b-early", event("b-early", 2))
        order = ["b-early", "a-late"] if self.ordered_by_time else ["a-late", "b-early"]
        assert uids(world.open().fetch(None)) == order

    ordered_by_time = True  # False: a source that only knows in which order its meetings were entered

    def test_an_empty_calendar_gives_a_cursor_and_nothing_else(self, world: World) -> None:
        batches = list(world.open().fetch(None))
        assert items_of(batches) == []
        assert items_of(world.open().fetch(batches[-1].cursor if batches else None)) == []

    def test_after_any_batch_the_rest_and_only_the_rest_follows(self, world: World) -> None:
        names = self.fill(world, 3 * world.batch)
        batches = list(world.open().fetch(None))
        for i, batch in enumerate(batches):
            rest = uids(world.open().fetch(batch.cursor))
            assert rest == uids(batches[i + 1 :])
        assert sorted(uids(batches)) == names

    def test_a_run_that_dies_after_each_batch_brings_everything_once(self, world: World) -> None:
        names = self.fill(world, 3 * world.batch + 1)
        cursor, seen = None, list[str]()
        while batch := next(iter(world.open().fetch(cursor)), None):
            cursor, seen = batch.cursor, seen + uids([batch])
            if not batch.items:
                break
        assert sorted(seen) == names

    def test_how_far_a_run_has_come_only_grows(self, world: World) -> None:
        self.fill(world, 2 * world.batch + 1)
        batches = list(world.open().fetch(None))
        assert all(a.done <= b.done for a, b in pairwise(batches))
        assert batches[-1].done == batches[-1].total

    def test_with_nothing_new_nothing_is_handed_over(self, world: World) -> None:
        self.fill(world, 2)
        cursor = list(world.open().fetch(None))[-1].cursor
        again = list(world.open().fetch(cursor))
        assert items_of(again) == []
        assert not any(batch.vanished for batch in again)

    def test_what_arrives_later_is_seen_later(self, world: World) -> None:
        self.fill(world, 2)
        cursor = list(world.open().fetch(None))[-1].cursor
        world.put("later", event("later", 1))
        assert uids(world.open().fetch(cursor)) == ["later"]

    def test_what_arrives_while_a_batch_is_handed_over_is_seen_too(self, world: World) -> None:
        names = self.fill(world, 2 * world.batch)
        seen, cursor = list[str](), ""
        for i, batch in enumerate(world.open().fetch(None)):
            seen, cursor = seen + uids([batch]), batch.cursor
            if i == 0:
                world.put("meanwhile", event("meanwhile", 1))
        seen += uids(world.open().fetch(cursor))
        assert sorted(set(seen)) == ["meanwhile", *names]

    def test_a_changed_meeting_comes_again_as_it_is_now(self, world: World) -> None:
        self.fill(world, 2)
        cursor = list(world.open().fetch(None))[-1].cursor
        world.put("meeting-001@ours.example", event("meeting-001@ours.example", 9, "Moved"))
        (item,) = items_of(world.open().fetch(cursor))
        assert b"SUMMARY:Moved" in item.raw

    def test_a_deleted_meeting_is_named_once_under_the_ref_it_came_with(self, world: World) -> None:
        self.fill(world, 3)
        batches = list(world.open().fetch(None))
        refs = {uid_of(item): item.ref for item in items_of(batches)}
        world.remove("meeting-001@ours.example")
        after = list(world.open().fetch(batches[-1].cursor))
        assert [ref for batch in after for ref in batch.vanished] == [refs["meeting-001@ours.example"]]
        assert items_of(after) == []
        assert not any(batch.vanished for batch in world.open().fetch(after[-1].cursor))

    def test_a_meeting_that_is_deleted_and_entered_again_is_there(self, world: World) -> None:
        self.fill(world, 2)
        cursor = list(world.open().fetch(None))[-1].cursor
        world.remove("meeting-000@ours.example")
        world.put("meeting-000@ours.example", event("meeting-000@ours.example", 8, "Back"))
        batches = list(world.open().fetch(cursor))
        assert uids(batches) == ["meeting-000@ours.example"]
        assert not any(batch.vanished for batch in batches)

    def test_asking_twice_from_one_cursor_gives_the_same(self, world: World) -> None:
        self.fill(world, 2)
        cursor = list(world.open().fetch(None))[-1].cursor
        world.put("later", event("later", 1))
        world.remove("meeting-000@ours.example")
        assert list(world.open().fetch(cursor)) == list(world.open().fetch(cursor))

    def test_the_proof_lists_exactly_what_was_handed_over(self, world: World) -> None:
        self.fill(world, 2 * world.batch + 1)
        world.put("excluded", event("excluded", 3, "Yoga", "CATEGORIES:no-crm"))
        items = items_of(world.open().fetch(None))
        told = list(world.open().refs())
        assert sorted((ref.ref, ref.folder, ref.uid) for ref in told) == sorted((i.ref, i.folder, i.uid) for i in items)

    def test_a_meeting_asked_for_by_its_ref_is_the_one_that_was_handed_over(self, world: World) -> None:
        self.fill(world, 3)
        items = {item.ref: item for item in items_of(world.open().fetch(None))}
        got = {item.ref: item for item in world.open().get([*items, "/gone/away.ics"])}
        assert got == items

    def test_an_expired_cursor_is_said_before_anything_is_handed_over(self, world: World) -> None:
        self.fill(world, 2)
        cursor = list(world.open().fetch(None))[-1].cursor
        with pytest.raises(CursorExpired):
            next(iter(world.open().fetch(world.expired(cursor))))

    def test_the_list_after_an_expired_cursor_bears_the_same_refs(self, world: World) -> None:
        self.fill(world, 3)
        before = {item.ref for item in items_of(world.open().fetch(None))}
        cursor = list(world.open().fetch(None))[-1].cursor
        world.expired(cursor)
        assert {item.ref for item in items_of(world.open().fetch(None))} == before

    @pytest.mark.parametrize("cursor", ["", "nonsense", "1:", "1:e30=", "2:e30=", "1:\u00e9"])
    def test_a_cursor_that_cannot_be_read_has_expired(self, world: World, cursor: str) -> None:
        with pytest.raises(CursorExpired):
            list(world.open().fetch(cursor))

    def test_not_a_byte_of_an_excluded_meeting_is_handed_over(self, world: World) -> None:
        world.put("yoga", event("yoga", 3, "Yoga", "CATEGORIES:Private life,No-CRM"))
        (item,) = items_of(world.open().fetch(None))
        assert (item.raw, item.excluded) == (b"", "label no-crm")

    def test_a_series_comes_as_one_item_with_its_changes(self, world: World) -> None:
        changed = "END:VEVENT\r\nBEGIN:VEVENT\r\nUID:series\r\nDTSTAMP:20260101T000000Z"
        moved = f"{changed}\r\nRECURRENCE-ID:20260305T100000Z\r\nDTSTART:20260305T150000Z\r\nSUMMARY:Moved"
        world.put("series", event("series", 4, "Daily", "RRULE:FREQ=DAILY;COUNT=3", moved))
        (item,) = items_of(world.open().fetch(None))
        assert item.raw.count(b"BEGIN:VEVENT") == 2
        assert ical.objects(item.raw).complete

    def test_a_series_that_loses_a_day_comes_again(self, world: World) -> None:
        world.put("series", event("series", 4, "Daily", "RRULE:FREQ=DAILY;COUNT=3"))
        cursor = list(world.open().fetch(None))[-1].cursor
        world.put("series", event("series", 4, "Daily", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260305T100000Z"))
        (item,) = items_of(world.open().fetch(cursor))
        assert b"EXDATE" in item.raw

    def test_reading_changes_nothing_in_the_calendar(self, world: World) -> None:
        self.fill(world, 3)
        before = world.content()
        source = world.open()
        source.check()
        cursor = list(source.fetch(None))[-1].cursor
        list(source.fetch(cursor))
        list(source.get([ref.ref for ref in source.refs()]))
        source.close()
        assert world.content() == before

    def test_check_says_what_was_found(self, world: World) -> None:
        self.fill(world, 1)
        assert all(finding.level == "ok" for finding in world.open().check())

    def test_a_source_can_be_closed_twice(self, world: World) -> None:
        source = world.open()
        source.check()
        source.close()
        source.close()
