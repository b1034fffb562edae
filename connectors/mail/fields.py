"""A header block as its fields: raw bytes in, (lower-case name, unfolded bytes) out, in order; pure, linear.

A newline is LF or CRLF, as a Maildir or IMAP gives it; CR CR LF, which mailers make of it, is one too.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

__all__ = ["BLANK_LINE", "BLOCK", "Fields", "gathered", "plain_newlines", "read_fields"]

BLOCK = 1 << 20  # bytes of one header block
_FIELDS = 2_000
_VALUE = 256 << 10
BLANK_LINE = re.compile(rb"\n\r?\r?\n")
_NO_HEADER = re.compile(rb"\r?\r?\n")
_NAME = re.compile(rb"([!-9;-~]{1,100}+)[ \t]*+:[ \t]*+")
# a field with its folded lines; only for a block in which every line is one
_FIELD = re.compile(rb"^([!-9;-~]{1,100}+)[ \t]*+:[ \t]*+([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)
_WELL_KNOWN = re.compile(
    rb"(?i)(?:from|to|cc|subject|date|message-id|mime-version|content-[a-z-]+|received|return-path|reply-to|sender"
    rb"|in-reply-to|references|x-[a-z-]+|dkim-signature|delivered-to)[ \t]*:"
)


class Fields(NamedTuple):
    """One header block, and where the body begins."""

    values: Mapping[str, Sequence[bytes]]  # lower-case name -> its values, topmost first
    body: int
    problem: str = ""

    def first(self, name: str) -> bytes:
        found = self.values.get(name)
        return found[0] if found else b""

    def all(self, name: str) -> Sequence[bytes]:
        return self.values.get(name, ())


def plain_newlines(data: bytes) -> bytes:
    """LF only; a hash of a file must not depend on whether IMAP or a Maildir gave it."""
    return data.replace(b"\r\r\n", b"\r\n").replace(b"\r\n", b"\n") if b"\r" in data else data


def read_fields(raw: bytes, start: int, end: int) -> Fields:
    """The header block that begins at `start`. What is no header begins the body."""
    if start >= end:
        return Fields({}, start)
    if empty := _NO_HEADER.match(raw, start):
        return Fields({}, empty.end())
    limit = min(end, start + BLOCK)
    blank = BLANK_LINE.search(raw, start, limit)
    stop, body = (blank.start(), blank.end()) if blank else (limit, limit)
    block = plain_newlines(raw[start : stop + 1])[:-1] if blank else plain_newlines(raw[start:stop])
    if (values := gathered(block)) is not None:
        return Fields(values, body)
    return _read_lines(raw, start, block.split(b"\n"), body)


def gathered(block: bytes) -> dict[str, list[bytes]] | None:
    """The fields of a block that is in order, in one go; None when a line of it is odd."""
    found = _FIELD.findall(block)
    lines = len(found)
    folded = b"\n " in block or b"\n\t" in block
    if folded:
        lines += sum(value.count(b"\n") for _, value in found)
    if lines != block.count(b"\n") + 1 or len(found) > _FIELDS:
        return None
    values: dict[str, list[bytes]] = {}
    for name, value in found:
        unfolded = value.replace(b"\n", b"") if folded else value
        values.setdefault(_lower(name), []).append(unfolded[:_VALUE].strip())
    return values


@lru_cache(maxsize=1024)
def _lower(name: bytes) -> str:
    return name.decode("ascii").lower()


def _read_lines(raw: bytes, start: int, lines: Sequence[bytes], body: int) -> Fields:
    """A block with odd lines, one by one."""
    fields: list[tuple[str, list[bytes]]] = []
    problem = ""
    known_from = -1  # the last line that is surely a header's, looked for once and only when a line is odd
    for number, line in enumerate(lines):
        if line[:1] in (b" ", b"\t"):
            if fields:
                fields[-1][1].append(line)
        elif found := _NAME.match(line):
            if len(fields) < _FIELDS:
                fields.append((_lower(found[1]), [line[found.end() :]]))
        elif not line.startswith((b"From ", b">From ")) or number:
            if known_from < 0:
                known_from = max((n for n, each in enumerate(lines) if _WELL_KNOWN.match(each)), default=0)
            if number > known_from:  # nobody put an empty line before the body
                problem = "no empty line between header and body" if fields else ""
                return Fields(_by_name(fields), _line_start(raw, start, number), problem)
            problem = "a line of the header is no header"
            if fields:  # a folded line that lost its leading blank
                fields[-1][1].append(b" " + line)
    return Fields(_by_name(fields), body, problem)


def _line_start(raw: bytes, at: int, number: int) -> int:
    for _ in range(number):
        at = raw.find(b"\n", at) + 1
    return at


def _by_name(fields: Sequence[tuple[str, Sequence[bytes]]]) -> dict[str, list[bytes]]:
    values: dict[str, list[bytes]] = {}
    for name, lines in fields:
        values.setdefault(name, []).append(b"".join(lines)[:_VALUE].strip())
    return values
