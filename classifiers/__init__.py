"""What one letter says by itself: `read`, and `signature` for who signs it, are the only doors to the classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.model import Cut, Letter, Reading
from classifiers.house import DEFAULT, ReaderOptions

if TYPE_CHECKING:
    from classifiers.signature_fields import Field

__all__ = ["PROPOSE", "WRITE", "ReaderOptions", "read", "signature", "version"]

WRITE = 0.8  # a reading at least this sure is written
PROPOSE = 0.5  # one at least this sure is proposed; what is less sure is no opinion


def version(options: ReaderOptions = DEFAULT) -> str:
    """Names the rules and the model: a reading is kept for as long as this stays the same."""
    from classifiers import manifest, rules

    return manifest.full_version(manifest.version(options.model), rules.version(options.phrases))


def read(letters: Sequence[Letter], options: ReaderOptions = DEFAULT) -> list[Reading]:
    """One reading per letter, in the same order. Never raises on any text."""
    from classifiers.reader import read_all

    return read_all(letters, options)


def signature(text: str, cuts: Sequence[Cut], sender: str = "", sender_name: str = "") -> tuple[Field, ...]:
    """Name, title, telephones and company of who signs, each with its place in `text`. Never raises on any text.

    `cuts` are those of the reading. The sender's address and name tell which line is his name, which company is his,
    and in which country a number without a country's code may be.
    """
    from classifiers.signature_fields import signature as fields

    return fields(text, cuts, sender, sender_name)
