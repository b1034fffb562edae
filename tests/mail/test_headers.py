"""Header fields: words, names of files, addresses and dates, as they should be and as they come."""

import pytest

from connectors.mail.addresses import mailboxes
from connectors.mail.dates import moment
from connectors.mail.encoded import decoded, file_name, parameters
from connectors.text.plain import flowed, one_line, paragraphs


@pytest.mark.parametrize(
    ("value", "people"),
    [
        ("Ivan <ivan@x.example>", [("Ivan", "ivan@x.example")]),
        ("IVAN@X.Example", [("", "ivan@x.example")]),
        ('"Petrov, Ivan" <i@x.example>, b@y.example', [("Petrov, Ivan", "i@x.example"), ("", "b@y.example")]),
        ("Petrov, Ivan <i@x.example>", [("Petrov, Ivan", "i@x.example")]),
        ("a@b.example (Ivan (the boss) Petrov)", [("Ivan (the boss) Petrov", "a@b.example")]),
        ('"Ivan Petrov <ivan@x.example>', [("Ivan Petrov", "ivan@x.example")]),
        ("Ivan (sales <ivan@x.example>", [("Ivan (sales", "ivan@x.example")]),
        ('"A \\"B\\" C" <a@b.example>', [('A "B" C', "a@b.example")]),
        ("'Ivan' <i@x.example>", [("Ivan", "i@x.example")]),
        ('"a b"@x.example', [("", '"a b"@x.example')]),
        ("<@relay.example,@two.example:a@b.example>", [("", "a@b.example")]),
        ("Ivan <ivan@x.example", [("Ivan", "ivan@x.example")]),
        ("ivan @ x.example", [("", "ivan@x.example")]),
        ("Ivan <mailto:ivan@x.example>", [("Ivan", "ivan@x.example")]),
        ("a@x.example; b@x.example,, c@x.example,", [("", "a@x.example"), ("", "b@x.example"), ("", "c@x.example")]),
        ("=?utf-8?Q?Ivanov,_Ivan?= <i@x.example>", [("Ivanov, Ivan", "i@x.example")]),
        ('"=?utf-8?B?0JjQstCw0L0=?=" <i@x.example>', [("Иван", "i@x.example")]),
        ("=?utf-8?B?0JjQstCw0L0=?=<i@x.example>", [("Иван", "i@x.example")]),
        ("Иван <иван@клиент.рф>", [("Иван", "иван@клиент.рф")]),
        ("undisclosed-recipients:;", []),
        (
            "Sales: a@x.example, B <b@y.example>; c@z.example",
            [("", "a@x.example"), ("B", "b@y.example"), ("", "c@z.example")],
        ),
        ("MAILER-DAEMON", [("MAILER-DAEMON", "")]),
        ("Postmaster <>", [("Postmaster", "")]),
        ("", []),
    ],
)
def test_an_address_header_is_understood(value: str, people: list[tuple[str, str]]) -> None:
    assert [(each.name, each.email) for each in mailboxes([value]).found] == people


def test_an_address_in_a_name_stays_a_name() -> None:
    (sender,) = mailboxes(['"ceo@client.example" <x@evil.example>']).found
    assert (sender.name, sender.email) == ("ceo@client.example", "x@evil.example")


def test_what_makes_a_sender_doubtful_is_told() -> None:
    assert mailboxes(["Sales: a@x.example;"]).oddities
    assert mailboxes(["a@x.example", "b@y.example"]).oddities
    assert mailboxes(["a@x\u200b.example"]).oddities
    assert not mailboxes(["a@x.example", "A@x.example"]).oddities


def test_a_thousand_recipients_are_enough() -> None:
    many = ", ".join(f"u{number}@x.example" for number in range(3_000))
    assert len(mailboxes([many]).found) == 1_000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?utf-8?B?0J/RgNC40LI=?= =?utf-8?B?0LXRgg==?=", "Привет"),
        ("=?utf-8?Q?=D0=9F=D1?=\n =?UTF-8?q?=80=D0=B8?=", "При"),
        ("=?utf-8?B?0J/RgNC40L?= =?utf-8?B?LQtdGC?=", "Привет"),
        ("=?utf-8?B?0J8?= =?utf-8?B?0YA?=", "Пр"),
        ("=?utf-8?B?0J/R?= =?utf-8?Q?=80?=", "Пр"),
        ("=?koi8-r?Q?=F0=D2=C9?= x =?utf-8?q?a_b?=", "При x a b"),
        ("=?UTF-8?Q?How are you??= =?", "How are you? =?"),
        ("=?utf-8*ru?Q?=D0=9F?=", "П"),
        ("=?win-1251?B?z/Do4uXy?=", "Привет"),
        ("=?x-unknown?Q?abc?=", "abc"),
        ("=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
        ("=?utf-8?Q?abc", "=?utf-8?Q?abc"),
        ("=?utf-8?B?====?=", ""),
        ("2 =? 3", "2 =? 3"),
    ],
)
def test_encoded_words_are_decoded_as_far_as_they_can_be(value: str, text: str) -> None:
    assert decoded(value) == text


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ('attachment; filename="offer.pdf"', "offer.pdf"),
        ("attachment; filename=My offer v2.pdf", "My offer v2.pdf"),
        ("attachment; filename*=utf-8''%D0%9A%D0%9F.pdf", "КП.pdf"),
        ("attachment; filename*=windows-1251''%CA%CF.pdf", "КП.pdf"),
        ("attachment; filename*0*=utf-8''%D0%9A%D0; filename*1*=%9F.pdf", "КП.pdf"),
        ('attachment; filename*1="y.pdf"; filename*0="x"', "xy.pdf"),
        ("attachment; filename=\"plain.pdf\"; filename*=utf-8''%D0%9A.pdf", "К.pdf"),
        ('attachment; filename="=?utf-8?B?0JrQnw==?=.pdf"', "КП.pdf"),
        ('attachment; filename="C:\\docs\\offer.pdf"', "offer.pdf"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="invoice\u202efdp.exe"', "invoicefdp.exe"),
        ('attachment; filename="a\\"b.pdf"', 'a"b.pdf'),
        ('attachment; filename="a;b.pdf"; size=3', "a;b.pdf"),
        ("attachment", ""),
    ],
)
def test_the_name_of_a_file_is_read_whatever_its_mailer_did_to_it(value: str, name: str) -> None:
    assert file_name(parameters(value)[1].get("filename")) == name


def test_a_content_type_without_semicolons_is_understood() -> None:
    assert parameters("text/plain charset=koi8-r") == ("text/plain", {"charset": "koi8-r"})


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("Mon, 6 Jul 2026 17:00:59 +0500", "2026-07-06T17:00:59+05:00"),
        ("6 Jul 26 17:00 EST", "2026-07-06T17:00:00-05:00"),
        ("6 Jul 98 17:00 +0000", "1998-07-06T17:00:00+00:00"),
        ("Mon, 06 Jul 2026 17:00:59 GMT (Greenwich)", "2026-07-06T17:00:59+00:00"),
        ("Mon, 06 Jul 2026 17:00:59 Z", "2026-07-06T17:00:59+00:00"),
        ("Mon, 06 Jul 2026 17:00:59 -0000", "2026-07-06T17:00:59+00:00"),
        ("Пн, 12 мая 2025 10:00:00 +0300 (MSK)", "2025-05-12T10:00:00+03:00"),
        ("Mo, 12 Mai 2025 10:00:00 +0200", "2025-05-12T10:00:00+02:00"),
        ("2026-07-06T17:00:59+03:00", "2026-07-06T17:00:59+03:00"),
        ("Mon Jul  6 17:00:59 2026", "2026-07-06T17:00:59+00:00"),
        ("Mon Jul  6 17:00:59 MSK 2026", "2026-07-06T17:00:59+03:00"),
        ("Mon, 6 Jul 2026 5:00:59 PM +0000", "2026-07-06T17:00:59+00:00"),
        ("Mon, 6 Jul 2026 17:00:60 +0000", "2026-07-06T17:00:59+00:00"),
        ("Mon, 6 Jul 2026 17.00.59 GMT+03:00", "2026-07-06T17:00:59+03:00"),
        ("Mon, 6 Jul 2026 17:00:59 +9999", "2026-07-06T17:00:59+00:00"),
        ("06.07.2026 17:00", "2026-07-06T17:00:00+00:00"),
    ],
)
def test_a_date_is_read_in_the_forms_in_which_mail_bears_it(value: str, time: str) -> None:
    found = moment(value)
    assert found is not None
    assert found.isoformat() == time


@pytest.mark.parametrize(
    "value", ["", "yesterday", "31 Feb 2026 10:00 +0000", "6 Jul 1026 10:00 +0000", "6 Jul 2026", "99 Foo 2026 99:99"]
)
def test_a_date_that_cannot_be_is_none(value: str) -> None:
    assert moment(value) is None


def test_a_line_holds_no_control_characters() -> None:
    assert one_line("a\tb\r\n c\x00\x1b[31m\x7f\x85\u202e\u2066d\ufeff\u200b  e ") == "a b c[31m d e"


def test_a_body_is_lines_without_trailing_blanks() -> None:
    assert paragraphs("\n\na \r\nb\xa0c\t\n\n\n\n\n\nd\x0c\x07\n") == "a\nb c\n\n\nd"


def test_a_flowed_paragraph_is_one_line_again() -> None:
    assert flowed("one \ntwo\n> quoted \n> text\n>> deeper\n-- \nme", delsp=False) == (
        "one two\n> quoted text\n>> deeper\n-- \nme"
    )
    assert flowed("про \nцент", delsp=True) == "процент"
    assert flowed(" From here\n >not quoted", delsp=False) == "From here\n>not quoted"
