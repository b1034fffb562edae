"""What rules and heads say together: a probability becomes a read with its sentence as evidence; spans stay the rules'.

The rules have voted before: their marks are among what the heads see. Here the heads' word is taken, and where the
rules saw the same thing, their evidence and their spans are.
"""

from collections.abc import Sequence

from agent.model import MILESTONES, Letter, MilestoneRead, ObjectionRead
from classifiers.heads import Scores
from classifiers.manifest import Limits
from classifiers.objections import REPORTED, clause_span, condition_near
from classifiers.spans import Sentence, sentence_span

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
        sure = round(limits.confidence(probability, probability), 3)
        if sure < LEAST or ONE_SIDED.get(name, letter.direction) != letter.direction:
            continue
        if name == "contact_established" and name in letter.earlier:
            continue
        known = by_rule.get(name)
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
    sure = limits.confidence(probability, scores.certain)
    if letter.direction != "inbound":
        sure -= REPORTED
    if sure < LEAST:
        return ()
    known = next((read for read in ruled if read.type == scores.type), None) or next(
        (read for read in ruled if read.evidence.start == some[at].start), None
    )
    genuine = scores.genuine >= 0.5
    reason = known.reason if known else None
    condition = known.condition if known else None
    if genuine:
        condition = condition or condition_near(letter.body, some, at)
        reason = reason or clause_span(letter.body, some, at)
    return (
        ObjectionRead(
            type=scores.type,
            genuine=genuine,
            confidence=round(sure, 3),
            evidence=known.evidence if known else sentence_span(letter.body, some[at]),
            reason=reason if genuine else None,
            condition=condition if genuine else None,
            by=f"{known.by}+{by}" if known else by,
        ),
    )
