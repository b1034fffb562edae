"""The words of a reason or a condition, from what each piece of a sentence looks like."""

import numpy as np
import pytest

from classifiers import quotes
from classifiers.encoder import Encoded
from classifiers.spans import Sentence


def sentence(body: str) -> tuple[Sentence, Encoded]:
    """A sentence with one piece per word, and the marks of begin and end."""
    starts, ends, at = [0], [0], 0
    for word in body.split():
        at = body.index(word, at)
        starts.append(at)
        at += len(word)
        ends.append(at)
    starts.append(len(body))
    ends.append(len(body))
    blank = np.zeros((len(starts), 1), np.float32)
    shown = Sentence(start=0, end=len(body), words=(), starts=(), ends=(), clauses=(), question=False)
    return shown, Encoded(vector=blank[0], tokens=blank, starts=np.array(starts), ends=np.array(ends))


@pytest.mark.parametrize(
    ("body", "values", "quote"),
    [
        ("We like it, but the price is too high.", [-3, -3, -3, 1, 2, 2, 2, 2, 2], "the price is too high"),
        ("Если дадите отсрочку, подпишем.", [1, 2, 3, -2], "дадите отсрочку"),
        ("If you, as agreed, paint it, we sign.", [1, 3, -1, 3, 3, 3, -9, -9], "you, as agreed, paint it"),
        ("Signed once the roof is sealed.", [-4, -4, 2, 2, 2, 2], "the roof is sealed"),
        ("Берём после ремонта крыльца.", [-4, 2, 2, 2], "после ремонта крыльца"),
        ("Nobody in the middle of it speaks.", [-9, -9, -9, 5, -9, -9, -9], None),
        ("No word of it here.", [-1, -1, -1, -1, -1], None),
        ("and ...", [1, 1], None),
    ],
)
def test_the_likeliest_stretch_between_two_edges_is_quoted(body: str, values: list[float], quote: str | None) -> None:
    shown, encoded = sentence(body)
    inside = np.array([9, *values, 9], np.float32)
    blank = np.zeros_like(inside)
    found = quotes.best(body, [shown], [encoded], [np.stack([inside, blank, blank], 1)], [0], 0.0)
    assert (found.quote if found else None) == quote
    if found:
        assert body[found.start : found.end] == quote


def test_where_the_inside_is_alike_first_and_last_piece_decide() -> None:
    body = "Cut the fee by a third and we sign, today."
    shown, encoded = sentence(body)
    values = np.full((len(encoded.starts), 3), 1.0, np.float32)
    values[:, 1:] = -4.0
    values[1, 1] = 4.0  # "Cut"
    values[6, 2] = 4.0  # "third"
    found = quotes.best(body, [shown], [encoded], [values], [0], 0.0)
    assert found is not None
    assert found.quote == "Cut the fee by a third"
