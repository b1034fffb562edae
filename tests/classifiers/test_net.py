"""The network behind the heads: its way back is the slope of its way forward, and letters do not touch each other."""

import msgspec
import numpy as np
import pytest

from classifiers import net
from classifiers.layers import Numbers
from classifiers.net import Bag, Weights

FACTS, LABELS, SIZE, WORDS = 2, 5, 3, 4


def letters(random: np.random.Generator, sizes: list[list[int]]) -> Bag:
    """Invented letters: per letter the number of pieces in each of its sentences."""
    sentences = [size for letter in sizes for size in letter]
    counts = [len(letter) for letter in sizes]
    return Bag(
        pieces=random.standard_normal((sum(sentences), 7)),
        sentence_of=np.repeat(np.arange(len(sentences)), sentences),
        first_piece=np.cumsum([0, *sentences[:-1]]),
        vectors=random.standard_normal((len(sentences), SIZE)),
        words=random.standard_normal((len(sentences), WORDS)),
        letter_of=np.repeat(np.arange(len(sizes)), counts),
        first_sentence=np.cumsum([0, *counts[:-1]]),
        facts=random.standard_normal((len(sizes), FACTS)),
    )


def some_weights(random: np.random.Generator) -> Weights:
    """Weights in double precision, none of them 0."""
    start = net.beginning(random, 6, 7, SIZE, WORDS, FACTS, LABELS, 2)
    return Weights(
        **{
            name: getattr(start, name) + 0.2 * random.standard_normal(getattr(start, name).shape)
            for name in Weights.__struct_fields__
        }
    )


@pytest.mark.parametrize("name", [*Weights.__struct_fields__, "pieces", "vectors"])
def test_the_way_back_is_the_slope_of_the_way_forward(name: str) -> None:
    random = np.random.default_rng(3)
    bag, weights = letters(random, [[4, 1, 6], [5], [2, 9]]), some_weights(random)
    truth, spans = random.random((3, LABELS)) > 0.5, random.random((len(bag.pieces), 2)) > 0.5

    def loss(numbers: Numbers) -> float:
        inside = {name: numbers}
        said = (
            net.forward(weights, msgspec.structs.replace(bag, **inside))
            if name in ("pieces", "vectors")
            else net.forward(msgspec.structs.replace(weights, **inside), bag)
        )
        return float(
            (np.logaddexp(0, said.letters) - truth * said.letters).sum()
            + (np.logaddexp(0, said.spans) - spans * said.spans).sum()
        )

    said = net.forward(weights, bag)
    slope = net.backward(
        weights, bag, said, 1 / (1 + np.exp(-said.letters)) - truth, 1 / (1 + np.exp(-said.spans)) - spans
    )
    numbers = getattr(bag if name in ("pieces", "vectors") else weights, name)
    changes = getattr(slope if name in ("pieces", "vectors") else slope.weights, name)
    for _ in range(4):
        at = tuple(int(random.integers(0, size)) for size in numbers.shape)
        step = np.zeros_like(numbers)
        step[at] = 1e-5
        assert changes[at] == pytest.approx((loss(numbers + step) - loss(numbers - step)) / 2e-5, rel=1e-3, abs=1e-5)


def test_what_is_said_of_a_letter_does_not_depend_on_the_letters_beside_it() -> None:
    random = np.random.default_rng(4)
    bag, weights = letters(random, [[3, 5], [6, 2, 1]]), some_weights(random)
    first = Bag(
        pieces=bag.pieces[:8],
        sentence_of=bag.sentence_of[:8],
        first_piece=bag.first_piece[:2],
        vectors=bag.vectors[:2],
        words=bag.words[:2],
        letter_of=bag.letter_of[:2],
        first_sentence=bag.first_sentence[:1],
        facts=bag.facts[:1],
    )
    both, alone = net.forward(weights, bag), net.forward(weights, first)
    assert np.allclose(both.letters[:1], alone.letters)
    assert np.allclose(both.spans[:8], alone.spans)
