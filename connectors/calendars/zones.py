"""The time zone that an event means: an Olson or Windows name, an offset, or the rules of its own VTIMEZONE; pure.

A known name wins over the VTIMEZONE beside it, because files carry rules that are years out of date.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from connectors.calendars import content, recur

FIRST_YEAR, LAST_YEAR = 1600, 2300  # beyond them no meeting is held, and no arithmetic overflows within
_MAX_OBSERVANCES = 60  # of one zone: real ones with all their past have about fifty
_MAX_RULES = 8  # of them at work in one year; real ones have two
_MAX_DATES = 500
_TWO_YEARS = timedelta(days=730)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)(?::?(\d\d))?")
_NAMED_OFFSET = re.compile(r"\(?(?:UTC|GMT)\s*([+-])(\d{1,2})(?::?(\d\d))?(?!\d)", re.IGNORECASE)


class Zone:
    """A zone under the name that the rest of the program may look up."""

    def __init__(self, name: str, rules: tzinfo) -> None:
        self.name = name
        self.rules = rules

    def aware(self, local: datetime) -> datetime:
        """Local time with its offset, as a plain fixed one."""
        offset = self.rules.utcoffset(local.replace(tzinfo=self.rules)) or timedelta(0)
        return local.replace(tzinfo=_rounded(offset))

    def local(self, instant: datetime) -> datetime:
        """What the clock shows in this zone, without an offset."""
        return instant.astimezone(self.rules).replace(tzinfo=None)


UTC_ZONE = Zone("UTC", UTC)


def by_name(tzid: str) -> Zone | None:
    """The zone with this Olson or Windows name, in any case, also behind a prefix (/mozilla.org/2005/Europe/Berlin)."""
    name = tzid.strip().strip("/")[-200:]
    if name.upper() in ("UTC", "Z", "GMT", "TZONE:/MICROSOFT/UTC", "TZONE://MICROSOFT/UTC"):
        return UTC_ZONE
    segments = name.split("/")
    for i in range(max(0, len(segments) - 3), len(segments)):
        tail = "/".join(segments[i:]).casefold()
        olson = _olson().get(tail) or _windows().get(tail)
        if olson and (i == 0 or i < len(segments) - 1):  # "Custom/Berlin" is nobody's Berlin
            return _zoneinfo(olson)
    return _by_offset(name)


def of_block(block: content.Block) -> tuple[str, Zone | None]:
    """TZID of a VTIMEZONE, and its zone if its rules can be used."""
    fields = _fields(block.lines)
    tzid = fields["TZID"].value.strip() if "TZID" in fields else ""
    if known := by_name(tzid):
        return tzid, known
    if "X-LIC-LOCATION" in fields and (known := by_name(fields["X-LIC-LOCATION"].value)):
        return tzid, known
    try:
        parts = [lines for name, lines in block.inner if name in ("STANDARD", "DAYLIGHT")]
        observances = [_Observance(lines) for lines in parts[: _MAX_OBSERVANCES + 1]]
    except (ValueError, KeyError, OverflowError):
        return tzid, None
    if not 0 < len(observances) <= _MAX_OBSERVANCES or sum(len(o.dates) for o in observances) > _MAX_DATES:
        return tzid, None
    offsets = {observance.to for observance in observances}
    if len(offsets) == 1:
        return tzid, _fixed(offsets.pop())
    return tzid, Zone("UTC", _Observed(observances))  # it has no name that means something elsewhere


@cache
def _rounded(offset: timedelta) -> timezone:
    """A fixed offset of whole minutes: RFC 3339 cannot write the seconds that clocks differed by long ago."""
    return timezone(timedelta(minutes=round(offset.total_seconds() / 60)))


@cache
def _olson() -> dict[str, str]:
    """All names in lower case; a sender's text is only ever looked up here, never opened as a file."""
    return {name.casefold(): name for name in available_timezones()}


@cache
def _windows() -> dict[str, str]:
    """Windows names in lower case -> Olson names; the library that lists them is large, and few calendars need it."""
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    return {name.casefold(): olson for name, olson in WINDOWS_TO_OLSON.items() if olson.casefold() in _olson()}


@cache
def _zoneinfo(name: str) -> Zone:
    return Zone(name, ZoneInfo(name))


def _by_offset(name: str) -> Zone | None:
    """ "(UTC+03:00) Moscow, St. Petersburg" and "GMT+0300" say the offset themselves."""
    if not (found := _NAMED_OFFSET.match(name)):
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    return _fixed(-offset if found[1] == "-" else offset) if offset <= timedelta(hours=14) else None


def _fixed(offset: timedelta) -> Zone:
    """A zone without summer time; whole hours have an Olson name (with the sign turned round)."""
    hours, rest = divmod(offset, timedelta(hours=1))
    if not offset:
        return UTC_ZONE
    return Zone(f"Etc/GMT{-hours:+d}" if not rest and -12 <= hours <= 14 else "UTC", timezone(offset))


def _budget() -> recur.Budget:
    return recur.Budget(1_000)


class _Observance:
    """One STANDARD or DAYLIGHT part: from which local times on which offset holds."""

    def __init__(self, lines: Iterable[str]) -> None:
        fields = _fields(lines)
        self.start = datetime.strptime(fields["DTSTART"].value.strip().rstrip("Z")[:15], "%Y%m%dT%H%M%S")  # noqa: DTZ007
        self.before = _offset(fields["TZOFFSETFROM"].value)
        self.to = _offset(fields["TZOFFSETTO"].value)
        self.rule = recur.rule(fields["RRULE"].value) if "RRULE" in fields else None
        if self.rule and not _is_zones(self.rule):
            raise recur.Refused("a zone changes once a year, in a month that it names")
        self.dates = [
            datetime.strptime(item.strip()[:15], "%Y%m%dT%H%M%S")  # noqa: DTZ007
            for item in (fields["RDATE"].value.split(",", _MAX_DATES)[:_MAX_DATES] if "RDATE" in fields else ())
        ]
        self.until = self._until()

    def _until(self) -> datetime | None:
        text = self.rule.until if self.rule else ""
        if not text:
            return None
        until = datetime.strptime(text[:8], "%Y%m%d")  # noqa: DTZ007
        return until + timedelta(days=1)  # it is in UTC: the onset of that day is still meant

    def works(self, lo: datetime, hi: datetime) -> bool:
        return self.rule is not None and self.start < hi and (self.until is None or self.until >= lo)

    def last_of_rule(self) -> list[datetime]:
        """The last onset of a rule that has ended."""
        if not self.rule or not self.until:
            return []
        return list(recur.starts(self.rule, self.start, self.until - _TWO_YEARS, self.until, _budget(), self.until))[
            -1:
        ]

    def onsets(self, lo: datetime, hi: datetime) -> list[datetime]:
        return list(recur.starts(self.rule, self.start, lo, hi, _budget(), self.until)) if self.rule else []


def _is_zones(rule: recur.Rule) -> bool:
    """Whether a rule looks at no more than one month a year, once a day: then it costs next to nothing."""
    return rule.freq == "YEARLY" and len(rule.bymonth) == 1 and not (rule.byhour or rule.byminute or rule.bysecond)


class _Observed(tzinfo):
    """The zone that a VTIMEZONE describes. A tzinfo, so that datetime can convert both ways."""

    def __init__(self, observances: list[_Observance]) -> None:
        self._observances = sorted(observances, key=lambda o: o.start)
        self._single = sorted(
            (onset, o.to) for o in observances for onset in (o.start, *o.dates, *o.last_of_rule())
        )  # onsets that need no rule; there may be hundreds, so each year takes only the last one before it
        self._years: dict[int, tuple[list[datetime], list[timedelta]]] = {}

    def utcoffset(self, moment: datetime | None) -> timedelta:
        if moment is None:
            return self._observances[0].before
        local = moment.replace(tzinfo=None)
        onsets, offsets = self._around(local.year)
        at = bisect_right(onsets, local)
        if at == 0:
            return self._observances[0].before
        return offsets[at - 1]

    def dst(self, moment: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, moment: datetime | None) -> str | None:
        return None

    def fromutc(self, moment: datetime) -> datetime:
        for offset in {self.utcoffset(moment), self.utcoffset(moment - timedelta(days=1))}:
            if self.utcoffset(moment + offset) == offset:
                return moment + offset
        return moment + self.utcoffset(moment)

    def _around(self, year: int) -> tuple[list[datetime], list[timedelta]]:
        """The onsets that matter in a year, in order, and the offset from each on."""
        if year not in self._years:
            lo, hi = datetime(year - 1, 1, 1), datetime(year + 1, 1, 1)  # noqa: DTZ001
            after = bisect_right(self._single, (lo, timedelta.max))
            pairs = self._single[max(0, after - 1) : bisect_right(self._single, (hi, timedelta.max))]
            at_work = [o for o in self._observances if o.works(lo, hi)][-_MAX_RULES:]
            pairs = sorted([*pairs, *((onset, o.to) for o in at_work for onset in o.onsets(lo, hi))])
            self._years[year] = ([onset for onset, _ in pairs], [offset for _, offset in pairs])
        return self._years[year]


def _fields(lines: Iterable[str]) -> dict[str, content.Line]:
    found = (content.parse_line(line) for line in lines)
    return {line.name: line for line in found if line}


def _offset(text: str) -> timedelta:
    found = _OFFSET.fullmatch(text.strip())
    if not found or int(found[2]) > 18:
        raise ValueError("not an offset")
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return -offset if found[1] == "-" else offset
