"""The trained heads: per label how probable it is, the sentence that speaks most for it, and the words of a reason.

Arithmetic in NumPy, no pickle. The network itself is in `net`.
"""

import hashlib
import logging
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.model import MILESTONES, OBJECTION_TYPES
from classifiers import net
from classifiers.encoder import Encoder, laid_out, packaged
from classifiers.features import Example, Vocabulary, sparse
from classifiers.layers import Layers, Numbers
from classifiers.manifest import FORMAT, Manifest, chosen, installed, read_manifest, room

ANY, STALLING, MACHINE = "objection", "stalling", "machine"  # the last: no person wrote it
LABELS = (*MILESTONES, ANY, *OBJECTION_TYPES, STALLING, MACHINE)
SPANS = ("reason", "condition")
PLACES = ("inside", "begin", "end")  # what a piece may be of each
WEIGHTS, LAYERS, VOCABULARY = "weights.npz", "encoder.npz", "vocabulary.json"

Kept = TypeVar("Kept", net.Weights, Layers)

log = logging.getLogger(__name__)


class Label(msgspec.Struct, frozen=True):
    """What the heads say of one label in one letter."""

    probability: float
    at: int  # the sentence that speaks most for it


class Scores(msgspec.Struct, frozen=True):
    """What the heads say of one letter."""

    labels: dict[str, Label]
    spans: tuple[Numbers, ...]  # per sentence: pieces x SPANS x PLACES, above 0 where a piece rather is that than not

    @property
    def types(self) -> tuple[str, ...]:
        """The types of objections, the likeliest first."""
        return tuple(sorted(OBJECTION_TYPES, key=lambda name: (-self.labels[name].probability, name)))


class Model:
    """Heads and the encoder that they read with, tuned to them; ready to be asked."""

    def __init__(
        self,
        manifest: Manifest,
        encoder: Encoder,
        weights: net.Weights,
        known: Vocabulary,
        scale: float,
        shift: Numbers,
    ) -> None:
        self.manifest = manifest
        self.encoder = encoder
        self.weights = weights
        self.known = known
        self.scale = scale  # calibration: probability = sigmoid(scale * value + shift of its label)
        self.shift = shift
        self._places = known.places()

    def with_limits(self, manifest: Manifest, scale: float, shift: Numbers) -> "Model":
        """The same numbers with other limits and calibration."""
        return Model(manifest, self.encoder, self.weights, self.known, scale, shift)

    def scores(self, some: Sequence[Example]) -> list[Scores]:
        """All letters in one go: each is asked for itself, the matrices are larger."""
        if not some:
            return []
        bag = _bagged(some, Words([line for one in some for line in sparse(one, self._places, self.known.weights)]))
        said = net.forward(self.weights, bag)
        probable = sigmoid(self.scale * said.letters + self.shift)
        found: list[Scores] = []
        for number, one in enumerate(some):
            first = int(bag.first_sentence[number])
            best = said.sentences[first : first + len(one.encoded)].argmax(0)
            starts = bag.first_piece[first : first + len(one.encoded)]
            found.append(
                Scores(
                    labels={name: Label(float(probable[number, at]), int(best[at])) for at, name in enumerate(LABELS)},
                    spans=tuple(
                        said.spans[start : start + len(sentence.tokens)].reshape(-1, len(SPANS), len(PLACES))
                        for start, sentence in zip(starts, one.encoded, strict=True)
                    ),
                )
            )
        return found


class Words:
    """The words and marks of sentences, ready to be weighed, without a matrix of zeros for those that are not there."""

    def __init__(self, lines: Sequence[dict[int, float]]) -> None:
        self.lines = lines

    def __matmul__(self, weights: Numbers) -> Numbers:
        values = np.zeros((len(self.lines), weights.shape[1]), np.float32)
        for at, line in enumerate(self.lines):
            if line:
                values[at] = np.fromiter(line.values(), np.float32) @ weights[list(line)]
        return values


def _bagged(some: Sequence[Example], words: Words) -> net.Bag:
    """Letters as the network takes them."""
    sentence_of, first_piece = laid_out([len(sentence.tokens) for one in some for sentence in one.encoded])
    letter_of, first_sentence = laid_out([len(one.encoded) for one in some])
    return net.Bag(
        pieces=np.concatenate([sentence.tokens for one in some for sentence in one.encoded]),
        sentence_of=sentence_of,
        first_piece=first_piece,
        vectors=np.stack([sentence.vector for one in some for sentence in one.encoded]),
        words=words,
        letter_of=letter_of,
        first_sentence=first_sentence,
        facts=np.array([one.about for one in some], np.float32),
    )


def sigmoid(values: Numbers) -> Numbers:
    known: Numbers = (1 / (1 + np.exp(-np.clip(values, -40, 40)))).astype(values.dtype)
    return known


# -- on disk ----------------------------------------------------------------------------------------------------------


def save(folder: Path, model: Model) -> Manifest:
    """Writes the model; the same numbers give the same bytes. The version is what the bytes are."""
    folder.mkdir(parents=True, exist_ok=True)
    calibration = np.append(model.shift, model.scale).astype(np.float32)
    np.savez(folder / WEIGHTS, allow_pickle=False, calibration=calibration, **_halves(model.weights))
    np.savez(folder / LAYERS, allow_pickle=False, **_halves(model.encoder.layers))
    (folder / VOCABULARY).write_bytes(msgspec.json.encode(model.known))
    named = msgspec.structs.replace(model.manifest, version=_version_of(folder, model.manifest))
    (folder / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(named), indent=2) + b"\n")
    return named


def replace(folder: Path, model: Model) -> Manifest:
    """Saves a model in the place of another one, so that who reads meanwhile never finds half of each."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as beside:
        fresh = Path(beside) / "new"
        named = save(fresh, model)
        fresh.chmod(0o700)
        if folder.exists():
            folder.rename(Path(beside) / "old")
        fresh.rename(folder)
    return named


def _version_of(folder: Traversable, manifest: Manifest) -> str:
    digest = hashlib.sha256()
    for name in (WEIGHTS, LAYERS, VOCABULARY):
        digest.update((folder / name).read_bytes())
    digest.update(msgspec.json.encode((manifest.milestones, manifest.objections)))
    return f"heads-{FORMAT}-{digest.hexdigest()[:8]}"


def load(folder: Traversable, encoder: Encoder) -> Model:
    """A saved model; `encoder` is the packaged one, which it tunes."""
    arrays = _arrays(folder / WEIGHTS)
    known = msgspec.json.decode((folder / VOCABULARY).read_bytes(), type=Vocabulary)
    manifest = read_manifest(folder)
    if manifest is None:
        raise FileNotFoundError(f"{folder} holds no manifest")
    calibration = arrays.pop("calibration")
    tuned = encoder.tuned(Layers(**_arrays(folder / LAYERS)))
    return Model(manifest, tuned, net.Weights(**arrays), known, float(calibration[-1]), calibration[:-1])


def _arrays(file: Traversable) -> dict[str, Numbers]:
    with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
        return {name: arrays[name].astype(np.float32) for name in arrays.files}


def rounded(numbers: Kept) -> Kept:
    """The same as it is stored."""
    return type(numbers)(**{name: value.astype(np.float32) for name, value in _halves(numbers).items()})


def _halves(numbers: net.Weights | Layers) -> dict[str, NDArray[np.float16]]:
    return {name: getattr(numbers, name).astype(np.float16) for name in numbers.__struct_fields__}


def in_use(house: str = "") -> Model | None:
    """The heads that read, the house's or the product's; None, with a plain warning, if none do.

    A model that is not the one which its manifest names does not read: the product's own does.
    """
    found = chosen(house)
    if found is None:
        _tell_why()
        return None
    model = _loaded(str(found.folder), found.manifest.version)
    return in_use() if model is None and house else model


@lru_cache(maxsize=2)
def _loaded(place: str, version: str) -> Model | None:
    folder = Path(place)
    encoder = packaged()
    if encoder is None:
        return None
    try:
        whole = load(folder, encoder)
    except (OSError, ValueError, KeyError, TypeError, msgspec.DecodeError) as error:
        log.warning("the model in %s cannot be read: %s", folder, error)
        return None
    if version == _version_of(folder, whole.manifest):
        return whole
    log.warning("the model in %s is not what its manifest says: train it anew", folder)
    return None


def _tell_why() -> None:
    known = read_manifest(room())
    if known is None or not known.reads:
        return
    if installed():
        log.warning("the sentence encoder is not the one that the heads were trained with: the rules read alone")
    else:
        log.warning("the sentence encoder is not installed: the rules read alone and find less (extra `encoder`)")
