"""Bytes of an .ics file to the lines of each event (RFC 5545, 3.1), so that one broken event spoils no other; pure."""

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

import msgspec

from connectors.text.charsets import guess

_LINE = re.compile(r'([A-Za-z0-9-]++)((?:;[^";:]*+(?:"[^"]*+"[^";:]*+)*+)*+):(.*)', re.DOTALL)
_BARE = re.compile(r"([A-Za-z0-9-]++)[^:]*+:(.*)", re.DOTALL)
_PARAM = re.compile(r';([^=;:"]++)=((?:"[^"]*+"|[^";:])*+)')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CARET = re.compile(r"\^([n'^])")
_SAMPLE = 16_384  # bytes from which the encoding of a file that is not UTF-8 is told


class Line(NamedTuple):
    """One property: NAME;PARAM=value:value. The value is still escaped."""

    name: str
    params: dict[str, str]  # names in upper case
    value: str


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One VEVENT or VTIMEZONE: its unfolded lines without BEGIN and END."""

    lines: tuple[str, ...]
    inner: tuple[tuple[str, tuple[str, ...]], ...] = ()  # parts inside it (STANDARD, VALARM): name and lines


class Calendar(msgspec.Struct, kw_only=True):
    """One VCALENDAR while it is read."""

    head: list[str]
    zones: list[Block]
    events: list[Block]
    begun: bool = True  # False: events that stand outside any VCALENDAR
    closed: bool = False


class File(msgspec.Struct, frozen=True, kw_only=True):
    """What an .ics file holds."""

    calendars: tuple[Calendar, ...]
    complete: bool  # every BEGIN:VCALENDAR has its end; False for what is no calendar at all
    problems: tuple[str, ...]


def read(raw: bytes) -> File:
    """The calendars of a file; its cost grows with its length only."""
    lines, problems = _decode(_unfold(raw))
    reader = _Reader()
    for line in lines:
        reader.take(line)
    reader.finish()
    return File(calendars=tuple(reader.calendars), complete=reader.complete, problems=(*problems, *reader.problems))


def parse_line(text: str) -> Line | None:
    """The parts of one unfolded line, or None if it is no property."""
    if found := _LINE.match(text):
        params = {name.strip().upper(): _param(value) for name, value in _PARAM.findall(found[2])}
        return Line(found[1].upper(), params, found[3])
    bare = _BARE.match(text)  # a quotation mark that is never closed: its parameters cannot be told apart
    return Line(bare[1].upper(), {}, bare[2]) if bare else None


def unescape(value: str) -> str:
    """A TEXT value (3.3.11) as it was typed."""
    return _ESCAPE.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def split_list(value: str) -> list[str]:
    """The items of a list of TEXT values; an escaped comma separates nothing."""
    items: list[str] = []
    pieces = value.split(",")
    kept: list[str] = []
    for piece in pieces:
        kept.append(piece)
        if (len(piece) - len(piece.rstrip("\\"))) % 2 == 0:
            items.append(",".join(kept))
            kept = []
    return [unescape(item).strip() for item in [*items, ",".join(kept)] if item]


def digest(lines: Iterable[str]) -> str:
    """Hex digest of an event's content. DTSTAMP is left out: some servers set it anew in every answer."""
    kept = (line for line in lines if line[:7].upper() != "DTSTAMP")
    return sha256("\n".join(kept).encode()).hexdigest()


def _param(value: str) -> str:
    """A parameter's value without quotation marks, with the escapes of RFC 6868."""
    return _CARET.sub(lambda found: {"n": "\n", "'": '"', "^": "^"}[found[1]], value.replace('"', "")).strip()


def _unfold(raw: bytes) -> bytes:
    """Joins folded lines; on bytes, because a fold may fall inside a letter."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raw = raw.decode("utf-16", "replace").encode()
    text = raw.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text.replace(b"\n ", b"").replace(b"\n\t", b"")


def _decode(text: bytes) -> tuple[list[str], list[str]]:
    """Lines as text, each by itself, so that one broken byte changes one line and not the whole file."""
    try:
        return text.decode().split("\n"), []
    except UnicodeDecodeError:
        lines = text.split(b"\n")
    odd = [line for line in lines if not _is_utf8(line)]
    encoding = guess(b"\n".join(odd)[:_SAMPLE]).codec
    decoded = [line.decode() if _is_utf8(line) else line.decode(encoding, "replace") for line in lines]
    return decoded, [f"{len(odd)} lines are not UTF-8: read as {encoding}"]


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Reader:
    """Tells calendars, zones and events apart, line by line, and survives ends that are missing."""

    def __init__(self) -> None:
        self.calendars: list[Calendar] = []
        self.problems: list[str] = []
        self.stack: list[str] = []  # open parts below VCALENDAR, outermost first
        self.lines: list[str] = []
        self.inner: list[tuple[str, list[str]]] = []

    @property
    def complete(self) -> bool:
        return bool(self.calendars) and all(calendar.closed for calendar in self.calendars)

    def take(self, line: str) -> None:
        word, _, rest = line.partition(":")
        word = word.strip().upper()
        if word == "BEGIN":
            self._begin(rest.strip().upper())
        elif word == "END":
            self._end(rest.strip().upper())
        elif not self.stack:
            if self.calendars and line:
                self.calendars[-1].head.append(line)
        elif len(self.stack) == 1:
            self.lines.append(line)
        elif len(self.stack) == 2 and self.inner:
            self.inner[-1][1].append(line)

    def finish(self) -> None:
        self._give_up()
        if not any(calendar.begun for calendar in self.calendars):
            self.problems.append("this is no calendar: it has no BEGIN:VCALENDAR")
        elif not self.complete:
            self.problems.append("the calendar is cut off: END:VCALENDAR is missing")

    def _begin(self, name: str) -> None:
        if name == "VCALENDAR":
            self._give_up()
            self.calendars.append(Calendar(head=[], zones=[], events=[]))
            return
        if name == "VEVENT":
            self._give_up()
        self.stack.append(name)
        if len(self.stack) == 2:
            self.inner.append((name, []))

    def _end(self, name: str) -> None:
        if name == "VCALENDAR":
            self._give_up()
            if self.calendars:
                self.calendars[-1].closed = self.calendars[-1].begun
        elif self.stack and name == self.stack[0]:
            self._close()
        elif self.stack and name == self.stack[-1]:
            self.stack.pop()

    def _close(self) -> None:
        calendar = self._calendar()
        block = Block(
            lines=tuple(line for line in self.lines if line),
            inner=tuple((name, tuple(lines)) for name, lines in self.inner),
        )
        if self.stack[0] == "VEVENT":
            calendar.events.append(block)
        elif self.stack[0] == "VTIMEZONE":
            calendar.zones.append(block)
        self._reset()

    def _calendar(self) -> Calendar:
        if not self.calendars or self.calendars[-1].closed:
            self.calendars.append(Calendar(head=[], zones=[], events=[], begun=False))
        return self.calendars[-1]

    def _give_up(self) -> None:
        """Drops a part whose end is missing."""
        if self.stack and self.stack[0] == "VEVENT":
            self.problems.append("an event without END:VEVENT is left out")
        self._reset()

    def _reset(self) -> None:
        self.stack, self.lines, self.inner = [], [], []
