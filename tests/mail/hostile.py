"""Letters that were written to hurt: each a function of its size, so that a test can double it."""

from collections.abc import Callable

Letter = Callable[[int], bytes]

_HEAD = (
    b"From: a@client.example\nTo: b@ours.example\n"
    b"Date: Mon, 6 Jul 2026 10:00:00 +0000\nMessage-ID: <h@client.example>\n"
)


def _filled(piece: bytes, size: int) -> bytes:
    return (piece * (size // max(len(piece), 1) + 1))[:size]


def header(name: str, piece: bytes, before: bytes = b"", after: bytes = b"") -> Letter:
    """One header field that holds the piece again and again."""
    return lambda size: _HEAD + name.encode() + b": " + before + _filled(piece, size) + after + b"\n\nHello\n"


def body(content_type: str, piece: bytes, encoding: str = "8bit", before: bytes = b"") -> Letter:
    """One body that holds the piece again and again."""
    head = f"Content-Type: {content_type}\nContent-Transfer-Encoding: {encoding}\n\n".encode()
    return lambda size: _HEAD + head + before + _filled(piece, size)


def raw(piece: bytes, before: bytes = b"") -> Letter:
    return lambda size: before + _filled(piece, size)


def nested(header_of: Callable[[int], bytes], each: int) -> Letter:
    """Parts in parts, as deep as the size allows."""
    return lambda size: _HEAD + b"".join(header_of(depth) for depth in range(size // each))


def _in_multipart(depth: int) -> bytes:
    return f'Content-Type: multipart/mixed; boundary="b{depth}"\n\n--b{depth}\n'.encode()


def _in_letter(depth: int) -> bytes:
    return b"Content-Type: message/rfc822\n\n"


def _same_boundary(depth: int) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\n\n--b\n"


def _without_blank_line(depth: int) -> bytes:
    return f"Content-Type: multipart/mixed; boundary=b{depth}\n--b{depth}\n".encode()


_MIXED = "multipart/mixed; boundary=b"

HOSTILE: dict[str, Letter] = {
    "quotes in From": header("From", b'"'),
    "backslashes in From": header("From", b'"\\'),
    "escaped quotes in From": header("From", b'\\"', before=b'"'),
    "open brackets in From": header("From", b"<"),
    "closing brackets in From": header("From", b">"),
    "open parentheses in From": header("From", b"("),
    "nested comments in From": header("From", b"((a)"),
    "quotes in comments in From": header("From", b'("'),
    "commas in To": header("To", b","),
    "colons in To": header("To", b"a@b:"),
    "groups in To": header("To", b"g:a@b.example;"),
    "names without addresses in To": header("To", b"a, "),
    "at signs in From": header("From", b"@"),
    "addresses in From": header("From", b"a@b.example "),
    "addresses in To": lambda size: (
        _HEAD + b"To: " + b",".join(b"u%d@b.example" % n for n in range(size // 14)) + b"\n\nHello\n"
    ),
    "blanks in From": header("From", b" ", after=b"x"),
    "tabs and quotes in Subject": header("Subject", b'\t"'),
    "begun encoded words in Subject": header("Subject", b"=?"),
    "encoded words without an end in Subject": header("Subject", b"=?utf-8?q?"),
    "encoded words in Subject": header("Subject", b"=?utf-8?b?0J8=?= "),
    "encoded words of one letter in From": header("From", b"=?utf-8?q?=D0?="),
    "encoded words of many charsets in Subject": header("Subject", b"=?x-a?q?=D0?= =?koi8-r?b?8A==?= "),
    "question marks in Subject": header("Subject", b"?=", before=b"=?utf-8?q?"),
    "8-bit letters in Subject": header("Subject", b"\xd0\xff\x80"),
    "brackets in References": header("References", b"<a@b> "),
    "open brackets in References": header("References", b"<a"),
    "long Message-ID": header("Message-ID", b"<x"),
    "parameters in Content-Type": header("Content-Type", b"; a=b", before=b"text/plain"),
    "quotes in Content-Type": header("Content-Type", b'; a="', before=b"text/plain"),
    "pieces of a file name": lambda size: (
        _HEAD
        + b"Content-Disposition: attachment"
        + b"".join(b"; filename*%d*=%%D0" % n for n in range(size // 18))
        + b"\n\nx"
    ),
    "blanks in Content-Type": header("Content-Type", b" ", before=b"text/plain; a"),
    "charsets without end": header("Content-Type", b"x", before=b"text/plain; charset="),
    "digits in Date": header("Date", b"1 "),
    "many headers": raw(b"X-A: b\n"),
    "many From headers": raw(b"From: a@b.example\n"),
    "headers without colons": raw(b"abc\n", before=_HEAD),
    "headers and junk by turns": raw(b"abc\nTo: x\n", before=_HEAD),
    "folded lines": raw(b" a\n", before=b"Subject: x\n"),
    "many Authentication-Results": raw(b"Authentication-Results: mx.ours.example; dkim=pass\n"),
    "one line": raw(b"a"),
    "empty lines": raw(b"\n"),
    "zeros": raw(b"\x00"),
    "carriage returns": raw(b"\r"),
    "multiparts in multiparts": nested(_in_multipart, 55),
    "letters in letters": nested(_in_letter, 29),
    "one boundary for all": nested(_same_boundary, 50),
    "multiparts without an empty line": nested(_without_blank_line, 50),
    "boundaries": body(_MIXED, b"--b\n"),
    "closing boundaries": body(_MIXED, b"--b--\n"),
    "almost boundaries": body(_MIXED, b"--ba\n"),
    "parts": body(_MIXED, b"--b\n\nx\n"),
    "parts without an empty line": body(_MIXED, b"--b\nx"),
    "parts that are files": body(_MIXED, b"--b\nContent-Disposition: attachment; filename=a\n\nx\n"),
    "parts that are letters": body(_MIXED, b"--b\nContent-Type: message/rfc822\n\nSubject: x\n\nx\n"),
    "alternatives": body("multipart/alternative; boundary=b", b"--b\nContent-Type: text/html\n\n<p>x\n"),
    "digest": body("multipart/digest; boundary=b", b"--b\n\nSubject: x\n\nx\n"),
    "invitations": body(_MIXED, b"--b\nContent-Type: text/calendar\n\nBEGIN:VCALENDAR\n"),
    "blanks": body("text/plain", b" "),
    "blanks before a letter": body("text/plain", b" " * 100 + b"x"),
    "flowed": body("text/plain; format=flowed; delsp=yes", b"> \n>> x \n"),
    "quote marks": body("text/plain; format=flowed", b">"),
    "begun files in the text": body("text/plain", b"begin 644 x\n"),
    "uuencoded junk": body("text/plain", b"begin 644 x\n#0V%T\nend\n"),
    "base64 padding": body("text/plain", b"=", "base64"),
    "base64 in pieces": body("text/plain", b"QQ==", "base64"),
    "broken quoted-printable": body("text/plain", b"= \n=", "quoted-printable"),
    "blanks after soft breaks": body("text/plain", b"=" + b" " * 99, "quoted-printable"),
    "utf-7": body("text/plain; charset=utf-7", b"+2AA-"),
    "utf-16": body("text/plain; charset=utf-16", b"\xd8\x00"),
    "undeclared letters": body("text/plain", b"\xcf\xf0\xe8\x81 "),
    "escape sequences": body("text/plain; charset=iso-2022-jp", b"\x1b$B"),
    "elements in elements": body("text/html", b"<div>"),
    "unclosed formats": body("text/html", b"<font color=red><b><p>x"),
    "unclosed attributes": body("text/html", b'<a href="'),
    "unclosed comments": body("text/html", b"<!--"),
    "unclosed drawings": body("text/html", b"<svg>"),
    "style sheets": body("text/html", b"<style>.a{display:none}"),
    "braces in a style sheet": body("text/html", b"{", before=b"<style>"),
    "entities": body("text/html", b"&#9"),
    "an endless number": body("text/html", b"9", before=b"&#"),
    "ampersands": body("text/html", b"&"),
    "brackets": body("text/html", b"<"),
    "tables": body("text/html", b"<table><td>"),
    "lists": body("text/html", b"<ul><li>x"),
    "quotations in quotations": body("text/html", b"<blockquote>x"),
    "quotation containers": body("text/html", b"<div class=gmail_quote>x<blockquote>"),
    "headers of quoted letters": body("text/html", b"<div style='border-top:solid 1pt'>From: a</div>"),
    "closing tags": body("text/html", b"<b></div>", before=b"<div>"),
    "styles": body("text/html", b"color:red;", before=b'<p style="'),
    "fonts": body("text/html", b"a ", before=b'<p style="font:'),
    "classes": body("text/html", b"a ", before=b'<p class="'),
    "enriched": body("text/enriched", b"<bold><<"),
    "delivery report": body(
        "multipart/report; boundary=b", b"--b\nContent-Type: message/delivery-status\n\nAction: failed\n"
    ),
}
