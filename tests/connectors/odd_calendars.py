"""Odd calendars as they really come, each with what a person reads in it: (bytes, what is expected).

The expectations were written down before the calendars were first read. The year is 2026, the reader sits in Moscow.
"""

from typing import Any


def file(*events: str, head: str = "", method: str = "", newline: str = "\r\n") -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", *([f"METHOD:{method}"] if method else []), head, *events]
    text = "\n".join([line for line in lines if line] + ["END:VCALENDAR", ""])
    return text.replace("\n", newline).encode()


def event(*lines: str, uid: str = "one@harbour.example") -> str:
    return "\n".join(("BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"))


def at(start: str, *lines: str) -> bytes:
    return file(event(f"DTSTART{start}", *lines))


MARCH_2 = ":20260302T100000Z"
MOSCOW = ";TZID=Europe/Moscow:20260302T100000"
BERLIN = ";TZID=Europe/Berlin:"
SIMPLE = {"starts": ["2026-03-02T10:00:00+00:00"]}
CUSTOM = """BEGIN:VTIMEZONE
TZID:Customized Time Zone
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
END:VTIMEZONE"""
FIXED = """BEGIN:VTIMEZONE
TZID:{0}
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:{1}
TZOFFSETTO:{1}
END:STANDARD
END:VTIMEZONE"""
UP_TO_60 = ",".join(map(str, range(60)))  # its first 61 characters are the hours of a day
WEEKLY = ("DTSTART;TZID=Europe/Moscow:20260302T100000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=4", "SUMMARY:Weekly")


def mondays(*days: str) -> list[str]:
    return [f"2026-03-{day}:00+03:00" for day in days]


ODD: dict[str, tuple[bytes, dict[str, Any]]] = {
    # -- zones
    "Outlook's name of Moscow's time": (
        at(";TZID=Russian Standard Time:20260302T100000"), {"starts": ["2026-03-02T10:00:00+03:00"]}),
    "Outlook's name of Berlin's time, in summer": (
        at(";TZID=W. Europe Standard Time:20260702T100000"), {"starts": ["2026-07-02T10:00:00+02:00"]}),
    "a zone that Exchange describes in words": (
        at(';TZID="(UTC+03:00) Moscow, St. Petersburg":20260302T100000'), {"starts": ["2026-03-02T10:00:00+03:00"]}),
    "a zone of Exchange's own, in summer and in winter": (
        file(CUSTOM, event("DTSTART;TZID=Customized Time Zone:20260702T100000", uid="a"),
             event("DTSTART;TZID=Customized Time Zone:20261102T100000", uid="b")),
        {"starts": ["2026-07-02T10:00:00+02:00", "2026-11-02T10:00:00+01:00"]}),
    "Google's calendar with times in UTC": (
        file(event("DTSTART:20260302T100000Z", "DTEND:20260302T110000Z"), head="X-WR-TIMEZONE:Europe/Berlin"),
        {"starts": ["2026-03-02T10:00:00+00:00"]}),
    "a floating time in a calendar that names its zone": (
        file(event("DTSTART:20260702T100000"), head="X-WR-TIMEZONE:America/New_York"),
        {"starts": ["2026-07-02T10:00:00-04:00"]}),
    "a floating time in a calendar that names none": (
        at(":20260302T100000"), {"starts": ["2026-03-02T10:00:00+03:00"]}),
    "Yandex's calendar with a zone of its own": (
        file(FIXED.format("Europe/Moscow", "+0300").replace("BEGIN:STANDARD", "TZURL:http://tz.example\nBEGIN:STANDARD"),
             event("DTSTART;TZID=Europe/Moscow:20260302T100000", "URL:https://calendar.example/event?id=1")),
        {"starts": ["2026-03-02T10:00:00+03:00"]}),
    "a zone of old Thunderbirds": (
        at(";TZID=/mozilla.org/20050126_1/Europe/Rome:20260702T100000"), {"starts": ["2026-07-02T10:00:00+02:00"]}),
    "a zone that is named by its distance, the wrong way round": (
        at(";TZID=Etc/GMT-3:20260302T100000"), {"starts": ["2026-03-02T10:00:00+03:00"]}),
    "a zone that is called UTC+3": (at(";TZID=UTC+3:20260302T100000"), {"starts": ["2026-03-02T10:00:00+03:00"]}),
    "a zone in small letters": (at(";TZID=europe/moscow:20260302T100000"), {"starts": ["2026-03-02T10:00:00+03:00"]}),
    "a zone that was renamed since": (
        at(";TZID=Europe/Kiev:20260702T100000"), {"starts": ["2026-07-02T10:00:00+03:00"]}),
    "a zone whose name says nothing and whose rules say all": (
        file(FIXED.format("Tz 1", "+0545"), event("DTSTART;TZID=Tz 1:20260302T100000")),
        {"starts": ["2026-03-02T10:00:00+05:45"]}),
    "rules of Moscow's time that are years out of date": (
        file(FIXED.format("Russian Standard Time", "+0400"),
             event("DTSTART;TZID=Russian Standard Time:20260302T100000")),
        {"starts": ["2026-03-02T10:00:00+03:00"]}),
    "a zone that nobody knows": (
        at(";TZID=Harbour Time:20260302T100000"), {"starts": ["2026-03-02T10:00:00+03:00"], "problem": "Harbour Time"}),
    "a time that is in UTC and says Moscow": (
        at(";TZID=Europe/Moscow:20260302T100000Z"), {"starts": ["2026-03-02T10:00:00+00:00"]}),
    # -- summer time
    "every morning at nine, also when summer time begins": (
        at(BERLIN + "20260328T090000", "RRULE:FREQ=DAILY;COUNT=3"),
        {"starts": ["2026-03-28T09:00:00+01:00", "2026-03-29T09:00:00+02:00", "2026-03-30T09:00:00+02:00"]}),
    "an hour that the clock leaves out": (
        at(BERLIN + "20260329T023000"), {"instants": ["2026-03-29T01:30:00+00:00"]}),
    "an hour that comes twice: the first is meant": (
        at(BERLIN + "20261025T023000"), {"instants": ["2026-10-25T00:30:00+00:00"]}),
    "three hours over the change": (
        at(BERLIN + "20260329T010000", "DURATION:PT3H"), {"ends": ["2026-03-29T05:00:00+02:00"]}),
    "from one to four over the change": (
        at(BERLIN + "20260329T010000", "DTEND;TZID=Europe/Berlin:20260329T040000"),
        {"ends": ["2026-03-29T04:00:00+02:00"]}),
    "a day is a day, however long": (
        at(BERLIN + "20260328T120000", "DURATION:P1D"), {"ends": ["2026-03-29T12:00:00+02:00"]}),
    # -- series
    "a Monday left out, told in UTC": (
        file(event(*WEEKLY, "EXDATE:20260309T070000Z")), {"starts": mondays("02T10:00", "16T10:00", "23T10:00")}),
    "a Monday left out, told by its day": (
        file(event(*WEEKLY, "EXDATE;VALUE=DATE:20260309")), {"starts": mondays("02T10:00", "16T10:00", "23T10:00")}),
    "two Mondays left out, in one line": (
        file(event(*WEEKLY, "EXDATE;TZID=Europe/Moscow:20260309T100000,20260316T100000")),
        {"starts": mondays("02T10:00", "23T10:00")}),
    "the first Monday left out": (
        file(event(*WEEKLY, "EXDATE;TZID=Europe/Moscow:20260302T100000")),
        {"starts": mondays("09T10:00", "16T10:00", "23T10:00")}),
    "a meeting moved to Tuesday": (
        file(event(*WEEKLY), event("RECURRENCE-ID;TZID=Europe/Moscow:20260309T100000",
                                   "DTSTART;TZID=Europe/Moscow:20260310T150000", "SUMMARY:Moved")),
        {"starts": mondays("02T10:00", "10T15:00", "16T10:00", "23T10:00"),
         "titles": ["Weekly", "Moved", "Weekly", "Weekly"]}),
    "a moved meeting that is named in UTC": (
        file(event(*WEEKLY), event("RECURRENCE-ID:20260309T070000Z", "DTSTART:20260309T120000Z")),
        {"starts": [*mondays("02T10:00"), "2026-03-09T12:00:00+00:00", *mondays("16T10:00", "23T10:00")]}),
    "one meeting of a series is cancelled": (
        file(event(*WEEKLY), event("RECURRENCE-ID;TZID=Europe/Moscow:20260309T100000", "STATUS:CANCELLED",
                                   "DTSTART;TZID=Europe/Moscow:20260309T100000")),
        {"statuses": ["confirmed", "cancelled", "confirmed", "confirmed"]}),
    "from the third on an hour later": (
        file(event(*WEEKLY), event("RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Moscow:20260316T100000",
                                   "DTSTART;TZID=Europe/Moscow:20260316T110000", "DURATION:PT2H")),
        {"starts": mondays("02T10:00", "09T10:00", "16T11:00", "23T11:00"),
         "ends": mondays("02T11:00", "09T11:00", "16T13:00", "23T13:00")}),
    "one meeting of a series to which only it was invited": (
        file(event("RECURRENCE-ID;TZID=Europe/Moscow:20260309T100000", "DTSTART;TZID=Europe/Moscow:20260309T110000"),
             method="REQUEST"),
        {"starts": mondays("09T11:00"), "ids": ["2026-03-09T07:00:00+00:00"]}),
    "a meeting moved twice: the later word counts": (
        file(event(*WEEKLY),
             event("RECURRENCE-ID:20260309T070000Z", "SEQUENCE:2", "DTSTART;TZID=Europe/Moscow:20260309T120000"),
             event("RECURRENCE-ID:20260309T070000Z", "SEQUENCE:1", "DTSTART;TZID=Europe/Moscow:20260309T110000")),
        {"starts": mondays("02T10:00", "09T12:00", "16T10:00", "23T10:00")}),
    "a meeting that stands twice in one file: the later version counts": (
        file(event("SEQUENCE:3", "DTSTART" + MARCH_2, "SUMMARY:New"), event("SEQUENCE:2", "DTSTART:20260303T100000Z")),
        {"starts": ["2026-03-02T10:00:00+00:00"], "titles": ["New"]}),
    "three times, one of which is left out": (
        at(MARCH_2, "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260303T100000Z"),
        {"starts": ["2026-03-02T10:00:00+00:00", "2026-03-04T10:00:00+00:00"]}),
    "until a day, which belongs to it": (
        at(MOSCOW, "RRULE:FREQ=DAILY;UNTIL=20260304"), {"starts": mondays("02T10:00", "03T10:00", "04T10:00")}),
    "until a moment in UTC, which is the last start": (
        at(MOSCOW, "RRULE:FREQ=DAILY;UNTIL=20260304T070000Z"), {"starts": mondays("02T10:00", "03T10:00", "04T10:00")}),
    "the last Friday of the month": (
        at(":20260130T100000Z", "RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=3"),
        {"starts": ["2026-01-30T10:00:00+00:00", "2026-02-27T10:00:00+00:00", "2026-03-27T10:00:00+00:00"]}),
    "the last working day of the month": (
        at(":20260130T100000Z", "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3"),
        {"starts": ["2026-01-30T10:00:00+00:00", "2026-02-27T10:00:00+00:00", "2026-03-31T10:00:00+00:00"]}),
    "on the 31st, which not every month has": (
        at(":20260131T100000Z", "RRULE:FREQ=MONTHLY;COUNT=3"),
        {"starts": ["2026-01-31T10:00:00+00:00", "2026-03-31T10:00:00+00:00", "2026-05-31T10:00:00+00:00"]}),
    "every 29 February": (at(":20240229T100000Z", "RRULE:FREQ=YEARLY"), {"starts": [], "complete": True}),
    "every other week, and weeks begin on Sunday": (
        at(":20260804T090000Z", "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU"),
        {"starts": [f"2026-08-{day}T09:00:00+00:00" for day in ("04", "16", "18", "30")]}),
    "every other week, and weeks begin on Monday": (
        at(":20260804T090000Z", "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO"),
        {"starts": [f"2026-08-{day}T09:00:00+00:00" for day in ("04", "09", "18", "23")]}),
    "a rule in small letters with a semicolon too many": (
        at(MARCH_2, "RRULE:freq=daily;count=2;"),
        {"starts": ["2026-03-02T10:00:00+00:00", "2026-03-03T10:00:00+00:00"]}),
    "a date more, of its own length": (
        at(MARCH_2, "DTEND:20260302T110000Z", "RDATE;VALUE=PERIOD:20260305T100000Z/PT3H"),
        {"ends": ["2026-03-02T11:00:00+00:00", "2026-03-05T13:00:00+00:00"]}),
    "a series that began years ago": (
        at(":20150105T100000Z", "RRULE:FREQ=YEARLY"), {"starts": ["2026-01-05T10:00:00+00:00"]}),
    # -- whole days
    "a whole day": (at(";VALUE=DATE:20260302"), {
        "starts": ["2026-03-02T00:00:00+03:00"], "ends": ["2026-03-03T00:00:00+03:00"], "all_day": [True]}),
    "two whole days": (at(";VALUE=DATE:20260302", "DTEND;VALUE=DATE:20260304"), {
        "ends": ["2026-03-04T00:00:00+03:00"]}),
    "a whole day that ends when it begins": (
        at(";VALUE=DATE:20260302", "DTEND;VALUE=DATE:20260302"), {"ends": ["2026-03-03T00:00:00+03:00"]}),
    "a day that forgot to say that it is one": (at(":20260302"), {"all_day": [True]}),
    "a whole day of Exchange, from midnight to midnight": (
        at(";TZID=Europe/Moscow:20260302T000000", "DTEND;TZID=Europe/Moscow:20260303T000000",
           "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE"),
        {"starts": ["2026-03-02T00:00:00+03:00"], "all_day": [True]}),
    "a day with a time that means nothing": (at(";VALUE=DATE:20260302T000000"), {
        "starts": ["2026-03-02T00:00:00+03:00"], "all_day": [True]}),
    # -- what is said of a meeting
    "a cancellation": (file(event("DTSTART" + MARCH_2), method="CANCEL"), {
        "statuses": ["cancelled"], "method": "CANCEL"}),
    "a proposal that nobody has confirmed": (at(MARCH_2, "STATUS:TENTATIVE"), {"statuses": ["tentative"]}),
    "an answer": (
        file(event("DTSTART" + MARCH_2, "ATTENDEE;PARTSTAT=DECLINED:mailto:vera@harbour.example"), method="REPLY"),
        {"answers": [("vera@harbour.example", "declined")], "method": "REPLY"}),
    "another time is asked for": (file(event("DTSTART" + MARCH_2), method="counter"), {**SIMPLE, "method": "COUNTER"}),
    "something confidential": (at(MARCH_2, "CLASS:CONFIDENTIAL"), {"private": [True]}),
    "an organizer whose assistant writes": (
        at(MARCH_2, 'ORGANIZER;CN="Pole: Vera; head";SENT-BY="mailto:pa@harbour.example":MAILTO:Vera@Harbour.Example'),
        {"organizer": ("Pole: Vera; head", "vera@harbour.example")}),
    "attendees of all kinds": (
        at(MARCH_2, "ATTENDEE;CUTYPE=ROOM:mailto:room@ours.example", "ATTENDEE;PARTSTAT=ACCEPTED:anna@ours.example",
           "ATTENDEE;CN=Ilya:invalid:nomail", "ATTENDEE;EMAIL=ilya@harbour.example:/principals/ilya",
           "ATTENDEE;PARTSTAT=TENTATIVE:MAILTO:vera@harbour.example"),
        {"answers": [("anna@ours.example", "accepted"), ("ilya@harbour.example", "needs-action"),
                     ("vera@harbour.example", "tentative")]}),
    "escapes in a title": (
        at(MARCH_2, r"SUMMARY;LANGUAGE=ru:Склад\, цех\; двор\nи "
           r"офис \\ архив"), {"titles": [r"Склад, цех; двор и офис \ архив"]}),
    # -- bombs
    "every second": (at(MARCH_2, "RRULE:FREQ=SECONDLY"), {**SIMPLE, "problem": "SECONDLY"}),
    "every minute of every hour of every day": (
        at(MARCH_2, f"RRULE:FREQ=DAILY;BYHOUR={UP_TO_60[:61]};BYMINUTE={UP_TO_60}"),
        {**SIMPLE, "problem": "too often"}),
    "a billion times": (at(MARCH_2, "RRULE:FREQ=DAILY;COUNT=1000000000"), {**SIMPLE, "problem": "COUNT"}),
    "an interval of nothing": (at(MARCH_2, "RRULE:FREQ=DAILY;INTERVAL=0"), {**SIMPLE, "problem": "INTERVAL"}),
    "every day that is the 30th of February": (
        at(MARCH_2, "RRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30"), SIMPLE),
    "a bomb beside a good meeting": (
        file(event("DTSTART" + MARCH_2, "RRULE:FREQ=SECONDLY;COUNT=99999999", uid="bomb"),
             event("DTSTART:20260304T100000Z", uid="good")),
        {"starts": ["2026-03-02T10:00:00+00:00", "2026-03-04T10:00:00+00:00"]}),
    "every hour for years is cut, and that is said": (
        at(":20260101T000000Z", "RRULE:FREQ=HOURLY"), {"count": 1000, "problem": "too many"}),
    # -- broken lines
    "a title folded inside a letter": (
        at(MARCH_2, "SUMMARY:XX").replace(b"XX", "Дого".encode()[:5] + b"\r\n " + "Дого".encode()[5:]),
        {"titles": ["Дого"]}),
    "a line folded with a tab": (at(MARCH_2, "SUMMARY:one\n\ttwo"), {"titles": ["onetwo"]}),
    "newlines of Unix, and empty lines": (
        file(event("DTSTART" + MARCH_2, "", "", "SUMMARY:One"), newline="\n"), {**SIMPLE, "titles": ["One"]}),
    "newlines of old Macs": (file(event("DTSTART" + MARCH_2), newline="\r"), SIMPLE),
    "a description whose lines lost their blanks": (
        at(MARCH_2, "DESCRIPTION:We meet\nat ten: bring papers", "and stamps", "SUMMARY:One"),
        {**SIMPLE, "titles": ["One"]}),
    "an event that never ends, before one that does": (
        file("BEGIN:VEVENT\nUID:open\nDTSTART:20260301T100000Z", event("DTSTART" + MARCH_2)), SIMPLE),
    "names in small letters": (
        file("begin:vevent\nuid:a\ndtstart:20260302T100000Z\nsummary:One\nend:vevent"), {**SIMPLE, "titles": ["One"]}),
    "blanks around names and values": (
        file("BEGIN:VEVENT \nUID: a\nDTSTART: 20260302T100000Z \nEND:VEVENT "), SIMPLE),
    "a title in windows-1251": (
        at(MARCH_2, "SUMMARY:XX").replace(b"XX", "Договор поставки".encode("cp1251")), {
            "titles": ["Договор поставки"]}),
    "a file in utf-16": (at(MARCH_2, "SUMMARY:Склад").decode().encode("utf-16"), {**SIMPLE, "titles": ["Склад"]}),
    "a file with a byte order mark": (b"\xef\xbb\xbf" + at(MARCH_2), SIMPLE),
    "an end before the beginning": (
        at(MARCH_2, "DTEND:20260302T090000Z"), {"ends": ["2026-03-02T10:00:00+00:00"], "problem": "ends before"}),
    "an end and a length: the end counts": (
        at(MARCH_2, "DURATION:PT3H", "DTEND:20260302T110000Z"), {"ends": ["2026-03-02T11:00:00+00:00"]}),
    "a length in weeks": (at(MARCH_2, "DURATION:P1W"), {"ends": ["2026-03-09T10:00:00+00:00"]}),
    "a length without its T": (at(MARCH_2, "DURATION:P1H"), {**SIMPLE}),
    "a time as other programs write it": (
        at(":2026-03-02T10:00:00Z"), SIMPLE),
    "a time without seconds": (at(":20260302T1000Z"), SIMPLE),
    "an event without a name": (
        file("BEGIN:VEVENT\nDTSTART:20260302T100000Z\nSUMMARY:One\nEND:VEVENT"), {**SIMPLE, "problem": "no UID"}),
    "a reminder inside an event says nothing of it": (
        at(MARCH_2, "SUMMARY:One", "BEGIN:VALARM", "TRIGGER:-PT15M", "DTSTART:19990101T000000Z", "SUMMARY:Ring",
           "DURATION:PT5M", "END:VALARM"),
        {**SIMPLE, "titles": ["One"], "ends": ["2026-03-02T10:00:00+00:00"]}),
    "tasks and notes are no meetings": (
        file("BEGIN:VTODO\nUID:t\nDTSTART:20260302T100000Z\nEND:VTODO",
             "BEGIN:VJOURNAL\nUID:j\nDTSTART:20260302T100000Z\nEND:VJOURNAL"), {"starts": [], "complete": True}),
    "two calendars in one file": (
        at(MARCH_2) + file(event("DTSTART:20260304T100000Z", uid="b")),
        {"starts": ["2026-03-02T10:00:00+00:00", "2026-03-04T10:00:00+00:00"]}),
    "a file that is cut off": (
        file(event("DTSTART" + MARCH_2), event("DTSTART:20260304T100000Z", uid="b"))[:-40], {
            **SIMPLE, "complete": False}),
    "an empty file": (b"", {"starts": [], "complete": False}),
    "a page that asks for a password": (b"<!doctype html><title>Sign in</title>", {"starts": [], "complete": False}),
}  # fmt: skip
