"""Large letters: which parts of one are fetched, and a whole letter made of them again; pure.

A letter of 20 MB is some text and files that are not kept anyway. So its text and invitations are fetched, each file
is known by its label, and what comes out is a letter like any other: the parser needs no special case.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.utils import collapse_rfc2231_value, decode_params
from typing import Any

import msgspec

from agent.model import Attachment

PART_CAP = 4 << 20  # more than is read of a text, however it is encoded
LETTER_CAP = 6 << 20
HEADER_CAP = 256 << 10

_MAX_PARTS, _MAX_TEXTS, _MAX_DEPTH = 500, 30, 40
_TEXTS = frozenset({"text/plain", "text/html", "text/calendar", "text/enriched", "message/delivery-status"})
_NAME = re.compile(r"[a-z0-9!#$&^_.+-]{1,80}\Z")
_ENCODINGS = frozenset({"7bit", "8bit", "binary", "base64", "quoted-printable"})
_OURS = re.compile(rb"(?i)(?:content-type|content-transfer-encoding|content-disposition|mime-version)[ \t]*:")


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """One part without parts of its own."""

    spec: str  # its IMAP number: 1.2
    content_type: str
    params: tuple[tuple[str, str], ...]
    encoding: str
    size: int  # bytes, encoded
    name: str = ""  # of its file
    take: int = 0  # bytes to fetch; 0: it stays on the server


class Multi(msgspec.Struct, frozen=True, kw_only=True):
    """One multipart."""

    subtype: str
    params: tuple[tuple[str, str], ...]
    parts: tuple["Leaf | Multi", ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is fetched of one large letter."""

    root: Leaf | Multi
    texts: tuple[Leaf, ...]
    attachments: tuple[Attachment, ...]

    @property
    def cost(self) -> int:
        return sum(leaf.take for leaf in self.texts)

    @property
    def items(self) -> str:
        """The FETCH items; letters of one layout have the same and are fetched together."""
        wanted = [f"BODY.PEEK[HEADER]<0.{HEADER_CAP}>"]
        for leaf in self.texts:
            if isinstance(self.root, Multi):  # a letter without parts has its only part's header as its own
                wanted.append(f"BODY.PEEK[{leaf.spec}.MIME]<0.{HEADER_CAP}>")
            wanted.append(f"BODY.PEEK[{leaf.spec}]<0.{leaf.take}>")
        return " ".join(wanted)


def plan(structure: Any) -> Plan | None:
    """Decide what to fetch, from BODYSTRUCTURE; None when the structure is absurd."""
    try:
        root = _node(structure, "", 0)
    except (TypeError, ValueError, IndexError, RecursionError):
        return None
    leaves = list(_leaves(root))
    if not 1 <= len(leaves) <= _MAX_PARTS:
        return None
    texts: list[Leaf] = []
    left = LETTER_CAP
    for leaf in leaves:
        take = min(leaf.size, PART_CAP, left) if _is_text(leaf) and len(texts) < _MAX_TEXTS else 0
        if take:  # a round number: what a server has less of, it gives less, and the layouts are fewer
            texts.append(msgspec.structs.replace(leaf, take=1 << max(10, (take - 1).bit_length())))
            left -= take
    files = tuple(_attachment(leaf) for leaf in leaves if not _is_text(leaf))
    return Plan(root=root, texts=tuple(texts), attachments=files)


def rebuild(planned: Plan, answer: Mapping[bytes, Any]) -> bytes | None:
    """A letter of the header and the parts that were fetched; None when the server left something out."""
    header = answer.get(b"BODY[HEADER]<0>")
    if not isinstance(header, bytes):
        return None
    parts: dict[str, bytes] = {}
    single = isinstance(planned.root, Leaf)
    for leaf in planned.texts:
        mime = b"" if single else answer.get(f"BODY[{leaf.spec}.MIME]<0>".encode())
        body = answer.get(f"BODY[{leaf.spec}]<0>".encode())
        if not isinstance(body, bytes) or not isinstance(mime, bytes):
            return None
        if leaf.take < leaf.size:
            body = body[: body.rfind(b"\n") + 1] or body  # a line cut short would spoil base64
        parts[leaf.spec] = _block(mime) + body
    if isinstance(planned.root, Leaf):
        kept = _block(header) if planned.texts else _without_mime(header) + _head("text/plain", ())
        return kept + parts.get(planned.root.spec, b"")
    mark = hashlib.sha256(b"\0".join([header, *parts.values()])).hexdigest()[:32]
    return _without_mime(header) + b"MIME-Version: 1.0\r\n" + _written(planned.root, parts, mark)


def _written(node: Multi, parts: Mapping[str, bytes], mark: str) -> bytes:
    """A multipart of what was fetched, header first. Its boundary is a hash of the content, which cannot hold it."""
    children = [
        _written(child, parts, f"{mark}.{number}") if isinstance(child, Multi) else parts[child.spec]
        for number, child in enumerate(node.parts)
        if isinstance(child, Multi) or child.spec in parts
    ] or [_head("text/plain", ())]
    line = f"--=_{mark}=".encode()
    kept = tuple((key, value) for key, value in node.params if key != "boundary")
    return (
        _head(f"multipart/{node.subtype}", (*kept, ("boundary", f"=_{mark}=")))
        + b"".join(line + b"\r\n" + child + b"\r\n" for child in children)
        + line
        + b"--\r\n"
    )


def _head(content_type: str, params: Sequence[tuple[str, str]]) -> bytes:
    safe = [(key, value) for key, value in params if _NAME.match(key) and value.isascii() and value.isprintable()]
    written = "".join(f';\r\n {key}="' + value.replace("\\", "").replace('"', "") + '"' for key, value in safe)
    return f"Content-Type: {content_type}{written}\r\n\r\n".encode()


def _block(header: bytes) -> bytes:
    """A header block that ends with its one empty line."""
    return header.rstrip(b"\r\n") + b"\r\n\r\n" if header.strip() else b"\r\n"


def _without_mime(header: bytes) -> bytes:
    """The letter's own header without the fields that speak of the parts it no longer has."""
    kept: list[bytes] = []
    dropping = False
    for line in header.rstrip(b"\r\n").split(b"\n"):
        if not line.startswith((b" ", b"\t")):
            dropping = _OURS.match(line) is not None
        if not dropping and line.strip():
            kept.append(line.rstrip(b"\r"))
    return b"".join(line + b"\r\n" for line in kept)


def _is_text(leaf: Leaf) -> bool:
    return leaf.content_type in _TEXTS and (not leaf.name or leaf.content_type == "text/calendar")


def _attachment(leaf: Leaf) -> Attachment:
    size = leaf.size * 57 // 78 if leaf.encoding == "base64" else leaf.size  # lines of 76 and a line break
    return Attachment(name=leaf.name, content_type=leaf.content_type, size=size)


def _leaves(node: Leaf | Multi) -> Iterator[Leaf]:
    if isinstance(node, Leaf):
        yield node
        return
    for part in node.parts:
        yield from _leaves(part)


def _node(raw: Any, spec: str, depth: int) -> Leaf | Multi:
    if depth > _MAX_DEPTH or not isinstance(raw, tuple):
        raise ValueError("no body structure")
    if isinstance(raw[0], list):
        prefix = f"{spec}." if spec else ""
        children = tuple(_node(part, f"{prefix}{number}", depth + 1) for number, part in enumerate(raw[0], 1))
        subtype = _word(raw[1])
        params = _params(raw[2]) if len(raw) > 2 else ()
        return Multi(subtype=subtype if _NAME.match(subtype) else "mixed", params=params, parts=children)
    content_type = f"{_word(raw[0])}/{_word(raw[1])}"
    size = raw[6]
    if not isinstance(size, int) or size < 0:
        raise ValueError("a part without a size")
    params = _params(raw[2])
    disposition, named = _disposition(raw, content_type)
    name = _file_name(named, "filename") or _file_name(params, "name")
    if not name and disposition == "attachment":
        name = "attachment"
    encoding = _word(raw[5])
    return Leaf(
        spec=spec or "1",
        content_type=content_type,
        params=params,
        encoding=encoding if encoding in _ENCODINGS else "",
        size=size,
        name=name if disposition or content_type not in _TEXTS else "",  # some programs name the text itself
    )


def _disposition(raw: tuple[Any, ...], content_type: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Content-Disposition stands behind the fields of its type (RFC 3501, 7.4.2)."""
    place = 9 if content_type.startswith("text/") else 11 if content_type == "message/rfc822" else 8
    found = raw[place] if len(raw) > place else None
    if not isinstance(found, tuple) or not found:
        return "", ()
    return _word(found[0]), _params(found[1]) if len(found) > 1 else ()


def _params(raw: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(raw, tuple):
        return ()
    return tuple((_word(key), _text(value)) for key, value in zip(raw[:60:2], raw[1:60:2], strict=False))


def _file_name(params: Sequence[tuple[str, str]], wanted: str) -> str:
    """A file's name, whichever way it is encoded: RFC 2231, RFC 2047 or not at all."""
    mine = [(key, value[:1000]) for key, value in params if key.partition("*")[0] == wanted]
    if not mine:
        return ""
    try:
        value = collapse_rfc2231_value(decode_params([("", ""), *mine])[1][1])
        if "=?" in value:
            value = str(make_header(decode_header(value)))
    except (ValueError, LookupError, HeaderParseError, TypeError, IndexError):
        value = mine[0][1]
    return "".join(char for char in value if char.isprintable()).strip('" ')[:255]


def _word(value: Any) -> str:
    return _text(value).lower()


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)
