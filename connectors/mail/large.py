"""A large letter in a file as a small one: its texts, and of each file in it the label alone; in little memory.

sketch    the lines that can be boundaries, and the beginning of what stands behind each: the same parts, but short ones
parts     of the sketch, and so where each part of the letter lies in its file
shortened the letter again, with the beginning of its long texts and nothing of its long files, which are only hashed
"""

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from agent.model import Attachment
from connectors.mail.bodies import ENCLOSED, PACKED, enclosed_name, is_attached, is_text
from connectors.mail.contents import content_in_blocks
from connectors.mail.fields import BLOCK
from connectors.mail.parts import MAX_PARTS, Part, read_parts
from connectors.text.plain import one_line

__all__ = ["MOST", "shortened"]

MOST = 16 << 20  # bytes of what is left of a letter, at the worst
_TEXTS_BYTES = 6 << 20  # of its long texts together ...
_EACH = 64 << 10  # ... but so much of each
_LITTLE = 16 << 10  # a shorter part is kept as it is
_SKETCH = 4 << 20
_BEHIND, _LEAST = 64 << 10, 512  # bytes behind a boundary: the header of a part, and of letters in it
_BOUNDARIES = 8 * MAX_PARTS
_LONGEST = 1_200  # bytes of a line that is looked at, with its neighbours
_READ = 1 << 20
_NAMES = 200
_NAMED = re.compile(rb"""(?i)boundary(?:\*0?\*?)?\s{0,9}=\s{0,9}(?:"([^"\r\n]{1,200})"|([^\s";]{1,200}))""")
_LINE = re.compile(rb"\n--([^\n]{1,200})")
_HEADER_FOLLOWS = rb"[^\n]{1,200}\n(?:Content|MIME)-[A-Za-z-]{1,30}:"


def shortened(file: BinaryIO, size: int) -> tuple[bytes, tuple[Attachment, ...]]:
    """What is read of a letter, and the labels of the files that were left out of it."""
    return _Shortening(_Source(file, size)).letter()


class _Source:
    """The file that holds the letter."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size = file, size

    def read(self, start: int, count: int) -> bytes:
        self.file.seek(start)
        return self.file.read(min(count, max(0, self.size - start)))

    def blocks(self, start: int, end: int) -> Iterator[bytes]:
        while start < end and (block := self.read(start, min(_READ, end - start))):
            yield block
            start += len(block)


class _Sketch(NamedTuple):
    """The letter without most of its bodies."""

    data: bytes
    here: list[int]  # where each stretch begins in the sketch ...
    there: list[int]  # ... and in the file


class _Shortening:
    """One letter on its way from the file to what is read of it."""

    def __init__(self, source: _Source) -> None:
        self.source = source
        self.sketch = _sketched(source)
        self.pieces: list[bytes] = []
        self.done = 0  # bytes of the sketch
        self.left = _TEXTS_BYTES
        self.has_text = False
        self.labels: list[Attachment] = []

    def letter(self) -> tuple[bytes, tuple[Attachment, ...]]:
        self.take(read_parts(self.sketch.data).root, enclosed=False)
        self.pieces.append(self.sketch.data[self.done :])
        return b"".join(self.pieces), tuple(self.labels)

    def take(self, part: Part, *, enclosed: bool) -> None:
        """A part and all in it; files of a letter in the letter are its own and get no label. At most 50 deep."""
        moves = part.content_type in ENCLOSED
        start, end = self.extent(part)
        if not part.children:
            self.take_leaf(part, start, end, enclosed=enclosed)
        elif moves and not enclosed and end - start > _EACH:
            self.label(part, enclosed_name(part, part.children[0].fields), "", start, end)
        for child in part.children:
            self.take(child, enclosed=enclosed or moves)

    def extent(self, part: Part) -> tuple[int, int]:
        """Where its body lies in the file."""
        first = bisect_left(self.sketch.here, part.start, 1) - 1
        last = bisect_right(self.sketch.here, part.end) - 1
        start = part.start - self.sketch.here[first] + self.sketch.there[first]
        if part.end == len(self.sketch.data):
            return start, self.source.size
        return start, max(start, part.end - self.sketch.here[last] + self.sketch.there[last])

    def take_leaf(self, part: Part, start: int, end: int, *, enclosed: bool) -> None:
        is_file = self.is_file(part)
        self.has_text = self.has_text or not is_file
        if end - start <= _LITTLE:
            self.put(part, self.source.read(start, end - start))
            return
        if is_file and not enclosed and is_attached(part):
            self.label(part, part.name, part.encoding, start, end)
        reads = not is_file or part.content_type in PACKED | ENCLOSED
        kept = self.source.read(start, min(end - start, max(self.left, _EACH))) if reads else b""
        self.left -= len(kept)
        if len(kept) < end - start:
            kept = kept[: kept.rfind(b"\n") + 1] or kept  # a line cut short would spoil base64
        self.put(part, kept)

    def is_file(self, part: Part) -> bool:
        if part.content_type == "text/calendar" or part.content_type.startswith("multipart/"):
            return bool(part.disposition == "attachment")
        return not is_text(part, self.has_text)

    def label(self, part: Part, name: str, encoding: str, start: int, end: int) -> None:
        hashed, size = hashlib.sha256(), 0
        for block in content_in_blocks(self.source.blocks(start, end), encoding):
            hashed.update(block)
            size += len(block)
        kind = one_line(part.content_type)[:100]
        self.labels.append(Attachment(name=name, content_type=kind, size=size, sha256=hashed.hexdigest()))

    def put(self, part: Part, body: bytes) -> None:
        self.pieces += (self.sketch.data[self.done : part.start], body)
        self.done = part.end


def _sketched(source: _Source) -> _Sketch:
    pieces: list[bytes] = []
    here, there = [0], [0]
    made = 0
    marks = _marks(source)
    begin, most = 0, BLOCK + _BEHIND
    while True:
        end = next(marks, source.size)
        piece = source.read(begin, min(most, end - begin))
        pieces.append(piece)
        made += len(piece)
        if end == source.size:
            return _Sketch(b"".join(pieces), here, there)
        here.append(made)
        there.append(end)
        begin, most = end, max(_LEAST, min(_BEHIND, (_SKETCH - made) // 16))


def _marks(source: _Source) -> Iterator[int]:
    """Where each line begins that can be a boundary, with the line break before it."""
    names: set[bytes] = set()
    _learn(names, source.read(0, BLOCK))
    pattern = _pattern(names)
    at = found = 0
    while at < source.size:
        block = source.read(at, _READ + _LONGEST)
        last = at + len(block) >= source.size
        seen = 0
        while (mark := pattern.search(block, seen)) and (last or mark.start() < _READ):
            seen, found = mark.end(), found + 1
            before = source.read(max(0, at + mark.start() - 2), 2)
            yield at + mark.start() - (len(before) - len(before.rstrip(b"\r")))
            if found == _BOUNDARIES:
                return
            if len(names) < _NAMES and _learn(names, source.read(at + mark.start(), _LITTLE)):
                pattern = _pattern(names)
        at += max(_READ, seen)


def _learn(names: set[bytes], stretch: bytes) -> bool:
    """The boundaries that a header names, or that the line above it is; and whether one of them is new."""
    before = len(names)
    names |= {(quoted or bare).rstrip() for quoted, bare in _NAMED.findall(stretch)}
    if line := _LINE.match(stretch):
        names |= {line[1].rstrip()} if line[1].rstrip().removesuffix(b"--") not in names else set()
    return len(names) > before


def _pattern(names: set[bytes]) -> re.Pattern[bytes]:
    known = b"|".join(re.escape(name) for name in sorted(names) if name)
    lines = rb"(?:%s)(?:--)?[ \t\r]{0,9}(?=\n|\Z)|" % known if known else b""
    return re.compile(rb"\n--(?:%s(?=%s))" % (lines, _HEADER_FOLLOWS))
