"""The life of meetings: moved, cancelled, declined, repeated, shared, deleted."""

from datetime import timedelta

import pytest

from agent.store.sources import state
from agent.store.tables import crm_activity
from tests.flow.company import ANNA, BORIS, START, VERA, CompanyWorld, event
from tests.flow.conftest import Founder

CALENDAR = "anna-calendar"
SOON = timedelta(days=3)


@pytest.fixture
def world(found: Founder) -> CompanyWorld:
    """A company with two calendars; it is the Monday on which the story begins."""
    made = found(mailboxes=(), calendars=(CALENDAR, "boris-calendar"))
    made.clock.at = START
    return made


def shown(world: CompanyWorld) -> list[tuple[str, str]]:
    """The meetings that the CRM shows: when, and their titles."""
    rows = [row for row in world.table(crm_activity) if not row.removed]
    return sorted((f"{row.at:%Y-%m-%d %H:%M}", row.subject) for row in rows)


def test_a_meeting_moves_its_deal_only_when_it_is_over(world: CompanyWorld) -> None:
    world.enter(CALENDAR, "visit", event("visit", "Freezer room, visit", START + SOON))
    world.sync()
    assert (world.meeting("visit")["outcome"], world.stages()) == ("logged", [])
    world.clock.at = START + SOON + timedelta(minutes=59)
    world.sync()
    assert world.stages() == []
    world.clock.turn(60)
    world.sync()
    assert world.stages() == ["meeting"]


def test_a_meeting_that_is_moved_is_shown_at_its_new_time(world: CompanyWorld) -> None:
    world.enter(CALENDAR, "visit", event("visit", "Visit", START + SOON))
    world.sync()
    world.enter(CALENDAR, "visit", event("visit", "Visit, moved", START + 2 * SOON, sequence=1))
    world.sync()
    assert world.meeting("visit")["start"] == (START + 2 * SOON).isoformat()
    assert shown(world) == [("2026-03-08 09:00", "Visit, moved")]
    world.clock.at = START + SOON + timedelta(hours=2)
    world.sync()
    assert world.stages() == []


def test_a_meeting_that_is_called_off_leaves_the_history(world: CompanyWorld) -> None:
    world.enter(CALENDAR, "visit", event("visit", "Visit", START + SOON))
    world.sync()
    world.enter(CALENDAR, "visit", event("visit", "Visit", START + SOON, sequence=1, lines=["STATUS:CANCELLED"]))
    world.clock.at = START + 2 * SOON
    world.sync()
    row = world.meeting("visit")
    assert (row["outcome"], row["reason"], row["status"]) == ("skipped", "cancelled", "cancelled")
    assert (shown(world), world.stages()) == ([], [])


def test_a_meeting_that_is_deleted_before_it_took_place_leaves_the_history(world: CompanyWorld) -> None:
    world.enter(CALENDAR, "visit", event("visit", "Visit", START + SOON))
    world.sync()
    world.strike(CALENDAR, "visit")
    world.clock.at = START + 2 * SOON
    world.sync()
    assert (world.meeting("visit")["reason"], world.meeting("visit")["status"]) == ("cancelled", "cancelled")
    assert (shown(world), world.stages()) == ([], [])


def test_a_meeting_that_is_cleared_away_after_it_took_place_stays(world: CompanyWorld) -> None:
    world.enter(CALENDAR, "visit", event("visit", "Freezer room, visit", START + SOON))
    world.sync()
    world.clock.at = START + 2 * SOON
    world.sync()
    world.strike(CALENDAR, "visit")
    world.sync()
    assert world.meeting("visit")["outcome"] == "logged"
    assert world.meeting("visit")["status"] == "confirmed"
    assert (len(shown(world)), world.stages()) == (1, ["meeting"])


def test_a_series_is_carried_on_as_time_goes_by(world: CompanyWorld) -> None:
    world.enter(CALENDAR, "standing", event("standing", "Monthly", START + SOON, lines=["RRULE:FREQ=MONTHLY"]))
    world.sync()
    world.clock.at = START + timedelta(days=500)
    world.sync()
    world.sync()
    assert shown(world)[-1][0] == "2027-07-05 09:00"


def test_a_meeting_far_ahead_is_seen_when_it_comes_nearer(world: CompanyWorld) -> None:
    world.enter(CALENDAR, "fair", event("fair", "Fair", START + timedelta(days=450)))
    world.sync()
    assert shown(world) == []
    world.clock.at = START + timedelta(days=300)
    world.sync()
    assert [title for _, title in shown(world)] == ["Fair"]


def test_a_meeting_that_is_deleted_and_entered_again_is_back(world: CompanyWorld) -> None:
    text = event("visit", "Visit", START + SOON)
    world.enter(CALENDAR, "visit", text)
    world.sync()
    world.strike(CALENDAR, "visit")
    world.sync()
    world.enter(CALENDAR, "visit", text)
    world.sync()
    assert world.meeting("visit")["outcome"] == "logged"
    assert shown(world) == [("2026-03-05 09:00", "Visit")]


def test_a_meeting_that_our_rep_declines_is_not_his(world: CompanyWorld) -> None:
    text = event("visit", "Visit", START + SOON, organizer=VERA, answers={ANNA: "DECLINED"})
    world.enter(CALENDAR, "visit", text)
    world.sync()
    assert (world.meeting("visit")["outcome"], world.meeting("visit")["reason"]) == ("skipped", "declined_by_rep")
    assert shown(world) == []


def test_a_meeting_that_our_rep_declines_after_all_is_taken_off(world: CompanyWorld) -> None:
    world.enter(CALENDAR, "visit", event("visit", "Visit", START + SOON, organizer=VERA))
    world.sync()
    declined = event("visit", "Visit", START + SOON, organizer=VERA, answers={ANNA: "DECLINED"}, sequence=1)
    world.enter(CALENDAR, "visit", declined)
    world.sync()
    assert shown(world) == []


def test_one_meeting_in_two_calendars_is_one_activity_of_both(world: CompanyWorld) -> None:
    text = event("visit", "Visit", START + SOON, guests=(VERA, BORIS))
    world.enter(CALENDAR, "visit", text)
    world.enter("boris-calendar", "visit", text)
    world.sync()
    assert world.meeting("visit")["sources"] == [CALENDAR, "boris-calendar"]
    (row,) = world.table(crm_activity)
    assert row.owners == ["anna", "boris"]


def test_a_meeting_that_only_one_of_two_calendars_drops_stays(world: CompanyWorld) -> None:
    text = event("visit", "Visit", START + SOON, guests=(VERA, BORIS))
    world.enter(CALENDAR, "visit", text)
    world.enter("boris-calendar", "visit", text)
    world.sync()
    world.strike(CALENDAR, "visit")
    world.sync()
    assert world.meeting("visit")["outcome"] == "logged"


def test_the_newer_of_two_copies_tells_when_the_meeting_is(world: CompanyWorld) -> None:
    world.enter(CALENDAR, "visit", event("visit", "Visit", START + 2 * SOON, guests=(VERA, BORIS), sequence=2))
    world.sync(CALENDAR)
    world.enter("boris-calendar", "visit", event("visit", "Visit", START + SOON, guests=(VERA, BORIS), sequence=1))
    world.sync("boris-calendar")
    assert world.meeting("visit")["start"] == (START + 2 * SOON).isoformat()


def weekly(*lines: str, more: str = "") -> str:
    rule = "RRULE:FREQ=WEEKLY;COUNT=4"
    return event("weekly", "Weekly call", START, lines=[rule, *lines], more=more)


def test_of_a_series_only_what_took_place_is_logged(world: CompanyWorld) -> None:
    world.enter(CALENDAR, "weekly", weekly())
    world.sync()
    assert [row["outcome"] for row in by_start(world)] == ["logged", "waiting", "waiting", "waiting"]
    world.clock.at = START + timedelta(days=8)
    world.sync()
    assert [row["outcome"] for row in by_start(world)] == ["logged", "logged", "waiting", "waiting"]
    assert len(shown(world)) == 2


def test_a_cancelled_instance_is_not_logged_and_the_others_are(world: CompanyWorld) -> None:
    world.enter(CALENDAR, "weekly", weekly())
    world.sync()
    world.enter(CALENDAR, "weekly", weekly("EXDATE:20260309T090000Z"))
    world.clock.at = START + timedelta(days=40)
    world.sync()
    assert [day for day, _ in shown(world)] == ["2026-03-02 09:00", "2026-03-16 09:00", "2026-03-23 09:00"]


def test_a_moved_instance_is_shown_where_it_took_place(world: CompanyWorld) -> None:
    world.clock.at = START + timedelta(days=40)
    moved = "\r\n".join(
        [
            "BEGIN:VEVENT",
            "UID:weekly",
            "SEQUENCE:1",
            "DTSTAMP:20260302T000000Z",
            "RECURRENCE-ID:20260309T090000Z",
            "SUMMARY:Weekly call, moved",
            "DTSTART:20260310T140000Z",
            "DTEND:20260310T150000Z",
            f"ATTENDEE:mailto:{VERA}",
            "END:VEVENT",
        ]
    )
    world.enter(CALENDAR, "weekly", weekly(more=moved))
    world.sync()
    assert ("2026-03-10 14:00", "Weekly call, moved") in shown(world)
    assert len(shown(world)) == 4


def by_start(world: CompanyWorld) -> list[dict[str, object]]:
    return sorted(world.rows("meeting"), key=lambda row: str(row["start"]))


# -- a suspicious mass change -------------------------------------------------------------------------------------


def full_calendar(world: CompanyWorld) -> None:
    for number in range(20):
        start = START + timedelta(days=number + 1)
        world.enter(CALENDAR, f"visit{number}", event(f"visit{number}", "Visit", start))
    world.sync()
    assert len(shown(world)) == 20


def empty(world: CompanyWorld, count: int) -> None:
    for number in range(count):
        world.strike(CALENDAR, f"visit{number}")


def test_most_of_a_calendar_gone_at_once_is_believed_only_at_the_second_look(world: CompanyWorld) -> None:
    full_calendar(world)
    empty(world, 15)
    world.sync()
    with world.store.reading() as tx:
        assert "vanished at once" in state(tx, CALENDAR).last_error
    assert len(shown(world)) == 20
    world.sync()
    assert len(shown(world)) == 5


def test_a_calendar_that_shows_its_events_again_was_never_emptied(world: CompanyWorld) -> None:
    full_calendar(world)
    empty(world, 20)
    world.sync()
    for number in range(20):
        start = START + timedelta(days=number + 1)
        world.enter(CALENDAR, f"visit{number}", event(f"visit{number}", "Visit", start))
    world.sync()
    assert len(shown(world)) == 20
    empty(world, 20)
    world.sync()
    assert len(shown(world)) == 20


def test_the_proof_too_believes_an_emptied_calendar_only_at_the_second_look(world: CompanyWorld) -> None:
    full_calendar(world)
    empty(world, 15)
    assert not world.prove(CALENDAR).holds
    assert len(shown(world)) == 20
    assert world.prove(CALENDAR).holds
    world.sync()
    assert len(shown(world)) == 5


def test_a_few_deleted_meetings_are_believed_at_once(world: CompanyWorld) -> None:
    full_calendar(world)
    empty(world, 3)
    world.sync()
    assert len(shown(world)) == 17
