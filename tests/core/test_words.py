"""Words in any ending, names and numbers: what a deal can be told by."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.words import (
    MAX_WORDS,
    WordIndex,
    answered_topic,
    moments,
    name_parts,
    name_units,
    number_names,
    numbers,
    paper_numbers,
    plain_number,
    same_word,
    topic,
    words,
)

SAME = [
    ("crane", "cranes"),
    ("charger", "chargers"),
    ("battery", "batteries"),
    ("pump", "pumping"),
    ("shelf", "shelves"),
    ("van", "vans"),
    ("станции", "станций"),
    ("станция", "станциями"),
    ("погрузчик", "погрузчика"),
    ("поставка", "поставок"),
    ("печь", "печи"),
    ("печь", "печью"),
    ("цех", "цеха"),
    ("весы", "весов"),
]
OTHER = [
    ("general", "generator"),
    ("contract", "contractor"),
    ("station", "stationary"),
    ("van", "vat"),
    ("кран", "краска"),
    ("склад", "складской"),
    ("вес", "весь"),
    ("цех", "чех"),
    ("dn100", "dn150"),
    ("12345", "12346"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_a_word_is_known_in_another_ending(one: str, other: str) -> None:
    assert same_word(one, other)
    assert WordIndex(f"about the {other} again").has((one,))


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_a_word_that_only_begins_alike_is_another_word(one: str, other: str) -> None:
    assert not same_word(one, other)
    assert not WordIndex(f"about the {other} again").has((one,))


_A_WORD = st.text("abes123печьиоваё", max_size=9)


@given(_A_WORD, _A_WORD)
def test_being_the_same_word_goes_both_ways(one: str, other: str) -> None:
    assert same_word(one, one)
    assert same_word(one, other) == same_word(other, one)


@given(_A_WORD.filter(bool), _A_WORD)
def test_the_index_finds_what_a_look_at_every_word_finds(one: str, text: str) -> None:
    assert WordIndex(text).has((one,)) == any(same_word(one, word) for word in words(text))


def test_a_deals_name_is_told_by_its_words_without_the_companys() -> None:
    assert name_units("Belt conveyor for Harbour Mills, Hull", "harbour mills") == (
        ("belt",),
        ("conveyor",),
        ("hull",),
    )


def test_a_short_word_stands_with_the_word_before_it() -> None:
    assert name_units("Котельная, корпус 3") == (("котельная",), ("корпус", "3"))


def test_a_building_is_found_with_its_number_only() -> None:
    letter = WordIndex("Смету по корпусу 3 получили.")
    assert letter.has(("корпус", "3"))
    assert not letter.has(("корпус", "2"))


@pytest.mark.parametrize(
    ("in_the_crm", "in_the_letter"),
    [
        ("Q-2291", "our offer Q-2291 of March"),
        ("Q-2291", "our offer 2291"),
        ("Q-2291", "attached: Q2291_signed.pdf"),
        ("Q-2291", "Q-2291-2, the second version"),
        ("КП-22/91", "по кп 22/91"),
        ("КП-22/91", "КП2291"),
        ("КП-417", "по КП № 417 вопросов нет"),
        ("КП-417", "файл КП_417.pdf"),
        ("INV 2026/118", "invoice INV-2026-118"),
    ],
)
def test_a_number_is_known_in_any_spelling(in_the_crm: str, in_the_letter: str) -> None:
    assert number_names(in_the_crm) & numbers([in_the_letter])


@pytest.mark.parametrize(
    ("in_the_crm", "in_the_letter"),
    [
        ("КП-417", "нам нужно 417 тонн"),
        ("Q-2291", "Q-2292"),
        ("Q-2026", "by the end of 2026"),
        ("Q-91", "91 euros"),
    ],
)
def test_an_amount_or_a_year_is_not_an_offers_number(in_the_crm: str, in_the_letter: str) -> None:
    assert not number_names(in_the_crm) & numbers([in_the_letter])


def test_a_number_is_spelled_plainly() -> None:
    assert plain_number("KP-22/91") == plain_number("kp2291") == "kp2291"


@pytest.mark.parametrize(
    "subject", ["Belt conveyor", "Re: Belt conveyor", "AW: Fwd: RE[2]: belt conveyor", "Отв: Belt  conveyor"]
)
def test_the_marks_of_replies_do_not_change_the_topic(subject: str) -> None:
    assert topic(subject) == "belt conveyor"


def test_a_letter_made_to_hurt_costs_no_more_than_its_length() -> None:
    started = time.perf_counter()
    for piece in ("a", "1.", "aaaaaaaaaaaa-", "№", "re: ", "ё1"):
        text = piece * (200_000 // len(piece))
        numbers([text])
        topic(text)
        assert len(WordIndex(text)) <= MAX_WORDS
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Offer OF/26/00719 stands.", {"of2600719"}),
        ("К-0549-О прилагаю", {"к0549о"}),
        ("our invoice 260118 is attached", {"260118"}),
        ("счёт № 260118", {"260118"}),
        ("It weighs 260118 kg.", set()),
        ("on 2026-03-16 or 16.03.2026", set()),
        ("112,000 or 5 400 000", set()),
        ("call 13:30", set()),
        ("OF-26-118.pdf", {"of26118"}),
        ("img-0447.jpg, scan 20260312-2.pdf, фото-1181.png", set()),
        ("section_1-50.pdf", set()),
    ],
)
def test_the_number_of_a_paper_looks_like_one(text: str, found: set[str]) -> None:
    assert paper_numbers([text]) == found


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("8:00 on 16/03 it is", (16, 8, 0)),
        ("20.03, 13:30", (20, 13, 30)),
        ("20 апреля около 9:30", (20, 9, 30)),
        ("Could we meet at 2:15 pm on the 7 of May?", (7, 14, 15)),
    ],
)
def test_a_day_and_an_hour_are_read_in_many_spellings(text: str, moment: tuple[int, int, int]) -> None:
    assert moment in moments(text)


def test_a_text_without_an_hour_names_no_moment() -> None:
    assert moments("We need 12 of them by the 20th.") == set()


def test_the_parts_of_a_deals_name_are_what_where_and_for_whom() -> None:
    assert name_parts("Grain silo @ Whitby (Harbour Mills)", "harbour mills") == (
        (("grain",), ("silo",)),
        (("whitby",),),
    )
    assert name_parts("Enquiry 2026") == ()


@pytest.mark.parametrize(
    ("subject", "answered"), [("Re: Our talk", "our talk"), ("Отв: Кран", "кран"), ("Our talk", "")]
)
def test_only_a_reply_answers_a_subject(subject: str, answered: str) -> None:
    assert answered_topic(subject) == answered


def test_long_lines_of_digits_and_dots_cost_little() -> None:
    started = time.perf_counter()
    for hostile in ("1." * 100_000, "a-" * 100_000, "1:1" * 60_000, "offer " * 30_000, "12 " * 60_000):
        paper_numbers([hostile])
        moments(hostile)
        name_parts(hostile[:5_000])
    assert time.perf_counter() - started < 4
