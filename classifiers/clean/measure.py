"""Measures quoted-reply parsing on a folder of letters: `python -m classifiers.clean.measure FOLDER`.

FOLDER holds `emails/NAME` (a letter's text) and `trimmed/NAME` (the new text a reader should keep). Reading old text as
new (leakage) and losing new text are counted apart, in words.
"""

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from classifiers.clean import reply_text


@dataclass(frozen=True, slots=True)
class Measured:
    """One letter's result."""

    name: str
    exact: bool  # after folding white space
    leaked: int  # words shown that are old
    lost: int  # new words not shown


def measure(name: str, letter: str, wanted: str) -> Measured:
    found, right = reply_text(letter).split(), wanted.split()
    leaked = Counter(found) - Counter(right)
    lost = Counter(right) - Counter(found)
    return Measured(name, found == right, leaked.total(), lost.total())


def measure_folder(folder: Path) -> list[Measured]:
    return [
        measure(path.name, path.read_text("utf-8"), (folder / "trimmed" / path.name).read_text("utf-8"))
        for path in sorted((folder / "emails").iterdir())
    ]


def main(folder: str) -> None:
    results = measure_folder(Path(folder))
    for result in results:
        if not result.exact:
            sys.stdout.write(f"{result.name}: {result.leaked} words leaked, {result.lost} lost\n")
    exact = sum(result.exact for result in results)
    leaking = sum(result.leaked > 0 for result in results)
    losing = sum(result.lost > 0 for result in results)
    sys.stdout.write(f"exact {exact} of {len(results)}; leakage in {leaking}, loss in {losing}\n")


if __name__ == "__main__":
    main(sys.argv[1])
