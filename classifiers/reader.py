"""From letters to readings: cut, tell the language and the kind of letter, find the phrases, decide.

letters -> cuts (clean) -> kind and language (automated, clean) -> sentences with phrases (pipeline) -> milestones, objections
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from agent.model import Cut, Letter, MilestoneRead, ObjectionRead, Reading
from classifiers.clean import find_cuts, handed_over, kept, language
from classifiers.milestones import milestones
from classifiers.objections import objections
from classifiers.rules import VERSION, book
from classifiers.spans import Sentence

MAX_TEXT = 40_000  # characters of one letter; what stands behind is not read
COVERING_NOTE = 60  # words above a letter that is passed on; more than that is an answer of its own

Tongue = Literal["en", "ru", "other"]


class Prepared(msgspec.Struct, frozen=True):
    """A letter with all that is known of it before its phrases are looked up."""

    letter: Letter
    cuts: tuple[Cut, ...]
    language: Tongue
    shown: str  # the body with blanks for all that is not read: places stay those of the body


def read_all(letters: Sequence[Letter]) -> list[Reading]:
    """One reading per letter, in the same order."""
    prepared = [_prepare(letter) for letter in letters]
    found = _sentences(prepared)
    return [_reading(one, some) for one, some in zip(prepared, found, strict=True)]


def _prepare(letter: Letter) -> Prepared:
    cuts = find_cuts(letter.body, letter.cuts, letter.subject)
    stretches = kept(letter.body, cuts)
    own = sum(len(letter.body[start:end].split()) for start, end in stretches)
    if own <= COVERING_NOTE:
        stretches = sorted([*stretches, *handed_over(letter.body, cuts)])
    shown = _shown(letter.body, stretches)
    return Prepared(letter=letter, cuts=cuts, language=language(shown), shown=shown)


def _shown(body: str, stretches: Sequence[tuple[int, int]]) -> str:
    parts: list[str] = []
    at = 0
    for start, end in stretches:
        start, end = max(start, at), min(end, MAX_TEXT)
        if start < end:
            parts += ["\n" * (start - at), body[start:end]]
            at = end
    return "".join(parts)


def _sentences(prepared: Sequence[Prepared]) -> list[tuple[Sentence, ...]]:
    """The sentences of every letter that can say anything, found in batches of one language."""
    found: list[tuple[Sentence, ...]] = [()] * len(prepared)
    for tongue in ("en", "ru"):
        some = [
            number
            for number, one in enumerate(prepared)
            if _tongue(one) == tongue and one.letter.direction != "internal"
        ]
        if some:
            from classifiers.pipeline import sentences  # spaCy is loaded only when something is to be read

            for number, result in zip(
                some, sentences(tongue, [prepared[number].shown for number in some]), strict=True
            ):
                found[number] = result
    return found


def _tongue(one: Prepared) -> str:
    """A letter too short to tell its language is tried by its alphabet."""
    if one.language != "other":
        return one.language
    return "ru" if any("а" <= letter <= "я" for letter in one.shown.lower()) else "en"


def _reading(one: Prepared, some: tuple[Sentence, ...]) -> Reading:
    proven: tuple[MilestoneRead, ...] = ()
    held: tuple[ObjectionRead, ...] = ()
    if some:
        proven = milestones(one.letter, some, book(_tongue(one)).lists)
        held = objections(one.letter, some)
    return Reading(version=VERSION, language=one.language, cuts=one.cuts, milestones=proven, objections=held)
