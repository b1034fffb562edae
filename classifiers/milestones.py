"""Which milestones a letter proves: the surest phrase of each, with the sentence that holds it."""

import re
from collections.abc import Mapping, Sequence

from agent.model import Letter, MilestoneRead
from classifiers.conditions import conditions
from classifiers.phrases import same_length
from classifiers.rules import Rule, of_house
from classifiers.spans import Hit, Sentence, blocked, sentence_span

AGREEING = 0.04  # added for a second sentence that says the same
_OURS = frozenset("our my наш наша наше наши нашу".split())
_NAME_WORD = re.compile(r"[^\W\d_]+")

# Of two milestones which the same sentence can prove, the first stands and the second falls.
_STRONGER = {
    "contract_signed": ("contract_sent", "contract_approval"),
    "invoice_sent": ("contract_sent", "proposal_sent", "negotiation"),
    "contract_sent": ("proposal_sent",),
    "meeting_held": ("meeting_scheduled",),
    "payment_confirmed": ("negotiation",),
    "lost": ("postponed", "negotiation"),
}
_SIGNED_WITH_OTHERS = re.compile(
    r"\b[Ss]igned (?:up )?with (?:(?:an)?other |a different |the other |someone |(?!You)[A-Z]\w)"
    r"|\b[Пп]одписал\w* (?:договор |контракт )?со? (?:друг|конкурент|«|(?!Ва[мш])[А-ЯЁ])"
)


def milestones(
    letter: Letter, some: Sequence[Sentence], lists: Mapping[str, frozenset[str]]
) -> tuple[MilestoneRead, ...]:
    """One read per milestone at most, in the order in which the letter proves them."""
    attached = _name_words(letter.attachments)
    cues = {hit.rule.name for sentence in some for hit in sentence.cues}
    best: dict[str, MilestoneRead] = {}
    places: dict[str, set[int]] = {}
    for sentence in some:
        for hit in sentence.hits:
            sure = _sure(letter, sentence, hit, attached, lists, cues)
            if not sure:
                continue
            name = hit.rule.name
            places.setdefault(name, set()).add(sentence.start)
            known = best.get(name)
            if known is None or (of_house(known.by), known.confidence) < (of_house(hit.rule.id), sure):
                best[name] = MilestoneRead(
                    name=name, confidence=sure, evidence=sentence_span(letter.body, sentence), by=hit.rule.id
                )
    agreed = {name: min(0.97, read.confidence + AGREEING * (len(places[name]) > 1)) for name, read in best.items()}
    return tuple(
        MilestoneRead(name=read.name, confidence=round(agreed[name], 3), evidence=read.evidence, by=read.by)
        for name, read in sorted(best.items(), key=lambda pair: (pair[1].evidence.start, pair[0]))
        if not _falls(read, best)
    )


def buying(letter: Letter, some: Sequence[Sentence]) -> bool:
    """Whether we are the ones who buy: a supplier sends us his offer or bill, we write to our landlord."""
    for sentence in some:
        if any(
            cue.rule.name == "buyer" and cue.rule.direction in ("either", letter.direction) for cue in sentence.cues
        ):
            return True
        if letter.direction == "inbound" and not any(word.startswith(("your", "ваш")) for word in sentence.words):
            sent = [
                hit
                for hit in sentence.hits
                if hit.rule.name in ("proposal_sent", "invoice_sent") and not hit.rule.context
            ]
            if any(word in _OURS for word in sentence.words) and any(
                not blocked(sentence, hit, "outbound") for hit in sent
            ):
                return True
    return False


def _sure(
    letter: Letter,
    sentence: Sentence,
    hit: Hit,
    attached: frozenset[str],
    lists: Mapping[str, frozenset[str]],
    cues: set[str],
) -> float:
    """How surely the phrase proves its milestone here; 0 when it does not."""
    rule = hit.rule
    if (
        rule.kind != "milestone"
        or not _for(rule, letter)
        or not cues.issuperset(rule.only_when)
        or blocked(sentence, hit, letter.direction)
    ):
        return 0.0
    if rule.name == "contract_signed" and letter.direction == "inbound" and _signed_with_others(letter, sentence):
        return 0.0
    if "conditional" in rule.not_when and any(one.promise for one in conditions(sentence)):
        return 0.0
    return rule.confidence if not rule.context or attached & lists[rule.context] else 0.0


def _signed_with_others(letter: Letter, sentence: Sentence) -> bool:
    """ "We signed with Frostrand": a contract, and not with us."""
    return _SIGNED_WITH_OTHERS.search(sentence_span(letter.body, sentence).quote) is not None


def _for(rule: Rule, letter: Letter) -> bool:
    if rule.name in letter.earlier and rule.name == "contact_established":
        return False
    return rule.direction in ("either", letter.direction)


def _falls(read: MilestoneRead, best: Mapping[str, MilestoneRead]) -> bool:
    return not of_house(read.by) and any(
        read.name in weaker
        and strong in best
        and best[strong].evidence == read.evidence
        and best[strong].confidence >= read.confidence
        for strong, weaker in _STRONGER.items()
    )


def _name_words(names: Sequence[str]) -> frozenset[str]:
    return frozenset(word.lower() for name in names for word in _NAME_WORD.findall(same_length(name)))
