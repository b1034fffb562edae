"""The trained heads: per label how probable it is, and the sentence that speaks most for it. Plain NumPy, no pickle.

A milestone, and whether there is an objection at all: each sentence gets a value, the letter the soft maximum of them.
Of what type an objection is, and whether it is genuine: told by the sentence that speaks most for there being one.
"""

import hashlib
import logging
from collections.abc import Sequence
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec
import numpy as np

from agent.model import MILESTONES, OBJECTION_TYPES
from classifiers.encoder import Encoder, packaged
from classifiers.features import Example, Numbers, Vocabulary, dense, sparse
from classifiers.manifest import FORMAT, Manifest, installed, read_manifest, room, version

ANY = "objection"
LETTER_HEADS = (*MILESTONES, ANY)
SENTENCE_HEADS = (*OBJECTION_TYPES, "genuine")
PARTS = ("sentence", "letter", "bias", "scale", "shift", "kinds", "kinds_bias")

log = logging.getLogger(__name__)


class Scores(msgspec.Struct, frozen=True):
    """What the heads say of one letter."""

    milestones: dict[str, tuple[float, int]]  # name -> (probability, the sentence)
    objection: tuple[float, int]  # that there is one, and the sentence
    types: dict[str, float]  # of that sentence
    genuine: float

    @property
    def type(self) -> str:
        return max(self.types, key=lambda name: (self.types[name], name))

    @property
    def certain(self) -> float:
        """That there is an objection and that it is of this type."""
        return self.objection[0] * self.types[self.type]


class Weights(msgspec.Struct, frozen=True):
    """The numbers: columns are heads."""

    sentence: Numbers  # features of a sentence x LETTER_HEADS
    letter: Numbers  # features of a letter x LETTER_HEADS
    bias: Numbers
    scale: Numbers  # calibration: probability = sigmoid(scale * value + shift)
    shift: Numbers
    kinds: Numbers  # features of a sentence x SENTENCE_HEADS
    kinds_bias: Numbers


class Model:
    """Heads, ready to be asked."""

    def __init__(self, manifest: Manifest, weights: Weights, known: Vocabulary) -> None:
        self.manifest = manifest
        self.weights = weights
        self.known = known
        self._places = known.places()

    def scores(self, one: Example) -> Scores:
        numbers = dense(one)
        rows = sparse(one, self._places, self.known.weights)
        values = _times(numbers, rows, self.weights.sentence)
        letter = pooled(values) + self.weights.bias + np.array(one.about) @ self.weights.letter
        probable = sigmoid(self.weights.scale * letter + self.weights.shift)
        best = values.argmax(0)
        at = int(best[LETTER_HEADS.index(ANY)])
        kinds = _times(numbers[at : at + 1], rows[at : at + 1], self.weights.kinds)[0] + self.weights.kinds_bias
        types = np.exp(kinds[:-1] - kinds[:-1].max())
        return Scores(
            milestones={name: (float(probable[n]), int(best[n])) for n, name in enumerate(MILESTONES)},
            objection=(float(probable[LETTER_HEADS.index(ANY)]), at),
            types=dict(zip(OBJECTION_TYPES, (types / types.sum()).tolist(), strict=True)),
            genuine=float(sigmoid(kinds[-1:])[0]),
        )


def _times(numbers: Numbers, rows: Sequence[dict[int, float]], weights: Numbers) -> Numbers:
    """Features times weights, without a matrix of zeros for the words that are not there."""
    width = numbers.shape[1]
    values: Numbers = numbers @ weights[:width]
    for at, row in enumerate(rows):
        if row:
            values[at] += np.fromiter(row.values(), float) @ weights[width:][list(row)]
    return values


def pooled(values: Numbers) -> Numbers:
    """The soft maximum over the sentences: one that speaks for it is enough."""
    top = values.max(0)
    summed: Numbers = top + np.log(np.exp(values - top).sum(0))
    return summed


def sigmoid(values: Numbers) -> Numbers:
    known: Numbers = 1 / (1 + np.exp(-np.clip(values, -40, 40)))
    return known


# -- on disk ----------------------------------------------------------------------------------------------------------


def save(folder: Path, manifest: Manifest, weights: Weights, known: Vocabulary) -> Manifest:
    """Writes the model; the same numbers give the same bytes. The version is what the bytes are."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: getattr(weights, name).astype(np.float32) for name in PARTS}
    np.savez(folder / "weights.npz", allow_pickle=False, **arrays)
    (folder / "vocabulary.json").write_bytes(msgspec.json.encode(known))
    digest = hashlib.sha256()
    for name in ("weights.npz", "vocabulary.json"):
        digest.update((folder / name).read_bytes())
    digest.update(msgspec.json.encode((manifest.milestones, manifest.objections)))
    named = msgspec.structs.replace(manifest, version=f"heads-{FORMAT}-{digest.hexdigest()[:8]}")
    (folder / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(named), indent=2) + b"\n")
    return named


def load(folder: Traversable) -> Model:
    with (folder / "weights.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        weights = Weights(**{name: arrays[name].astype(np.float64) for name in PARTS})
    known = msgspec.json.decode((folder / "vocabulary.json").read_bytes(), type=Vocabulary)
    manifest = read_manifest(folder)
    if manifest is None:
        raise FileNotFoundError(f"{folder} holds no manifest")
    return Model(manifest, weights, known)


@cache
def shipped() -> tuple[Model, Encoder] | None:
    """The product's own heads with their encoder; None, with a plain warning, where they cannot read."""
    encoder = packaged() if version() else None
    if encoder is not None:
        return load(room()), encoder
    known = read_manifest(room())
    if known is None or not known.reads:
        return None
    if installed():
        log.warning("the sentence encoder is not the one that the heads were trained with: the rules read alone")
    else:
        log.warning("the sentence encoder is not installed: the rules read alone and find less (extra `encoder`)")
    return None
