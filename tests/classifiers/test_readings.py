"""The reader on whole letters: the golden cases, and what must hold for any letter."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model import Letter, Reading
from classifiers import PROPOSE, WRITE, read
from classifiers.clean import kept
from classifiers.reader import read_by_rules
from tests.classifiers.golden import cases, dump, load, reading

LETTERS = [load(path)[0] for path in cases()]
HISTORY = {
    "en": "\n\nOn Mon, 4 May 2026 at 10:00, Lena Frost <lena@ours.example> wrote:\n> {line}\n",
    "ru": "\n\n4 мая 2026 г., 10:00, Лена Мороз <lena@ours.example>:\n> {line}\n",
}
OLD_LINES = {
    "en": [
        "We have paid the invoice.",
        "The contract is signed.",
        "You are too expensive, we chose another supplier.",
        "Please send us an offer.",
        "Our budget is frozen until autumn. If you drop the fee, we order.",
    ],
    "ru": [
        "Счёт оплатили вчера.",
        "Договор подписан.",
        "Дорого, мы выбрали другого поставщика.",
        "Пришлите предложение.",
        "Бюджет заморожен до осени. Если уберёте наценку, берём.",
    ],
}


@pytest.mark.parametrize("path", cases(), ids=lambda path: path.stem)
def test_a_letter_reads_as_its_golden_file_says(path) -> None:  # type: ignore[no-untyped-def]
    letter, expected = load(path)
    assert reading(letter) == expected


@pytest.mark.parametrize("path", cases()[:5], ids=lambda path: path.stem)
def test_a_golden_file_is_written_as_it_is_read(path) -> None:  # type: ignore[no-untyped-def]
    letter, expected = load(path)
    assert dump(letter, expected) == path.read_text("utf-8")


def said(one: Reading) -> object:
    """What a reading claims, without the places."""
    return (
        sorted((each.name, each.evidence.quote) for each in one.milestones),
        sorted((each.type, each.genuine, each.reason, each.condition) for each in one.objections),
    )


def spans(one: Reading) -> list[tuple[str, int, int]]:
    found = [each.evidence for each in one.milestones] + [each.evidence for each in one.objections]
    found += [each for held in one.objections for each in (held.reason, held.condition) if each is not None]
    return [(each.quote, each.start, each.end) for each in found]


def test_every_quote_stands_in_the_new_text_of_its_letter() -> None:
    quoted = 0
    for letter, one in zip(LETTERS, read(LETTERS), strict=True):
        new = kept(letter.body, one.cuts)
        for quote, start, end in spans(one):
            quoted += 1
            assert letter.body[start:end] == quote
            assert any(begin <= start and end <= finish for begin, finish in new)
    assert quoted > 100


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(LETTERS), st.integers(0, 4))
def test_quoted_history_never_changes_the_answer(letter: Letter, number: int) -> None:
    language = "ru" if any("а" <= char <= "я" for char in letter.body) else "en"
    with_history = Letter(
        direction=letter.direction,
        subject=letter.subject,
        body=letter.body.rstrip("\n") + HISTORY[language].format(line=OLD_LINES[language][number]),
        attachments=letter.attachments,
    )
    plain, longer = read([letter, with_history])
    assert said(plain) == said(longer)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(LETTERS),
    st.sampled_from(
        [
            "\n-- \nOwen Pell\nHead of Sales, Pell & Sons\nTel. +44 1632 960 001\n",
            "\n-- \nОлег Ржанов\nООО «Каравай»\nтел. +7 (000) 555-01-02\n",
        ]
    ),
)
def test_a_signature_never_changes_the_answer(letter: Letter, signature: str) -> None:
    signed = Letter(
        direction=letter.direction,
        subject=letter.subject,
        body=letter.body.rstrip("\n") + "\n" + signature,
        attachments=letter.attachments,
    )
    plain, longer = read([letter, signed])
    assert said(plain) == said(longer)


def test_a_letter_reads_the_same_alone_and_among_others() -> None:
    together = read(LETTERS)
    assert together == read(LETTERS)
    assert [read([letter])[0] for letter in LETTERS[:20]] == together[:20]


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=400), st.sampled_from(["inbound", "outbound", "internal"]))
def test_no_text_makes_the_reader_fail(body: str, direction: str) -> None:
    (one,) = read([Letter(direction=direction, subject="", body=body)])  # type: ignore[arg-type]
    for quote, start, end in spans(one):
        assert body[start:end] == quote


@pytest.mark.parametrize(
    "body", ["", "\n", "?" * 50_000, "if " * 20_000, "не " * 20_000, "we order and " * 8_000, "a" * 200_000]
)
@pytest.mark.timeout(20)
def test_a_hostile_letter_is_read_in_its_time(body: str) -> None:
    assert len(read([Letter(direction="inbound", subject="x", body=body)])) == 1


def test_mail_between_colleagues_proves_nothing() -> None:
    (one,) = read(
        [Letter(direction="internal", subject="Agreement", body="The contract is signed and the invoice is paid.")]
    )
    assert one.milestones == ()
    assert one.objections == ()


def test_first_contact_is_proven_once() -> None:
    body = "Thanks for reaching out. That's my area, so please tell me more."
    first, later = read_by_rules(
        [
            Letter(direction="inbound", subject="", body=body),
            Letter(direction="inbound", subject="", body=body, earlier=("contact_established",)),
        ]
    )
    assert [each.name for each in first.milestones] == ["contact_established"]
    assert later.milestones == ()


def test_a_forwarded_opinion_counts_as_the_forwarders_own() -> None:
    body = (
        "Lena, this is what our head baker says, and he is right.\n\n---------- Forwarded message ---------\n"
        "From: Karl Brot\nDate: Mon, 2 Mar 2026\nSubject: cabinets\n\n"
        "Your cabinet has no timer. Add a timer and we buy six.\n"
    )
    (one,) = read_by_rules([Letter(direction="inbound", subject="Fwd: cabinets", body=body)])
    assert [(each.type, each.genuine) for each in one.objections] == [("feature_gap", True)]


def test_what_is_written_is_surer_than_what_is_proposed() -> None:
    assert 0 < PROPOSE < WRITE < 1
