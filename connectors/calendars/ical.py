"""Bytes of a calendar to Meetings (RFC 5545); pure, and never raises whatever the bytes are.

    content   bytes -> the lines of each VEVENT and VTIMEZONE
    events    the lines of one VEVENT -> an Event; a bad one costs this event only
    recur     a rule and a window -> the starts of a series
    here      events of one UID -> one Meeting for each instance that touches the window

A meeting's key is "e:" + the first 32 hex digits of SHA-256 over UID, NUL and the recurrence id. The recurrence id is
the instance's original start: a date for an all-day series, else the moment in UTC, so that two copies of a meeting
that name it in different zones are one meeting. A meeting that does not repeat has none.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

import msgspec

from agent.model import Meeting
from connectors.calendars import content, events, recur, zones
from connectors.calendars.events import Bad, Context, Event, When

MAX_INSTANCES = 1_000  # of one series inside the window
MAX_OVERRIDES = 1_000
MAX_EXPANDED = 20_000  # instances of all series of one file, and for each event in it ...
_EXPANDED_EACH = 100  # ... so many more: the work may grow with the file, not with what it asks for
MAX_PROBLEMS = 100
MAX_ZONES = 100  # of one file: a calendar of the whole world has fewer
_SERIES_DAYS = 60_000  # that one series may look at: daily for 160 years
_FILE_DAYS, _DAYS_EACH = 1_000_000, 500  # the same for the whole file


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    """What a calendar holds inside a window."""

    meetings: tuple[Meeting, ...]  # by start
    problems: tuple[str, ...]  # what was odd, in words for an admin; never a title
    complete: bool  # False: cut off, empty or no calendar; the events that were whole are here all the same
    method: str = ""  # REQUEST, CANCEL, REPLY: of an invitation by mail


class Object(msgspec.Struct, frozen=True, kw_only=True):
    """All that a file says of one UID."""

    uid: str
    raw: bytes  # a VCALENDAR of its own, with all overrides and the zones that they name
    digest: str  # of the content; DTSTAMP does not count
    categories: tuple[str, ...]
    start: str  # the earliest DTSTART as written, to sort by


class Objects(msgspec.Struct, frozen=True, kw_only=True):
    """A file taken apart by UID."""

    objects: tuple[Object, ...]
    complete: bool
    calendar: bool  # it is a calendar at all, whole or not


def parse(raw: bytes, window: tuple[datetime, datetime], default_tz: str = "UTC") -> Parsed:
    """The meetings that touch `window` (its end excluded); floating times and whole days are of `default_tz`."""
    file = content.read(raw)
    default = zones.by_name(default_tz)
    problems = list(file.problems) if default else [f"the time zone {default_tz} is unknown: UTC is used"]
    method = _method(file)
    read: dict[str, list[Event]] = {}
    for calendar in file.calendars:
        usual = default or zones.UTC_ZONE
        context = Context(dict(_zones(calendar)), usual, zones.by_name(_own_zone(calendar)) or usual, method)
        for block in calendar.events:
            uid = events.uid_of(block)
            try:
                read.setdefault(uid, []).append(events.read(block, context))
            except (ValueError, OverflowError) as error:
                problems.append(f"event {uid[:200]}: {error}")
    expander = _Expander(window, sum(map(len, read.values())))
    meetings = [meeting for series in read.values() for meeting in expander.meetings(series)]
    problems += expander.problems
    meetings.sort(key=lambda meeting: (meeting.start, meeting.key))
    return Parsed(meetings=tuple(meetings), problems=_capped(problems), complete=file.complete, method=method)


def meeting_key(uid: str, recurrence_id: str | None) -> str:
    """Our key of a meeting; a recurrence id in any zone gives the key of its moment."""
    if recurrence_id and "T" in recurrence_id:
        recurrence_id = datetime.fromisoformat(recurrence_id).astimezone(UTC).isoformat()
    return "e:" + sha256(f"{uid.strip()}\0{recurrence_id or ''}".encode()).hexdigest()[:32]


def split(raw: bytes) -> list[tuple[str, bytes]]:
    """UID and bytes of each calendar object of a file, the earliest first."""
    return [(found.uid, found.raw) for found in objects(raw).objects]


def objects(raw: bytes) -> Objects:
    """A file taken apart by UID; events that are not whole are left out."""
    file = content.read(raw)
    found: dict[str, list[tuple[content.Calendar, content.Block]]] = {}
    for calendar in file.calendars:
        for block in calendar.events:
            found.setdefault(events.uid_of(block), []).append((calendar, block))
    named = {id(calendar): _zone_blocks(calendar) for calendar in file.calendars}
    method = _method(file)
    made = [
        _object(uid, [(named[id(c)], block) for c, block in parts], method, _own_zone(parts[0][0]))
        for uid, parts in found.items()
    ]
    made.sort(key=lambda one: (one.start, one.uid))
    return Objects(
        objects=tuple(made), complete=file.complete, calendar=any(calendar.begun for calendar in file.calendars)
    )


def _object(
    uid: str, parts: Sequence[tuple[dict[str, content.Block], content.Block]], method: str, own_zone: str
) -> Object:
    needed: dict[str, content.Block] = {}
    for zone_blocks, block in parts:
        for tzid in _tzids(block):
            if tzid in zone_blocks:
                needed.setdefault(tzid, zone_blocks[tzid])
    blocks = [block for _, block in parts]
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//dealscribe//calendar//EN"]
    lines += [f"METHOD:{method}"] if method else []
    lines += [f"X-WR-TIMEZONE:{own_zone}"] if own_zone else []
    for block in needed.values():
        lines += ["BEGIN:VTIMEZONE", *block.lines, *_inner(block), "END:VTIMEZONE"]
    body = [line for block in blocks for line in ("BEGIN:VEVENT", *block.lines, "END:VEVENT")]
    lines += [*body, "END:VCALENDAR", ""]
    return Object(
        uid=uid,
        raw="\r\n".join(lines).encode(),
        digest=content.digest(line for line in lines if line),
        categories=tuple(dict.fromkeys(name for block in blocks for name in events.categories(block))),
        start=min(events.start_text(block) for block in blocks),
    )


def _inner(block: content.Block) -> Iterator[str]:
    for name, lines in block.inner:
        yield from (f"BEGIN:{name}", *lines, f"END:{name}")


def _tzids(block: content.Block) -> set[str]:
    found = (content.parse_line(text) for text in block.lines if "TZID" in text[:200].upper())
    return {line.params["TZID"] for line in found if line and "TZID" in line.params}


def _zone_blocks(calendar: content.Calendar) -> dict[str, content.Block]:
    blocks: dict[str, content.Block] = {}
    for block in calendar.zones[:MAX_ZONES]:
        for line in map(content.parse_line, block.lines):
            if line and line.name == "TZID":
                blocks.setdefault(line.value.strip(), block)
                break
    return blocks


def _zones(calendar: content.Calendar) -> Iterator[tuple[str, zones.Zone | None]]:
    return map(zones.of_block, calendar.zones[:MAX_ZONES])


def _own_zone(calendar: content.Calendar) -> str:
    """X-WR-TIMEZONE: in which zone the calendar was kept. Outside the standard, and in half of the world's files."""
    found = (content.parse_line(text) for text in calendar.head if text[:13].upper() == "X-WR-TIMEZONE")
    return next((line.value.strip() for line in found if line), "")


def _method(file: content.File) -> str:
    found = (content.parse_line(text) for calendar in file.calendars for text in calendar.head)
    return next((line.value.strip().upper()[:20] for line in found if line and line.name == "METHOD"), "")


def _capped(problems: Sequence[str]) -> tuple[str, ...]:
    if len(problems) <= MAX_PROBLEMS:
        return tuple(problems)
    return (*problems[:MAX_PROBLEMS], f"and {len(problems) - MAX_PROBLEMS} more problems")


class _Expander:
    """Makes the meetings of each series inside one window, and pays for all of them from one budget."""

    def __init__(self, window: tuple[datetime, datetime], size: int) -> None:
        self.begin, self.end = (_bounded(moment) for moment in window)
        self.days = recur.Budget(_FILE_DAYS + _DAYS_EACH * size)
        self.left = MAX_EXPANDED + _EXPANDED_EACH * size
        self.problems: list[str] = []

    def meetings(self, parts: Sequence[Event]) -> list[Meeting]:
        """One meeting for each instance of a UID's events that touches the window."""
        master = max((part for part in parts if part.recurrence is None), key=lambda part: part.rank, default=None)
        overrides = _newest_overrides([part for part in parts if part.recurrence is not None], master)
        if master:
            self.note(master, *master.meeting.problems)
        for override in overrides.values():
            self.note(override, *override.meeting.problems)
        if master is None:
            made = [_instance(part, part.when, identity) for identity, part in overrides.items()]
        elif not (overrides or master.rules or master.rdates):
            made = [_named(master.meeting, None)]
        else:
            made = self.series(master, overrides)
        made = [meeting for meeting in made if self.touches(meeting)]
        if any(part.meeting.private for part in parts):  # a changed instance of a private series may not say it again
            made = [msgspec.structs.replace(meeting, private=True) for meeting in made]
        return made

    def series(self, master: Event, overrides: dict[date, Event]) -> list[Meeting]:
        try:
            if len(overrides) > MAX_OVERRIDES:
                raise recur.Refused(f"it has {len(overrides)} changed instances, more than {MAX_OVERRIDES}")
            return list(self.instances(master, overrides))
        except (ValueError, OverflowError) as refused:
            self.note(master, f"{refused}: only its first meeting is kept")
            return [_instance(master, master.when, master.when.identity)]

    def instances(self, master: Event, overrides: dict[date, Event]) -> Iterator[Meeting]:
        excluded = _excluded(master)
        for identity, part in overrides.items():
            if identity not in excluded:
                yield _instance(part, part.when, identity)
        following = sorted((identity, part) for identity, part in overrides.items() if part.and_following)
        reach = max([timedelta(0), *(abs(_shift(part)) + part.lasts for _, part in following), master.lasts])
        dropped = {start.identity for start in self.starts(master, master.exrules, reach)}
        seen = set(excluded) | set(overrides) | dropped
        done = 0
        for start, lasts in self.all_starts(master, reach):
            identity = start.identity
            if identity in seen:
                continue
            seen.add(identity)
            meeting = _of_series(master, following, start, lasts)
            if not self.touches(meeting):
                continue
            done += 1
            self.left -= 1
            if done > MAX_INSTANCES or self.left < 0:
                self.note(master, f"it has too many instances: {done - 1} are kept")
                return
            yield meeting

    def all_starts(self, master: Event, reach: timedelta) -> Iterator[tuple[When, timedelta | None]]:
        for when, lasts in master.rdates:
            yield _alike(when, master), lasts
        if not master.rules:
            yield master.when, None
        for start in self.starts(master, master.rules, reach):
            yield start, None

    def starts(self, master: Event, rules: Iterable[str], reach: timedelta) -> Iterator[When]:
        """What the rules give for the window, widened by how far an instance may reach into it."""
        zone, first = master.when.zone, master.when.local
        day = timedelta(days=1)
        lo, hi = zone.local(self.begin) - reach - day, zone.local(self.end) + reach + day
        for text in rules:
            rule = recur.rule(text)
            budget = recur.Budget(min(_SERIES_DAYS, self.days.days))
            before = budget.days
            try:
                for local in recur.starts(rule, first, lo, hi, budget, _until(rule, master)):
                    yield master.when.at(local)
            finally:
                self.days.days -= before - budget.days

    def touches(self, meeting: Meeting) -> bool:
        return meeting.start < self.end and (meeting.end > self.begin or meeting.start >= self.begin)

    def note(self, event: Event, *problems: str) -> None:
        self.problems += [f"event {event.meeting.uid[:200]}: {problem}" for problem in problems]


def _bounded(moment: datetime) -> datetime:
    """A window's edge inside the years that are worked with."""
    if moment.year < zones.FIRST_YEAR:
        return datetime(zones.FIRST_YEAR, 1, 1, tzinfo=UTC)
    if moment.year > zones.LAST_YEAR:
        return datetime(zones.LAST_YEAR, 12, 31, tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _newest_overrides(parts: Iterable[Event], master: Event | None) -> dict[date, Event]:
    """The latest version of each changed instance, by the identity of its original start."""
    newest: dict[date, Event] = {}
    for part in parts:
        identity = _identity(part.recurrence or part.when, master)
        known = newest.get(identity)
        if known is None or part.rank >= known.rank:
            newest[identity] = part
    return newest


def _identity(when: When, master: Event | None) -> date:
    return _alike(when, master).identity


def _alike(when: When, master: Event | None) -> When:
    """Some programs name an instance by its day, or an all-day one by a time; the series tells what is meant."""
    if master is None or when.all_day == master.when.all_day:
        return when
    return master.when.at(datetime.combine(when.local.date(), master.when.local.time()))


def _excluded(master: Event) -> set[date]:
    return {_identity(when, master) for when in master.exdates}


def _until(rule: recur.Rule, master: Event) -> datetime | None:
    """UNTIL on the series' own clock; a day includes all of it."""
    if not rule.until:
        return None
    try:
        local, all_day, utc = events.read_stamp(rule.until, "UNTIL")
    except Bad as error:
        raise recur.Refused(str(error)) from None
    if all_day:
        return local + timedelta(days=1) - timedelta(seconds=1)
    return master.when.zone.local(local.replace(tzinfo=UTC)) if utc and not master.when.all_day else local


def _shift(part: Event) -> timedelta:
    """How far RANGE=THISANDFUTURE moves the instances from here on."""
    return part.when.local - (part.recurrence or part.when).local


def _of_series(master: Event, following: Sequence[tuple[date, Event]], start: When, lasts: timedelta | None) -> Meeting:
    """An instance as the series, or the last change "from here on", has it."""
    identity = start.identity
    at = bisect_right(following, identity, key=lambda pair: pair[0])
    if at == 0:
        return _instance(master, start, identity, lasts)
    part = following[at - 1][1]
    return _instance(part, part.when.at(start.local + _shift(part)), identity, lasts)


def _instance(event: Event, start: When, identity: date, lasts: timedelta | None = None) -> Meeting:
    moved = msgspec.structs.replace(
        event.meeting, start=start.instant, end=events.end_of(start, event.lasts if lasts is None else lasts)
    )
    return _named(moved, identity.isoformat())


def _named(meeting: Meeting, recurrence_id: str | None) -> Meeting:
    key = meeting_key(meeting.uid, recurrence_id)
    return msgspec.structs.replace(meeting, key=key, recurrence_id=recurrence_id)
