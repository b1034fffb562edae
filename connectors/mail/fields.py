"""A header block as its fields: raw bytes in, (lower-case name, unfolded bytes) out, in order; pure, linear."""

import re
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Fields", "read_fields"]

BLOCK = 1 << 20  # bytes of one header block
_FIELDS = 2_000
_VALUE = 256 << 10
_NAME = re.compile(rb"([!-9;-~]{1,100}+)[ \t]*+:[ \t]*+")
_WELL_KNOWN = re.compile(
    rb"(?i)(?:from|to|cc|subject|date|message-id|mime-version|content-[a-z-]+|received|return-path|reply-to|sender"
    rb"|in-reply-to|references|x-[a-z-]+|dkim-signature|delivered-to)[ \t]*:"
)


class Fields(NamedTuple):
    """One header block, and where the body begins."""

    values: dict[str, list[bytes]]  # lower-case name -> its values, topmost first
    body: int
    problem: str = ""

    def first(self, name: str) -> bytes:
        found = self.values.get(name)
        return found[0] if found else b""

    def all(self, name: str) -> Sequence[bytes]:
        return self.values.get(name, ())


def read_fields(raw: bytes, start: int, end: int) -> Fields:
    """The header block that begins at `start`; newlines are LF. What is no header begins the body."""
    if start >= end:
        return Fields({}, start)
    if raw.startswith(b"\n", start):
        return Fields({}, start + 1)
    limit = min(end, start + BLOCK)
    blank = raw.find(b"\n\n", start, limit)
    stop, body = (blank, blank + 2) if blank >= 0 else (limit, limit)
    lines = raw[start:stop].split(b"\n")
    values: dict[str, list[bytes]] = {}
    fields: list[tuple[str, list[bytes]]] = []
    problem = ""
    at = start
    known_from = -1  # the last line that is surely a header's, looked for once and only when a line is odd
    for number, line in enumerate(lines):
        if line[:1] in (b" ", b"\t"):
            if fields:
                fields[-1][1].append(line)
        elif found := _NAME.match(line):
            if len(fields) < _FIELDS:
                fields.append((found[1].decode("ascii").lower(), [line[found.end() :]]))
        elif not line.startswith((b"From ", b">From ")) or number:
            if known_from < 0:
                known_from = max((n for n, each in enumerate(lines) if _WELL_KNOWN.match(each)), default=0)
            if number > known_from:  # nobody put an empty line before the body
                return Fields(_gathered(fields), at, "no empty line between header and body" if fields else "")
            problem = "a line of the header is no header"
            if fields:  # a folded line that lost its leading blank
                fields[-1][1].append(b" " + line)
        at += len(line) + 1
    values = _gathered(fields)
    return Fields(values, min(body, end), problem)


def _gathered(fields: list[tuple[str, list[bytes]]]) -> dict[str, list[bytes]]:
    values: dict[str, list[bytes]] = {}
    for name, lines in fields:
        value = lines[0] if len(lines) == 1 else b"".join(lines)
        values.setdefault(name, []).append(value[:_VALUE].strip())
    return values
