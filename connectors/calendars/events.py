"""One VEVENT to an Event: its times, its repetition and what it says, each field by itself; pure."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

import msgspec

from agent.model import Answered, Attendee, Meeting
from connectors.calendars import content
from connectors.calendars.content import Line
from connectors.calendars.zones import FIRST_YEAR, LAST_YEAR, UTC_ZONE, Zone, by_name
from connectors.text.html import to_text

MAX_TITLE = 500
MAX_TEXT = 20_000
MAX_HTML = 100_000
MAX_ATTENDEES = 500
MAX_RULES = 4
MAX_DATES = 1_000  # of one RDATE or EXDATE list
MIDNIGHT = time()
MAX_DAYS = 366  # that one meeting may last

_STAMP = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d):?(\d\d)?(?:\.\d{1,9})?([Zz])?)?")
_DURATION = re.compile(
    r"([+-])?P(?:(\d{1,5})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,7})M)?(?:(\d{1,8})S)?)?", re.IGNORECASE
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_TAG = re.compile(
    r"<(?:html|body|p|br|div|a|span|ul|ol|li|b|i|u|table|strong|em|h[1-6])(?:\s[^<>]*+)?/?>", re.IGNORECASE
)
_ADDRESS = re.compile(r"[^\s@<>\"]{1,200}@[^\s@<>\"]{1,250}")
_ANSWERS: dict[str, Answered] = {
    "ACCEPTED": "accepted",
    "DECLINED": "declined",
    "TENTATIVE": "tentative",
    "DELEGATED": "delegated",
}
_STATUS: dict[str, Literal["tentative", "cancelled"]] = {"TENTATIVE": "tentative", "CANCELLED": "cancelled"}
_THINGS = ("ROOM", "RESOURCE")


class Bad(ValueError):
    """This event cannot be used; the message says why."""


class When(msgspec.Struct, frozen=True):
    """A date or a time as it was entered."""

    local: datetime  # without offset; midnight of an all-day event
    zone: Zone
    all_day: bool

    @property
    def instant(self) -> datetime:
        return self.zone.aware(self.local)

    @property
    def identity(self) -> datetime | date:
        """What tells two starts of a series apart: a day, or a moment in UTC."""
        return self.local.date() if self.all_day else self.instant.astimezone(UTC)

    def move(self, by: timedelta) -> "When":
        return self.at(self.local + by)

    def at(self, local: datetime) -> "When":
        return When(local, self.zone, self.all_day)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One VEVENT: a single meeting, a series, or an override of one instance."""

    meeting: Meeting  # everything but the key, as for its own start
    when: When
    lasts: timedelta  # days of an all-day event, elapsed time of any other
    rules: tuple[str, ...] = ()
    exrules: tuple[str, ...] = ()
    rdates: tuple[tuple[When, timedelta | None], ...] = ()
    exdates: tuple[When, ...] = ()
    recurrence: When | None = None
    and_following: bool = False  # RANGE=THISANDFUTURE

    @property
    def rank(self) -> tuple[int, datetime]:
        """The newer of two versions ranks higher."""
        return self.meeting.sequence, self.meeting.modified or datetime.min.replace(tzinfo=UTC)


class Context(msgspec.Struct, frozen=True):
    """What an event takes from its calendar."""

    zones: Mapping[str, Zone | None]  # TZID -> zone, of the file's own VTIMEZONEs
    default: Zone  # of whole days, and of zones that nobody knows
    floating: Zone  # of times that name none
    method: str = ""


def read(block: content.Block, context: Context) -> Event:
    """The event that a VEVENT describes. Bad says why it is none."""
    return _Reader(block, context).event()


def read_stamp(value: str, name: str) -> tuple[datetime, bool, bool]:
    """A DATE or DATE-TIME (3.3.4, 3.3.5): its local time, whether it is a whole day, whether it is in UTC."""
    if not (found := _STAMP.fullmatch(value.strip())):
        raise Bad(f"its {name} is no date")
    year, month, day, hour, minute, second = (int(found[i] or 0) for i in range(1, 7))
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise Bad(f"its {name} is out of range")
    try:
        local = datetime(year, month, day, hour, minute, min(second, 59))  # noqa: DTZ001 - its zone stands beside it
    except ValueError:
        raise Bad(f"its {name} is no date") from None
    return local, found[4] is None, bool(found[7])


def read_duration(value: str) -> tuple[timedelta, timedelta]:
    """A DURATION (3.3.6): days on the calendar, and time on the clock."""
    if not (found := _DURATION.fullmatch(value.strip())):
        raise Bad("its DURATION is no length of time")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    sign = -1 if found[1] == "-" else 1
    return sign * timedelta(weeks=weeks, days=days), sign * timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _reach(when: When, duration: str) -> timedelta:
    """How long a DURATION lasts from there on: a day may have 23 hours, an hour is an hour."""
    days, clock = read_duration(duration)
    return days + clock if when.all_day else when.move(days).instant - when.instant + clock


def uid_of(block: content.Block) -> str:
    """The event's UID, or a name made of its content."""
    for text in block.lines:
        if text[:3].upper() == "UID" and (line := content.parse_line(text)) and line.name == "UID":
            if uid := clean_line(content.unescape(line.value), 1_000):
                return uid
            break
    return "no-uid-" + content.digest(block.lines)[:32]


def clean_line(text: str, limit: int = MAX_TITLE) -> str:
    """One line without control characters and with single spaces."""
    return " ".join(_CONTROL.sub("", text[: limit * 4]).split())[:limit].rstrip()


def clean_text(text: str) -> str:
    """Several lines; HTML is reduced to what a reader sees."""
    if _TAG.search(text[:MAX_HTML]):
        text = _visible(text[:MAX_HTML])
    lines = (line.rstrip() for line in _CONTROL.sub("", text[: MAX_TEXT * 4]).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()[:MAX_TEXT]


def categories(block: content.Block) -> list[str]:
    """The CATEGORIES of an event, as typed."""
    found = (content.parse_line(text) for text in block.lines if text[:10].upper() == "CATEGORIES")
    return [item for line in found if line for item in content.split_list(line.value)]


def start_text(block: content.Block) -> str:
    """DTSTART as digits, to sort by before anything is parsed."""
    for text in block.lines:
        if text[:7].upper() == "DTSTART":
            return text.rpartition(":")[2].strip()
    return ""


def _visible(html: str) -> str:
    text, cuts = to_text(html)
    places = [0, *(place for cut in cuts if cut.kind == "hidden" for place in (cut.start, cut.end)), len(text)]
    return "".join(text[start:end] for start, end in zip(places[::2], places[1::2], strict=True))


class _Reader:
    """Collects one event's fields and what was odd about them."""

    def __init__(self, block: content.Block, context: Context) -> None:
        self.block = block
        self.context = context
        self.problems: list[str] = []
        self.lines: dict[str, list[Line]] = {}
        for text in block.lines:
            if line := content.parse_line(text):
                self.lines.setdefault(line.name, []).append(line)
        # Exchange writes a whole day as the time from midnight to midnight, and says so beside it
        self.whole_days = self.text("X-MICROSOFT-CDO-ALLDAYEVENT").strip().upper() == "TRUE"

    def event(self) -> Event:
        if not (begin := self.first("DTSTART")):
            raise Bad("it has no DTSTART")
        when = self.when(begin, self.context.floating)
        lasts = self.lasts(when)
        ridline = self.first("RECURRENCE-ID")
        recurrence = self.when(ridline, when.zone) if ridline else None
        return Event(
            when=when,
            lasts=lasts,
            rules=self.values("RRULE"),
            exrules=self.values("EXRULE"),
            rdates=tuple(self.periods("RDATE", when.zone)),
            exdates=tuple(w for w, _ in self.periods("EXDATE", when.zone)),
            recurrence=recurrence,
            and_following=ridline is not None and "THISANDFUTURE" in ridline.params.get("RANGE", "").upper(),
            meeting=self.meeting(when, lasts),
        )

    def meeting(self, when: When, lasts: timedelta) -> Meeting:
        if not self.text("UID"):
            self.problems.append("it has no UID: it is known by its content")
        return Meeting(
            key="",
            uid=uid_of(self.block),
            recurrence_id=None,
            sequence=self.sequence(),
            title=clean_line(self.text("SUMMARY")),
            start=when.instant,
            end=end_of(when, lasts),
            tz=when.zone.name,
            all_day=when.all_day,
            status=self.status(),
            private=self.text("CLASS").strip().upper() in ("PRIVATE", "CONFIDENTIAL"),
            description=clean_text(self.text("DESCRIPTION") or self.html()),
            location=clean_line(self.text("LOCATION")),
            organizer=self.organizer(),
            attendees=self.attendees(),
            modified=self.modified(),
            problems=tuple(dict.fromkeys(self.problems)),
        )

    def first(self, name: str) -> Line | None:
        lines = self.lines.get(name)
        return lines[0] if lines else None

    def text(self, name: str) -> str:
        line = self.first(name)
        return content.unescape(line.value[: MAX_HTML * 2]) if line else ""

    def values(self, name: str) -> tuple[str, ...]:
        lines = self.lines.get(name, [])
        if len(lines) > MAX_RULES:
            self.problems.append(f"only {MAX_RULES} of its {len(lines)} {name} are used")
        return tuple(line.value.strip() for line in lines[:MAX_RULES])

    def when(self, line: Line, floating: Zone, text: str | None = None) -> When:
        """A DATE or DATE-TIME value in the zone that it names, else in `floating`."""
        tzid = line.params.get("TZID", "")
        value = (line.value if text is None else text).strip()
        if ":" in value[:-6] and not _STAMP.fullmatch(value):  # TZID=(UTC+03:00) Moscow, without quotation marks
            rest, _, value = value.rpartition(":")
            tzid = f"{tzid}:{rest}"
        local, all_day, utc = read_stamp(value, line.name)
        if all_day or (
            local.time() == MIDNIGHT and (self.whole_days or line.params.get("VALUE", "").upper() == "DATE")
        ):
            return When(local, self.context.default, True)
        return When(local, UTC_ZONE if utc else self.zone(tzid, floating), False)

    def zone(self, tzid: str, floating: Zone) -> Zone:
        if not tzid:
            return floating
        if known := self.context.zones.get(tzid) or by_name(tzid):
            return known
        default = self.context.default
        self.problems.append(f"its time zone {clean_line(tzid, 80)} is unknown: taken as {default.name}")
        return default

    def lasts(self, when: When) -> timedelta:
        lasts = self.stated_length(when)
        usual = timedelta(days=1) if when.all_day else timedelta(0)
        if lasts is None or (when.all_day and not lasts):
            return usual
        if lasts < timedelta(0):
            self.problems.append("it ends before it begins: taken as ending at once")
            return timedelta(0)
        if lasts > timedelta(days=MAX_DAYS):
            self.problems.append(f"it lasts more than {MAX_DAYS} days: cut there")
            return timedelta(days=MAX_DAYS)
        return lasts

    def stated_length(self, when: When) -> timedelta | None:
        """From DTEND or DURATION; a bad one is a problem, the event stays."""
        try:
            if line := self.first("DTEND"):
                end = self.when(line, when.zone)
                return end.local - when.local if when.all_day else end.instant - when.instant
            if line := self.first("DURATION"):
                return _reach(when, line.value)
        except (ValueError, OverflowError):
            self.problems.append("its end cannot be read: taken as its usual length")
        return None

    def periods(self, name: str, zone: Zone) -> Iterable[tuple[When, timedelta | None]]:
        """The items of RDATE and EXDATE: dates, times or periods."""
        items = [(line, text) for line in self.lines.get(name, []) for text in line.value.split(",") if text.strip()]
        if len(items) > MAX_DATES:
            self.problems.append(f"its {len(items)} {name} are too many: only the first {MAX_DATES} are used")
        for line, text in items[:MAX_DATES]:
            begin, _, end = text.partition("/")
            try:
                when = self.when(line, zone, begin)
                yield when, self.period_length(line, when, end) if end else None
            except (ValueError, OverflowError):
                self.problems.append(f"one of its {name} is no date")

    def period_length(self, line: Line, when: When, end: str) -> timedelta:
        if end.strip()[:1] in "P+-":
            length = _reach(when, end)
        else:
            length = self.when(line, when.zone, end).instant - when.instant
        return min(max(length, timedelta(0)), timedelta(days=MAX_DAYS))

    def sequence(self) -> int:
        text = self.text("SEQUENCE").strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0

    def status(self) -> Literal["confirmed", "tentative", "cancelled"]:
        if self.context.method == "CANCEL":
            return "cancelled"
        return _STATUS.get(self.text("STATUS").strip().upper(), "confirmed")

    def html(self) -> str:
        line = self.first("X-ALT-DESC")
        return content.unescape(line.value[:MAX_HTML]) if line else ""

    def organizer(self) -> Attendee | None:
        line = self.first("ORGANIZER")
        person = _person(line) if line else None
        return msgspec.structs.replace(person, answer="accepted") if person else None

    def attendees(self) -> tuple[Attendee, ...]:
        """People only; a room or a projector is not one. Each address once, its first answer counts."""
        lines = self.lines.get("ATTENDEE", [])
        if len(lines) > MAX_ATTENDEES:
            self.problems.append(f"only {MAX_ATTENDEES} of its {len(lines)} attendees are kept")
        people = [
            _person(line) for line in lines[:MAX_ATTENDEES] if line.params.get("CUTYPE", "").upper() not in _THINGS
        ]
        if None in people:
            self.problems.append("an attendee without an address is left out")
        by_email: dict[str, Attendee] = {}
        for person in people:
            if person:
                by_email.setdefault(person.email, person)
        return tuple(by_email.values())

    def modified(self) -> datetime | None:
        for name in ("LAST-MODIFIED", "DTSTAMP"):
            if line := self.first(name):
                try:
                    return self.when(line, UTC_ZONE).instant.astimezone(UTC)
                except Bad:
                    continue
        return None


def end_of(start: When, lasts: timedelta) -> datetime:
    """Days are counted on the calendar, anything else on the clock, also when summer time begins in between."""
    if start.all_day:
        return start.move(lasts).instant
    return start.zone.aware(start.zone.local(start.instant + lasts))


def _person(line: Line) -> Attendee | None:
    """An attendee or organizer: the address of a mailto:, else EMAIL= (some servers put a path into the value)."""
    value = line.value.strip()
    scheme, colon, rest = value.partition(":")
    address = rest.partition("?")[0] if colon and scheme.strip().lower() == "mailto" else value
    for text in (address, line.params.get("EMAIL", "")):
        email = clean_line(text, 320).strip("<> ").lower().removeprefix("mailto:")
        if _ADDRESS.fullmatch(email):
            answer = _ANSWERS.get(line.params.get("PARTSTAT", "").strip().upper(), "needs-action")
            name = clean_line(line.params.get("CN", "")).strip("\"'")
            return Attendee(email=email, name="" if name.lower() == email else name, answer=answer)
    return None
