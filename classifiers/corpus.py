"""The labelled letters: three parts written apart, what must hold of their rows, and how near the parts come."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

import msgspec

from agent.errors import Rejected
from agent.model import MILESTONES, OBJECTION_TYPES, Letter
from classifiers.clean import find_cuts, new_text
from classifiers.phrases import words

PARTS = ("train", "tune", "test")
LANGUAGES = ("en", "ru")
RUN = 5  # words: letters of two parts that share so many in a row are near
TELLING = 3  # of those must be no everyday words
PLAIN = 200  # of the most frequent words count as everyday ones, besides all short ones
KNOWN = 5  # letters in which an everyday word stands at least
TRAPS = frozenset(
    "negation resolved quoted hypothetical third_party sarcasm polite_refusal hedge future we_as_buyer "
    "scheduling_only forward mixed_language internal conditional".split()
)


class Objection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One objection as a reader labelled it."""

    type: str
    genuine: bool
    also_ok: tuple[str, ...] = ()  # types that a careful reader may defend
    reason: str | None = None
    condition: str | None = None


class Labels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reader found in a letter."""

    milestones: tuple[str, ...]
    objections: tuple[Objection, ...]
    automated: bool
    business: bool


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One letter of the corpus with its labels."""

    id: str
    lang: Literal["en", "ru"]
    direction: Literal["inbound", "outbound", "internal"]
    subject: str
    body: str
    labels: Labels
    attachments: tuple[str, ...] = ()
    hard: str | None = None  # the trap that it was written for
    voice: str = ""
    trade: str = ""

    def letter(self) -> Letter:
        return Letter(direction=self.direction, subject=self.subject, body=self.body, attachments=self.attachments)


class Near(msgspec.Struct, frozen=True):
    """Two letters of different parts that share a run of words."""

    one: str
    other: str
    run: str


def room() -> Traversable:
    return files("classifiers") / "data" / "corpus"


def load(part: str, languages: Sequence[str] = LANGUAGES, folder: Path | None = None) -> tuple[Row, ...]:
    """The letters of one part; a row that cannot be read is named with its line."""
    return tuple(row for file in _files(part, languages, folder) for row in _rows(file))


def raw(part: str, folder: Path | None = None) -> bytes:
    """The bytes of a part, for its fingerprint."""
    return b"".join(file.read_bytes() for file in _files(part, LANGUAGES, folder))


def _files(part: str, languages: Sequence[str], folder: Path | None) -> list[Traversable]:
    """The files of a part, one language after the other: en.jsonl, en-2.jsonl ..."""
    place = (folder or room()) / part
    if not place.is_dir():
        raise Rejected(f"there is no {place}")
    known = sorted((file for file in place.iterdir() if file.name.endswith(".jsonl")), key=lambda file: file.name)
    return [file for language in languages for file in known if file.name[:2] == language]


def _rows(file: Traversable) -> Iterator[Row]:
    for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
        try:
            yield msgspec.json.decode(line, type=Row)
        except msgspec.DecodeError as error:
            raise Rejected(f"{file}, line {number}: {error}") from error


# -- what must hold ---------------------------------------------------------------------------------------------------


def problems(rows: Sequence[Row]) -> list[str]:
    """What is wrong with these rows, one sentence each."""
    seen: set[str] = set()
    found: list[str] = []
    for row in rows:
        if row.id in seen:
            found.append(f"{row.id}: the id stands twice")
        seen.add(row.id)
        found += [f"{row.id}: {problem}" for problem in _problems(row)]
    return found


def _problems(row: Row) -> Iterator[str]:
    for name in row.labels.milestones:
        if name not in MILESTONES:
            yield f"no milestone is called {name}"
    if row.hard is not None and row.hard not in TRAPS:
        yield f"no trap is called {row.hard}"
    new = row.body
    for one in row.labels.objections:
        for name in (one.type, *one.also_ok):
            if name not in OBJECTION_TYPES:
                yield f"no objection is called {name}"
        if not one.genuine and (one.reason or one.condition):
            yield "a pretext has neither reason nor condition"
        for quote in (one.reason, one.condition):
            if quote is not None and (not quote or quote not in new):
                yield f"not in its text: {quote}"


# -- how near the parts come ------------------------------------------------------------------------------------------


def near(parts: Mapping[str, Sequence[Row]]) -> list[Near]:
    """Letters of different parts that share a telling run of words; one finding per letter of the later part."""
    texts = {part: [(row.id, _words(row)) for row in rows] for part, rows in parts.items()}
    plain = _everyday([some for rows in texts.values() for _, some in rows])
    owner: dict[tuple[str, ...], str] = {}
    found: list[Near] = []
    for rows in texts.values():
        fresh: list[tuple[tuple[str, ...], str]] = []
        for name, some in rows:
            runs = [run for run in _runs(some) if sum(word not in plain for word in run) >= TELLING]
            shared = next((run for run in runs if run in owner), None)
            if shared is not None:
                found.append(Near(owner[shared], name, " ".join(shared)))
            fresh += [(run, name) for run in runs]
        owner.update(fresh)
    return found


def _words(row: Row) -> list[str]:
    """The words of the new text; greetings and signatures are cut with the rest that is no new text."""
    text = new_text(row.body, find_cuts(row.body, (), row.subject))
    return [word for word, _, _ in words(text) if word[0].isalnum()]


def _runs(some: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for at in range(len(some) - RUN + 1):
        yield tuple(some[at : at + RUN])


def _everyday(texts: Sequence[Sequence[str]]) -> frozenset[str]:
    counts: dict[str, int] = {}
    for some in texts:
        for word in set(some):
            counts[word] = counts.get(word, 0) + 1
    frequent = sorted(counts, key=lambda word: (-counts[word], word))[:PLAIN]
    return frozenset(word for word in frequent if counts[word] >= KNOWN) | {word for word in counts if len(word) < 3}
