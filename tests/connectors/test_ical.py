"""Bytes of a calendar to meetings: golden pairs, hostile calendars, and properties that hold for any bytes.

A golden pair is a calendar beside what it should give. `python -m tests.connectors.test_ical` writes the second halves
anew; read the difference before it is committed.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from dateutil.rrule import rrulestr
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from agent.model import Meeting
from connectors.calendars import ical, recur
from connectors.calendars.ical import Parsed, meeting_key, parse, split

GOLDEN = Path(__file__).parent.parent / "golden" / "calendars"
CALENDARS = sorted(GOLDEN.glob("*.ics"))
WINDOW = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def golden(path: Path) -> bytes:
    parsed = parse(path.read_bytes(), WINDOW, "Europe/Moscow")
    return msgspec.json.format(msgspec.json.encode(parsed), indent=1) + b"\n"


def calendar(*lines: str, head: str = "") -> bytes:
    """A whole calendar with one event of these lines."""
    return event_file("\r\n".join(("BEGIN:VEVENT", "UID:one@ours.example", *lines, "END:VEVENT")), head)


def event_file(body: str, head: str = "") -> bytes:
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{head}{body}\r\nEND:VCALENDAR\r\n".encode()


def one(*lines: str, tz: str = "UTC") -> Meeting:
    (meeting,) = parse(calendar(*lines), WINDOW, tz).meetings
    return meeting


def begins(*lines: str, tz: str = "UTC") -> list[str]:
    """The local starts of all instances."""
    return [f"{m.start:%m-%dT%H:%M}" for m in parse(calendar(*lines), WINDOW, tz).meetings]


@pytest.mark.parametrize("path", CALENDARS, ids=lambda path: path.stem)
def test_a_calendar_gives_the_meetings_that_stand_beside_it(path: Path) -> None:
    assert golden(path).decode() == path.with_suffix(".json").read_text()


@pytest.mark.parametrize("path", CALENDARS, ids=lambda path: path.stem)
def test_a_calendar_taken_apart_by_uid_gives_the_same_meetings(path: Path) -> None:
    raw = path.read_bytes()
    whole = parse(raw, WINDOW, "Europe/Moscow")
    parts = [parse(part, WINDOW, "Europe/Moscow") for _, part in split(raw)]
    assert all(part.complete and part.method == whole.method for part in parts)
    assert sorted((m.start, m.key) for part in parts for m in part.meetings) == [
        (m.start, m.key) for m in whole.meetings
    ]


# -- one meeting --------------------------------------------------------------------------------------------------


def test_a_meeting_begins_at_the_hour_that_its_zone_shows_on_that_day() -> None:
    winter = one("DTSTART;TZID=Europe/London:20260302T100000")
    summer = one("DTSTART;TZID=Europe/London:20260702T100000")
    assert winter.start.isoformat() == "2026-03-02T10:00:00+00:00"
    assert summer.start.isoformat() == "2026-07-02T10:00:00+01:00"
    assert summer.tz == "Europe/London"


@pytest.mark.parametrize(
    ("tzid", "offset", "name"),
    [
        ("Europe/Moscow", 3, "Europe/Moscow"),
        ("europe/moscow", 3, "Europe/Moscow"),
        ("Russian Standard Time", 3, "Europe/Moscow"),
        ('"Ekaterinburg Standard Time"', 5, "Asia/Yekaterinburg"),
        ("/invented.example/2026a/Asia/Tokyo", 9, "Asia/Tokyo"),
        ('"(UTC+03:00) Moscow, St. Petersburg"', 3, "Etc/GMT-3"),
        ("GMT-0500", -5, "Etc/GMT+5"),
        ("tzone://Microsoft/Utc", 0, "UTC"),
    ],
)
def test_a_zone_is_known_under_the_names_that_calendar_programs_give_it(tzid: str, offset: int, name: str) -> None:
    meeting = one(f"DTSTART;TZID={tzid}:20260702T100000")
    assert meeting.start.utcoffset() == timedelta(hours=offset)
    assert meeting.tz == name
    assert not meeting.problems


def test_an_unknown_zone_is_taken_as_the_reps_own_and_said() -> None:
    meeting = one("DTSTART;TZID=Mars/Olympus:20260702T100000", tz="Asia/Yekaterinburg")
    assert meeting.start.isoformat() == "2026-07-02T10:00:00+05:00"
    assert "Mars/Olympus" in meeting.problems[0]


def test_a_zone_that_only_the_file_knows_follows_the_files_own_rules() -> None:
    zone = (
        "BEGIN:VTIMEZONE\r\nTZID:Home\r\n"
        "BEGIN:STANDARD\r\nDTSTART:20071104T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\r\n"
        "TZOFFSETFROM:-0400\r\nTZOFFSETTO:-0500\r\nEND:STANDARD\r\n"
        "BEGIN:DAYLIGHT\r\nDTSTART:20070311T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\r\n"
        "TZOFFSETFROM:-0500\r\nTZOFFSETTO:-0400\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
    )
    daily = calendar("DTSTART;TZID=Home:20260101T080000", "RRULE:FREQ=DAILY;COUNT=365", head=zone)
    meetings = parse(daily, WINDOW).meetings
    known = ZoneInfo("America/New_York")
    assert len(meetings) == 365
    assert all(m.start == datetime(2026, 1, 1, 8, tzinfo=known) + timedelta(days=i) for i, m in enumerate(meetings))


def test_a_whole_day_begins_at_the_reps_midnight_and_ends_at_the_next() -> None:
    meeting = one("DTSTART;VALUE=DATE:20260702", tz="Asia/Yekaterinburg")
    assert (meeting.start.isoformat(), meeting.end.isoformat(), meeting.all_day) == (
        "2026-07-02T00:00:00+05:00",
        "2026-07-03T00:00:00+05:00",
        True,
    )


@pytest.mark.parametrize(
    ("lines", "minutes"),
    [
        (["DTEND:20260702T113000Z"], 90),
        (["DURATION:PT45M"], 45),
        (["DURATION:P1W"], 7 * 24 * 60),
        ([], 0),
        (["DTEND:20260702T090000Z"], 0),
        (["DTEND:nonsense"], 0),
        (["DURATION:-PT1H"], 0),
        (["DURATION:P99999999999D"], 0),
    ],
)
def test_a_meeting_lasts_as_long_as_it_says_and_never_less_than_nothing(lines: list[str], minutes: int) -> None:
    meeting = one("DTSTART:20260702T100000Z", *lines)
    assert meeting.end - meeting.start == timedelta(minutes=minutes)


def test_an_attendee_is_known_by_his_address_however_it_is_written() -> None:
    meeting = one(
        "DTSTART:20260702T100000Z",
        'ORGANIZER;CN="Marlen; Anna":MailTo:Anna.Marlen@Ours.Example',
        "ATTENDEE;PARTSTAT=ACCEPTED;EMAIL=ole@nordhaus.example:urn:uuid:7c1b",
        "ATTENDEE;CN=iris@nordhaus.example;PARTSTAT=Tentative:mailto:iris@nordhaus.example",
        "ATTENDEE:mailto:OLE@nordhaus.example",
        "ATTENDEE;CUTYPE=RESOURCE:mailto:projector@ours.example",
        "ATTENDEE:mailto:nobody",
    )
    assert meeting.organizer is not None
    assert (meeting.organizer.email, meeting.organizer.name) == ("anna.marlen@ours.example", "Marlen; Anna")
    assert [(a.email, a.name, a.answer) for a in meeting.attendees] == [
        ("ole@nordhaus.example", "", "accepted"),
        ("iris@nordhaus.example", "", "tentative"),
    ]
    assert "an attendee without an address is left out" in meeting.problems


def test_a_text_is_read_as_it_was_typed() -> None:
    meeting = one(
        "DTSTART:20260702T100000Z",
        "SUMMARY:Offer\\, v2\\; C:\\\\new \x07\u202egpj",
        "DESCRIPTION:a\\nb\\Nc",
    )
    assert meeting.title == "Offer, v2; C:\\new gpj"
    assert meeting.description == "a\nb\nc"


def test_an_html_description_is_reduced_to_what_a_reader_sees() -> None:
    meeting = one(
        "DTSTART:20260702T100000Z",
        "DESCRIPTION:<p>Price: <b>12</b>0 &euro\\;</p><ul><li>one</li><li>two</li></ul><script>x()</script>",
    )
    assert meeting.description == "Price: 120 €\n\n- one\n- two"


def test_a_letter_that_is_folded_in_its_middle_is_whole_again() -> None:
    raw = calendar("DTSTART:20260702T100000Z", "SUMMARY:Встреча")
    cut = raw.index("В".encode()) + 1
    (meeting,) = parse(raw[:cut] + b"\r\n " + raw[cut:], WINDOW).meetings
    assert meeting.title == "Встреча"


def test_one_broken_byte_changes_one_line_and_not_the_whole_file() -> None:
    body = calendar("DTSTART:20260702T100000Z", "SUMMARY:Встреча", "LOCATION:Caf~").replace(b"~", b"\xe9")
    parsed = parse(body, WINDOW)
    assert parsed.meetings[0].title == "Встреча"
    assert "not UTF-8" in parsed.problems[0]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_does_not_hide_the_calendar(encoding: str) -> None:
    text = calendar("DTSTART:20260702T100000Z", "SUMMARY:Встреча").decode()
    assert parse(text.encode(encoding), WINDOW).meetings[0].title == "Встреча"


def test_a_cancelled_invitation_cancels_its_meeting() -> None:
    parsed = parse(calendar("DTSTART:20260702T100000Z", head="METHOD:CANCEL\r\n"), WINDOW)
    assert (parsed.method, parsed.meetings[0].status) == ("CANCEL", "cancelled")


# -- a series -----------------------------------------------------------------------------------------------------


def test_a_meeting_and_its_copy_in_another_zone_have_one_key() -> None:
    local = parse(calendar("DTSTART;TZID=Europe/Moscow:20260702T100000", "RRULE:FREQ=DAILY;COUNT=1"), WINDOW)
    utc = parse(calendar("DTSTART:20260702T070000Z", "RRULE:FREQ=DAILY;COUNT=1"), WINDOW)
    assert local.meetings[0].key == utc.meetings[0].key
    assert local.meetings[0].recurrence_id == "2026-07-02T07:00:00+00:00"
    assert meeting_key("one@ours.example", "2026-07-02T10:00:00+03:00") == local.meetings[0].key


def test_a_meeting_that_does_not_repeat_has_no_recurrence_id() -> None:
    assert one("DTSTART:20260702T100000Z").recurrence_id is None


def test_a_moved_instance_keeps_its_key() -> None:
    series = ["DTSTART:20260701T100000Z", "RRULE:FREQ=DAILY;COUNT=3"]
    moved = (
        "END:VEVENT",
        "BEGIN:VEVENT",
        "UID:one@ours.example",
        "RECURRENCE-ID:20260702T100000Z",
        "DTSTART:20260709T1200",
    )
    before = parse(calendar(*series), WINDOW).meetings
    after = parse(calendar(*series, *moved), WINDOW).meetings
    assert {m.key for m in before} == {m.key for m in after}
    assert [f"{m.start:%d}" for m in after] == ["01", "03", "09"]


def test_a_changed_instance_of_a_private_series_is_private_too() -> None:
    changed = ("END:VEVENT", "BEGIN:VEVENT", "UID:one@ours.example", "RECURRENCE-ID:20260702T100000Z")
    raw = calendar(
        "DTSTART:20260701T100000Z", "CLASS:Private", "RRULE:FREQ=DAILY;COUNT=3", *changed, "DTSTART:20260702T110000Z"
    )
    assert [m.private for m in parse(raw, WINDOW).meetings] == [True, True, True]


def test_the_newest_version_of_a_meeting_counts_wherever_it_stands_in_the_file() -> None:
    new = ("DTSTART:20260702T100000Z", "SEQUENCE:2", "SUMMARY:New")
    old = ("END:VEVENT", "BEGIN:VEVENT", "UID:one@ours.example", "DTSTART:20260701T100000Z", "SUMMARY:Old")
    assert [m.title for m in parse(calendar(*new, *old), WINDOW).meetings] == ["New"]


def test_a_day_that_was_changed_and_then_taken_out_is_out() -> None:
    lines = ("DTSTART:20260701T100000Z", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260702T100000Z")
    changed = ("END:VEVENT", "BEGIN:VEVENT", "UID:one@ours.example", "RECURRENCE-ID:20260702T100000Z")
    assert begins(*lines, *changed, "DTSTART:20260702T150000Z") == ["07-01T10:00", "07-03T10:00"]


def test_a_series_keeps_its_hour_when_summer_time_begins() -> None:
    assert begins("DTSTART;TZID=Europe/Berlin:20260327T090000", "RRULE:FREQ=DAILY;COUNT=4") == [
        "03-27T09:00",
        "03-28T09:00",
        "03-29T09:00",
        "03-30T09:00",
    ]


@pytest.mark.parametrize(
    "exdate",
    ["EXDATE:20260702T070000Z", "EXDATE;TZID=Europe/Moscow:20260702T100000", "EXDATE;VALUE=DATE:20260702"],
)
def test_an_excluded_day_is_left_out_in_whatever_way_it_is_named(exdate: str) -> None:
    lines = ("DTSTART;TZID=Europe/Moscow:20260701T100000", "RRULE:FREQ=DAILY;COUNT=3", exdate)
    assert begins(*lines) == ["07-01T10:00", "07-03T10:00"]


def test_only_the_instances_inside_the_window_come_out() -> None:
    window = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 3, 12, tzinfo=UTC))
    raw = calendar("DTSTART:19990101T230000Z", "DTEND:19990102T010000Z", "RRULE:FREQ=DAILY")
    assert [f"{m.start:%m-%d}" for m in parse(raw, window).meetings] == ["02-28", "03-01", "03-02"]


RULES = st.builds(
    lambda freq, interval, parts, end: ";".join([f"FREQ={freq}", f"INTERVAL={interval}", *parts, *end]),
    st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY"]),
    st.integers(1, 4),
    st.lists(
        st.sampled_from(
            ["BYMONTH=3,7", "BYMONTHDAY=1,15,-1", "BYDAY=MO,WE,FR", "BYHOUR=9,14", "BYMINUTE=0,30", "BYSETPOS=1,-1"]
        ),
        unique_by=lambda part: part.partition("=")[0],
        max_size=4,
    ),
    st.sampled_from([["COUNT=7"], ["UNTIL=20270301T000000"], []]),
)


@settings(max_examples=150, deadline=None)
@given(text=RULES, days=st.integers(0, 700))
def test_a_rule_gives_the_days_that_a_known_library_gives(text: str, days: int) -> None:
    first = datetime(2024, 2, 29, 9) + timedelta(days=days)  # noqa: DTZ001
    lo, hi = datetime(2026, 1, 1), datetime(2027, 6, 1)  # noqa: DTZ001
    assume("BYSETPOS" not in text or text.count("BY") > 1)  # a position in nothing: the library refuses it
    expected = rrulestr(text, dtstart=first)
    assume(first in expected[:1] or "COUNT" not in text)  # DTSTART outside its own rule counts here, and not there
    rule = recur.rule(text)
    until = datetime(2027, 3, 1) if rule.until else None  # noqa: DTZ001
    got = [s for s in recur.starts(rule, first, lo, hi, recur.Budget(10**6), until) if s != first]
    limit = hi - timedelta(seconds=1)
    assert got == [s for s in expected.between(lo, limit, inc=True) if s != first]


@pytest.mark.parametrize(
    ("rule", "first", "expected"),
    [
        ("FREQ=YEARLY;BYDAY=20MO;COUNT=2", "20260518T090000", ["2026-05-18", "2027-05-17"]),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=2", "20260511T090000", ["2026-05-11", "2027-05-17"]),
        ("FREQ=YEARLY;BYWEEKNO=20;COUNT=2", "20260513T090000", ["2026-05-13", "2027-05-19"]),
        ("FREQ=YEARLY;BYYEARDAY=-1;COUNT=2", "20261231T090000", ["2026-12-31", "2027-12-31"]),
        ("FREQ=MONTHLY;BYDAY=-2FR;COUNT=3", "20260123T090000", ["2026-01-23", "2026-02-20", "2026-03-20"]),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU;COUNT=3",
            "20260104T090000",
            ["2026-01-04", "2026-01-06", "2026-01-18"],
        ),
        ("FREQ=YEARLY;COUNT=2", "20240229T090000", ["2024-02-29", "2028-02-29"]),
        ("FREQ=HOURLY;INTERVAL=36;COUNT=3", "20260101T090000", ["2026-01-01", "2026-01-02", "2026-01-04"]),
        ("FREQ=WEEKLY;BYDAY=MO;COUNT=2", "20260106T090000", ["2026-01-06", "2026-01-12"]),
    ],
)
def test_a_rule_gives_the_days_of_the_standard(rule: str, first: str, expected: list[str]) -> None:
    start = datetime.strptime(first, "%Y%m%dT%H%M%S")  # noqa: DTZ007
    lo, hi = datetime(2020, 1, 1), datetime(2030, 1, 1)  # noqa: DTZ001
    got = recur.starts(recur.rule(rule), start, lo, hi, recur.Budget(10**6))
    assert [f"{s:%Y-%m-%d}" for s in got] == expected


# -- hostile calendars --------------------------------------------------------------------------------------------

START = "DTSTART:20260702T100000Z\r\n"


def hostile(n: int) -> dict[str, str]:
    """Bodies of events that are built to hang, to grow or to raise; `n` says how large."""
    digits = ",".join(f"2026{1 + i % 12:02}{1 + i % 28:02}T{i % 24:02}{i % 60:02}00Z" for i in range(n))
    override = "\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:one\r\nRECURRENCE-ID:2026{:02}{:02}T{:02}{:02}00Z\r\n" + START
    return {
        "every second": START + "RRULE:FREQ=SECONDLY",
        "every minute": START + "RRULE:FREQ=MINUTELY",
        "interval of nothing": START + "RRULE:FREQ=DAILY;INTERVAL=0",
        "interval back in time": START + "RRULE:FREQ=DAILY;INTERVAL=-1",
        "huge interval": START + "RRULE:FREQ=YEARLY;INTERVAL=" + "9" * n,
        "huge count": START + "RRULE:FREQ=DAILY;COUNT=999999999",
        "no count": START + "RRULE:FREQ=DAILY;COUNT=",
        "count below nothing": START + "RRULE:FREQ=DAILY;COUNT=-5",
        "30 February, daily": START + "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "30 February, hourly": "DTSTART:16010101T000000Z\r\nRRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        "never by position": START + "RRULE:FREQ=WEEKLY;BYDAY=MO;BYSETPOS=300",
        "counted from long ago": "DTSTART:16010101T000000Z\r\nRRULE:FREQ=HOURLY;COUNT=10000;BYMONTHDAY=31",
        "every second of every day": START
        + "RRULE:FREQ=DAILY;BYHOUR="
        + ",".join(map(str, range(24)))
        + ";BYMINUTE="
        + ",".join(map(str, range(60)))
        + ";BYSECOND="
        + ",".join(map(str, range(60))),
        "hourly": START + "RRULE:FREQ=HOURLY",
        "long list of days": START + "RRULE:FREQ=YEARLY;BYYEARDAY=" + ",".join(["1"] * n),
        "until nonsense": START + "RRULE:FREQ=DAILY;UNTIL=tomorrow",
        "until before it begins": START + "RRULE:FREQ=DAILY;UNTIL=19990101T000000Z",
        "rule of nothing": START + "RRULE:",
        "rule in another calendar": START + "RRULE:RSCALE=HEBREW;FREQ=YEARLY",
        "many rules": START + "RRULE:FREQ=DAILY\r\n" * n,
        "many extra dates": START + "RDATE:" + digits,
        "many excluded dates": START + "RRULE:FREQ=DAILY\r\nEXDATE:" + digits,
        "many changed instances": START
        + "RRULE:FREQ=DAILY"
        + "".join(override.format(1 + i % 12, 1 + i % 28, i // 60 % 24, i % 60) for i in range(n)),
        "many changes from here on": START
        + "RRULE:FREQ=DAILY"
        + "".join(
            override.format(7, 2 + i % 28, 10, i % 60).replace("RECURRENCE-ID", "RECURRENCE-ID;RANGE=THISANDFUTURE")
            for i in range(n)
        ),
        "year 0": "DTSTART:00000101T000000Z",
        "year 9999": "DTSTART:99991231T235959Z\r\nDURATION:P30D",
        "a year of five digits": "DTSTART:120260101T000000Z",
        "13th month": "DTSTART:20261301T000000Z",
        "endless meeting": START + "DURATION:P999999D",
        "end that overflows": START + "DTEND:99991231T235959Z",
        "many attendees": START + "ATTENDEE:mailto:a@b.example\r\n" * n,
        "many parameters": START + "ATTENDEE" + ";X=1" * n + ":mailto:a@b.example",
        "quotation marks": START + "ATTENDEE;CN=" + '"' * n + ":mailto:a@b.example",
        "open quotation marks": START + 'ATTENDEE;CN="' * n + ":mailto:a@b.example",
        "semicolons": START + "SUMMARY" + ";" * n + ":x",
        "commas": START + "CATEGORIES:" + "\\," * n,
        "backslashes": START + "DESCRIPTION:" + "\\" * n,
        "folds": START + "SUMMARY:a" + "\r\n " * n,
        "blank lines": START + "\r\n" * n,
        "open tags": START + "DESCRIPTION:" + "<p " * n,
        "nested tags": START + "DESCRIPTION:" + "<div><b><a>" * n,
        "nested parts": START + "BEGIN:VALARM\r\n" * n,
        "parts that end too often": START + "END:VALARM\r\n" * n,
        "events without an end": START + "END:VEVENT\r\n" + "BEGIN:VEVENT\r\n" * n,
        "calendars in calendars": START + "END:VEVENT\r\n" + "BEGIN:VCALENDAR\r\n" * n,
        "many zones": START + "END:VEVENT\r\n" + "BEGIN:VTIMEZONE\r\nTZID:x\r\nEND:VTIMEZONE\r\n" * n,
        "a zone that changes every second": START
        + "END:VEVENT\r\nBEGIN:VTIMEZONE\r\nTZID:x\r\nBEGIN:STANDARD\r\nDTSTART:16010101T000000\r\n"
        + "RRULE:FREQ=SECONDLY\r\nTZOFFSETFROM:+0000\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE",
        "a zone that changes every day": START.replace("Z", "").replace("DTSTART", "DTSTART;TZID=x")
        + "END:VEVENT\r\nBEGIN:VTIMEZONE\r\nTZID:x\r\n"
        + "".join(
            "BEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nRRULE:FREQ=YEARLY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;"
            f"BYDAY=MO,TU,WE,TH,FR,SA,SU\r\nTZOFFSETFROM:+0000\r\nTZOFFSETTO:+0{i}00\r\nEND:STANDARD\r\n"
            for i in range(9)
        )
        + "END:VTIMEZONE",
        "a zone of many parts": START.replace("Z", "").replace("DTSTART", "DTSTART;TZID=x")
        + "END:VEVENT\r\nBEGIN:VTIMEZONE\r\nTZID:x\r\n"
        + "BEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nRRULE:FREQ=YEARLY;BYMONTH=1\r\n"
        "TZOFFSETFROM:+0000\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\n" * n + "END:VTIMEZONE",
        "a file as a zone": "DTSTART;TZID=../../../../etc/passwd:20260702T100000",
        "one very long line": START + "SUMMARY:" + "x" * n * 20,
        "control characters": START + "SUMMARY:" + "\x00\x01\x1b" * n,
    }


NAMES = list(hostile(1))


def seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def body(name: str, n: int) -> bytes:
    return event_file("BEGIN:VEVENT\r\nUID:one\r\n" + hostile(n)[name] + "\r\nEND:VEVENT")


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_calendar_takes_no_longer_than_its_length_deserves(name: str) -> None:
    small, large = body(name, 4_000), body(name, 8_000)
    took = min(seconds(lambda: parse(small, WINDOW)) for _ in range(2))
    twice = min(seconds(lambda: parse(large, WINDOW)) for _ in range(2))
    assert twice < 3 * took + 0.05
    assert seconds(lambda: split(large)) < 2
    assert twice < 2


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_event_spoils_no_other(name: str) -> None:
    other = "BEGIN:VEVENT\r\nUID:other\r\nDTSTART:20260801T100000Z\r\nEND:VEVENT\r\n"
    raw = event_file(other + body(name, 50).decode().removeprefix("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"))
    parsed = parse(raw, WINDOW)
    assert "other" in [m.uid for m in parsed.meetings]
    assert len(parsed.meetings) <= ical.MAX_INSTANCES + 1


@pytest.mark.parametrize("rule", ["FREQ=SECONDLY", "FREQ=MINUTELY", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;COUNT=99999"])
def test_a_refused_series_leaves_its_first_meeting_and_says_why(rule: str) -> None:
    parsed = parse(calendar("DTSTART:20260702T100000Z", f"RRULE:{rule}"), WINDOW)
    assert [m.start.isoformat() for m in parsed.meetings] == ["2026-07-02T10:00:00+00:00"]
    assert "one@ours.example" in parsed.problems[0]


def test_a_series_with_too_many_instances_is_cut_and_said() -> None:
    parsed = parse(calendar("DTSTART:20260101T000000Z", "RRULE:FREQ=HOURLY"), WINDOW)
    assert len(parsed.meetings) == ical.MAX_INSTANCES
    assert "too many" in parsed.problems[0]


def test_a_thousand_bombs_in_one_file_share_one_budget() -> None:
    rule = "FREQ=HOURLY;COUNT=9999;BYMONTH=2;BYMONTHDAY=30"
    bomb = f"BEGIN:VEVENT\r\nUID:{{}}\r\nDTSTART:16010101T000000Z\r\nRRULE:{rule}\r\nEND:VEVENT\r\n"
    raw = event_file("".join(bomb.format(i) for i in range(1_000)))
    assert seconds(lambda: parse(raw, WINDOW)) < 10


# -- what is no calendar ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [b"", b"   \r\n", b"<html>Sign in</html>", b"\x00" * 100, b"BEGIN:VEVENT\r\nUID:x"])
def test_what_is_no_calendar_is_not_taken_for_an_empty_one(raw: bytes) -> None:
    parsed = parse(raw, WINDOW)
    assert not parsed.complete
    assert "no calendar" in " ".join(parsed.problems)


def test_an_empty_calendar_is_complete() -> None:
    assert parse(event_file(""), WINDOW) == Parsed(meetings=(), problems=(), complete=True)


@settings(max_examples=300, deadline=2_000)
@given(st.binary(max_size=2_000))
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    parse(raw, WINDOW)
    split(raw)


PIECES = (
    b"BEGIN:VEVENT END:VEVENT END:VCALENDAR DTSTART RRULE: FREQ=HOURLY COUNT= UNTIL= 99999999T999999Z 00010101T000000 "
    b'P1D " ; : \\ - 0 \xff\xfe \r\n'
)
WORDS = st.sampled_from(PIECES.split(b" "))


@settings(max_examples=300, deadline=4_000, suppress_health_check=[HealthCheck.too_slow])
@given(
    path=st.sampled_from(CALENDARS),
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 40), st.one_of(WORDS, st.binary(max_size=8))), max_size=12
    ),
)
def test_no_damage_to_a_calendar_makes_it_raise(path: Path, edits: list[tuple[float, int, bytes]]) -> None:
    raw = path.read_bytes()
    for where, dropped, put in edits:
        at = int(where * len(raw))
        raw = raw[:at] + put + raw[at + dropped :]
    parsed = parse(raw, WINDOW, "Europe/Moscow")
    assert all(m.end >= m.start and m.key for m in parsed.meetings)
    for _, part in split(raw):
        assert parse(part, WINDOW).complete


@pytest.mark.parametrize(
    "window",
    [
        (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
        (datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_any_window_can_be_asked_for(window: tuple[datetime, datetime]) -> None:
    for path in CALENDARS:
        parse(path.read_bytes(), window)


if __name__ == "__main__":
    for each in CALENDARS:
        each.with_suffix(".json").write_bytes(golden(each))
