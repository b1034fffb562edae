"""What one letter says by itself: `read` is the only door to the classifiers."""

from collections.abc import Sequence

from agent.model import Letter, Reading

__all__ = ["PROPOSE", "WRITE", "read", "version"]

WRITE = 0.8  # a reading at least this sure is written
PROPOSE = 0.5  # one at least this sure is proposed; what is less sure is no opinion


def version() -> str:
    """Names the rules and the model: a reading is kept for as long as this stays the same."""
    from classifiers.rules import VERSION

    return VERSION


def read(letters: Sequence[Letter]) -> list[Reading]:
    """One reading per letter, in the same order. Never raises on any text."""
    from classifiers.reader import read_all

    return read_all(letters)
