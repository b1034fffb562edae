"""winmail.dat (MS-OXTNEF): the files that Outlook packed into it, and its text; pure, bounded, never raises."""

import re
import struct
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from agent.model import Attachment
from connectors.mail.encoded import file_name

__all__ = ["Packed", "unpacked"]

_TYPE = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}")
_SIGNATURE = 0x223E9F78
_FILES, _PROPERTIES, _TEXT = 500, 2_000, 4_000_000
_NAME = 2_000  # bytes

# attributes, by number without their type
_TITLE, _DATA, _NEW_FILE, _FILE_PROPERTIES, _MESSAGE_PROPERTIES = 0x8010, 0x800F, 0x9002, 0x9005, 0x9003
_BODY, _CODE_PAGE = 0x800C, 0x9007

# MAPI properties
_P_BODY, _P_HTML, _P_CODE_PAGE = 0x1000, 0x1013, 0x3FDE
_P_LONG_NAME, _P_SHORT_NAME, _P_SHOWN, _P_TYPE, _P_DATA = 0x3707, 0x3704, 0x3001, 0x370E, 0x3701
_SIZES = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0xA: 4, 0xB: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_STRING8, _UNICODE, _BINARY, _OBJECT, _LONG = 0x1E, 0x1F, 0x102, 0xD, 3
_MANY, _NAMED = 0x1000, 0x8000


class Packed(NamedTuple):
    """What was found; nothing when it is no winmail.dat that can be read."""

    files: tuple[Attachment, ...] = ()
    text: bytes = b""
    is_html: bool = False
    charset: str = ""  # of the text
    whole: bool = True  # False: it is cut off or broken, and there may be more


class _Cut(Exception):
    """It ends inside something, or says nonsense."""


def unpacked(data: bytes) -> Packed | None:
    """What a winmail.dat holds; None when it is none."""
    if len(data) < 6 or struct.unpack_from("<I", data)[0] != _SIGNATURE:
        return None
    reader = _Reader()
    try:
        for number, value in _attributes(data):
            try:
                reader.take(number, value)
            except _Cut:  # the properties of one file harm no other
                reader.whole = False
    except _Cut:
        reader.whole = False
    return reader.packed()


class _Reader:
    """What has been read so far; titles and contents come one after another, file by file."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.types: list[str] = []
        self.contents: list[memoryview] = []
        self.bodies: dict[int, bytes] = {}  # by the kind of value or attribute
        self.code_page = self.text_page = 0
        self.whole = True

    def take(self, number: int, value: memoryview) -> None:
        if len(self.names) >= _FILES:
            raise _Cut
        if number == _NEW_FILE:
            self.names.append("")
            self.types.append("")
            self.contents.append(memoryview(b""))
        elif number == _CODE_PAGE and len(value) >= 4:
            self.code_page = struct.unpack_from("<I", value)[0]
        elif number == _BODY:
            self.bodies[_BODY] = bytes(value[:_TEXT]).rstrip(b"\0")
        elif number == _MESSAGE_PROPERTIES:
            for name, kind, content in _properties(value):
                self.message_property(name, kind, content)
        elif self.names:
            self.take_of_file(number, value)

    def take_of_file(self, number: int, value: memoryview) -> None:
        if number == _TITLE:
            self.names[-1] = self.names[-1] or self.decoded(value, _STRING8)
        elif number == _DATA:
            self.contents[-1] = value
        elif number == _FILE_PROPERTIES:
            found = {name: (kind, content) for name, kind, content in _properties(value)}
            for name in (_P_SHOWN, _P_SHORT_NAME, _P_LONG_NAME):
                if name in found and (text := self.decoded(found[name][1], found[name][0])):
                    self.names[-1] = text
            if _P_TYPE in found:
                told = self.decoded(found[_P_TYPE][1], found[_P_TYPE][0]).lower()
                self.types[-1] = told if _TYPE.fullmatch(told) else ""
            if _P_DATA in found and not self.contents[-1]:
                self.contents[-1] = found[_P_DATA][1]

    def message_property(self, name: int, kind: int, content: memoryview) -> None:
        if name == _P_CODE_PAGE and kind == _LONG:
            self.text_page = struct.unpack_from("<I", content)[0]
        elif name == _P_HTML:
            self.bodies[_P_HTML] = bytes(content[:_TEXT]).rstrip(b"\0")
        elif name == _P_BODY and kind in (_STRING8, _UNICODE):
            text = bytes(content[:_TEXT])
            self.bodies[kind] = text.decode("utf-16-le", "replace").rstrip("\0").encode() if kind == _UNICODE else text

    def decoded(self, value: memoryview, kind: int) -> str:
        text = bytes(value[:_NAME])
        if kind == _UNICODE:
            return text.decode("utf-16-le", "replace").partition("\0")[0]
        try:
            return text.partition(b"\0")[0].decode(f"cp{self.code_page or 1252}", "replace")
        except LookupError:
            return text.partition(b"\0")[0].decode("cp1252", "replace")

    def packed(self) -> Packed:
        files = tuple(
            Attachment(
                name=file_name(name),
                content_type=kind
                if kind.isascii() and kind.isprintable() and "/" in kind
                else "application/octet-stream",
                size=len(content),
                sha256=sha256(content).hexdigest(),
            )
            for name, kind, content in zip(self.names, self.types, self.contents, strict=True)
        )
        page = f"cp{self.code_page}" if self.code_page else ""
        own_page = "utf-8" if self.text_page == 65001 else f"cp{self.text_page}" if self.text_page else page
        for kind, charset in ((_UNICODE, "utf-8"), (_STRING8, own_page), (_BODY, page)):
            if text := self.bodies.get(kind, b"").rstrip(b"\0"):
                return Packed(files, text, False, charset, self.whole)
        return Packed(files, self.bodies.get(_P_HTML, b""), True, own_page, self.whole)


def _attributes(data: bytes) -> Iterator[tuple[int, memoryview]]:
    view, at = memoryview(data), 6
    while at < len(data):
        if at + 9 > len(data):
            raise _Cut
        _, number, length = struct.unpack_from("<BII", data, at)
        yield number & 0xFFFF, view[at + 9 : at + 9 + length]
        at += 9 + length + 2
    if at > len(data):
        raise _Cut


def _properties(value: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """(number, kind, content) of MAPI properties that have one value; the others are passed over."""
    try:
        (count,) = struct.unpack_from("<I", value)
        at = 4
        for _ in range(min(count, _PROPERTIES)):
            kind, name = struct.unpack_from("<HH", value, at)
            at += 4
            if name >= _NAMED:
                at = _behind_name(value, at)
            contents, at = _contents(value, at, kind)
            if len(contents) == 1:
                yield name, kind & ~_MANY, contents[0]
    except struct.error:
        raise _Cut from None


def _behind_name(value: memoryview, at: int) -> int:
    (is_text, size) = struct.unpack_from("<II", value, at + 16)
    return at + 24 + (_padded(size) if is_text else 0)


def _contents(value: memoryview, at: int, kind: int) -> tuple[list[memoryview], int]:
    count, contents = 1, []
    variable = kind & ~_MANY in (_STRING8, _UNICODE, _BINARY, _OBJECT)
    if kind & _MANY or variable:
        (count,) = struct.unpack_from("<I", value, at)
        at += 4
    if not variable and kind & ~_MANY not in _SIZES:
        raise _Cut
    for _ in range(min(count, _PROPERTIES)):
        size = _SIZES.get(kind & ~_MANY, 0)
        if variable:
            (size,) = struct.unpack_from("<I", value, at)
            at += 4
        if at + size > len(value):
            raise _Cut
        contents.append(value[at : at + size])
        at += _padded(size)
    return contents, at


def _padded(size: int) -> int:
    return (size + 3) // 4 * 4
