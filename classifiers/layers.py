"""The layers of the packaged encoder (Universal Sentence Encoder multilingual 3, Yang et al. 2019, convolutional form).

pieces -> a narrow layer -> three times two convolutions over 2, 3 and 5 pieces -> each piece in its sentence
                         -> their sum -> a few dense layers -> one vector of length 1 for the sentence

Forward for reading and, with what it remembers, backward for training. Arrays are float32, rows of a sentence stand
side by side.
"""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating[Any]]
Places = NDArray[np.int64]

REACHES = ((2, 0), (3, 1), (5, 2))  # pieces that a convolution sees, and how many of them stand before
LEAST = 1e-12  # variance or length below which nothing is divided by it


class Layers(msgspec.Struct, frozen=True):
    """Their numbers; a convolution's rows are its reach times its width."""

    narrow: Numbers
    narrow_bias: Numbers
    narrow_scale: Numbers
    narrow_shift: Numbers
    first_2: Numbers
    first_2_bias: Numbers
    second_2: Numbers
    second_2_bias: Numbers
    first_3: Numbers
    first_3_bias: Numbers
    second_3: Numbers
    second_3_bias: Numbers
    first_5: Numbers
    first_5_bias: Numbers
    second_5: Numbers
    second_5_bias: Numbers
    scale: Numbers  # of a piece in its sentence
    shift: Numbers
    summed: Numbers  # from here on of the sentence
    summed_bias: Numbers
    deep: Numbers
    deeper: Numbers
    deeper_beside: Numbers
    wide: Numbers
    wider: Numbers
    wider_beside: Numbers

    def convolution(self, number: int) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """First and second step of one reach, each with its bias."""
        reach = REACHES[number][0]
        names = (f"first_{reach}", f"first_{reach}_bias", f"second_{reach}", f"second_{reach}_bias")
        first, first_bias, second, second_bias = (getattr(self, name) for name in names)
        return first, first_bias, second, second_bias


class Through(msgspec.Struct, frozen=True):
    """What the layers say of some sentences."""

    tokens: Numbers  # pieces x (own + 3 convolutions)
    vectors: Numbers  # sentences x size
    between: dict[str, Numbers]  # for the way back


def forward(layers: Layers, own: Numbers, sentence_of: Places, first_piece: Places) -> Through:
    """`own` are the pieces without a context: pieces x features."""
    level = own @ layers.narrow + layers.narrow_bias
    narrow, spread = _even(level)
    scaled = narrow * layers.narrow_scale + layers.narrow_shift
    parts = [own]
    between: dict[str, Numbers] = {"own": own, "narrow": narrow, "narrow spread": spread}
    for number, (width, left) in enumerate(REACHES):
        first, first_bias, second, second_bias = layers.convolution(number)
        size = first_bias.size
        given = scaled[:, number * size : (number + 1) * size]
        seen = windows(given, sentence_of, width, left)
        one = np.maximum(seen @ first + first_bias, 0)
        again = windows(one + given, sentence_of, width, left)
        two = np.maximum(again @ second + second_bias, 0)
        parts.append(two + one + given)
        between |= {f"seen {number}": seen, f"one {number}": one, f"again {number}": again, f"two {number}": two}
    tokens, spread = _even(np.hstack(parts))
    between |= {"tokens": tokens, "tokens spread": spread}
    tokens = tokens * layers.scale + layers.shift
    vectors = _whole(layers, tokens, first_piece, between)
    return Through(tokens, vectors, between)


def _whole(layers: Layers, tokens: Numbers, first_piece: Places, between: dict[str, Numbers]) -> Numbers:
    """The vectors of sentences from the sums of their pieces."""
    lengths = np.diff(np.append(first_piece, len(tokens))).astype(np.float32)[:, None]
    summed = np.add.reduceat(tokens, first_piece)
    mean = (summed @ layers.summed + lengths * layers.summed_bias) / np.sqrt(lengths)
    deep = np.maximum(mean @ layers.deep, 0)
    deeper = np.maximum(mean @ layers.deeper_beside + deep @ layers.deeper, 0)
    wide = np.maximum(deeper @ layers.wide, 0)
    said = np.tanh(deeper @ layers.wider_beside + wide @ layers.wider)
    length = np.sqrt(np.maximum((said * said).sum(1, keepdims=True), np.float32(LEAST)))
    between |= {"lengths": lengths, "summed": summed, "mean": mean, "deep": deep, "deeper": deeper}
    between |= {"wide": wide, "said": said, "length": length}
    vectors: Numbers = said / length
    return vectors


def backward(
    layers: Layers, through: Through, sentence_of: Places, first_piece: Places, tokens: Numbers, vectors: Numbers
) -> Layers:
    """How the loss changes with every number, from how it changes with each piece and each sentence's vector."""
    was = through.between
    found: dict[str, Numbers] = {}
    tokens = tokens + _whole_back(layers, through, vectors, found)[sentence_of]
    found |= {"scale": (tokens * was["tokens"]).sum(0), "shift": tokens.sum(0)}
    parts = _even_back(tokens * layers.scale, was["tokens"], was["tokens spread"])
    at = was["own"].shape[1]
    scaled = []
    for number, (width, left) in enumerate(REACHES):
        first, first_bias, second, _ = layers.convolution(number)
        size = first_bias.size
        slope = parts[:, at : at + size]
        at += size
        two = slope * (was[f"two {number}"] > 0)
        both = slope + unwound(two @ second.T, sentence_of, width, left)
        one = both * (was[f"one {number}"] > 0)
        scaled.append(both + unwound(one @ first.T, sentence_of, width, left))
        found |= {
            f"first_{width}": was[f"seen {number}"].T @ one,
            f"first_{width}_bias": one.sum(0),
            f"second_{width}": was[f"again {number}"].T @ two,
            f"second_{width}_bias": two.sum(0),
        }
    narrow = np.hstack(scaled)
    level = _even_back(narrow * layers.narrow_scale, was["narrow"], was["narrow spread"])
    found |= {"narrow_scale": (narrow * was["narrow"]).sum(0), "narrow_shift": narrow.sum(0)}
    return Layers(narrow=was["own"].T @ level, narrow_bias=level.sum(0), **found)


def _whole_back(layers: Layers, through: Through, slope: Numbers, found: dict[str, Numbers]) -> Numbers:
    """The same for the sums of pieces; what the dense layers' numbers do to the loss goes into `found`."""
    was = through.between
    vectors = through.vectors
    said = (slope - vectors * (slope * vectors).sum(1, keepdims=True)) / was["length"] * (1 - was["said"] ** 2)
    wide = (said @ layers.wider.T) * (was["wide"] > 0)
    deeper = (said @ layers.wider_beside.T + wide @ layers.wide.T) * (was["deeper"] > 0)
    deep = (deeper @ layers.deeper.T) * (was["deep"] > 0)
    mean = (deeper @ layers.deeper_beside.T + deep @ layers.deep.T) / np.sqrt(was["lengths"])
    found |= {
        "summed": was["summed"].T @ mean,
        "summed_bias": (was["lengths"] * mean).sum(0),
        "deep": was["mean"].T @ deep,
        "deeper": was["deep"].T @ deeper,
        "deeper_beside": was["mean"].T @ deeper,
        "wide": was["deeper"].T @ wide,
        "wider": was["wide"].T @ said,
        "wider_beside": was["deeper"].T @ said,
    }
    summed: Numbers = mean @ layers.summed.T
    return summed


def _even(rows: Numbers) -> tuple[Numbers, Numbers]:
    """Each row with mean 0 and variance 1, and what it was divided by (layer normalization, Ba et al. 2016)."""
    centred = rows - rows.mean(1, keepdims=True)
    spread = np.sqrt((centred * centred).mean(1, keepdims=True) + np.float32(LEAST))
    return centred / spread, spread


def _even_back(slope: Numbers, even: Numbers, spread: Numbers) -> Numbers:
    back: Numbers = (slope - slope.mean(1, keepdims=True) - even * (slope * even).mean(1, keepdims=True)) / spread
    return back


# -- neighbours -------------------------------------------------------------------------------------------------------


def windows(rows: Numbers, owner: Places, width: int, left: int) -> Numbers:
    """Each row with its neighbours beside it, `left` of them before it; rows of another owner are blank."""
    found = np.zeros((len(rows), width, rows.shape[1]), rows.dtype)
    for at in range(width):
        here, there = _beside(at - left)
        found[here, at] = rows[there] * (owner[here] == owner[there])[:, None]
    return found.reshape(len(rows), -1)


def unwound(context: Numbers, owner: Places, width: int, left: int) -> Numbers:
    """What `windows` laid beside each row, given back to the rows it came from."""
    size = context.shape[1] // width
    found = np.zeros((len(context), size), context.dtype)
    for at in range(width):
        here, there = _beside(at - left)
        found[there] += context[here, at * size : (at + 1) * size] * (owner[here] == owner[there])[:, None]
    return found


def _beside(step: int) -> tuple[slice, slice]:
    """Rows that have a neighbour so many rows on, and these neighbours."""
    return (slice(None, -step or None), slice(step, None)) if step >= 0 else (slice(-step, None), slice(step))
