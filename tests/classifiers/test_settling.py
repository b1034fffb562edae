"""Sentences that may settle an objection: what is granted, withdrawn, ordered, told; and what only looks like it."""

import pytest

from agent.model import Letter
from classifiers.reader import read_by_rules


def kinds(direction: str, body: str) -> dict[str, str]:
    """Kind -> the words that show it."""
    (read,) = read_by_rules([Letter(direction=direction, subject="", body=body)])  # type: ignore[arg-type]
    assert all(body[s.evidence.start : s.evidence.end] == s.evidence.quote for s in read.settling)
    return {s.kind: s.evidence.quote for s in read.settling}


@pytest.mark.parametrize(
    ("body", "quote"),
    [
        ("You have 60 days to pay.", "You have 60 days to pay."),
        ("We cannot do 90 days, but 60 days are fine.", "60 days are fine."),
        ("Here's the offer again with 45 days to pay.", "Here's the offer again with 45 days to pay."),
        ("Отсрочка 60 дней согласована.", "Отсрочка 60 дней согласована."),
        ("Автопродление из раздела 7 убрали.", "Автопродление из раздела 7 убрали."),
    ],
)
def test_what_we_grant(body: str, quote: str) -> None:
    assert kinds("outbound", body)["granted"].removeprefix("but ") == quote


@pytest.mark.parametrize(
    "body",
    [
        "60 days are not possible for us.",
        "If you take both, you have 60 days to pay.",
        "We will check whether 60 days are fine.",
        "Once the board has agreed, you have 60 days.",
        "Would 60 days be fine?",
        "60 дней дать не можем.",
        "Если возьмёте оба, согласны на 60 дней.",
        "Уточню, согласован ли этот срок.",
        "Подойдут ли вам 60 дней?",
    ],
)
def test_what_is_refused_asked_or_hangs_on_an_if_is_not_granted(body: str) -> None:
    assert "granted" not in kinds("outbound", body)


@pytest.mark.parametrize(
    "body",
    [
        "The price is no longer a problem.",
        "Our lawyer has come round.",
        "Вопрос по розеткам снят.",
        "Цена больше не смущает.",
        "Снимаем своё замечание.",
    ],
)
def test_what_the_client_takes_back(body: str) -> None:
    assert "withdrawn" in kinds("inbound", body)
    assert "withdrawn" not in kinds("outbound", body)


@pytest.mark.parametrize(
    "body",
    [
        "Is the price no longer a problem for you?",
        "Once the roof is sealed, the matter is settled.",
        "The matter is not settled.",
        "Take it out and the matter is settled.",
        "Вопрос по розеткам не снят.",
        "Если уберёте пункт, вопрос снят.",
        "Уложитесь в августовские каникулы – вопрос решён.",
    ],
)
def test_what_is_still_open_is_not_taken_back(body: str) -> None:
    assert "withdrawn" not in kinds("inbound", body)


@pytest.mark.parametrize("body", ["You have the order.", "Please go ahead.", "По рукам.", "Берём все три."])
def test_an_order(body: str) -> None:
    assert "goes_ahead" in kinds("inbound", body)


@pytest.mark.parametrize(
    "body",
    [
        "If the council nods, you have the order.",
        "Filter deliveries can go ahead as planned.",
        "Если уступите, берём все.",
    ],
)
def test_no_order(body: str) -> None:
    assert "goes_ahead" not in kinds("inbound", body)


@pytest.mark.parametrize(
    "body",
    [
        "Received, thank you.",
        "Thanks for putting it so plainly. I'll check with the planners and write before the weekend.",
        "Good that you tell me now. Give me until tomorrow noon.",
        "I've put your question to the factory.",
        "Спасибо, что сказали прямо. Уточню у проектировщиков и напишу до выходных.",
        "Хорошо, что говорите сейчас. Дайте время до завтрашнего полудня.",
        "Ваш вопрос передал на завод.",
    ],
)
def test_thanks_and_promises_to_come_back_tell_nothing(body: str) -> None:
    assert kinds("outbound", body) == {}


def test_a_machine_settles_nothing() -> None:
    letter = Letter(
        direction="inbound",
        subject="Automatic reply",
        body="I am out of office. The price is no longer a problem.",
        signals={"auto-submitted": "auto-replied"},
    )
    (read,) = read_by_rules([letter])
    assert read.settling == ()
