"""What a house's people teach the reader: of one letter, which labels hold and which do not; of all others, nothing."""

import hashlib
from collections.abc import Sequence

import msgspec

from agent.model import Letter


class Lesson(msgspec.Struct, frozen=True):
    """One letter, and what people made of what we had read in it."""

    letter: Letter
    labels: tuple[tuple[str, bool], ...]  # a milestone or a type of objection -> whether it holds


def fingerprint(lessons: Sequence[Lesson]) -> str:
    """Names the lessons as a model's manifest does: equal for equal lessons."""
    return hashlib.sha256(msgspec.json.encode(lessons)).hexdigest()
