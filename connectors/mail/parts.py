"""The bytes of a letter as its tree of parts, in one pass over the lines that could be boundaries.

A boundary of any open multipart ends all that is open inside it, so a part that was never closed harms nobody; depth
and number of parts are capped, and nothing recurses over what a sender can nest.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from connectors.mail.encoded import file_name, parameters, raw_text
from connectors.mail.fields import BLANK_LINE, BLOCK, Fields, gathered, plain_newlines, read_fields

__all__ = ["MAX_PARTS", "Part", "Tree", "read_parts"]

MAX_PARTS = 500
MAX_DEPTH = 50
_SHORT = 300  # bytes of a header that is remembered
_LOOKS_LIKE_BOUNDARY = re.compile(
    rb"^--([^\s-][^\n]{0,99})\n(?:Content|MIME)-[A-Za-z-]+:", re.MULTILINE | re.IGNORECASE
)
_BESIDE = re.compile(r"[;(]")
_NO_LETTER = re.compile(r"[^a-z0-9]")
_ENCODINGS = {"base64": "base64", "quotedprintable": "quoted-printable", "7bit": "7bit", "8bit": "8bit"}
_LETTERS = frozenset(("message/rfc822", "message/global"))
_IDENTITY = frozenset(("", "7bit", "8bit", "binary"))


@dataclass(slots=True)
class Part:
    """One part; a multipart has children, an enclosed letter has one: its own top part."""

    fields: Fields
    content_type: str
    params: Mapping[str, str]
    disposition: str = ""
    name: str = ""  # of its file
    encoding: str = ""
    letter: bytes = b""  # the letter in which its body stands, from `start` to `end`
    start: int = 0
    end: int = 0
    children: list["Part"] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """Still encoded, its newlines LF."""
        return plain_newlines(self.letter[self.start : self.end])


@dataclass(slots=True)
class Tree:
    """A whole letter."""

    root: Part
    problems: dict[str, None]


class _Open(NamedTuple):
    """A part with parts in it, whose end has not been seen."""

    part: Part
    boundary: bytes  # of a multipart; an enclosed letter has none


def read_parts(raw: bytes) -> Tree:
    """The parts of a letter, whatever its newlines are."""
    return _Reader(raw if b"\n" in raw else raw.replace(b"\r", b"\n")).read()


class _Reader:
    """The one pass: a stack of what is open, and the leaf whose body is being passed over."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.stack: list[_Open] = []
        self.boundaries: dict[bytes, int] = {}  # how many open multiparts have it
        self.mark = b"\n--"  # how each line begins that can be a boundary now
        self.leaf: Part | None = None
        self.parts = 0
        self.problems: dict[str, None] = {}

    def read(self) -> Tree:
        raw = self.raw
        root = self._open(0, None)
        at = raw.find(self.mark, max(self._resume() - 1, 0)) if self.boundaries else -1
        while at >= 0:
            end = raw.find(b"\n", at + 3)
            line = raw[at + 3 : end if end >= 0 else len(raw)].rstrip()
            if found := self._known(line):
                boundary, closes = found
                self._reached(boundary, closes, at, end + 1 if end >= 0 else len(raw))
                at = max(at, self._resume() - 2)
            at = raw.find(self.mark, at + 1) if self.boundaries else -1
        if self.boundaries:
            self.problems["the letter ends inside a part"] = None
        self._close(0, len(raw))
        return Tree(root, self.problems)

    def _resume(self) -> int:
        """Where the search for boundaries goes on: bodies can begin with one."""
        return self.leaf.start if self.leaf else self.stack[-1].part.start if self.stack else 0

    def _known(self, line: bytes) -> tuple[bytes, bool] | None:
        if line in self.boundaries:
            return line, False
        if line.endswith(b"--") and line[:-2] in self.boundaries:
            return line[:-2], True
        return None

    def _reached(self, boundary: bytes, closes: bool, at: int, after: int) -> None:
        depth = len(self.stack) - 1
        while self.stack[depth].boundary != boundary:
            depth -= 1
        self._close(depth + 1, at)
        if closes:
            self._close(depth, at)
        elif self.parts < MAX_PARTS:
            self._open(after, self.stack[depth].part)
        else:
            self.problems[f"only the first {MAX_PARTS} parts are read"] = None

    def _close(self, depth: int, at: int) -> None:
        """Ends the leaf, and all that is open from `depth` on."""
        if self.leaf:
            self._body(self.leaf, at)
            self.leaf = None
        while len(self.stack) > depth:
            part, boundary = self.stack.pop()
            if boundary:
                self.boundaries[boundary] -= 1
                if not self.boundaries[boundary]:
                    del self.boundaries[boundary]
                    self._look_for_open_ones()
            if not boundary or not part.children:  # an enclosed letter; a multipart that has no parts
                self._body(part, at)

    def _look_for_open_ones(self) -> None:
        """One boundary is looked for as a whole, which in a long attachment is found several times faster."""
        self.mark = b"\n--" + (next(iter(self.boundaries)) if len(self.boundaries) == 1 else b"")

    def _body(self, part: Part, end: int) -> None:
        """What stands up to a boundary; the newline before that is no longer its own."""
        if end < len(self.raw):
            line = self.raw[max(part.start, end - 2) : end]
            end -= len(line) - len(line.rstrip(b"\r"))
        part.letter, part.end = self.raw, max(part.start, end)

    def _open(self, at: int, parent: Part | None) -> Part:
        """Reads a part's header and opens it; an enclosed letter opens its own top part, at most MAX_DEPTH deep."""
        digest = parent is not None and parent.content_type == "multipart/digest"
        part = self._read_header(at, digest)
        self.parts += 1
        if parent:
            parent.children.append(part)
        if len(self.stack) >= MAX_DEPTH:
            self.problems[f"parts deeper than {MAX_DEPTH} are not read"] = None
        elif boundary := self._boundary(part, parent is None):
            self.stack.append(_Open(part, boundary))
            self.boundaries[boundary] = self.boundaries.get(boundary, 0) + 1
            self._look_for_open_ones()
            return part
        elif part.content_type in _LETTERS and part.encoding in _IDENTITY:
            self.stack.append(_Open(part, b""))
            self._open(part.start, part)
            return part
        self.leaf = part
        return part

    def _read_header(self, at: int, digest: bool) -> Part:
        """The part whose header begins here, and where its body does."""
        blank = BLANK_LINE.search(self.raw, at, at + BLOCK)
        end = len(self.raw)
        if self.boundaries:
            end = self._limit(at, blank.start() if blank else min(end, at + BLOCK))
        if blank and blank.end() - at <= _SHORT and end == len(self.raw):
            header = _header(self.raw[at : blank.start()], digest)
            if header:
                return header.part(blank.end())
        fields = read_fields(self.raw, at, end)
        if fields.problem:
            self.problems[fields.problem] = None
        return _described(fields, digest).part(fields.body)

    def _limit(self, at: int, end: int) -> int:
        """A header, which ends at `end`, cannot go on beyond a boundary that is open."""
        if self.raw.startswith(b"--", at) and self._known(self._line(at + 2)):
            return at
        mark = self.raw.find(self.mark, at, end)
        while mark >= 0:
            if self._known(self._line(mark + 3)):
                return mark + 1
            mark = self.raw.find(self.mark, mark + 3, end)
        return len(self.raw)

    def _line(self, at: int) -> bytes:
        end = self.raw.find(b"\n", at)
        return self.raw[at : end if end >= 0 else len(self.raw)].rstrip()

    def _boundary(self, part: Part, top: bool) -> bytes:
        """The boundary of a multipart, b"" if it is none; for the letter's top part one that was lost is found."""
        if part.content_type.startswith("multipart/"):
            named = part.params.get("boundary", "").rstrip().encode("utf-8", "replace")
            if not top or (named and b"--" + named in self.raw):
                return named
            self.problems["the boundary that is named does not occur"] = None
            return self._guessed(part.start) or named
        if top and "content-type" not in part.fields.values and self.raw.startswith(b"--", part.start):
            guessed = self._guessed(part.start)
            if guessed:
                part.content_type = "multipart/mixed"
                self.problems["a multipart letter does not say so"] = None
            return guessed
        return b""

    def _guessed(self, at: int) -> bytes:
        before = max(at - 1, 0)
        found = _LOOKS_LIKE_BOUNDARY.search(plain_newlines(self.raw[before:]), at - before)
        return found[1].rstrip() if found else b""


class _Header(NamedTuple):
    """What a part's header says of it."""

    fields: Fields
    content_type: str
    params: Mapping[str, str]
    disposition: str
    name: str
    encoding: str

    def part(self, body: int) -> Part:
        """The part that it describes; its body begins there."""
        return Part(*self, start=body)


@lru_cache(maxsize=512)
def _header(block: bytes, digest: bool) -> _Header | None:
    """Of a short block that is in order: parts of all letters say the same of themselves."""
    values = gathered(plain_newlines(block + b"\n")[:-1])
    return _described(Fields(values, 0), digest) if values is not None else None


def _encoding(value: str) -> str:
    """A Content-Transfer-Encoding as the standard writes it, without the comments and blanks that mailers put there."""
    word = _BESIDE.split(value, 1)[0].strip(" \t\"'").lower()
    return _ENCODINGS.get(_NO_LETTER.sub("", word), word)


def _described(fields: Fields, digest: bool) -> _Header:
    content_type, params = parameters(raw_text(fields.first("content-type")))
    if "/" not in content_type:
        content_type = "message/rfc822" if digest else "text/plain"
    disposition = name = encoding = ""
    if value := fields.first("content-disposition"):
        disposition, names = parameters(raw_text(value, params.get("charset", "")))
        name = file_name(names.get("filename"), names.get("name"))
    name = name or file_name(params.get("name"), params.get("filename"))
    if value := fields.first("content-transfer-encoding"):
        encoding = _encoding(raw_text(value))
    return _Header(fields, content_type, params, disposition, name, encoding)
