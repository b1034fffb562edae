"""Odd letters as they really come, each with what a person reads in it: (bytes, what is expected).

The expectations were written down before the letters were first read.
"""

import base64
import binascii
from typing import Any

ANNA = b"To: anna@ours.example\r\n"
DAY = b"Date: Mon, 6 Jul 2026 10:00:00 +0300\r\n"
VERA = b"From: Vera Pole <vera@harbour.example>\r\n"
HEAD = VERA + ANNA + DAY
YES = "Берём два станка, ждём счёт."


def _b(text: str, charset: str = "utf-8") -> bytes:
    return base64.b64encode(text.encode(charset))


def _mixed(*parts: bytes, kind: bytes = b"mixed", boundary: bytes = b"XX", closed: bool = True) -> bytes:
    head = b"Content-Type: multipart/%s; boundary=%s\r\n\r\n" % (kind, boundary)
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts)
    return head + body + (b"--%s--\r\n" % boundary if closed else b"")


def _text(text: str, charset: str = "utf-8") -> bytes:
    return b"Content-Type: text/plain; charset=" + charset.encode() + b"\r\n\r\n" + text.encode(charset)


def _file(name: bytes, content: bytes = b"%PDF") -> bytes:
    head = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; "
    return head + name + b"\r\n\r\n" + base64.b64encode(content)


def _report(human: str, *fields: str, returned: bytes = b"Subject: Offer\r\nFrom: anna@ours.example\r\n") -> bytes:
    status = "Reporting-MTA: dns; mx.relay.example\r\n\r\n" + "\r\n".join(fields)
    return (
        b"MIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="R"\r\n\r\n'
        b"--R\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        + human.encode()
        + b"\r\n--R\r\nContent-Type: message/delivery-status\r\n\r\n"
        + status.encode()
        + b"\r\n\r\n--R\r\nContent-Type: text/rfc822-headers\r\n\r\n"
        + returned
        + b"\r\n--R--\r\n"
    )


def _cut_word(text: str, charset: str, cut: int) -> bytes:
    """A subject in two encoded words that part in the middle of a character."""
    data = text.encode(charset)
    words = [b"=?%s?B?%s?=" % (charset.encode(), base64.b64encode(each)) for each in (data[:cut], data[cut:])]
    return b"Subject: " + b"\r\n ".join(words) + b"\r\n"


ODD: dict[str, tuple[bytes, dict[str, Any]]] = {
    # -- charsets of bodies
    "a Russian text that says nothing of its charset, from the Windows of the nineties": (
        HEAD + b"\r\n" + YES.encode("cp1251"),
        {"text": YES},
    ),
    "a Russian text in koi8-r without a label": (HEAD + b"\r\n" + YES.encode("koi8-r"), {"text": YES}),
    "a Russian text from DOS": (
        HEAD + b"\r\n" + "Отгрузка будет во вторник, спасибо.".encode("cp866"),
        {"text": "Отгрузка будет во вторник, спасибо."},
    ),
    "a label that nobody registered: win-1251": (
        HEAD + b"Content-Type: text/plain; charset=win-1251\r\n\r\n" + YES.encode("cp1251"),
        {"text": YES},
    ),
    "a label with a space and quotation marks: ' Windows_1251 '": (
        HEAD + b"Content-Type: text/plain; charset=' Windows_1251 '\r\n\r\n" + YES.encode("cp1251"),
        {"text": YES},
    ),
    "a label that says x-unknown over utf-8": (
        HEAD + b"Content-Type: text/plain; charset=x-unknown\r\n\r\n" + YES.encode(),
        {"text": YES},
    ),
    "a label that says utf-8 over windows-1251": (
        HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + YES.encode("cp1251"),
        {"text": YES},
    ),
    "a label that says us-ascii over koi8-r": (
        HEAD + b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + YES.encode("koi8-r"),
        {"text": YES},
    ),
    "utf-16 with its mark, in base64": (
        HEAD
        + b"Content-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.b64encode(YES.encode("utf-16")),
        {"text": YES},
    ),
    "a Ukrainian text in koi8-u": (
        HEAD + b"Content-Type: text/plain; charset=koi8-u\r\n\r\n" + "Ціна зависока, дякуємо.".encode("koi8-u"),
        {"text": "Ціна зависока, дякуємо."},
    ),
    "quotation marks of Windows under a label of iso-8859-1": (
        HEAD + b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nWe call it \x93final\x94 \x96 100 \x80.",
        {"text": "We call it “final” – 100 €."},
    ),
    "a text in utf-8 with a byte order mark": (
        HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xef\xbb\xbfHello Anna.",
        {"text": "Hello Anna."},
    ),
    "one broken byte in a long text": (
        HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + YES.encode() + b" \xd0 " + YES.encode(),
        {"has": [YES]},
    ),
    "a page whose charset stands in its own head": (
        HEAD
        + b"Content-Type: text/html\r\n\r\n<html><head><meta charset=windows-1251></head><body><p>"
        + YES.encode("cp1251")
        + b"</p></body></html>",
        {"text": YES},
    ),
    # -- encodings of bodies
    "base64 whose last line lost its padding": (
        HEAD
        + b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: BASE64\r\n\r\n"
        + _b(YES).rstrip(b"=")
        + b"\r\n",
        {"text": YES},
    ),
    "an encoding that is written with a comment": (
        HEAD
        + b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64 (of course)\r\n\r\n"
        + _b(YES),
        {"text": YES},
    ),
    "quoted-printable with small letters and a broken escape": (
        HEAD + b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"100 =d1=80=d1=83=d0=b1, 5=ZZ and a soft=\r\n break",
        {"text": "100 руб, 5=ZZ and a soft break"},
    ),
    "quoted-printable that says it is 8bit stays as it is written": (
        HEAD + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\nformula: a=3D b",
        {"text": "formula: a=3D b"},
    ),
    "an encoding that nobody knows": (
        HEAD + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: x-private\r\n\r\nHello Anna.",
        {"text": "Hello Anna."},
    ),
    # -- encoded words
    "a subject cut inside a letter": (
        HEAD + _cut_word("Счёт на оплату", "utf-8", 5) + b"\r\nx",
        {"subject": "Счёт на оплату"},
    ),
    "a Japanese subject cut inside a character": (
        HEAD + _cut_word("見積書の件", "shift_jis", 3) + b"\r\nx",
        {"subject": "見積書の件"},
    ),
    "a subject in Q with blanks that should be underlines": (
        HEAD + b"Subject: =?utf-8?Q?Re: =D0=A1=D1=87=D1=91=D1=82 12?=\r\n\r\nx",
        {"subject": "Re: Счёт 12"},
    ),
    "two charsets in one subject": (
        HEAD
        + b"Subject: =?koi8-r?B?"
        + _b("Договор", "koi8-r")
        + b"?= =?windows-1251?B?"
        + _b(" готов", "cp1251")
        + b"?=\r\n\r\nx",
        {"subject": "Договор готов"},
    ),
    "an encoded word glued to a plain one": (
        HEAD + b"Subject: Re:=?utf-8?B?" + _b("Счёт") + b"?=(2)\r\n\r\nx",
        {"subject": "Re:Счёт(2)"},
    ),
    "an encoded word that names a language": (
        HEAD + b"Subject: =?utf-8*ru?B?" + _b("Счёт") + b"?=\r\n\r\nx",
        {"subject": "Счёт"},
    ),
    "an encoded word inside quotation marks of a name": (
        b'From: "=?utf-8?B?' + _b("Вера Поле") + b'?=" <vera@harbour.example>\r\n' + ANNA + DAY + b"\r\nx",
        {"sender": [("Вера Поле", "vera@harbour.example")]},
    ),
    "an encoded word that holds a line break": (
        HEAD + b"Subject: =?utf-8?Q?Offer=0D=0ABcc:_all@ours.example?=\r\n\r\nx",
        {"subject": "Offer Bcc: all@ours.example"},
    ),
    "a subject in raw windows-1251": (
        HEAD + "Subject: Счёт на оплату\r\n".encode("cp1251") + b"\r\nx",
        {"subject": "Счёт на оплату"},
    ),
    "a name in raw koi8-r": (
        "From: Вера Поле <vera@harbour.example>\r\n".encode("koi8-r") + ANNA + DAY + b"\r\nx",
        {"sender": [("Вера Поле", "vera@harbour.example")]},
    ),
    # -- names of files
    "a file's name in pieces that part inside a letter": (
        HEAD
        + _mixed(
            _text("Hello"),
            _file(
                b"\r\n filename*0*=utf-8''%D0%94%D0%BE%D0;\r\n filename*1*"
                b'=%B3%D0%BE%D0%B2;\r\n filename*2="or 12.pdf"'
            ),
        ),
        {"names": ["Договor 12.pdf"]},
    ),
    "a file's name whose pieces come in the wrong order": (
        HEAD + _mixed(_text("Hello"), _file(b'filename*1=" 12.pdf"; filename*0=offer')),
        {"names": ["offer 12.pdf"]},
    ),
    "a file's name in raw windows-1251": (
        HEAD + _mixed(_text("Hello"), _file('filename="Договор.pdf"'.encode("cp1251"))),
        {"names": ["Договор.pdf"]},
    ),
    "a file's name in encoded words, without quotation marks": (
        HEAD + _mixed(_text("Hello"), _file(b"filename==?utf-8?B?" + _b("Счёт 12.pdf") + b"?=")),
        {"names": ["Счёт 12.pdf"]},
    ),
    "a file's name both ways: the one of RFC 2231 counts": (
        HEAD + _mixed(_text("Hello"), _file(b"filename=\"?.pdf\"; filename*=utf-8''%D0%A1%D1%87%D1%91%D1%82.pdf")),
        {"names": ["Счёт.pdf"]},
    ),
    "a file's name with semicolons and an escaped mark": (
        HEAD + _mixed(_text("Hello"), _file(b'filename="a; b \\"c\\".pdf"')),
        {"names": ['a; b "c".pdf']},
    ),
    # -- addresses
    "recipients in a group, and nobody else": (
        VERA + b"To: Sales team: anna@ours.example, Boris <boris@ours.example>;\r\n" + DAY + b"\r\nx",
        {"to": [("", "anna@ours.example"), ("Boris", "boris@ours.example")]},
    ),
    "undisclosed recipients": (VERA + b"To: undisclosed-recipients:;\r\n" + DAY + b"\r\nx", {"to": []}),
    "two From headers that name two people": (
        VERA + b"From: Boss <boss@ours.example>\r\n" + ANNA + DAY + b"\r\nx",
        {"sender": [("Vera Pole", "vera@harbour.example"), ("Boss", "boss@ours.example")], "unsure": True},
    ),
    "two people in one From, as the standard allows": (
        b"From: vera@harbour.example, ilya@harbour.example\r\nSender: vera@harbour.example\r\n" + ANNA + DAY + b"\r\nx",
        {"sender": [("", "vera@harbour.example"), ("", "ilya@harbour.example")]},
    ),
    "a name with a comma and without quotation marks": (
        b"From: Pole, Vera <vera@harbour.example>\r\n" + ANNA + DAY + b"\r\nx",
        {"sender": [("Pole, Vera", "vera@harbour.example")]},
    ),
    "an address with its name in a comment behind it": (
        b"From: vera@harbour.example (Vera Pole)\r\n" + ANNA + DAY + b"\r\nx",
        {"sender": [("Vera Pole", "vera@harbour.example")]},
    ),
    "semicolons between the recipients, as Outlook shows them": (
        VERA + b'To: anna@ours.example; boris@ours.example; "Carl, Q." <carl@ours.example>\r\n' + DAY + b"\r\nx",
        {"to": [("", "anna@ours.example"), ("", "boris@ours.example"), ("Carl, Q.", "carl@ours.example")]},
    ),
    "an address of another alphabet": (
        "From: Вера <вера@почта.example>\r\n".encode() + ANNA + DAY + b"\r\nx",
        {"sender": [("Вера", "вера@почта.example")]},
    ),
    "an address of Exchange that is none": (
        b'From: "Vera Pole" </O=HARBOUR/OU=FIRST/CN=RECIPIENTS/CN=VERA>\r\n' + ANNA + DAY + b"\r\nx",
        {"sender": [("Vera Pole", "")]},
    ),
    # -- dates
    "a date with the month in Russian": (
        VERA + ANNA + "Date: Пн, 6 июл 2026 10:00:00 +0300\r\n".encode() + b"\r\nx",
        {"date": "2026-07-06T10:00:00+03:00"},
    ),
    "a date without seconds and with a zone's name": (
        VERA + ANNA + b"Date: 6 Jul 26 10:00 EDT\r\n\r\nx",
        {"date": "2026-07-06T10:00:00-04:00"},
    ),
    "a date of ISO": (VERA + ANNA + b"Date: 2026-07-06T10:00:00Z\r\n\r\nx", {"date": "2026-07-06T10:00:00+00:00"}),
    "a date of the American kind with a.m. and p.m.": (
        VERA + ANNA + b"Date: Monday, July 6, 2026 1:30:00 PM +0300\r\n\r\nx",
        {"date": "2026-07-06T13:30:00+03:00"},
    ),
    "a date of the 31st of June": (
        VERA + ANNA + b"Date: Wed, 31 Jun 2026 10:00:00 +0300\r\n\r\nx",
        {"received": "2026-07-01T08:00:00+00:00", "date": "2026-07-01T08:00:00+00:00"},
    ),
    "a clock that is a year slow": (
        VERA + ANNA + b"Date: Mon, 6 Jul 2025 10:00:00 +0300\r\n\r\nx",
        {"received": "2026-07-06T08:00:00+00:00", "date": "2026-07-06T08:00:00+00:00"},
    ),
    # -- parts
    "a letter whose last boundary never comes": (
        HEAD + _mixed(_text(YES), _file(b"filename=a.pdf"), closed=False),
        {"text": YES, "names": ["a.pdf"]},
    ),
    "a letter that ends in the middle of a file": (
        (HEAD + _mixed(_text(YES), _file(b"filename=a.pdf", b"%PDF" * 500)))[:-900],
        {"text": YES, "names": ["a.pdf"]},
    ),
    "a letter that ends in the header of a part": (
        HEAD + _mixed(_text(YES), closed=False) + b"--XX\r\nContent-Type: application/pd",
        {"text": YES},
    ),
    "a boundary with blanks behind it": (
        HEAD + _mixed(_text(YES), _file(b"filename=a.pdf")).replace(b"--XX\r\n", b"--XX  \t\r\n"),
        {"text": YES, "names": ["a.pdf"]},
    ),
    "a boundary that is the beginning of another": (
        HEAD + _mixed(_mixed(_text(YES), boundary=b"XXinner", kind=b"alternative"), _file(b"filename=a.pdf")),
        {"text": YES, "names": ["a.pdf"]},
    ),
    "an inner part that never ends": (
        HEAD + _mixed(_mixed(_text(YES), boundary=b"YY", closed=False), _file(b"filename=a.pdf")),
        {"text": YES, "names": ["a.pdf"]},
    ),
    "a letter without a line between header and body": (
        HEAD + b"Hello Anna, we take two.\r\nVera",
        {"has": ["Hello Anna, we take two."], "sender": [("Vera Pole", "vera@harbour.example")]},
    ),
    "a letter with nothing in it": (HEAD + b"\r\n", {"text": ""}),
    "the same text twice, plain and as a page": (
        HEAD
        + _mixed(
            _text(YES),
            b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>" + YES.encode() + b"</p>",
            kind=b"alternative",
        ),
        {"text": YES, "names": []},
    ),
    "a page with its pictures": (
        HEAD
        + _mixed(
            b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>" + YES.encode() + b'</p><img src="cid:1">',
            b"Content-Type: image/png; name=logo.png\r\nContent-ID: <1>\r\n"
            b"Content-Disposition: inline; filename=logo.png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0K",
            kind=b"related",
        ),
        {"text": YES, "names": ["logo.png"]},
    ),
    "a letter in a letter in a letter": (
        HEAD
        + _mixed(
            _text("See the two below."),
            b"Content-Type: message/rfc822\r\n\r\n"
            + VERA
            + b"Subject: Outer\r\n"
            + _mixed(
                _text("Middle."),
                b"Content-Type: message/rfc822\r\n\r\nSubject: Inner\r\n\r\nInnermost.",
                boundary=b"IN",
            ),
        ),
        {
            "has": ["See the two below.", "Middle.", "Innermost."],
            "names": ["Outer.eml"],
            "forwarded": ["Middle.", "Innermost."],
        },
    ),
    "a letter in a letter, in base64": (
        HEAD
        + _mixed(
            _text("See below."),
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64.b64encode(VERA + b"Subject: Old\r\n\r\nWe take three."),
        ),
        {"has": ["We take three."], "forwarded": ["We take three."], "names": ["Old.eml"]},
    ),
    "a file in the text, as old programs sent it": (
        HEAD + b"\r\nThe plan:\r\n\r\nbegin 644 plan.txt\r\n" + binascii.b2a_uu(b"one, two") + b"`\r\nend\r\n\r\nVera",
        {"names": ["plan.txt"], "has": ["The plan:", "Vera"], "lacks": ["begin 644"]},
    ),
    "an invitation that stands beside the text": (
        HEAD
        + _mixed(
            _text("Let us meet."),
            b"Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\n"
            b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR",
            kind=b"alternative",
        ),
        {"text": "Let us meet.", "invitations": 1},
    ),
    "a digest of two letters": (
        HEAD + _mixed(b"\r\nSubject: One\r\n\r\nFirst.", b"\r\nSubject: Two\r\n\r\nSecond.", kind=b"digest"),
        {"has": ["First.", "Second."], "forwarded": ["First.", "Second."]},
    ),
    # -- bounces
    "a bounce of Postfix": (
        b"From: MAILER-DAEMON@mx.relay.example (Mail System)\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        + ANNA
        + DAY
        + _report(
            "<jo@kilns.example>: host mx.kilns.example said: 550 5.1.1 User unknown (in reply to RCPT TO command)",
            "Final-Recipient: rfc822; jo@kilns.example",
            "Action: failed",
            "Status: 5.1.1",
            "Diagnostic-Code: smtp; 550 5.1.1 User unknown",
        ),
        {"bounce": "jo@kilns.example", "has": ["550 5.1.1 User unknown"]},
    ),
    "a bounce of Exchange": (
        b"From: Microsoft Outlook <MicrosoftExchange329e71ec@kilns.example>\r\nSubject: Undeliverable: Offer\r\n"
        + ANNA
        + DAY
        + _report(
            "Delivery has failed to these recipients or groups:\r\n\r\njo@kilns.example\r\n"
            "The email address you entered couldn't be found.",
            "Final-recipient: RFC822; jo@kilns.example",
            "Action: failed",
            "Status: 5.1.10",
            "Diagnostic-code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound",
        ),
        {"bounce": "jo@kilns.example", "has": ["RESOLVER.ADR.RecipientNotFound"]},
    ),
    "a bounce of Gmail": (
        b"From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\r\nX-Failed-Recipients: jo@kilns.example\r\n"
        b"Auto-Submitted: auto-replied\r\nSubject: Delivery Status Notification (Failure)\r\n"
        + ANNA
        + DAY
        + _report(
            "** Address not found **\r\n\r\nYour message wasn't delivered to jo@kilns.example",
            "Final-Recipient: rfc822; jo@kilns.example",
            "Action: failed",
            "Status: 5.1.1",
        ),
        {"bounce": "jo@kilns.example", "has": ["Address not found"]},
    ),
    "a bounce of Exim, which is plain text": (
        b"From: Mail Delivery System <Mailer-Daemon@relay.example>\r\nX-Failed-Recipients: jo@kilns.example\r\n"
        b"Subject: Mail delivery failed: returning message to sender\r\n"
        + ANNA
        + DAY
        + b"\r\nThis message was created automatically by mail delivery software.\r\n\r\n  jo@kilns.example\r\n"
        b"    host mx.kilns.example [192.0.2.1]\r\n    SMTP error from remote mail server: 550 no such mailbox\r\n",
        {"bounce": "jo@kilns.example", "has": ["550 no such mailbox"]},
    ),
    "a bounce of qmail": (
        b"From: MAILER-DAEMON@relay.example\r\nSubject: failure notice\r\n"
        + ANNA
        + DAY
        + b"\r\nHi. This is the qmail-send program at relay.example.\r\nI'm afraid I wasn't able to deliver your"
        b" message to the following addresses.\r\n\r\n"
        b"<jo@kilns.example>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n",
        {"bounce": "jo@kilns.example", "has": ["no mailbox here by that name"]},
    ),
    "a bounce of Yandex": (
        b"From: mailer-daemon@yandex.ru\r\n"
        + "Subject: Недоставленное сообщение\r\n".encode()
        + ANNA
        + DAY
        + _report(
            "Это письмо отправлено почтовым сервером.\r\nСообщение не было доставлено: jo@kilns.example\r\n"
            "Почтовый ящик переполнен.",
            "Final-Recipient: rfc822; jo@kilns.example",
            "Action: failed",
            "Status: 5.2.2",
        ),
        {"bounce": "jo@kilns.example", "has": ["Почтовый ящик переполнен"]},
    ),
    "a bounce of Sendmail": (
        b"From: Mail Delivery Subsystem <MAILER-DAEMON@relay.example>\r\nSubject: Returned mail: "
        b"see transcript for details\r\n"
        + ANNA
        + DAY
        + _report(
            "   ----- The following addresses had permanent fatal errors -----\r\n<jo@kilns.example>\r\n"
            "    (reason: 550 Mailbox quota exceeded)",
            "Final-Recipient: RFC822; jo@kilns.example",
            "Action: failed",
            "Status: 5.2.2",
        ),
        {"bounce": "jo@kilns.example", "has": ["Mailbox quota exceeded"]},
    ),
    # -- control characters
    "escapes, zeros and turned text in the header": (
        VERA + ANNA + DAY + "Subject: \x1b[31mOf\0fer\x07 \u202egnp\r\n".encode() + b"\r\nx",
        {"subject": "[31mOffer gnp"},
    ),
    "newlines of old Macs": (
        (HEAD + b"Subject: Offer\r\n\r\n").replace(b"\r\n", b"\r") + b"One.\rTwo.",
        {"subject": "Offer", "text": "One.\nTwo."},
    ),
    "newlines that a gateway doubled": (
        (HEAD + b"Subject: Offer\r\n\r\n").replace(b"\r\n", b"\r\r\n") + b"One.\r\r\nTwo.",
        {"subject": "Offer", "text": "One.\nTwo."},
    ),
    "a line of mbox in front": (
        b"From vera@harbour.example Mon Jul  6 10:00:00 2026\r\n" + HEAD + b"\r\nHello.",
        {"sender": [("Vera Pole", "vera@harbour.example")], "text": "Hello."},
    ),
}
