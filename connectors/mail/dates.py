"""The Date header as a moment: RFC 5322, its obsolete forms, and what mailers write instead; pure, bounded."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

__all__ = ["EPOCH", "moment"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_READ = 200  # characters
_YEARS = range(1970, 2101)
_NAMES = (
    ("jan", "янв"),
    ("feb", "фев"),
    ("mar", "мар", "mär"),
    ("apr", "апр"),
    ("may", "май", "мая", "mai"),
    ("jun", "июн"),
    ("jul", "июл"),
    ("aug", "авг"),
    ("sep", "сен"),
    ("oct", "окт", "okt"),
    ("nov", "ноя"),
    ("dec", "дек", "dez"),
)
_MONTHS = {name: number for number, names in enumerate(_NAMES, 1) for name in names}
_CLOCK = r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2}))?(?:[.,]\d{1,9})?\s{0,3}(?P<half>[ap]\.?m)?"
_ZONE = r"\s{0,3}(?P<zone>(?:gmt|utc)?\s?[+-]\d{2}:?\d{2}\b|(?<![^\W\d])[a-z]{1,5}\b)?"
_DAY = r"(?<!\d)(?P<day>\d{1,2})"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        _DAY + r"[\s.-]{1,3}(?P<month>[^\W\d]{3,9})\.?[\s,.-]{1,3}(?P<year>\d{2,4}),?\s{1,3}" + _CLOCK + _ZONE,
        r"(?<!\d)(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})[t\s]{1,2}" + _CLOCK + _ZONE,
        r"(?P<month>[^\W\d]{3,9})\s{1,3}(?P<day>\d{1,2})\s{1,3}"
        + _CLOCK
        + r"(?:\s{1,3}(?P<zone>[a-z]{3,4}))?\s{1,3}(?P<year>\d{4})",
        r"(?P<month>[^\W\d]{3,9})\.?\s{1,3}(?P<day>\d{1,2}),?\s{1,3}(?P<year>\d{4}),?\s{1,3}(?:at\s{1,3})?"
        + _CLOCK
        + _ZONE,
        _DAY + r"\.(?P<month>\d{2})\.(?P<year>\d{4}),?\s{1,3}" + _CLOCK + _ZONE,
    )
)
# as nearly every mailer writes it; it says what the first of the forms says
_USUAL = re.compile(
    r"(?:[A-Z][a-z]{2}, )?([0-9]{1,2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-][0-9]{4})"
    r"(?: \([A-Z]{1,5}\))?"
)
_HOURS = {  # zones by name; all others say nothing (RFC 5322, 4.3)
    "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
    "msk": 3, "msd": 4, "cet": 1, "cest": 2, "eet": 2, "eest": 3, "wet": 0, "west": 1, "bst": 1, "jst": 9,
}  # fmt: skip


def moment(value: str) -> datetime | None:
    """The moment that a Date header names, aware; None when it names none between 1970 and 2100."""
    if usual := _USUAL.fullmatch(value):
        day, month, year, hour, minute, second, zone = usual.groups()
        with suppress(ValueError):
            number = _MONTHS.get(month.lower(), 0)
            clock = (int(hour), int(minute), min(int(second), 59))
            written = datetime(int(year), number, int(day), *clock, tzinfo=_zone(zone))
            return written if written.year in _YEARS else None
    for form in _FORMS:
        if (found := form.search(value[:_READ])) and (result := _made(found)):
            return result
    return None


def _made(found: re.Match[str]) -> datetime | None:
    part = found.groupdict()
    month = int(part["month"]) if part["month"].isdecimal() else _MONTHS.get(part["month"][:3].lower(), 0)
    hour = int(part["hour"])
    if part["half"]:
        hour = hour % 12 + (12 if part["half"][0] in "pP" else 0)
    try:
        result = datetime(
            _year(part["year"]),
            month,
            int(part["day"]),
            hour,
            int(part["minute"]),
            min(int(part["second"] or 0), 59),  # a leap second
            tzinfo=_zone((part["zone"] or "").lower()),
        )
    except ValueError:
        return None
    return result if result.year in _YEARS else None


def _year(digits: str) -> int:
    """Two and three digits are of the last century or of this one (RFC 5322, 4.3)."""
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


@lru_cache(maxsize=256)
def _zone(name: str) -> timezone:
    signed = name.replace(":", "").removeprefix("gmt").removeprefix("utc").strip()
    if signed.startswith(("+", "-")):
        hours, minutes = int(signed[1:3]), int(signed[3:5])
        if hours > 14 or minutes > 59:
            return UTC
        offset = timedelta(hours=hours, minutes=minutes)
        return timezone(-offset if signed[0] == "-" else offset)
    return timezone(timedelta(hours=_HOURS[name])) if name in _HOURS else UTC
