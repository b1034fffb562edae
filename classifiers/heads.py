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
from typing import Any

import msgspec
import numpy as np

from agent.model import MILESTONES, OBJECTION_TYPES
from classifiers import net
from classifiers.encoder import Encoder, Numbers, packaged
from classifiers.features import Example, Vocabulary, dense, sparse
from classifiers.manifest import FORMAT, Manifest, chosen, installed, read_manifest, room

ANY, STALLING, MACHINE = "objection", "stalling", "machine"  # the last: no person wrote it
LABELS = (*MILESTONES, ANY, *OBJECTION_TYPES, STALLING, MACHINE)
SPANS = ("reason", "condition")

log = logging.getLogger(__name__)


class Label(msgspec.Struct, frozen=True):
    """What the heads say of one label in one letter."""

    probability: float
    at: int  # the sentence that speaks most for it


class Scores(msgspec.Struct, frozen=True):
    """What the heads say of one letter."""

    labels: dict[str, Label]
    spans: tuple[Numbers, ...]  # per sentence: pieces x SPANS, above 0 where a piece belongs to one

    @property
    def types(self) -> tuple[str, ...]:
        """The types of objections, the likeliest first."""
        return tuple(sorted(OBJECTION_TYPES, key=lambda name: (-self.labels[name].probability, name)))


class Model:
    """Heads, ready to be asked."""

    def __init__(
        self, manifest: Manifest, weights: net.Weights, known: Vocabulary, scale: float, shift: Numbers
    ) -> None:
        self.manifest = manifest
        self.weights = weights
        self.known = known
        self.scale = scale  # calibration: probability = sigmoid(scale * value + shift of its label)
        self.shift = shift
        self._places = known.places()

    def scores(self, some: Sequence[Example]) -> list[Scores]:
        """All letters in one go: each is asked for itself, the matrices are larger."""
        if not some:
            return []
        bag = bagged(some, _rows(some, self._places, self.known.weights))
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
                        said.spans[start : start + len(sentence.tokens)]
                        for start, sentence in zip(starts, one.encoded, strict=True)
                    ),
                )
            )
        return found


class Rows:
    """Features of sentences, ready to be weighed, without a matrix of zeros for the words that are not there."""

    def __init__(self, numbers: Numbers, lines: Sequence[dict[int, float]]) -> None:
        self.numbers, self.lines = numbers, lines

    def __matmul__(self, weights: Numbers) -> Numbers:
        width = self.numbers.shape[1]
        values: Numbers = self.numbers @ weights[:width]
        for at, line in enumerate(self.lines):
            if line:
                values[at] += np.fromiter(line.values(), np.float32) @ weights[width:][list(line)]
        return values


def _rows(some: Sequence[Example], places: dict[str, int], weights: Sequence[float]) -> Rows:
    return Rows(
        np.vstack([dense(one) for one in some]), [line for one in some for line in sparse(one, places, weights)]
    )


def bagged(some: Sequence[Example], sentences: Any) -> net.Bag:
    """Letters as the network takes them; `sentences` are the features of all their sentences."""
    counts = np.array([len(one.encoded) for one in some])
    lengths = np.array([len(sentence.tokens) for one in some for sentence in one.encoded])
    return net.Bag(
        pieces=np.concatenate([sentence.tokens for one in some for sentence in one.encoded]),
        sentence_of=np.repeat(np.arange(len(lengths)), lengths),
        first_piece=np.concatenate([[0], np.cumsum(lengths)[:-1]]),
        sentences=sentences,
        letter_of=np.repeat(np.arange(len(some)), counts),
        first_sentence=np.concatenate([[0], np.cumsum(counts)[:-1]]),
        facts=np.array([one.about for one in some], np.float32),
    )


def sigmoid(values: Numbers) -> Numbers:
    known: Numbers = (1 / (1 + np.exp(-np.clip(values, -40, 40)))).astype(values.dtype)
    return known


# -- on disk ----------------------------------------------------------------------------------------------------------


def save(folder: Path, model: Model) -> Manifest:
    """Writes the model; the same numbers give the same bytes. The version is what the bytes are."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: getattr(model.weights, name).astype(np.float16) for name in net.Weights.__struct_fields__}
    calibration = np.append(model.shift, model.scale).astype(np.float32)
    np.savez(folder / "weights.npz", allow_pickle=False, calibration=calibration, **arrays)
    (folder / "vocabulary.json").write_bytes(msgspec.json.encode(model.known))
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
    for name in ("weights.npz", "vocabulary.json"):
        digest.update((folder / name).read_bytes())
    digest.update(msgspec.json.encode((manifest.milestones, manifest.objections)))
    return f"heads-{FORMAT}-{digest.hexdigest()[:8]}"


def load(folder: Traversable) -> Model:
    with (folder / "weights.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        weights = net.Weights(**{name: arrays[name].astype(np.float32) for name in net.Weights.__struct_fields__})
        calibration = arrays["calibration"]
    known = msgspec.json.decode((folder / "vocabulary.json").read_bytes(), type=Vocabulary)
    manifest = read_manifest(folder)
    if manifest is None:
        raise FileNotFoundError(f"{folder} holds no manifest")
    return Model(manifest, weights, known, float(calibration[-1]), calibration[:-1])


def in_use(house: str = "") -> tuple[Model, Encoder] | None:
    """The heads that read, the house's or the product's, with their encoder; None, with a plain warning, if none do.

    A model that is not the one which its manifest names does not read: the product's own does.
    """
    found = chosen(house)
    if found is None:
        _tell_why()
        return None
    encoder = packaged()
    model = _loaded(str(found.folder), found.manifest.version)
    if encoder is None or (model is None and not house):
        return None
    return (model, encoder) if model is not None else in_use()


@lru_cache(maxsize=2)
def _loaded(place: str, version: str) -> Model | None:
    folder = Path(place)
    try:
        whole = load(folder)
    except (OSError, ValueError, KeyError, msgspec.DecodeError) as error:
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
