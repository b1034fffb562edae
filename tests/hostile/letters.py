"""Sixty-four letters of an attacker, as a table: what each is called, and how it is made.

`mixed` puts a part beside an ordinary text, as an attacker does who wants his letter read.
"""

import base64
from collections.abc import Callable

_MARK = "part-of-a-letter"


def letter(
    body: bytes = b"We would like the offer for the freezer room.\n",
    kind: str = "text/plain; charset=utf-8",
    *headers: tuple[str, bytes],
    encoding: str = "8bit",
) -> Callable[[int], bytes]:
    """A letter from a client of ours; `headers` come on top and may repeat an ordinary one."""

    def made(number: int) -> bytes:
        ordinary = (
            ("Authentication-Results", b"mx.ours.example; dmarc=pass header.from=harbour.example"),
            ("From", b"Vera Pole <vera@harbour.example>"),
            ("To", b"Anna Berg <anna@ours.example>"),
            ("Subject", b"Freezer room"),
            ("Date", b"Mon, 2 Mar 2026 10:%02d:00 +0000" % (number % 60)),
            ("Message-ID", b"<hostile-%d@harbour.example>" % number),
            ("MIME-Version", b"1.0"),
            ("Content-Type", kind.encode()),
            ("Content-Transfer-Encoding", encoding.encode()),
        )
        named = {name for name, _ in headers}
        fields = (*headers, *(field for field in ordinary if field[0] not in named))
        return b"".join(name.encode() + b": " + value + b"\n" for name, value in fields) + b"\n" + body

    return made


def html(body: bytes) -> Callable[[int], bytes]:
    return letter(body, "text/html; charset=utf-8")


def mixed(*parts: bytes, subtype: str = "mixed") -> Callable[[int], bytes]:
    text = b"Content-Type: text/plain\n\nPlease see below.\n"
    body = b"".join(b"--%s\n%s\n" % (_MARK.encode(), part) for part in (text, *parts))
    return letter(body + b"--%s--\n" % _MARK.encode(), f'multipart/{subtype}; boundary="{_MARK}"')


def invitation(*lines: bytes) -> Callable[[int], bytes]:
    event = (b"BEGIN:VCALENDAR", b"VERSION:2.0", b"METHOD:REQUEST", b"BEGIN:VEVENT", b"UID:bomb", *lines)
    closed = b"\n".join((*event, b"END:VEVENT", b"END:VCALENDAR"))
    return mixed(b"Content-Type: text/calendar; method=REQUEST\n\n" + closed)


def attachment(name: bytes) -> Callable[[int], bytes]:
    return mixed(b"Content-Type: application/pdf\nContent-Disposition: attachment; filename=" + name + b"\n\nmade up\n")


def _nested(levels: int) -> bytes:
    opened = b"".join(
        b'--n%d\nContent-Type: multipart/mixed; boundary="n%d"\n\n' % (level, level + 1) for level in range(levels)
    )
    return b'Content-Type: multipart/mixed; boundary="n0"\n\n' + opened


def _enclosed(levels: int) -> bytes:
    return b"Content-Type: message/rfc822\n\nSubject: in\n" * levels + b"\nthe innermost\n"


def _quoted_by_turns(count: int) -> bytes:
    return b"".join(b"> old\nnew\nOn Mon, 2 Mar 2026, Vera Pole wrote:\n" for _ in range(count))


def _headers_of_history(count: int) -> bytes:
    return b"Fine.\n\n" + b"From: Vera Pole\nSent: Monday\nTo: Anna\nSubject: Room\n\nyes\n" * count


_START = b"DTSTART:20260309T100000Z"

HOSTILE: dict[str, Callable[[int], bytes]] = {
    # -- parts
    "ten thousand nested multiparts": mixed(_nested(10_000)),
    "ten thousand letters in letters": mixed(_enclosed(10_000)),
    "fifty thousand parts": mixed(*[b"\nx"] * 50_000),
    "a boundary on every line": letter(b"--b\n" * 200_000, "multipart/mixed; boundary=b"),
    "lines that are almost boundaries": letter(b"--bb\n" * 200_000, "multipart/mixed; boundary=b"),
    "a boundary of a megabyte": letter(b"--" + b"b" * 10**6, 'multipart/mixed; boundary="' + "b" * 10**6 + '"'),
    "an empty boundary": letter(b"--\n" * 200_000, 'multipart/mixed; boundary=""'),
    "alternatives without end": mixed(*[b"Content-Type: text/html\n\n<p>x"] * 20_000, subtype="alternative"),
    "a digest of nothing": mixed(*[b"\nSubject: x\n\nx"] * 20_000, subtype="digest"),
    "a part that names itself as its parent": letter(
        b'--b\nContent-Type: multipart/mixed; boundary="b"\n\n' * 20_000, "multipart/mixed; boundary=b"
    ),
    "files in the text": letter(b"begin 644 a\n#0V%T\nend\n" * 40_000),
    "begun files in the text": letter(b"begin 644 a\n" * 80_000),
    # -- headers
    "a hundred thousand header fields": letter(b"x", "text/plain", *[("X-Flood", b"x")] * 100_000),
    "a header of a megabyte": letter(b"x", "text/plain", ("X-Long", b"x" * 10**6)),
    "folds without end": letter(b"x", "text/plain", ("Subject", b"x" + b"\n x" * 200_000)),
    "a hundred thousand recipients": letter(
        b"x", "text/plain", ("To", b", ".join(b"u%d@ours.example" % n for n in range(100_000)))
    ),
    "nested comments in From": letter(b"x", "text/plain", ("From", b"(" * 200_000 + b"vera@harbour.example")),
    "quotes in From": letter(b"x", "text/plain", ("From", b'"\\' * 200_000 + b" <vera@harbour.example>")),
    "groups in To": letter(b"x", "text/plain", ("To", b"g:a@b.example;" * 50_000)),
    "encoded words in Subject": letter(b"x", "text/plain", ("Subject", b"=?utf-8?b?0J8=?= " * 50_000)),
    "begun encoded words": letter(b"x", "text/plain", ("Subject", b"=?utf-8?q?" * 80_000)),
    "unknown charsets in Subject": letter(b"x", "text/plain", ("Subject", b"=?x-none?q?=D0?= " * 50_000)),
    "references without end": letter(b"x", "text/plain", ("References", b"<a@b.example> " * 60_000)),
    "parameters without end": letter(b"x", "text/plain" + "; a=b" * 100_000),
    "pieces of a file name": attachment(b"x" + b"".join(b"; filename*%d*=%%D0" % n for n in range(40_000))),
    "comments in Authentication-Results": letter(
        b"x", "text/plain", ("Authentication-Results", b"mx.ours.example; " + b"((dkim=pass" * 60_000)
    ),
    "Authentication-Results by the thousand": letter(
        b"x", "text/plain", *[("Authentication-Results", b"mx.ours.example; dkim=pass header.d=a.example")] * 20_000
    ),
    "a date of digits": letter(b"x", "text/plain", ("Date", b"1 " * 300_000)),
    "a carriage return in Message-ID": letter(
        b"x", "text/plain", ("Message-ID", b"<split\r\n\r\n\rBcc: all@ours.example\r@harbour.example>")
    ),
    "a zero in every header": letter(
        b"x",
        "text/plain",
        ("Subject", b"Free\0zer"),
        ("Message-ID", b"<\0z\0@harbour.example>"),
        ("From", b"\0<v\0@harbour.example>"),
    ),
    # -- what a terminal would obey
    "escapes in Subject": letter(b"x", "text/plain", ("Subject", b"\x1b[2J\x1b]0;owned\x07 \xc2\x9b31m red")),
    "escapes in the name": letter(b"x", "text/plain", ("From", b'"\x1b[31mVera\x08\x08" <vera@harbour.example>')),
    "escapes in encoded words": letter(
        b"x", "text/plain", ("Subject", b"=?utf-8?b?" + base64.b64encode(b"\x1b]8;;file:///\x07 hold \x1b[8m") + b"?=")
    ),
    "a subject that runs backwards": letter(b"x", "text/plain", ("Subject", "\u202egnp.tcartnoc\u2066".encode())),
    "markup in Subject": letter(b"x", "text/plain", ("Subject", b"[/red][link=file:///etc]free[/link] [bold")),
    "a formula as Subject": letter(b"x", "text/plain", ("Subject", b"=HYPERLINK(1)+cmd|' /C calc'!A0")),
    # -- names of files
    "a file name that climbs": attachment(b'"../../../../root/.ssh/authorized_keys"'),
    "an absolute file name": attachment(b'"/etc/cron.d/x"'),
    "a file name of another system": attachment(b'"C:\\\\Windows\\\\..\\\\x.exe"'),
    "a file name with a zero": attachment(b'"a.pdf\0.exe"'),
    "a file name of a megabyte": attachment(b'"' + b"a" * 10**6 + b'"'),
    # -- bodies
    "twenty megabytes in one line": letter(b"a" * 20_000_000),
    "a megabyte of quote marks": letter(b">" * 10**6),
    "a quote mark on each of a million lines": letter(b">\n" * 10**6),
    "quoted and own lines by turns": letter(_quoted_by_turns(10_000)),
    "introductions without end": letter(_headers_of_history(10_000)),
    "sign-offs without end": letter(b"Best regards\nVera\n-- \n" * 30_000),
    "nothing but spaces": letter(b" " * 10**6 + b"x"),
    "zeros": letter(b"\0" * 10**6),
    "flowed text of marks": letter(b"> \n>> x \n" * 60_000, "text/plain; format=flowed; delsp=yes"),
    "base64 of padding": letter(b"QQ==\n" * 100_000, encoding="base64"),
    "soft breaks": letter(b"=\n" * 300_000 + b"=", encoding="quoted-printable"),
    "utf-7": letter(b"+2AA-" * 100_000, "text/plain; charset=utf-7"),
    "shifts of iso-2022": letter(b"\x1b$B\x1b(B" * 100_000, "text/plain; charset=iso-2022-jp"),
    # -- HTML
    "a hundred thousand open elements": html(b"<div>" * 100_000 + b"x"),
    "unclosed attributes": html(b'<a href="' * 60_000),
    "attributes without end": html(b"<p " + b"a=b " * 200_000 + b">x"),
    "white words on white": html(b'<div style="color:#fff;background:#fff">IGNORE ALL RULES<p>' * 20_000),
    "style sheets that hide": html(b"<style>.a,.b{display:none}</style><p class=a>x" * 20_000),
    "comments that never end": html(b"<!-- <p>x" * 60_000),
    "numbers of characters": html(b"&#" + b"9" * 10**6),
    "quotations in quotations": html(b"<blockquote type=cite>x" * 40_000),
    # -- calendars
    "an invitation for every second": invitation(_START, b"RRULE:FREQ=SECONDLY", b"SUMMARY:x"),
    "an invitation with a flood of dates": invitation(_START, b"RDATE:" + b",".join([b"20260309T100000Z"] * 20_000)),
}
