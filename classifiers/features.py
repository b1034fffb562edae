"""What the heads see of a letter: its sentences as vectors and words, and what the rules marked in them.

The rules vote as marks: the heads learn on letters that the rules were not made from how far each mark can be trusted.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np

from agent.model import Letter, MilestoneRead, ObjectionRead
from classifiers.conditions import conditions
from classifiers.encoder import Encoded
from classifiers.phrases import same_length
from classifiers.spans import Sentence, blocked

WORDS, MARK, MARK_BESIDE = 4.0, 2.0, 1.2  # how loud each kind of feature speaks
STEM = {"en": 6, "ru": 5}  # letters of a word that count
RARE = 4  # a word seen in fewer sentences says nothing
MOST_SENTENCES = 60  # of a letter

_WORD = re.compile(r"[^\W\d_]+|\d+|[?!%€$£₽]")
_NAMED = tuple(
    re.compile(pattern)
    for pattern in (
        "offer|quot|propos|estimat|price|кп|предлож|коммерч|смет|прайс",
        "contract|agreement|договор|соглаш|order.?form|statement.of.work",
        "invoice|счет|bill",
        "sign|подпис",
    )
)


class Example(msgspec.Struct, frozen=True):
    """One letter as the heads see it."""

    encoded: tuple[Encoded, ...]  # one per sentence; none in training, where the encoder changes
    words: tuple[tuple[str, ...], ...]  # stems and pairs of stems, per sentence
    marks: tuple[tuple[str, ...], ...]  # what the rules found, per sentence
    about: tuple[float, ...]  # of the letter as a whole: direction, kinds of attachments


class Vocabulary(msgspec.Struct, frozen=True):
    """The words and marks that were seen in training, with their weights."""

    terms: tuple[str, ...]
    weights: tuple[float, ...]

    def places(self) -> dict[str, int]:
        return {term: number for number, term in enumerate(self.terms)}


def example(
    letter: Letter,
    some: Sequence[Sentence],
    encoded: Sequence[Encoded],
    proven: Sequence[MilestoneRead],
    held: Sequence[ObjectionRead],
) -> Example:
    shown = some[:MOST_SENTENCES]
    return Example(
        encoded=tuple(encoded[:MOST_SENTENCES]),
        words=tuple(tuple(_words(letter.body[one.start : one.end])) for one in shown),
        marks=tuple(tuple(sorted(set(_marks(letter, one, proven, held)))) for one in shown),
        about=_about(letter),
    )


def _words(text: str) -> Iterator[str]:
    stems = [_stem(word) for word in _WORD.findall(same_length(text).lower().replace("ё", "е"))]
    yield from stems
    for pair in zip(("^", *stems), (*stems, "$"), strict=True):
        yield "_".join(pair)


def _stem(word: str) -> str:
    if word[0].isdigit():
        return "#"
    return word[: STEM["ru" if "а" <= word[0] <= "я" else "en"]]


def _marks(
    letter: Letter, one: Sentence, proven: Sequence[MilestoneRead], held: Sequence[ObjectionRead]
) -> Iterator[str]:
    for hit in one.hits:
        yield f"{'not ' if blocked(one, hit, letter.direction) else ''}{hit.rule.kind} {hit.rule.name}"
    yield from (f"cue {hit.rule.name}" for hit in one.cues)
    yield from (f"condition {found.promise}" for found in conditions(one)[:1])
    if one.question:
        yield "question"
    yield from (f"proven {read.name}" for read in proven if read.evidence.start == one.start)
    for read in held:
        if read.evidence.start == one.start:
            yield "held"
            yield f"held {read.type}"


def _about(letter: Letter) -> tuple[float, ...]:
    names = " ".join(letter.attachments).lower()
    kinds = (float(bool(pattern.search(names))) for pattern in _NAMED)
    return (3.0 * (letter.direction == "inbound"), 2.0 * bool(names), *(2.0 * kind for kind in kinds))


# -- numbers ----------------------------------------------------------------------------------------------------------


def sparse(one: Example, places: Mapping[str, int], weights: Sequence[float]) -> list[dict[int, float]]:
    """The words of each sentence, rare ones louder, and the marks of it and its neighbours."""
    found: list[dict[int, float]] = []
    for number, some in enumerate(one.words):
        row = _weighed(some, places, weights)
        for kind, at, loud in (("m", number, MARK), ("n", number - 1, MARK_BESIDE), ("n", number + 1, MARK_BESIDE)):
            if 0 <= at < len(one.marks):
                for mark in one.marks[at]:
                    place = places.get(f"{kind} {mark}")
                    if place is not None:
                        row[place] = loud
        found.append(row)
    return found


def _weighed(some: Sequence[str], places: Mapping[str, int], weights: Sequence[float]) -> dict[int, float]:
    row = {
        places[term]: (1 + np.log(count)) * weights[places[term]]
        for term, count in Counter(f"w {word}" for word in some).items()
        if term in places
    }
    length = float(np.sqrt(sum(value * value for value in row.values())))
    return {place: float(WORDS * value / length) for place, value in row.items()}


def vocabulary(examples: Iterable[Example]) -> Vocabulary:
    """The words and marks of these letters that are not too rare."""
    counted: Counter[str] = Counter()
    sentences = 0
    for one in examples:
        for words, marks in zip(one.words, one.marks, strict=True):
            sentences += 1
            counted.update({f"w {word}" for word in words})
            counted.update(f"{kind} {mark}" for mark in marks for kind in "mn")
    terms = sorted(term for term, count in counted.items() if count >= RARE)
    return Vocabulary(
        terms=tuple(terms),
        weights=tuple(round(float(np.log((1 + sentences) / (1 + counted[term])) + 1), 4) for term in terms),
    )
