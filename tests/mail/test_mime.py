"""Bytes to Message: what of a letter is kept, and how it is told from every other letter."""

import hashlib
from base64 import b64encode
from binascii import a2b_base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pybase64 import b64decode

from agent.model import Attachment, Message
from connectors.mail.mime import message_key, parse

RECEIVED = datetime(2026, 4, 14, 8, 0, tzinfo=UTC)
HEAD = (
    "From: Ruth Calder <ruth@client.example>\nTo: anna@ours.example\nSubject: Offer\n"
    "Date: Tue, 14 Apr 2026 10:21:07 +0300\nMessage-ID: <1@client.example>\n"
)


def letter(body: str = "\nHello.\n", head: str = HEAD) -> Message:
    return parse((head + body).encode(), RECEIVED)


def parts(*pieces: str, kind: str = "mixed") -> Message:
    body = "".join(f"--b\n{piece}\n" for piece in pieces)
    return letter(f"Content-Type: multipart/{kind}; boundary=b\n\n{body}--b--\n")


PLAIN = "Content-Type: text/plain\n\nPlain words."
RICH = "Content-Type: text/html\n\n<p>Rich <b>words</b>.</p>"
PDF = "Content-Type: application/pdf; name=offer.pdf\nContent-Transfer-Encoding: base64\n\nJVBERg=="


# -- the key --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "copy",
    [
        HEAD.replace("Subject: Offer", "Subject: [EXTERNAL] Offer") + "\nCAUTION: external sender.\nHello.\n",
        HEAD.replace("10:21:07 +0300", "07:21:07 +0000 (UTC)") + "\nHello.\n",
        HEAD.replace("Ruth Calder <ruth@client.example>", "RUTH@client.example") + "\nHello.\n",
        HEAD.replace("To: anna", "Bcc: boss@ours.example\nTo: anna") + "X-List: y\n\nHello.\n-- \nlist footer\n",
        HEAD.replace("<1@client.example>", "1@client.example") + "\nHello.\n",
        HEAD.replace("Message-ID: <", "MESSAGE-Id:\n <") + "\nHello.\n",
    ],
)
def test_copies_of_one_letter_have_one_key(copy: str) -> None:
    assert parse(copy.encode()).key == letter().key
    assert parse(copy.replace("\n", "\r\n").encode(), RECEIVED + timedelta(days=9), size=12_345).key == letter().key


@pytest.mark.parametrize(
    ("old", "new"),
    [("<1@client", "<2@client"), ("ruth@client", "rita@client"), ("10:21:07", "10:21:08"), ("<1@client", "<1@Client")],
)
def test_another_letter_has_another_key(old: str, new: str) -> None:
    assert letter(head=HEAD.replace(old, new)).key != letter().key


def test_a_letter_without_a_message_id_is_known_by_its_other_headers() -> None:
    bare = HEAD.replace("Message-ID: <1@client.example>\n", "")
    assert letter(head=bare).key == letter(head=bare).key
    assert letter(head=bare).message_id is None
    assert letter(head=bare).key != letter("\nHello, and more.\n", head=bare).key
    assert letter(head=bare).key != letter(head=bare.replace("Offer", "Other")).key


def test_the_key_is_of_the_header_not_of_the_arrival() -> None:
    late = parse((HEAD + "\nx").encode(), RECEIVED + timedelta(days=300))
    assert late.date == RECEIVED + timedelta(days=300)
    assert late.key == letter().key
    assert late.key == message_key(
        "1@client.example", "ruth@client.example", datetime(2026, 4, 14, 7, 21, 7, tzinfo=UTC)
    )


# -- time -----------------------------------------------------------------------------------------------------------


def test_a_letter_is_dated_by_its_own_date() -> None:
    assert letter().date.isoformat() == "2026-04-14T10:21:07+03:00"
    assert letter().problems == ()


@pytest.mark.parametrize(
    "date", ["", "Date: soon\n", "Date: Tue, 14 Apr 1826 10:21:07 +0300\n", "Date: Fri, 17 Apr 2026 10:21:07 +0300\n"]
)
def test_a_letter_whose_date_cannot_be_is_dated_by_its_arrival(date: str) -> None:
    message = letter(head=HEAD.replace("Date: Tue, 14 Apr 2026 10:21:07 +0300\n", date))
    assert message.date == RECEIVED
    assert len(message.problems) == 1


def test_a_letter_without_any_date_is_dated_to_the_beginning_and_says_so() -> None:
    message = parse(b"Subject: x\n\nx")
    assert message.date == datetime(1970, 1, 1, tzinfo=UTC)
    assert message.problems


# -- text -----------------------------------------------------------------------------------------------------------


def test_plain_text_is_preferred_to_its_html_twin() -> None:
    assert parts(PLAIN, RICH, kind="alternative").text == "Plain words."


@pytest.mark.parametrize(
    "stub",
    ["", "This is an HTML message.", "Your mail program does not support HTML.", "Письмо в формате HTML", "\xa0\n"],
)
def test_a_stub_that_points_to_the_html_is_not_the_letter(stub: str) -> None:
    assert parts(f"Content-Type: text/plain; charset=utf-8\n\n{stub}", RICH, kind="alternative").text == "Rich words."


def test_html_called_plain_text_is_read_as_html() -> None:
    assert letter("\n<html><body><p>Rich<br>words</p></body></html>").text == "Rich\nwords"


def test_texts_follow_each_other_and_files_do_not_count() -> None:
    message = parts(PLAIN, PDF, RICH, "Content-Type: text/plain; name=notes.txt\n\nnot mine")
    assert message.text == "Plain words.\n\nRich words."
    assert [each.name for each in message.attachments] == ["offer.pdf", "notes.txt"]


def test_cuts_stand_where_their_words_are_in_the_whole_text() -> None:
    quoted = "Content-Type: text/html\n\n<p>New</p><blockquote>Old</blockquote>"
    message = parts(PLAIN, quoted)
    assert [(message.text[cut.start : cut.end], cut.kind) for cut in message.cuts] == [("Old", "quoted")]


def test_an_attachment_is_its_label_and_its_hash() -> None:
    (pdf,) = parts(PLAIN, PDF).attachments
    assert (pdf.name, pdf.content_type, pdf.size) == ("offer.pdf", "application/pdf", 4)
    assert pdf.sha256 == hashlib.sha256(b"%PDF").hexdigest()


def test_files_in_the_alternative_that_is_not_read_are_kept() -> None:
    rich = f"Content-Type: multipart/mixed; boundary=c\n\n--c\n{RICH}\n--c\n{PDF}\n--c--"
    message = parts(PLAIN, rich, kind="alternative")
    assert (message.text, [each.name for each in message.attachments]) == ("Plain words.", ["offer.pdf"])


def test_files_that_the_source_left_on_the_server_are_added_once() -> None:
    left = (
        Attachment(name="Offer.pdf", content_type="application/pdf", size=9_000_000),
        Attachment(name="film.mp4", content_type="video/mp4", size=20_000_000),
    )
    raw = (HEAD + f"Content-Type: multipart/mixed; boundary=b\n\n--b\n{PLAIN}\n--b\n{PDF}\n--b--\n").encode()
    message = parse(raw, RECEIVED, 29_000_000, left)
    assert [each.name for each in message.attachments] == ["offer.pdf", "film.mp4"]
    assert message.size == 29_000_000


def test_a_very_long_text_is_cut_and_the_letter_says_so() -> None:
    message = letter("\n" + "word " * 600_000)
    assert len(message.text) == 1_000_000
    assert message.problems == ("the text is longer than what is read of it",)


def test_letters_in_letters_are_read_to_a_depth() -> None:
    deep = "".join(f"Content-Type: message/rfc822\n\nSubject: level {level}\n" for level in range(300))
    message = letter(deep + "\nDeep.")
    assert [each.name for each in message.attachments] == ["level 0.eml"]
    assert "Subject: level 3" in message.text


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_a_letter_that_is_enclosed_encoded_is_opened(encoding: str) -> None:
    inner = {"base64": "U3ViamVjdDogSW5uZXIKCldvcmRz", "quoted-printable": "Subject: Inner=0A=0AWords"}[encoding]
    message = parts(PLAIN, f"Content-Type: message/rfc822\nContent-Transfer-Encoding: {encoding}\n\n{inner}")
    assert message.text == "Plain words.\n\nSubject: Inner\n\nWords"
    assert [cut.kind for cut in message.cuts] == ["forwarded"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("Content-Transfer-Encoding: base64\n\nSGVsbG8sIH\n dvcmxk", "Hello, world"),
        ("Content-Transfer-Encoding: base64\n\nSGVsbG8=IHdvcmxk", "Hello world"),
        ("Content-Transfer-Encoding: BASE64 \n\n!SGVsbG8s?IHdvcmxkIQ", "Hello, world!"),
        ("Content-Transfer-Encoding: quoted-printable\n\nHel=\nlo,= \n world=21 =ZZ =", "Hello, world! =ZZ"),
        ("Content-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n%2&5L;&\\\n`\nend\n", "Hello"),
        ("Content-Transfer-Encoding: unheard-of\n\nHello", "Hello"),
        ("Content-Type: nonsense\n\nHello", "Hello"),
        ("Content-Type: text/plain; charset=utf-8; charset=koi8-r\n\nПривет", "Привет"),
        ("Content-Type: multipart/mixed\n\n--x\nContent-Type: text/plain\n\nHello\n--x--", "Hello"),
        ("Content-Type: multipart/mixed; boundary=none\n\nHello", "Hello"),
        ("Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\nHello\n--b--\nepilogue", "Hello"),
        ("Content-Type: multipart/mixed; boundary=b\n\n--b  \n\nHello\n--bb\nworld\n--b--", "Hello\n--bb\nworld"),
        ("Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n\nHello", "Hello"),
        ("", ""),
    ],
)
def test_a_broken_body_gives_what_can_be_read_of_it(body: str, text: str) -> None:
    assert letter(body).text == text


def test_an_outer_boundary_ends_what_was_never_closed() -> None:
    inner = f"Content-Type: multipart/alternative; boundary=c\n\n--c\n{PLAIN}"
    message = parts(inner, PDF)
    assert (message.text, [each.name for each in message.attachments]) == ("Plain words.", ["offer.pdf"])


def test_one_boundary_for_two_levels_is_understood() -> None:
    inner = f"Content-Type: multipart/alternative; boundary=b\n\n--b\n{PLAIN}\n--b\n{RICH}\n--b--"
    body = f"Content-Type: multipart/mixed; boundary=b\n\n--b\n{inner}\n--b\n{PDF}\n--b--\n"
    message = letter(body)
    assert (message.text, [each.name for each in message.attachments]) == ("Plain words.", ["offer.pdf"])


def test_a_long_file_behind_nested_parts_is_found_by_the_one_boundary_that_is_left() -> None:
    inner = f"Content-Type: multipart/alternative; boundary=b-1\n\n--b-1\n{PLAIN}\n--b-1\n{RICH}\n--b-1--"
    body = f"--b\n{inner}\n--b\n{PDF}{'QUJD' * 19}\n--b-1\n--bb\n--b\n{PDF}\n--b--\n--b\nepilogue"
    message = letter(f"Content-Type: multipart/mixed; boundary=b\n\n{body}")
    assert message.text == "Plain words."
    assert [each.name for each in message.attachments] == ["offer.pdf", "offer.pdf"]


@given(
    lines=st.lists(st.one_of(st.binary(max_size=60).map(b64encode), st.binary(max_size=20))), tail=st.binary(max_size=4)
)
def test_a_file_is_what_the_careful_decoder_makes_of_it(lines: list[bytes], tail: bytes) -> None:
    """The fast decoder leaves out what is no base64, as the one of Python does."""
    encoded = b"\r\n".join(line.replace(b"=", b"") for line in lines) + tail.replace(b"=", b"") + b"=="[: len(tail) % 3]
    try:
        careful: bytes | None = a2b_base64(encoded)
    except ValueError:
        careful = None
    try:
        fast: bytes | None = b64decode(encoded)
    except ValueError:
        fast = None
    assert fast == careful


def test_letters_of_the_old_mac_have_lines_too() -> None:
    assert parse(b"Subject: Offer\rTo: a@b.example\r\rOne\rTwo").text == "One\nTwo"


# -- invitations ----------------------------------------------------------------------------------------------------

ICS = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nEND:VCALENDAR"


def test_an_invitation_is_kept_as_it_is() -> None:
    message = parts(PLAIN, f"Content-Type: text/calendar; method=REQUEST\n\n{ICS}", kind="alternative")
    assert message.invitations == (ICS,)
    assert message.text == "Plain words."
    assert letter(f"Content-Type: text/calendar; method=CANCEL\n\n{ICS}").signals["content-type"] == (
        "text/calendar; method=CANCEL"
    )


def test_an_invitation_sent_as_a_file_is_one_and_a_calendar_file_is_not() -> None:
    as_file = "Content-Type: text/calendar; name=a.ics\nContent-Disposition: attachment\n\n"
    assert parts(PLAIN, as_file + ICS).invitations == (ICS,)
    harmless = parts(PLAIN, as_file + ICS.replace("REQUEST", "PUBLISH"))
    assert harmless.invitations == ()
    assert [each.name for each in harmless.attachments] == ["a.ics"]


# -- headers --------------------------------------------------------------------------------------------------------


def test_what_tells_machines_from_people_is_kept() -> None:
    signals = letter(
        head=HEAD
        + "Auto-Submitted: auto-replied\nLIST-ID: Sales <s.lists.example>\nX-Mailgun-Tag: t\nX-Campaign-Id: 7\n"
        "X-Ms-Exchange-Generated-Autoreply: yes\nX-Private-Note: not kept\nReturn-Path: <>\n"
    ).signals
    assert signals == {
        "auto-submitted": "auto-replied",
        "list-id": "Sales <s.lists.example>",
        "x-mailgun-tag": "t",
        "x-campaign-id": "7",
        "x-ms-exchange-generated-autoreply": "yes",
        "return-path": "<>",
    }


def test_a_report_says_what_it_reports() -> None:
    report = letter("Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nx\n--b--")
    assert report.signals["content-type"] == "multipart/report; report-type=delivery-status"


def test_a_long_thread_keeps_its_beginning_and_its_end() -> None:
    head = HEAD + "References:" + "".join(f"\n <{number}@x.example>" for number in range(500)) + "\n"
    references = letter(head=head).references
    assert len(references) == 100
    assert (references[0], references[-1]) == ("<0@x.example>", "<499@x.example>")


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("<a@x> (comment) <b@y>", ("<a@x>", "<b@y>")),
        ("a@x", ("<a@x>",)),
        ("Your letter of Monday <a@x>", ("<a@x>",)),
        ("<a@x\n >", ("<a@x>",)),
        ("", ()),
    ],
)
def test_what_a_letter_answers_is_read_from_any_form(value: str, ids: tuple[str, ...]) -> None:
    assert letter(head=f"{HEAD}In-Reply-To: {value}\n").in_reply_to == ids


def test_for_whom_the_server_took_it_is_kept() -> None:
    head = (
        HEAD + "Delivered-To: Anna@ours.example\nDelivered-To: sales@ours.example\nX-Original-To: anna@ours.example\n"
    )
    assert letter(head=head).delivered_to == ("anna@ours.example", "sales@ours.example")


def test_authentication_results_stand_topmost_first_and_together_where_no_server_is_between() -> None:
    head = (
        "Received: from a\nAuthentication-Results: mx.ours.example;\n dmarc=pass\nX-Filter: received: yes\n"
        "authentication-results : mx.ours.example; dkim=none\nreceived:\n by b\n"
        "Authentication-Results: other; spf=none\n"
    )
    assert letter(head=head + HEAD).authentication_results == (
        ("mx.ours.example; dmarc=pass", "mx.ours.example; dkim=none"),
        ("other; spf=none",),
    )


def test_raw_letters_in_a_header_are_read_by_the_label_of_the_body() -> None:
    head = b"Subject: \xd3\xde\xc5\xd4\nFrom: a@b.example\nContent-Type: text/plain; charset=koi8-r\n\n\xd3\xde\xc5\xd4"
    assert (parse(head).subject, parse(head).text) == ("счет", "счет")


def test_nothing_at_all_is_a_letter_without_anything() -> None:
    message = parse(b"")
    assert (message.subject, message.from_, message.text, message.message_id) == ("", (), "", None)
