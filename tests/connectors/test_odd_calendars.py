"""A calendar that is odd is read as a person would read it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.calendars.ical import objects, parse
from tests.connectors.odd_calendars import ODD

WINDOW = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def given(raw: bytes, expected: dict[str, Any]) -> dict[str, Any]:
    """What the calendar gives, in the words of the expectation."""
    parsed = parse(raw, WINDOW, "Europe/Moscow")
    meetings = parsed.meetings
    organizer = meetings[0].organizer if meetings else None
    problem = expected.get("problem", "")
    return {
        "starts": [meeting.start.isoformat() for meeting in meetings],
        "ends": [meeting.end.isoformat() for meeting in meetings],
        "instants": [meeting.start.astimezone(UTC).isoformat() for meeting in meetings],
        "titles": [meeting.title for meeting in meetings],
        "statuses": [meeting.status for meeting in meetings],
        "all_day": [meeting.all_day for meeting in meetings],
        "private": [meeting.private for meeting in meetings],
        "ids": [meeting.recurrence_id for meeting in meetings],
        "count": len(meetings),
        "answers": [(person.email, person.answer) for meeting in meetings for person in meeting.attendees],
        "organizer": (organizer.name, organizer.email) if organizer else None,
        "method": parsed.method,
        "complete": parsed.complete,
        "problem": problem if any(problem in each for each in parsed.problems) else parsed.problems,
    }


@pytest.mark.parametrize("name", ODD)
def test_a_person_and_the_agent_read_the_same_in(name: str) -> None:
    raw, expected = ODD[name]
    found = given(raw, expected)
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize("name", ODD)
def test_what_is_taken_apart_by_meeting_says_the_same_as(name: str) -> None:
    raw, _ = ODD[name]
    apart = [meeting for one in objects(raw).objects for meeting in parse(one.raw, WINDOW, "Europe/Moscow").meetings]
    assert sorted(apart, key=lambda one: (one.start, one.key)) == list(parse(raw, WINDOW, "Europe/Moscow").meetings)
