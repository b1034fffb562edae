"""From letters to readings: cut, tell the language and the kind of letter, find the phrases, decide.

letters -> cuts (clean) -> kind and language (automated, clean) -> sentences with phrases (pipeline)
        -> milestones, objections
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from agent.model import Cut, Letter, MilestoneRead, NotBusiness, ObjectionRead, Reading
from classifiers.automated import automated, matter
from classifiers.clean import find_cuts, handed_over, kept, language, without_history
from classifiers.milestones import buying, milestones
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
    machine: Literal["", "auto_reply", "bounce", "calendar_notification", "newsletter", "notice"]
    matter: NotBusiness
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
    sent = without_history(letter.body[:MAX_TEXT], cuts)
    asked = (letter.signals, letter.subject, sent, letter.signals.get("from", ""))
    inbound = letter.direction == "inbound"
    return Prepared(
        letter=letter,
        cuts=cuts,
        language=language(shown),
        machine=automated(*asked) if inbound else "",
        matter=matter(*asked) if inbound else "",
        shown=shown,
    )


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
        some = [number for number, one in enumerate(prepared) if _tongue(one) == tongue and _telling(one)]
        if some:
            from classifiers.pipeline import sentences  # spaCy is loaded only when something is to be read

            for number, result in zip(
                some, sentences(tongue, [prepared[number].shown for number in some]), strict=True
            ):
                found[number] = result
    return found


def _telling(one: Prepared) -> bool:
    """Whether the letter can prove or hold anything: not between ourselves, not in what is no client's business."""
    return (
        one.letter.direction != "internal"
        and not one.matter
        and one.machine not in ("newsletter", "bounce", "auto_reply")
    )


def _tongue(one: Prepared) -> str:
    """A letter too short to tell its language is tried by its alphabet."""
    if one.language != "other":
        return one.language
    return "ru" if any("а" <= letter <= "я" for letter in one.shown.lower()) else "en"


def _reading(one: Prepared, some: tuple[Sentence, ...]) -> Reading:
    proven: tuple[MilestoneRead, ...] = ()
    held: tuple[ObjectionRead, ...] = ()
    if some and not buying(one.letter, some):
        proven = milestones(one.letter, some, book(_tongue(one)).lists)
        if not one.machine:
            held = objections(one.letter, some, {read.name for read in proven})
    return Reading(
        version=VERSION,
        language=one.language,
        cuts=one.cuts,
        milestones=proven,
        objections=held,
        automated=one.machine,
        business=one.matter in ("", "recruit") and one.machine != "newsletter",
        matter=one.matter,
    )
