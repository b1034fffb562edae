"""Of a large letter in a file no less is read than of a small one."""

import base64
import binascii
import io
from collections.abc import Callable
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model import Attachment, Message
from connectors.mail import large
from connectors.mail.contents import content_in_blocks, content_of
from connectors.mail.fields import Fields
from connectors.mail.mime import parse
from connectors.mail.parts import Part
from tests.mail.odd_letters import ODD
from tests.mail.test_letters import EACH

HEAD = b"From: a@client.example\nTo: b@ours.example\nSubject: Plans\nDate: Mon, 6 Jul 2026 10:00:00 +0000\n"
TEXT = "Добрый день, чертежи во вложении. ".encode()

ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "base64": base64.encodebytes,
    "quoted-printable": lambda data: binascii.b2a_qp(data, istext=False),
    "8bit": bytes,
    "x-uuencode": lambda data: b"".join(binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45)),
}


def part(kind: str, encoding: str, data: bytes, *more: str) -> bytes:
    lines = [f"Content-Type: {kind}", f"Content-Transfer-Encoding: {encoding}", *more, "", ""]
    return "\n".join(lines).encode() + ENCODINGS[encoding](data)


def mixed(*parts: bytes, boundary: bytes = b"=_part.of+this?letter", subtype: bytes = b"mixed") -> bytes:
    inside = b"".join(b"\n--" + boundary + b"\n" + each for each in parts)
    head = b"Content-Type: multipart/" + subtype + b';\n\tboundary="' + boundary + b'"\n\n'
    return head + b"a preamble" + inside + b"\n--" + boundary + b"--\nan epilogue\n"


def read(raw: bytes, size: int, left_out: tuple[Attachment, ...] = ()) -> Message:
    """What is read; that a text was cut inside a character is the same letter still."""
    message = parse(raw, None, size, left_out)
    problems = tuple(each for each in message.problems if "characters of the text" not in each)
    return msgspec.structs.replace(message, problems=problems)


def both(raw: bytes) -> tuple[Message, Message]:
    kept, left_out = large.shortened(io.BytesIO(raw), len(raw))
    assert len(kept) <= large.MOST
    return read(kept, len(raw), left_out), read(raw, len(raw))


LETTERS = {letter.stem: letter.read_bytes() for letter in EACH} | {name: raw for name, (raw, _) in ODD.items()}


@pytest.mark.parametrize("name", LETTERS)
def test_a_letter_is_the_same_when_its_files_are_left_out(name: str) -> None:
    ours, whole = both(LETTERS[name])
    assert ours == whole


DATA = b"%PDF-1.7\n" + bytes(range(256)) * 6_000
WORDS = "Протокол встречи; -- согласовано.\n--не граница\n".encode() * 90_000
SHORT = part("text/plain; charset=utf-8", "8bit", TEXT)
LAST = part("text/plain; charset=utf-8", "8bit", "Ждём ответа.".encode())
FILE = part("a/b; name=x", "base64", DATA)
ENCLOSED = b"Content-Type: message/rfc822\n\n" + HEAD + mixed(SHORT, FILE, boundary=b"in")
LARGE = {
    **{
        f"a file in {encoding}": mixed(SHORT, part("application/pdf; name=plan.pdf", encoding, DATA), LAST)
        for encoding in ("base64", "quoted-printable", "x-uuencode")
    },
    "a file of lines that look like boundaries": mixed(SHORT, part("text/csv; name=a.csv", "8bit", WORDS), LAST),
    "two files of one name": mixed(
        SHORT, *(part("a/b; name=scan.jpg", "base64", data) for data in (DATA, DATA[:-1], b"small")), LAST
    ),
    "a text that is attached": mixed(
        SHORT, part("text/plain", "8bit", WORDS, "Content-Disposition: attachment; filename=log.txt"), LAST
    ),
    "the text itself": part("text/plain; charset=utf-8", "8bit", WORDS),
    "the text itself, in base64": part("text/plain; charset=utf-8", "base64", WORDS),
    "the text itself, in quoted-printable": part("text/plain; charset=utf-8", "quoted-printable", WORDS),
    "a page": part("text/html; charset=utf-8", "base64", b"<p>" + WORDS.replace(b"\n", b"<br>")),
    "one file and nothing else": part("application/zip; name=all.zip", "base64", DATA),
    "a letter with its own file": mixed(SHORT, ENCLOSED, LAST),
    "nested parts": mixed(mixed(SHORT, boundary=b"b2", subtype=b"alternative"), FILE),
    "one that is cut off": mixed(SHORT, FILE)[:-200_000],
    "one whose boundary is named nowhere": mixed(SHORT, FILE).replace(b'"=_', b'"=x'),
    "carriage returns": mixed(SHORT, FILE, LAST).replace(b"\n", b"\r\n"),
    "two carriage returns": mixed(SHORT, FILE, LAST).replace(b"\n", b"\r\r\n"),
    "a signed letter": mixed(
        mixed(SHORT, FILE, boundary=b"in"),
        part("application/pgp-signature; name=s.asc", "8bit", b"-----BEGIN PGP SIGNATURE-----"),
        subtype=b"signed",
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_of_a_large_letter_as_much_is_read_as_of_a_small_one(name: str) -> None:
    ours, whole = both(HEAD + LARGE[name])
    assert ours == whole


@settings(max_examples=200)
@given(
    body=st.lists(st.sampled_from([b"=", b"=\n", b"\r", b"\n", b"\r\n", b"QUJD", b"Q", b"=D0", b"= \n", b"#0V%T\n"])),
    cuts=st.lists(st.integers(0, 200)),
    encoding=st.sampled_from(["quoted-printable", "8bit", "x-uuencode"]),
)
def test_a_content_is_the_same_in_whatever_blocks_it_comes(body: list[bytes], cuts: list[int], encoding: str) -> None:
    raw = b"".join(body)
    edges = sorted({0, len(raw), *(min(cut, len(raw)) for cut in cuts)})
    blocks = [raw[a:b] for a, b in pairwise(edges)]
    part = Part(Fields({}, 0), "a/b", {}, encoding=encoding, letter=raw, end=len(raw))
    assert b"".join(content_in_blocks(blocks, encoding)) == content_of(part)


@settings(max_examples=200)
@given(data=st.binary(max_size=300), width=st.integers(1, 90), size=st.integers(1, 50))
def test_base64_is_the_same_in_whatever_blocks_it_comes(data: bytes, width: int, size: int) -> None:
    text = base64.b64encode(data)
    raw = b"\r\n".join(text[at : at + width] for at in range(0, len(text), width))
    blocks = [raw[at : at + size] for at in range(0, len(raw), size)]
    assert b"".join(content_in_blocks(blocks, "base64")) == data


@pytest.mark.parametrize("line", [b"--b\n", b"--b--\n", b"--\n", b"--b\nContent-Type: a/b\n\nx\n", b'boundary="a";\n'])
def test_a_large_letter_of_boundaries_leaves_little(line: bytes) -> None:
    raw = HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + line * (40_000_000 // len(line))
    kept, _ = large.shortened(io.BytesIO(raw), len(raw))
    assert len(kept) <= large.MOST
