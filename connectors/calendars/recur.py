"""Recurrence rules (RFC 5545, 3.3.10) expanded inside a window, in bounded time; pure.

dateutil walks from DTSTART to the year 9999 when a rule matches nothing ("every 30 February"), and nothing can stop it
in between. Here every day that is looked at is paid for from a budget, and without COUNT the walk begins at the window.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from itertools import count, product

import msgspec

FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
MAX_TEXT = 2_000  # of a rule: the longest sensible one names every day of the year
MAX_COUNT = 10_000
MAX_TIMES = 48  # starts on one day
_BYDAY = re.compile(r"([+-]?\d{1,3})?(MO|TU|WE|TH|FR|SA|SU)")


class Refused(ValueError):
    """A rule that cannot or must not be expanded; the message says why."""


class Budget:
    """How many days may still be looked at."""

    def __init__(self, days: int) -> None:
        self.days = days

    def spend(self, days: int) -> None:
        self.days -= days
        if self.days < 0:
            raise Refused("the repetition takes too long to work out")


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One RRULE. Empty tuples mean that the part is not given."""

    freq: str
    interval: int = 1
    count: int | None = None
    until: str = ""  # as written; its zone is the caller's matter
    bymonth: tuple[int, ...] = ()
    byweekno: tuple[int, ...] = ()
    byyearday: tuple[int, ...] = ()
    bymonthday: tuple[int, ...] = ()
    byday: tuple[tuple[int, int], ...] = ()  # (which one of the month or year, or 0 for all; weekday)
    byhour: tuple[int, ...] = ()
    byminute: tuple[int, ...] = ()
    bysecond: tuple[int, ...] = ()
    bysetpos: tuple[int, ...] = ()
    wkst: int = 0


def rule(text: str) -> Rule:
    """The rule that `text` states. Refused says what is wrong with it."""
    if len(text) > MAX_TEXT:
        raise Refused("the repetition rule is too long")
    parts = {
        key.strip().upper(): value.strip().upper() for key, _, value in (p.partition("=") for p in text.split(";"))
    }
    freq = parts.get("FREQ", "")
    if freq not in FREQUENCIES:
        raise Refused(f"a meeting does not repeat {freq or 'without FREQ'}"[:80])
    if parts.get("RSCALE", "GREGORIAN") != "GREGORIAN":
        raise Refused("only the Gregorian calendar is known")
    made = Rule(
        freq=freq,
        interval=_number(parts.get("INTERVAL", "1"), 1, 100_000, "INTERVAL"),
        count=_number(parts["COUNT"], 1, MAX_COUNT, "COUNT") if "COUNT" in parts else None,
        until=parts.get("UNTIL", ""),
        bymonth=_numbers(parts, "BYMONTH", 1, 12),
        byweekno=_numbers(parts, "BYWEEKNO", -53, 53),
        byyearday=_numbers(parts, "BYYEARDAY", -366, 366),
        bymonthday=_numbers(parts, "BYMONTHDAY", -31, 31),
        byday=_byday(parts.get("BYDAY", "")),
        byhour=_numbers(parts, "BYHOUR", 0, 23),
        byminute=_numbers(parts, "BYMINUTE", 0, 59),
        bysecond=_numbers(parts, "BYSECOND", 0, 60),
        bysetpos=_numbers(parts, "BYSETPOS", -366, 366),
        wkst=WEEKDAYS.index(parts["WKST"]) if parts.get("WKST") in WEEKDAYS else 0,
    )
    if max(1, len(made.byhour)) * max(1, len(made.byminute)) * max(1, len(made.bysecond)) > MAX_TIMES:
        raise Refused("the meeting repeats too often in a day")
    return made


def starts(
    rule: Rule, first: datetime, lo: datetime, hi: datetime, budget: Budget, until: datetime | None = None
) -> Iterator[datetime]:
    """The starts s with lo <= s < hi, in order; all times are of one zone and bear none.

    DTSTART (`first`) is always the first one, also when it does not fit the rule, and COUNT counts it.
    """
    if until is not None and first > until:
        return
    left = rule.count
    for start in _walk(rule, first, lo, hi if until is None else min(hi, until), budget):
        if start >= hi or (until is not None and start > until) or left == 0:
            return
        left = None if left is None else left - 1
        if start >= lo:
            yield start


def _walk(rule: Rule, first: datetime, lo: datetime, stop: datetime, budget: Budget) -> Iterator[datetime]:
    yield first
    skip_to = lo if rule.count is None and lo > first else first
    fits = _fits(_with_defaults(rule, first))
    times = _times(rule, first)
    for begin, days, at in _periods(rule, first, skip_to):
        if begin > stop.date():
            return
        budget.spend(len(days) or 1)
        chosen = [datetime.combine(day, t) for day in days if fits(day) for t in (at or times)]
        for start in _by_position(chosen, rule.bysetpos):
            if start > first:
                yield start


def _periods(rule: Rule, first: datetime, lo: datetime) -> Iterator[tuple[date, list[date], list[time]]]:
    """Years, months, weeks, days or hours from the one that holds `lo`: begin, days and (for hours) times."""
    step, day, from_day = rule.interval, first.date(), lo.date()
    if rule.freq == "YEARLY":
        for year in _count(day.year, (from_day.year - day.year) // step, step, 9999):
            yield date(year, 1, 1), _days_of_year(rule, year), []
    elif rule.freq == "MONTHLY":
        month0, month1 = _month(day), _month(from_day)
        for month in _count(month0, (month1 - month0) // step, step, 9999 * 12 + 11):
            begin = date(month // 12, month % 12 + 1, 1)
            yield begin, _span(begin, _length(begin)), []
    elif rule.freq in ("WEEKLY", "DAILY"):
        length = 7 if rule.freq == "WEEKLY" else 1
        zero = day.toordinal() - ((day.weekday() - rule.wkst) % 7 if length == 7 else 0)
        skipped = (from_day.toordinal() - zero) // (step * length)
        for ordinal in _count(zero, skipped, step * length, date.max.toordinal() - 7):
            begin = date.fromordinal(ordinal)
            yield begin, _span(begin, length), []
    else:
        yield from _hours(rule, first, lo)


def _hours(rule: Rule, first: datetime, lo: datetime) -> Iterator[tuple[date, list[date], list[time]]]:
    zero = first.date().toordinal() * 24 + first.hour
    skipped = (lo.date().toordinal() * 24 + lo.hour - zero) // rule.interval
    rest = list(product(rule.byminute or (first.minute,), rule.bysecond or (first.second,)))
    for hour in _count(zero, skipped, rule.interval, (date.max.toordinal() - 1) * 24):
        begin = date.fromordinal(hour // 24)
        fits = not rule.byhour or hour % 24 in rule.byhour
        yield begin, [begin] if fits else [], [time(hour % 24, m, min(s, 59)) for m, s in rest]


def _count(zero: int, skipped: int, step: int, last: int) -> Iterator[int]:
    for value in count(zero + max(0, skipped) * step, step):
        if value > last:
            return
        yield value


def _with_defaults(rule: Rule, first: datetime) -> Rule:
    """What a rule leaves out is taken from DTSTART."""
    if rule.byyearday or rule.bymonthday or rule.byday:
        return rule
    if rule.freq == "WEEKLY" or (rule.freq == "YEARLY" and rule.byweekno):
        return msgspec.structs.replace(rule, byday=((0, first.weekday()),))
    if rule.freq == "MONTHLY":
        return msgspec.structs.replace(rule, bymonthday=(first.day,))
    if rule.freq == "YEARLY":
        return msgspec.structs.replace(rule, bymonthday=(first.day,), bymonth=rule.bymonth or (first.month,))
    return rule


def _fits(rule: Rule) -> Callable[[date], bool]:
    """Whether a day is one of the rule's."""
    checks: list[Callable[[date], bool]] = []
    if rule.bymonth:
        checks.append(lambda day: day.month in rule.bymonth)
    if rule.byweekno:
        checks.append(lambda day: any(n in rule.byweekno for n in _week_numbers(day, rule.wkst)))
    if rule.byyearday:
        checks.append(lambda day: any(n in rule.byyearday for n in _year_days(day)))
    if rule.bymonthday:
        checks.append(lambda day: day.day in rule.bymonthday or day.day - _length(day) - 1 in rule.bymonthday)
    if rule.byday:
        checks.append(_on_weekday(rule))
    return lambda day: all(check(day) for check in checks)


def _on_weekday(rule: Rule) -> Callable[[date], bool]:
    """BYDAY; "2MO" is the second Monday of the month, or of the year when no month is given."""
    plain = {weekday for n, weekday in rule.byday if n == 0 or rule.freq not in ("MONTHLY", "YEARLY")}
    nth = set(rule.byday)
    yearly = rule.freq == "YEARLY" and not rule.bymonth

    def check(day: date) -> bool:
        weekday = day.weekday()
        if weekday in plain:
            return True
        at, behind = _year_days(day) if yearly else (day.day, day.day - _length(day) - 1)
        return ((at - 1) // 7 + 1, weekday) in nth or (-((-behind - 1) // 7 + 1), weekday) in nth

    return check


def _times(rule: Rule, first: datetime) -> list[time]:
    hours = sorted(set(rule.byhour or (first.hour,)))
    minutes = sorted(set(rule.byminute or (first.minute,)))
    seconds = sorted({min(s, 59) for s in rule.bysecond or (first.second,)})  # a leap second is its minute's last
    return [time(h, m, s) for h, m, s in product(hours, minutes, seconds)]


def _by_position(chosen: list[datetime], positions: tuple[int, ...]) -> list[datetime]:
    if not positions:
        return chosen
    wanted = {p - 1 if p > 0 else len(chosen) + p for p in positions if p}
    return [start for i, start in enumerate(chosen) if i in wanted]


def _days_of_year(rule: Rule, year: int) -> list[date]:
    if rule.bymonth and not rule.byweekno:
        months = [date(year, month, 1) for month in sorted(set(rule.bymonth))]
        return [day for begin in months for day in _span(begin, _length(begin))]
    return _span(date(year, 1, 1), 365 + _leap(year))


def _span(begin: date, length: int) -> list[date]:
    zero = begin.toordinal()
    return [date.fromordinal(zero + i) for i in range(min(length, date.max.toordinal() - zero + 1))]


def _week_numbers(day: date, wkst: int) -> tuple[int, int]:
    """A day's week number, from the year's begin and from its end; week 1 has four days in the year."""
    middle = day.toordinal() - (day.weekday() - wkst) % 7 + 3
    if not 1 <= middle <= date.max.toordinal():
        return 0, 0
    at, behind = _year_days(date.fromordinal(middle))
    return (at - 1) // 7 + 1, -((-behind - 1) // 7 + 1)


def _year_days(day: date) -> tuple[int, int]:
    at = day.timetuple().tm_yday
    return at, at - 366 - _leap(day.year)


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def _length(day: date) -> int:
    """Days in its month."""
    return 29 if day.month == 2 and _leap(day.year) else (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[day.month - 1]


def _leap(year: int) -> int:
    return int(year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))


def _number(text: str, low: int, high: int, name: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise Refused(f"{name} of the repetition rule is not a number") from None
    if not low <= number <= high:
        raise Refused(f"{name} of the repetition rule is out of range")
    return number


def _numbers(parts: dict[str, str], name: str, low: int, high: int) -> tuple[int, ...]:
    if not parts.get(name):
        return ()
    return tuple(sorted({_number(item, low, high, name) for item in parts[name].split(",")}))


def _byday(text: str) -> tuple[tuple[int, int], ...]:
    found = [_BYDAY.fullmatch(item.strip()) for item in text.split(",")] if text else []
    if not all(found):
        raise Refused("BYDAY of the repetition rule is not a list of weekdays")
    return tuple((int(item[1] or 0), WEEKDAYS.index(item[2])) for item in found if item)
