"""Conditions and reasons: the exact words, without their lead-ins."""

import pytest

from agent.model import Letter
from classifiers.conditions import conditions
from classifiers.pipeline import sentence_ends, sentences
from classifiers.reader import read_by_rules


def condition(text: str) -> str | None:
    language = "ru" if any("а" <= char <= "я" for char in text.lower()) else "en"
    for sentence in sentences(language, [text])[0]:
        for one in conditions(sentence):
            return text[sentence.starts[one.first] : sentence.ends[one.last - 1]]
    return None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Once the oven is repaired we are ready to sign.", "the oven is repaired"),
        ("If you add a timer, we order six.", "you add a timer"),
        ("We will sign as soon as the guarantee is five years.", "the guarantee is five years"),
        ("Provided that the trays fit, we take it.", "the trays fit"),
        ("Add a second tray and it's yours.", "Add a second tray"),
        ("With a service van nearby we'd take it.", "With a service van nearby"),
        ("Should the owner agree, we go ahead.", "Should the owner agree"),
        ("Если добавите таймер, берём шесть.", "добавите таймер"),
        ("Подпишем, как только гарантия станет пять лет.", "гарантия станет пять лет"),
        ("Возьмём при условии, что противни войдут.", "противни войдут"),
        ("Два противня вместо одного – и по рукам.", "Два противня вместо одного"),
        ("После ремонта цеха готовы начать.", "После ремонта цеха"),
        ("Добавите таймер, берём шесть.", "Добавите таймер"),
    ],
)
def test_a_condition_is_quoted_without_its_conjunction_and_promise(text: str, expected: str) -> None:
    assert condition(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "If you add a timer, would you still deliver in May?",
        "Если добавите таймер, успеете к маю?",
        "We are ready to sign.",
        "Please go ahead, we accept your offer.",
        "Мы согласны.",
    ],
)
def test_a_question_or_a_plain_yes_is_no_condition(text: str) -> None:
    assert condition(text) is None


def held(body: str, direction: str = "inbound") -> list[tuple[str, bool, str | None, str | None]]:
    (one,) = read_by_rules([Letter(direction=direction, subject="", body=body)])  # type: ignore[arg-type]
    return [
        (
            each.type,
            each.genuine,
            each.reason.quote if each.reason else None,
            each.condition.quote if each.condition else None,
        )
        for each in one.objections
    ]


def test_a_pretext_has_no_reason_and_no_condition() -> None:
    assert held("Let me think about it.") == [("other", False, None, None)]
    assert held("Дороговато выходит.") == [("price", False, None, None)]


def test_the_reason_stands_without_greeting_and_but() -> None:
    body = "Hello Lena,\n\nNice cabinet, but it does not fit through our door. If you deliver it in parts, we order.\n"
    assert held(body) == [("technical", True, "it does not fit through our door", "you deliver it in parts")]


def test_a_worry_takes_its_type_from_what_it_speaks_of() -> None:
    assert held("One thing bothers us: the guarantee ends after a year.")[0][:2] == ("trust", True)
    assert held("Смущает одно: кабель в подвале слабый.")[0][:2] == ("technical", True)


def test_two_reasons_are_two_objections() -> None:
    body = "Your price is 20 % above last year's. Our lawyer objects to clause 9."
    assert sorted(one[0] for one in held(body)) == ["legal", "price"]


def test_our_own_letter_holds_an_objection_only_when_it_records_the_clients() -> None:
    assert held("Our budget is frozen until July, so we hesitate.", "outbound") == []
    assert [one[0] for one in held("You said that your budget is frozen until July.", "outbound")] == ["budget"]


def test_a_fault_of_what_was_delivered_is_no_objection() -> None:
    assert held("The papers for the oven lack page 4.") == []
    assert held("В актах не хватает страницы 4.") == []


def test_a_sentence_does_not_end_at_an_abbreviation() -> None:
    text = "Mr. Pell pays approx. 4 thousand. We order at 5 тыс. руб. за штуку."
    first, last = sentence_ends(text)
    assert text[:first] == "Mr. Pell pays approx. 4 thousand."
    assert last == len(text)
