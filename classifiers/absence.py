"""Until when somebody is away, as an out-of-office letter tells it."""

import re
from datetime import date, timedelta

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan янв", "feb фев", "mar мар", "apr апр", "may май мая", "jun июн", "jul июл", "aug авг",
            "sep сен", "oct окт", "nov ноя", "dec дек",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_WEEKDAYS = {
    "monday": 0, "tuesday": 1, "wednesday": 2, "thursday": 3, "friday": 4, "saturday": 5, "sunday": 6,
    "понедельник": 0, "вторник": 1, "среду": 2, "четверг": 3, "пятницу": 4, "субботу": 5, "воскресенье": 6,
    "понедельника": 0, "вторника": 1, "среды": 2, "четверга": 3, "пятницы": 4, "субботы": 5, "воскресенья": 6,
}  # fmt: skip
_READ = 4000  # characters

_MONTH = "|".join(_MONTHS)
_DATE = (
    rf"(?P<iso>\d{{4}}-\d\d-\d\d)"
    rf"|(?P<day>\d{{1,2}})(?:st|nd|rd|th|-го|го)?(?: of)? (?P<month>(?:{_MONTH}))\w*\.?,?(?: (?P<year>20\d\d))?"
    rf"|(?P<month2>(?:{_MONTH}))\w*\.? (?P<day2>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)(?:,? (?P<year2>20\d\d))?"
    r"|(?P<day3>\d{1,2})[./](?P<month3>\d{1,2})(?:[./](?P<year3>\d{2,4}))?"
)
_WEEKDAY = rf"(?P<weekday>{'|'.join(sorted(_WEEKDAYS, key=len, reverse=True))})"
_LEAD = (
    r"(?:until|till|untill|through|back (?:in the office )?(?:on|from)|back in on|returning(?: on| to the office on)?"
    r"|return(?: to (?:the office|work))?(?: on)?|back|up to|away to"
    r"|до|по|вернусь(?: к работе| на работу| в офис)?|вернемся|вернется|выйду(?: на работу)?|выхожу(?: на работу)?"
    r"|буду на месте|буду в офисе|на работе с|на связи с)"
)
_SKIP = r"(?:the|on|с|со|в|во|до|mon|tue|wed|thu|fri|sat|sun|пн|вт|ср|чт|пт|сб|вс)?[.,]?\s?"
_UNTIL = re.compile(rf"(?<!\w){_LEAD}\s{{1,3}}{_SKIP}(?:[^\W\d]{{6,11}},?\s)?{_SKIP}(?:{_DATE})", re.IGNORECASE)
_UNTIL_WEEKDAY = re.compile(rf"(?<!\w){_LEAD}\s{{1,3}}{_SKIP}{_WEEKDAY}(?!\w)", re.IGNORECASE)
_RANGE = re.compile(
    rf"(?<!\w)(?:from|between|с|со)\s[^\n.!?]{{1,25}}?\s(?:to|and|till|until|по|до|-|–)\s(?:{_DATE})", re.IGNORECASE
)


def absent_until(text: str, written: date | None = None) -> date | None:
    """The day that the letter names. A day without a year is the next such day after the letter was `written`."""
    words = re.sub(r"[ \t\xa0]+", " ", text[:_READ].replace("ё", "е").replace("Ё", "Е"))
    found = _UNTIL.search(words) or _RANGE.search(words)
    if found is not None:
        return _day(found, written)
    weekday = _UNTIL_WEEKDAY.search(words)
    if weekday is None or written is None:
        return None
    ahead = (_WEEKDAYS[weekday["weekday"].lower()] - written.weekday() - 1) % 7 + 1
    return written + timedelta(days=ahead)


def _day(found: re.Match[str], written: date | None) -> date | None:
    try:
        if found["iso"]:
            return date.fromisoformat(found["iso"])
        day = int(found["day"] or found["day2"] or found["day3"])
        named = found["month"] or found["month2"]
        month = _MONTHS[named.lower()] if named else int(found["month3"])
        year = found["year"] or found["year2"] or found["year3"]
        if year:
            return date(int(year) + (2000 if len(year) == 2 else 0), month, day)
        if written is None:
            return None
        this = date(written.year, month, day)
        return this if this >= written - timedelta(days=7) else date(written.year + 1, month, day)
    except ValueError:  # the 31st of February
        return None
