"""The encoder's layers: their way back is the slope of their way forward, and sentences do not touch each other."""

import msgspec
import numpy as np
import pytest

from classifiers import layers
from classifiers.encoder import laid_out
from classifiers.layers import Layers

OWN, WIDTH, SIZE = 6, 4, 5


def some_layers(random: np.random.Generator) -> Layers:
    """Layers in double precision, none of their numbers 0."""
    tokens = OWN + 3 * WIDTH
    shapes = {
        "narrow": (OWN, 3 * WIDTH),
        "narrow_bias": (3 * WIDTH,),
        "narrow_scale": (3 * WIDTH,),
        "narrow_shift": (3 * WIDTH,),
        "scale": (tokens,),
        "shift": (tokens,),
        "summed": (tokens, SIZE),
        "summed_bias": (SIZE,),
        "deep": (SIZE, 3),
        "deeper": (3, 3),
        "deeper_beside": (SIZE, 3),
        "wide": (3, SIZE),
        "wider": (SIZE, SIZE),
        "wider_beside": (3, SIZE),
    }
    for reach, _ in layers.REACHES:
        for step in ("first", "second"):
            shapes |= {f"{step}_{reach}": (reach * WIDTH, WIDTH), f"{step}_{reach}_bias": (WIDTH,)}
    return Layers(**{name: random.standard_normal(shape) for name, shape in shapes.items()})


@pytest.mark.parametrize("name", Layers.__struct_fields__)
def test_the_way_back_is_the_slope_of_the_way_forward(name: str) -> None:
    random = np.random.default_rng(5)
    own = random.standard_normal((14, OWN))
    laid = laid_out([4, 1, 7, 2])
    some = some_layers(random)
    of_tokens = random.standard_normal((14, OWN + 3 * WIDTH))
    of_vectors = random.standard_normal((4, SIZE))

    def loss(these: Layers) -> float:
        through = layers.forward(these, own, *laid)
        return float((through.tokens * of_tokens).sum() + (through.vectors * of_vectors).sum())

    slope = layers.backward(some, layers.forward(some, own, *laid), *laid, of_tokens, of_vectors)
    numbers = getattr(some, name)
    for _ in range(6):
        at = tuple(int(random.integers(0, size)) for size in numbers.shape)
        step = np.zeros_like(numbers)
        step[at] = 1e-6
        higher = loss(msgspec.structs.replace(some, **{name: numbers + step}))
        lower = loss(msgspec.structs.replace(some, **{name: numbers - step}))
        assert getattr(slope, name)[at] == pytest.approx((higher - lower) / 2e-6, rel=1e-3, abs=1e-5)


def test_what_is_said_of_a_sentence_does_not_depend_on_the_sentences_beside_it() -> None:
    random = np.random.default_rng(6)
    own, some = random.standard_normal((9, OWN)), some_layers(random)
    both = layers.forward(some, own, *laid_out([4, 5]))
    alone = layers.forward(some, own[:4], *laid_out([4]))
    assert np.allclose(both.tokens[:4], alone.tokens)
    assert np.allclose(both.vectors[:1], alone.vectors)
