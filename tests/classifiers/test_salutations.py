"""A greeting says nothing of a deal; an answer of one word does."""

import pytest

from agent.model import Letter
from classifiers.reader import ruled_all
from classifiers.salutations import is_salutation


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Fergal,",
            "Dear Mr Szabo,",
            "My dear Mr Lindqvist,",
            "Hello there,",
            "Hi Anselm.",
            "Good day,",
            "hi zlatan,",
        ),
        *("Good morning Herr Kessler,", "hiya Bryony!", "Dear Sirs,", "Hi Mette, hi Karl,", "Dear bidder,", "Hey hey!"),
        *("Добрый день, Глеб!", "Здравствуйте!", "Уважаемый Пётр Ильич!", "Глеб, здравствуйте.", "День добрый!"),
        *("Доброго времени суток!", "Добрый день, коллеги,", "Доброе утро.", "Приветствую, Остап!"),
    ],
)
def test_it_only_greets(text: str) -> None:
    assert is_salutation(text)


@pytest.mark.parametrize(
    "text",
    [
        *("Signed.", "Paid!", "Agreed.", "Yes,", "Good news.", "Morning works.", "Friday morning.", "How dear of you."),
        *("Hi Bo, good workshop.", "Hello, please quote for the following.", "Dear Ms Nyberg, herewith a summary."),
        *(
            "Дорого.",
            "Оплатили.",
            "Рад знакомству.",
            "Добрый вечер, договор подписан.",
            "Да,",
            "",
            "...",
            "Glad to meet you.",
        ),
    ],
)
def test_it_says_something(text: str) -> None:
    assert not is_salutation(text)


def test_a_letter_is_read_from_behind_its_greeting() -> None:
    body = "Hello Anna,\n\nIt is paid. You can start, Anna."
    (ruled,) = ruled_all([Letter(direction="inbound", subject="", body=body)])
    assert [body[one.start : one.end] for one in ruled.sentences] == ["It is paid.", "You can start, Anna."]
