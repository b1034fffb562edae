"""What rules and heads say together: a probability becomes a read with its sentence as evidence; spans stay the rules'.

The rules' marks are among what the heads see. What a rule says stands as it is unless the heads find it improbable:
then it falls. What no rule says is as sure as the heads are.
"""

from collections.abc import Sequence

from agent.model import MILESTONES, Letter, MilestoneRead, ObjectionRead
from classifiers.heads import Scores
from classifiers.manifest import Limits
from classifiers.objections import REPORTED, clause_span, condition_near
from classifiers.spans import Sentence, sentence_span

AGREED = 0.1  # a rule stands if the heads find its milestone at least so probable
AGREED_OBJECTION = 0.5  # the same for an objection of whatever type
SHORT = 25  # words: of so short a letter the heads know too little to overrule a rule
LEAST = 0.25  # of a confidence: what is less sure is not even kept
ONE_SIDED = {
    "contact_established": "inbound",
    "proposal_received": "inbound",
    "proposal_sent": "outbound",
    "invoice_sent": "outbound",
}


def milestones(
    letter: Letter, some: Sequence[Sentence], scores: Scores, ruled: Sequence[MilestoneRead], limits: Limits, by: str
) -> tuple[MilestoneRead, ...]:
    """One read per milestone that is probable enough, in the order in which the letter proves them."""
    found: list[MilestoneRead] = []
    by_rule = {read.name: read for read in ruled}
    for name in MILESTONES:
        probability, at = scores.milestones[name]
        known = by_rule.get(name)
        sure = round(limits.confidence(probability, probability), 3)
        if known and (probability >= AGREED or _short(some)):
            sure = max(sure, known.confidence)
        if sure < LEAST or ONE_SIDED.get(name, letter.direction) != letter.direction:
            continue
        if name == "contact_established" and name in letter.earlier:
            continue
        found.append(
            MilestoneRead(
                name=name,
                confidence=sure,
                evidence=known.evidence if known else sentence_span(letter.body, some[at]),
                by=f"{known.by}+{by}" if known else by,
            )
        )
    return tuple(sorted(found, key=lambda read: (read.evidence.start, read.name)))


def objections(
    letter: Letter, some: Sequence[Sentence], scores: Scores, ruled: Sequence[ObjectionRead], limits: Limits, by: str
) -> tuple[ObjectionRead, ...]:
    """The objection of the sentence that speaks most for there being one; of ours only what records the client's."""
    probability, at = scores.objection
    if ruled and (probability >= AGREED_OBJECTION or _short(some)):
        return tuple(ruled)
    sure = limits.confidence(probability, scores.certain)
    if letter.direction != "inbound":
        sure -= REPORTED
    if sure < LEAST:
        return ()
    genuine = scores.genuine >= 0.5
    return (
        ObjectionRead(
            type=scores.type,
            genuine=genuine,
            confidence=round(sure, 3),
            evidence=sentence_span(letter.body, some[at]),
            reason=clause_span(letter.body, some, at) if genuine else None,
            condition=condition_near(letter.body, some, at) if genuine else None,
            by=by,
        ),
    )


def _short(some: Sequence[Sentence]) -> bool:
    return sum(len(one.words) for one in some) < SHORT
