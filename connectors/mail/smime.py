"""S/MIME shells (RFC 8551, RFC 5652): which kind one is, and what a signed one holds; pure, bounded, never raises.

A signature hides nothing: the letter lies readable inside. Nothing is verified here.
"""

import zlib
from collections.abc import Iterator
from typing import Literal, NamedTuple

__all__ = ["Shell", "opened"]

Kind = Literal["signed", "encrypted", "compressed", "unknown"]

_KINDS: dict[bytes, Kind] = {
    bytes.fromhex("2a864886f70d010702"): "signed",  # 1.2.840.113549.1.7.2
    bytes.fromhex("2a864886f70d010703"): "encrypted",
    bytes.fromhex("2a864886f70d0109100117"): "encrypted",  # authEnvelopedData
    bytes.fromhex("2a864886f70d0109100109"): "compressed",
}
_DEPTH = 12
_PIECES = 100_000  # of one text: mailers write it in pieces of a kilobyte
_UNPACKED = 8 << 20
_SEQUENCE, _OCTETS, _OID = 0x30, 0x04, 0x06
_CONSTRUCTED = 0x20


class Shell(NamedTuple):
    """What kind of shell, and the letter in it; b"" when it cannot be read."""

    kind: Kind
    content: bytes = b""


class _Element(NamedTuple):
    """One value of BER: where its content stands."""

    tag: int
    start: int
    end: int


def opened(data: bytes) -> Shell:
    """The kind of a ContentInfo, and its innermost content as far as no key is needed."""
    info = _first(data, 0, len(data), _SEQUENCE)
    oid = _first(data, info.start, info.end, _OID) if info else None
    kind = _KINDS.get(data[oid.start : oid.end], "unknown") if oid else "unknown"
    if info is None or oid is None or kind not in ("signed", "compressed"):
        return Shell(kind)
    inner = _path(data, oid.end, info.end, 0xA0, _SEQUENCE)  # [0] EXPLICIT SignedData or CompressedData
    capsule = _capsule(data, inner) if inner else None
    wrapped = _first(data, capsule.start, capsule.end, 0xA0) if capsule else None
    content = b"".join(_octets(data, wrapped.start, wrapped.end)) if wrapped else b""
    if kind == "compressed":
        content = _inflated(content)
    return Shell(kind, content)


def _capsule(data: bytes, inner: _Element) -> _Element | None:
    """EncapsulatedContentInfo: the first sequence with a content; before it stand versions and algorithms."""
    sequences = [each for each in _values(data, inner.start, inner.end) if each.tag == _SEQUENCE]
    return next((each for each in sequences if _first(data, each.start, each.end, 0xA0)), None)


def _path(data: bytes, start: int, end: int, *tags: int) -> _Element | None:
    found: _Element | None = None
    for tag in tags:
        found = _first(data, start, end, tag)
        if found is None:
            return None
        start, end = found.start, found.end
    return found


def _first(data: bytes, start: int, end: int, tag: int) -> _Element | None:
    return next((each for each in _values(data, start, end) if each.tag == tag), None)


def _octets(data: bytes, start: int, end: int, depth: int = 0) -> Iterator[bytes]:
    """An OCTET STRING, whole or in pieces."""
    for number, each in enumerate(_values(data, start, end)):
        if number >= _PIECES:
            return
        if each.tag == _OCTETS:
            yield data[each.start : each.end]
        elif each.tag == _OCTETS | _CONSTRUCTED and depth < _DEPTH:
            yield from _octets(data, each.start, each.end, depth + 1)


def _values(data: bytes, start: int, end: int) -> Iterator[_Element]:
    """The values that stand side by side; of one without a length the end is looked for. What is cut off is short."""
    while start < end:
        header = _header(data, start, end)
        if header is None or data[start : start + 2] == b"\0\0":
            return
        tag, at, length = header
        stop = min(at + length, end) if length is not None else _end(data, at, end)
        yield _Element(tag, at, stop)
        start = stop if length is not None else stop + 2


def _header(data: bytes, at: int, end: int) -> tuple[int, int, int | None] | None:
    """Tag, where the content begins, its length (None: until 00 00); None when there is no value here."""
    if at + 2 > end or data[at] & 0x1F == 0x1F:  # a tag of several bytes occurs in no shell
        return None
    tag, first = data[at], data[at + 1]
    if first < 0x80:
        return tag, at + 2, first
    if first == 0x80:
        return (tag, at + 2, None) if tag & _CONSTRUCTED else None
    count = first & 0x7F
    if count > 6 or at + 2 + count > end:
        return None
    return tag, at + 2 + count, int.from_bytes(data[at + 2 : at + 2 + count], "big")


def _end(data: bytes, at: int, end: int) -> int:
    """Where a value without a length ends: at its own 00 00."""
    depth = 0
    while at + 2 <= end:
        if data[at : at + 2] == b"\0\0":
            if not depth:
                return at
            depth, at = depth - 1, at + 2
            continue
        header = _header(data, at, end)
        if header is None:
            return end
        _, at, length = header
        depth, at = (depth + 1, at) if length is None else (depth, at + length)
    return end


def _inflated(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, _UNPACKED)
    except zlib.error:
        return b""
