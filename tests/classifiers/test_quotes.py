"""The words of a reason or a condition, from what each piece of a sentence looks like."""

import numpy as np
import pytest

from classifiers import quotes
from classifiers.encoder import Encoded
from classifiers.spans import Sentence


def sentence(body: str) -> tuple[Sentence, Encoded]:
    """A sentence with one piece per word."""
    starts, ends, at = [], [], 0
    for word in body.split():
        at = body.index(word, at)
        starts.append(at)
        at += len(word)
        ends.append(at)
    blank = np.zeros((len(starts), 1), np.float32)
    shown = Sentence(start=0, end=len(body), words=(), starts=(), ends=(), clauses=(), question=False)
    return shown, Encoded(vector=blank[0], tokens=blank, starts=np.array(starts), ends=np.array(ends))


@pytest.mark.parametrize(
    ("body", "values", "quote"),
    [
        ("We like it, but the price is too high.", [-3, -3, -3, 1, 2, 2, 2, 2, 2], "the price is too high"),
        ("Если дадите отсрочку, подпишем.", [-2, 2, 3, -2], "дадите отсрочку"),
        ("No word of it here.", [-1, -1, -1, -1, -1], None),
        ("and ...", [1, 1], None),
    ],
)
def test_the_likeliest_run_is_quoted_without_what_stands_around_it(
    body: str, values: list[float], quote: str | None
) -> None:
    shown, encoded = sentence(body)
    found = quotes.best(body, [shown], [encoded], [np.array(values, np.float32)], [0], 0.0)
    assert (found.quote if found else None) == quote
    if found:
        assert body[found.start : found.end] == quote


def test_a_gap_is_bridged_where_the_words_around_it_are_sure() -> None:
    assert quotes.heaviest(np.array([-1, 3, -1, 3, -9, 2], np.float32), 0.0) == (5.0, 1, 4)
    assert quotes.heaviest(np.array([-1, -1], np.float32), 2.0) == (2.0, 0, 2)
