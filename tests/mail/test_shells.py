"""Letters in shells: signed, encrypted and compressed ones of S/MIME, and winmail.dat of Outlook."""

import base64
import struct
import time
import zlib
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import Message
from connectors.mail.mime import parse
from connectors.mail.smime import opened
from connectors.mail.tnef import unpacked

HEAD = b"From: iben@holtlab.example\nTo: anna@ours.example\nSubject: Order\nDate: Tue, 14 Apr 2026 10:21:07 +0300\n"
INNER = (
    'Content-Type: multipart/mixed; boundary="in"\r\n\r\n--in\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n'
    "Заказываем два станка.\r\n--in\r\nContent-Type: application/pdf; name=order.pdf\r\n\r\n%PDF\r\n--in--\r\n"
).encode()

# -- S/MIME


def der(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    count = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | count]) + size.to_bytes(count, "big") + content


def endless(tag: int, *contents: bytes) -> bytes:
    """A value whose length is not told, as programs write that do not know it yet."""
    return bytes([tag, 0x80]) + b"".join(contents) + b"\0\0"


def oid(last: str) -> bytes:
    return der(0x06, bytes.fromhex("2a864886f70d01" + last))


def shell(kind: str, content: bytes, before: bytes = b"") -> bytes:
    capsule = der(0x30, oid("0701"), der(0xA0, der(0x04, content)))
    return der(0x30, oid(kind), der(0xA0, der(0x30, der(0x02, b"\1"), before, capsule, der(0x31))))


def signed(content: bytes) -> bytes:
    return shell("0702", content, der(0x31, der(0x30, oid("0702"))))


def signed_in_pieces(content: bytes) -> bytes:
    pieces = [der(0x04, content[at : at + 100]) for at in range(0, len(content), 100)]
    capsule = endless(0x30, oid("0701"), endless(0xA0, endless(0x24, *pieces)))
    return endless(0x30, oid("0702"), endless(0xA0, endless(0x30, der(0x02, b"\1"), der(0x31), capsule)))


def compressed(content: bytes) -> bytes:
    return shell("09100109", zlib.compress(content), der(0x30, oid("09100308")))


def encrypted(content: bytes) -> bytes:
    return der(0x30, oid("0703"), der(0xA0, der(0x30, der(0x02, b"\0"), der(0x31), der(0x30, oid("0701"), content))))


def letter(content: bytes, kind: str = "application/pkcs7-mime", name: str = "smime.p7m") -> Message:
    head = f'Content-Type: {kind}; name="{name}"\nContent-Transfer-Encoding: base64\n\n'
    return parse(HEAD + head.encode() + base64.encodebytes(content))


@pytest.mark.parametrize(
    "content",
    [
        signed(INNER),
        signed_in_pieces(INNER),
        compressed(INNER),
        signed(b'Content-Type: application/pkcs7-mime; name="in.p7m"\r\n\r\n' + signed(INNER)),
    ],
    ids=["signed", "signed in pieces", "compressed", "signed twice"],
)
def test_a_letter_in_a_shell_without_a_lock_is_read(content: bytes) -> None:
    message = letter(content)
    assert message.text == "Заказываем два станка."
    assert {"smime.p7m", "order.pdf"} <= {each.name for each in message.attachments}
    assert message.problems == ()


def test_the_beginning_of_a_signed_letter_that_is_cut_off_is_read() -> None:
    assert letter(signed(INNER)[:-60]).text == "Заказываем два станка."


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (encrypted(INNER), "the letter is encrypted: its text cannot be read"),
        (shell("0702", b""), "the letter is signed in an opaque S/MIME shell: its text cannot be read"),
        (shell("09100109", b"no zlib"), "the letter is compressed in an S/MIME shell: its text cannot be read"),
        (b"", "the letter is encrypted: its text cannot be read"),
    ],
    ids=["encrypted", "signed and empty", "compressed and broken", "nothing"],
)
def test_of_a_shell_that_stays_shut_it_is_said_what_it_is(content: bytes, problem: str) -> None:
    message = letter(content)
    assert (message.text, [each.name for each in message.attachments]) == ("", ["smime.p7m"])
    assert message.problems == (problem,)


def test_shells_in_shells_end() -> None:
    content = INNER
    for _ in range(30):
        content = b"Content-Type: application/pkcs7-mime\r\n\r\n" + signed(content)
    assert letter(signed(content)).text == ""


@pytest.mark.parametrize("piece", [b"\x30\x80", b"\x24\x80", b"\x30\x00", b"\x04\x01a", b"\xa0\x80", b"\0\0"])
def test_a_hostile_shell_takes_no_longer_than_its_length_deserves(piece: bytes) -> None:
    for before in (b"", signed_in_pieces(b"")[:40]):
        began = time.process_time()
        opened(before + piece * (2_000_000 // len(piece)))
        assert time.process_time() - began < 4


@given(st.binary(max_size=300), st.integers(0, 300), st.sampled_from([signed, signed_in_pieces, compressed, encrypted]))
def test_no_damage_to_a_shell_makes_it_raise(junk: bytes, at: int, make: object) -> None:
    content = make(INNER)  # type: ignore[operator]
    opened(content[:at] + junk + content[at + 3 :])


def test_a_compressed_bomb_is_not_unpacked() -> None:
    assert len(opened(compressed(b"0" * 50_000_000)).content) <= 8 << 20


# -- winmail.dat


def attribute(level: int, number: int, data: bytes) -> bytes:
    return struct.pack("<BII", level, number, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def prop(number: int, kind: int, data: bytes) -> bytes:
    head = struct.pack("<HH", kind, number)
    if kind == 3:
        return head + data
    return head + struct.pack("<II", 1, len(data)) + data + b"\0" * (-len(data) % 4)


def props(*each: bytes) -> bytes:
    return struct.pack("<I", len(each)) + b"".join(each)


def a_file(title: bytes, data: bytes, *more: bytes) -> bytes:
    made = attribute(2, 0x00069002, b"\0" * 14) + attribute(2, 0x00018010, title + b"\0")
    made += attribute(2, 0x0006800F, data)
    return made + (attribute(2, 0x00069005, props(*more)) if more else b"")


def winmail(*attributes: bytes) -> bytes:
    page = attribute(1, 0x00069007, struct.pack("<II", 1251, 0))
    return struct.pack("<IH", 0x223E9F78, 1) + attribute(1, 0x00089006, b"\0\0\1\0") + page + b"".join(attributes)


LONG_NAME = prop(0x3707, 0x1F, "Договор поставки 12.docx\0".encode("utf-16-le"))
TYPE = prop(0x370E, 0x1E, b"application/msword\0")
NAMED = struct.pack("<HH", 3, 0x8005) + b"\1" * 16 + struct.pack("<II", 0, 0x8514) + b"\0\0\0\1"
FILES = (a_file(b"DOGOVO~1.DOC", b"PK", NAMED, LONG_NAME, TYPE), a_file("Счёт.pdf".encode("cp1251"), b"%PDF"))


def packed_letter(content: bytes, text: bytes = b"") -> Message:
    part = b"Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\n"
    own = b"--b\nContent-Type: text/plain; charset=utf-8\n\n" + text + b"\n" if text else b""
    head = HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + own
    return parse(head + b"--b\n" + part + base64.encodebytes(content) + b"--b--\n")


def test_the_files_in_winmail_dat_are_named() -> None:
    message = packed_letter(winmail(*FILES), "Договор и счёт во вложении.".encode())
    assert [(each.name, each.content_type, each.size) for each in message.attachments[1:]] == [
        ("Договор поставки 12.docx", "application/msword", 2),
        ("Счёт.pdf", "application/octet-stream", 4),
    ]
    assert message.attachments[0].name == "winmail.dat"
    assert message.attachments[2].sha256 == sha256(b"%PDF").hexdigest()
    assert message.text == "Договор и счёт во вложении."
    assert message.problems == ("the letter came packed in winmail.dat, as Outlook does",)


@pytest.mark.parametrize(
    "body",
    [
        attribute(1, 0x0002800C, "Ждём счёт.\0".encode("cp1251")),
        attribute(1, 0x00069003, props(NAMED, prop(0x1000, 0x1F, "Ждём счёт.\0".encode("utf-16-le")))),
        attribute(1, 0x00069003, props(prop(0x1000, 0x1E, "Ждём счёт.\0".encode("cp1251")))),
        attribute(
            1,
            0x00069003,
            props(prop(0x3FDE, 3, struct.pack("<I", 65001)), prop(0x1013, 0x102, "<p>Ждём счёт.</p>".encode())),
        ),
    ],
    ids=["body", "property", "8-bit property", "HTML"],
)
def test_the_text_in_winmail_dat_is_read_where_the_letter_has_no_other(body: bytes) -> None:
    assert packed_letter(winmail(body, *FILES)).text == "Ждём счёт."
    assert packed_letter(winmail(body), b"Its own.").text == "Its own."


def test_of_a_broken_winmail_dat_what_stands_before_the_break_is_named() -> None:
    message = packed_letter(winmail(*FILES)[:-12])
    assert [each.name for each in message.attachments[1:]] == ["Договор поставки 12.docx", "Счёт.pdf"]
    assert message.problems[-1] == "winmail.dat is broken: there may be more in it"


def test_properties_that_are_broken_spoil_no_other_file() -> None:
    broken = a_file(b"a.doc", b"x", struct.pack("<HH", 0x7777, 1))
    assert [each.name for each in packed_letter(winmail(broken, *FILES)).attachments[1:]] == [
        "a.doc",
        "Договор поставки 12.docx",
        "Счёт.pdf",
    ]


def test_what_only_calls_itself_winmail_dat_is_a_file() -> None:
    message = packed_letter(b"no such thing")
    assert [each.name for each in message.attachments] == ["winmail.dat"]
    assert message.problems == ("winmail.dat: what Outlook packed into it cannot be read",)


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 30))
def test_no_damage_to_winmail_dat_makes_it_raise(junk: bytes, at: int, dropped: int) -> None:
    content = winmail(*FILES)
    unpacked(content[:at] + junk + content[at + dropped :])


@pytest.mark.parametrize(
    "content",
    [
        winmail() + attribute(2, 0x00069002, b"") * 200_000,
        winmail() + attribute(1, 0x0002800C, b"") * 200_000,
        winmail() + attribute(1, 0x00069003, struct.pack("<I", 2**32 - 1) + b"\x1e\x10\1\0\xff\xff\xff\xff" * 200_000),
        winmail() + a_file(b"a", b"") + attribute(2, 0x00069005, props(*[LONG_NAME] * 50_000)) * 3,
    ],
)
def test_a_hostile_winmail_dat_takes_no_longer_than_its_length_deserves(content: bytes) -> None:
    began = time.process_time()
    unpacked(content)
    assert time.process_time() - began < 2
