"""What rules and heads say together: a probability becomes a read with its sentence as evidence, pieces become quotes.

The rules' marks are among what the heads see, so a reading is as sure as the heads are. A milestone that a rule proves
stands, in the rule's own words, unless the heads rule it out; an objection likewise. What a phrase of the admin's own
says stands whatever the heads say.
"""

from collections.abc import Sequence
from typing import NamedTuple

from agent.model import MILESTONES, Letter, MilestoneRead, ObjectionRead, Span
from classifiers import quotes
from classifiers.features import Example
from classifiers.heads import ANY, STALLING, Scores
from classifiers.house import SIDE
from classifiers.manifest import Manifest
from classifiers.objections import REPORTED
from classifiers.rules import of_house
from classifiers.spans import Sentence, sentence_span

AGREED = 0.03  # a rule's milestone falls where the heads find it less probable
LIKELY = 0.3  # and is as sure as the rule is from here on
PROPOSED = 0.79  # the highest confidence that is still only proposed
AGREED_OBJECTION = 0.3  # the same for an objection of whatever type
SHORT = 8  # words, stops among them: of so short a letter the heads know too little to overrule a rule
LEAST = 0.25  # of a confidence: what is less sure is not even kept
NEAR = 4  # sentences on either side of the one that objects: there its reason and condition are looked for
SECOND = 0.5  # so probable must a further type be, in a sentence of its own
THEIRS = frozenset({"lost", "meeting_scheduled"})  # the client's to say: by our letter alone only proposed


class Heard(NamedTuple):
    """A letter, and what the heads say of it."""

    letter: Letter
    sentences: Sequence[Sentence]
    seen: Example
    scores: Scores
    manifest: Manifest


def milestones(heard: Heard, ruled: Sequence[MilestoneRead]) -> tuple[MilestoneRead, ...]:
    """One read per milestone that is probable enough, in the order in which the letter proves them."""
    letter, manifest = heard.letter, heard.manifest
    found: list[MilestoneRead] = []
    by_rule = {read.name: read for read in ruled}
    for name in MILESTONES:
        said = heard.scores.labels[name]
        known = by_rule.get(name)
        sure = round(manifest.milestones.confidence(said.probability, said.probability), 3)
        if known and of_house(known.by):
            sure = max(sure, known.confidence)
        elif known and said.probability >= AGREED:
            sure = max(sure, known.confidence if said.probability >= LIKELY else min(known.confidence, PROPOSED))
        elif known is None and name in THEIRS and letter.direction == "outbound":
            sure = min(sure, PROPOSED)
        if sure < LEAST or SIDE.get(name, letter.direction) != letter.direction:
            continue
        if name == "contact_established" and name in letter.earlier:
            continue
        found.append(
            MilestoneRead(
                name=name,
                confidence=sure,
                evidence=known.evidence if known else sentence_span(letter.body, heard.sentences[said.at]),
                by=f"{known.by}+{manifest.version}" if known else manifest.version,
            )
        )
    return tuple(sorted(found, key=lambda read: (read.evidence.start, read.name)))


def objections(heard: Heard, ruled: Sequence[ObjectionRead]) -> tuple[ObjectionRead, ...]:
    """What the admin's own phrases say, and what rules and heads say besides, of other types in other sentences."""
    own = tuple(read for read in ruled if of_house(read.by))
    types, places = {read.type for read in own}, {read.evidence.start for read in own}
    weighed = _weighed(heard, [read for read in ruled if read not in own])
    return (*own, *(read for read in weighed if read.type not in types and read.evidence.start not in places))


def _weighed(heard: Heard, ruled: Sequence[ObjectionRead]) -> tuple[ObjectionRead, ...]:
    """The likeliest objection, and a further one in a sentence of its own; of ours only what records the client's."""
    letter, some, scores, manifest = heard.letter, heard.sentences, heard.scores, heard.manifest
    there = scores.labels[ANY]
    if ruled and there.probability < manifest.objections.propose:
        stands = there.probability >= AGREED_OBJECTION or sum(len(one.words) for one in some) <= SHORT
        return tuple(ruled) if stands else ()
    found: list[ObjectionRead] = []
    taken: set[int] = set()
    for number, name in enumerate(scores.types):
        said = scores.labels[name]
        at = said.at if number else there.at
        if number and (said.probability < SECOND or at in taken):
            break
        taken.add(at)
        sure = manifest.objections.confidence(there.probability, min(there.probability, said.probability))
        sure -= REPORTED if letter.direction != "inbound" else 0
        if sure < LEAST:
            break
        genuine = scores.labels[STALLING].probability < 0.5
        reason, condition = _quotes(heard, at) if genuine else (None, None)
        found.append(
            ObjectionRead(
                type=name,
                genuine=genuine,
                confidence=round(sure, 3),
                evidence=sentence_span(letter.body, some[at]),
                reason=reason,
                condition=condition,
                by=manifest.version,
            )
        )
    return tuple(found)


def _quotes(heard: Heard, at: int) -> tuple[Span | None, ...]:
    """Reason and condition: the run of pieces that looks most like one, near the sentence that objects."""
    encoded = heard.seen.encoded
    near = range(max(0, at - NEAR), min(len(encoded), at + NEAR + 1))
    return tuple(
        quotes.best(
            heard.letter.body, heard.sentences, encoded, [one[:, number] for one in heard.scores.spans], near, lean
        )
        for number, lean in enumerate(heard.manifest.spans)
    )
