"""What the body of a part holds, decoded: all at once, or block by block where it is too long to be held; linear.

What is broken in it is left out.
"""

import binascii
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from pybase64 import b64decode

from connectors.mail.fields import plain_newlines
from connectors.mail.parts import Part

__all__ = ["content_in_blocks", "content_of", "without_uuencoded"]

_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
_SOFT_BREAK_WITH_BLANKS = re.compile(rb"=[ \t]{1,100}\n")
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} ([^\n]{1,255})$", re.MULTILINE)
_UU_LINE = re.compile(rb"[\x20-\x60]{1,90}\s{0,3}\Z")
_UU = frozenset(("x-uuencode", "uuencode", "x-uue", "uue"))
_LONG_LINE = 1 << 20  # a longer line is decoded in pieces


def content_of(part: Part) -> bytes:
    """The decoded bytes of a part."""
    if part.encoding == "base64":
        return _base64(part)
    if part.encoding == "quoted-printable":
        return _quoted_printable(part.body)
    if part.encoding in _UU:
        return _uudecoded(part.body.split(b"\n"))
    return part.body


def content_in_blocks(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The same of a body that comes in blocks."""
    plain = _with_plain_newlines(blocks)
    if encoding == "base64":
        return _base64_in_blocks(plain)
    if encoding == "quoted-printable":
        return map(_quoted_printable, _whole_lines(plain))
    if encoding in _UU:
        return (_uudecoded(block.split(b"\n")) for block in _whole_lines(plain))
    return plain


def _uudecoded(lines: list[bytes]) -> bytes:
    """What uuencoded lines hold, without their `begin` and `end`; a broken line is left out."""
    pieces: list[bytes] = []
    for line in lines:
        if line.startswith((b"begin ", b"end")) or not line.strip():
            continue
        try:
            pieces.append(binascii.a2b_uu(line))
        except binascii.Error:  # a line that a mailer made too long is cut to the length that it names
            length = ((line[0] - 32) & 63) * 4 // 3 + 4
            try:
                pieces.append(binascii.a2b_uu(line[:length]))
            except binascii.Error:
                continue
    return b"".join(pieces)


def without_uuencoded(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """A text without the files that old mailers wrote into it, and those: name and content."""
    files: list[tuple[bytes, bytes]] = []
    pieces: list[bytes] = []
    at = 0
    ends = True
    for found in _UU_BEGIN.finditer(data):
        if found.start() < at:
            continue
        begun = data[found.end() + 1 : found.end() + 301].partition(b"\nend")[0]
        if not all(map(_UU_LINE.match, begun.split(b"\n")[:3])):
            continue
        end = data.find(b"\nend", found.end()) if ends else -1
        if end < 0:  # it is cut off
            end, ends = len(data), False
        lines = data[found.end() + 1 : end].split(b"\n")
        files.append((found[1], _uudecoded(lines)))
        pieces.append(data[at : found.start()])
        at = end + 4
    return b"".join((*pieces, data[at:])), files


def _quoted_printable(body: bytes) -> bytes:
    if b"= \n" in body or b"=\t\n" in body:
        body = _SOFT_BREAK_WITH_BLANKS.sub(b"=\n", body)
    return binascii.a2b_qp(body)


def _base64(part: Part) -> bytes:
    """Base64 as it should be; or with junk in it, without padding, with padding inside, with a scanner's footer."""
    letter, start, end = part.letter, part.start, part.end
    padding = letter.find(b"=", start, end)
    if letter.find(b" ", start, end) < 0 and (padding < 0 or not letter[padding:end].strip(b"=\r\n")):
        with suppress(binascii.Error):
            return b64decode(memoryview(letter)[start:end])
    body = part.body
    head, gap, below = body.strip().partition(b"\n\n")
    if gap and b" " in below:
        body = head
    data = body.translate(None, _NOT_BASE64)
    pieces = data.split(b"=") if b"=" in data.rstrip(b"=") else [data.rstrip(b"=")]
    return b"".join(_whole(piece) for piece in pieces if piece)


def _whole(data: bytes) -> bytes:
    data = data[:-1] if len(data) % 4 == 1 else data
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4))


# -- block by block -------------------------------------------------------------------------------------------------


def _with_plain_newlines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """LF only. A block that ends in CR keeps it back: its LF may follow."""
    held = b""
    for block in blocks:
        both = held + block
        cut = len(both) - (len(both[-2:]) - len(both[-2:].rstrip(b"\r")))
        held = both[cut:]
        yield plain_newlines(both[:cut])
    yield held


def _whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks that end with a line, or, where a line has no end, not inside of =XX."""
    held = b""
    for block in blocks:
        both = held + block
        cut = both.rfind(b"\n") + 1
        if not cut and len(both) > _LONG_LINE:
            escape = both.rfind(b"=", len(both) - 2)
            cut = escape if escape >= 0 else len(both)
        held = both[cut:]
        yield both[:cut]
    yield held


def _base64_in_blocks(blocks: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for block in blocks:
        *ended, held = (held + block.translate(None, _NOT_BASE64)).split(b"=")
        yield from (_whole(piece) for piece in ended if piece)
        cut = len(held) - len(held) % 4
        yield b64decode(held[:cut])
        held = held[cut:]
    yield _whole(held)
