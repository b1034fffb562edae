"""Twice the letter, about twice the work: each scanner against each string that tries to blow it up."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.model import Cut, Letter
from agent.prices import total
from agent.terms import terms
from agent.words import moments, name_parts, name_units, numbers, paper_numbers, topic, words
from classifiers import read, signature
from classifiers.automated import automated, matter
from classifiers.clean import find_cuts, reply_text
from connectors.calendars import ical
from connectors.mail.authentication import parse_authentication_results
from connectors.mail.mime import parse
from connectors.text.html import to_text
from tests.hostile.regexes import Expression, expressions, patterns, pumps

LONG = [pytest.mark.long, pytest.mark.timeout(1_800)]
SIZES = [20_000, pytest.param(120_000, marks=LONG)]  # characters; the larger letter has twice as many
ALONE_SIZE = 8_000
READ_SIZE = 16_000  # of which more is not read
FLOOR = 0.05  # seconds: what is as quick as that cannot be measured, and harms nobody
SLACK = 3.5  # a quadratic scan takes four times as long
RUNS = 3
WINDOW = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
HEAD = "From: a@client.example\nTo: b@ours.example\nDate: Mon, 6 Jul 2026 10:00:00 +0000\n"


def _read(text: str) -> None:
    read([Letter(direction="inbound", subject=text[:500], body=text)])


def _parse_as(before: str) -> Callable[[str], object]:
    return lambda text: parse((before + text).encode("utf-8", "replace"))


SCANNERS: dict[str, Callable[[str], object]] = {
    "parse: a body": _parse_as(HEAD + "\n"),
    "parse: an HTML body": _parse_as(HEAD + "Content-Type: text/html\n\n"),
    "parse: a sender": _parse_as("From: "),
    "parse: recipients": _parse_as("To: "),
    "parse: a subject": _parse_as(HEAD + "Subject: "),
    "parse: references": _parse_as(HEAD + "References: "),
    "parse: a date": _parse_as("Date: "),
    "parse: a type": _parse_as(HEAD + "Content-Type: "),
    "parse: a file's name": _parse_as(HEAD + "Content-Disposition: attachment; "),
    "parse: a multipart": _parse_as(HEAD + "Content-Type: multipart/mixed; boundary=b\n\n--b\n"),
    "to_text": to_text,
    "find_cuts": find_cuts,
    "reply_text": reply_text,
    "automated": lambda text: automated({}, text, text, text),
    "matter": lambda text: matter({}, text, text, text),
    "signature": lambda text: signature(text, [Cut(start=0, end=len(text), kind="signature")], "a@b.ru", text),
    "words of a deal": lambda text: (words(text), numbers([text]), paper_numbers([text]), moments(text)),
    "names of deals": lambda text: (name_units(text), name_parts(text), topic(text)),
    "terms and prices": lambda text: (terms(text), total(text)),
    "parse_authentication_results": parse_authentication_results,
    "ical.parse": lambda text: ical.parse(text.encode("utf-8", "replace"), WINDOW),
    "ical.parse: an event": lambda text: ical.parse(
        f"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\n{text}".encode("utf-8", "replace"), WINDOW
    ),
}

# What the scanners look for without a regular expression, and what once was slow in readers of mail.
PIECES = r"""a|ab |\n|\n\n|>|> |>\n|> a\n|-|--\n|-- \n|_|*|=|= \n|<|<>|<a>|</a>|<!--|<div>|</div>|<p style="|<p a=b
<table><tr><td>|&|&#|&lt;|"|'|\|(|()|((|[|{|}|;|:|,|@|a@|<a@b>|a@b.example, |=?|?=|=?utf-8?q?a?= |\t|\r|\r\n|\0|.
...|!|?|1|1.|1:|+1 |я|Я|On Mon, 2 Mar 2026, Vera Pole wrote:\n|From: a\nSent: b\nTo: c\nSubject: d\n
2 марта 2026 г., Вера пишет:\n|-----Original Message-----\n|From: a\n\n|Best regards\n|Best regards\nVera\n
С уважением,\n|Vera Pole\n+1 202 555 0100\n|This e-mail is confidential.\n\n|Sent from my iPhone\n
begin 644 a\n#0V%T\nend\n|--b\n|--b--\n|--b\n\n|dkim=pass |; dkim=pass|<style>.a{|{display:none}|<blockquote>
<div class=gmail_quote>|BEGIN:VEVENT\n|END:VEVENT\n|BEGIN:VTIMEZONE\n|ATTENDEE:mailto:a@b.example\n
RDATE:20260309T100000Z\n|EXDATE:20260309T100000Z\n|RRULE:FREQ=SECONDLY\n|DTSTART;TZID=|a;b=c|a="b"|\n b
DTSTART:20260101T000000Z\nRRULE:FREQ=SECONDLY\nEND:VEVENT\nBEGIN:VEVENT\nUID:b\n|BEGIN:VALARM\n|X:a
price is too high. |слишком дорого, |not |if you |will "|«|» |Dear Sir, |2026-01-01 |>From: a\n|> On a wrote:\n"""


def repeated(before: str, piece: str, after: str = "") -> Callable[[int], str]:
    return lambda size: before + piece * (size // len(piece)) + after


ATTACKS: dict[str, Callable[[int], str]] = {
    repr(piece): repeated("", piece)
    for line in PIECES.split("\n")
    for each in line.split("|")
    if (piece := each.replace("\\n", "\n").replace("\\0", "\0").replace("\\t", "\t").replace("\\r", "\r"))
}
BOMBS: dict[str, Callable[[int], str]] = {
    f"{name} {number}": repeated(*pump)
    for name, pattern in patterns().items()
    if not name.startswith("agent.")
    for number, pump in enumerate(pumps(pattern))
}


def seconds(scan: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    scan(text)
    return time.process_time() - began


def growth(scan: Callable[[str], object], attack: Callable[[int], str], size: int) -> str:
    """What was measured of a scan that is not linear; "" of one that is.

    Slow runs are the machine's fault, so the quickest ones are compared.
    """
    small, large = attack(size), attack(2 * size)
    quickest = seconds(scan, large)
    for _ in range(RUNS):
        if quickest <= FLOOR:
            return ""
        slow = min(seconds(scan, small) for _ in range(RUNS))
        quickest = min(quickest, *(seconds(scan, large) for _ in range(RUNS)))
        if quickest <= max(FLOOR, SLACK * slow):
            return ""
    return f"{slow:.3f} s became {quickest:.3f} s"


@pytest.mark.parametrize("scanner", SCANNERS)
@pytest.mark.parametrize("size", SIZES)
def test_twice_the_text_takes_no_scanner_much_more_than_twice_the_time(scanner: str, size: int) -> None:
    scan = SCANNERS[scanner]
    scan("a warm-up")
    slow = {name: told for name, attack in (ATTACKS | BOMBS).items() if (told := growth(scan, attack, size))}
    assert slow == {}


@pytest.mark.parametrize("share", [12, pytest.param(1, marks=LONG)])
def test_reading_twice_the_text_takes_not_much_more_than_twice_the_time(share: int) -> None:
    _read("This is a warm-up of the reader.")
    _read("Это прогрев читателя.")
    attacks = dict(list((ATTACKS | BOMBS).items())[::share])
    slow = {name: told for name, attack in attacks.items() if (told := growth(_read, attack, READ_SIZE))}
    assert slow == {}


def _alone(found: Expression) -> Callable[[str], object]:
    """The expression as it is used: tried at every place of a text, or at its beginning only."""
    is_text = isinstance(found.pattern.pattern, str)

    def scan(text: str) -> object:
        given: Any = text if is_text else text.encode("latin-1", "replace")
        return sum(1 for _ in found.pattern.finditer(given)) if found.moves else found.pattern.fullmatch(given)

    return scan


@pytest.mark.parametrize("room", ["agent", "connectors", "classifiers"])
def test_no_regular_expression_of_the_program_can_be_blown_up(room: str) -> None:
    mine = {name: found for name, found in expressions().items() if name.startswith(room)}
    slow = {
        f"{name} {number}": told
        for name, found in mine.items()
        for number, pump in enumerate(pumps(found.pattern))
        if (told := growth(_alone(found), repeated(*pump), ALONE_SIZE))
    }
    assert slow == {}


def test_every_regular_expression_that_repeats_is_attacked() -> None:
    assert len(patterns()) > 170
    assert len(BOMBS) > 350
