"""What a house adds to the reader: heads that learned from its people's answers, and phrases of its admin."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Literal, NamedTuple

import msgspec

from agent.errors import Rejected
from agent.model import MILESTONES, OBJECTION_TYPES
from classifiers.phrases import Vocabulary
from classifiers.rules import HOUSE, HousePhrases, Rule, cues, phrase_lines, with_synonyms, word_lists

CONFIDENCE = 0.9  # it is the admin's word: what his phrase says is written
NOT_WHEN = {
    "milestone": ("negated", "future", "hypothetical", "question", "third"),
    "objection": ("hypothetical", "third", "resolved", "question"),  # most of them negate something themselves
}
Side = Literal["inbound", "outbound", "either"]
SIDE: dict[str, Side] = {  # milestones that only one side's letters can prove
    "contact_established": "inbound",
    "proposal_received": "inbound",
    "proposal_sent": "outbound",
    "invoice_sent": "outbound",
}


class ReaderOptions(msgspec.Struct, frozen=True):
    """How the house wants its letters read."""

    model: str = ""  # the folder of its own heads; where none can read there, those of the product do
    phrases: tuple[HousePhrases, ...] = ()


DEFAULT = ReaderOptions()


class HouseRule(msgspec.Struct, frozen=True, kw_only=True):
    """Phrases as the admin wrote them."""

    language: str
    kind: Literal["milestone", "objection"]
    name: str  # a milestone, a type of objection, or a type of his own that counts as one
    phrases: str  # one a line
    counts_as: str = ""  # the known type of an own one
    direction: Side | None = None  # None: whoever can say so
    confidence: float = CONFIDENCE
    not_when: tuple[str, ...] | None = None  # None: what is usual
    genuine: Literal["yes", "no", "facts"] = "yes"


class Problem(NamedTuple):
    """What is wrong with one key of a rule."""

    key: str
    phrase: str  # the line of the phrases, else ""
    text: str


Words = Mapping[str, Mapping[str, str]]  # language -> name of a list -> entries


def house_phrases(rules: Sequence[HouseRule], words: Words) -> tuple[HousePhrases, ...]:
    """The rules and lists, of each language that has any."""
    languages = sorted({rule.language for rule in rules} | {language for language, lists in words.items() if lists})
    return tuple(
        HousePhrases(
            language=language,
            rules=tuple(_rule(one, n) for n, one in enumerate(rules, start=1) if one.language == language),
            words=tuple(sorted(words.get(language, {}).items())),
        )
        for language in languages
    )


def _rule(one: HouseRule, number: int) -> Rule:
    """A reading names it as its reason, by the admin's own word for it."""
    name = one.counts_as or one.name
    either: Side = "either"
    return Rule(
        kind=one.kind,
        name=name,
        phrases=one.phrases,
        direction=one.direction or SIDE.get(name, either),
        confidence=one.confidence,
        not_when=NOT_WHEN[one.kind] if one.not_when is None else one.not_when,
        genuine=one.genuine,
        id=f"{HOUSE}{one.language}/{one.kind}/{one.name}/{number}",
    )


def problems(rule: HouseRule, words: Words) -> Iterator[Problem]:
    """What is wrong with a rule, each with its fix."""
    yield from _name_problems(rule)
    side = SIDE.get(rule.name)
    if side and rule.direction not in (None, side):
        yield Problem("direction", "", f'only {side} letters prove {rule.name}; write "{side}" or leave it out')
    for cue in rule.not_when or ():
        if cue not in (known := sorted(cues(rule.language))):
            yield Problem("not_when", "", f"{cue} is no cue; known are: {', '.join(known)}")
    if not phrase_lines(rule.phrases):
        yield Problem("phrases", "", "holds no phrase; write one a line")
    own = words.get(rule.language, {})
    vocabulary = Vocabulary(rule.language, with_synonyms(word_lists(rule.language), own.items()))
    for text in phrase_lines(rule.phrases):
        try:
            vocabulary.parse(text)
        except Rejected as error:
            yield Problem("phrases", text, str(error))


def _name_problems(rule: HouseRule) -> Iterator[Problem]:
    known = MILESTONES if rule.kind == "milestone" else OBJECTION_TYPES
    if rule.counts_as and rule.kind == "milestone":
        yield Problem("counts_as", "", "only an objection can count as another; remove it")
    elif rule.counts_as and rule.counts_as not in OBJECTION_TYPES:
        yield Problem("counts_as", "", f"is no type of objection; {_suggest(rule.counts_as, OBJECTION_TYPES)}")
    elif not rule.counts_as and rule.name not in known:
        besides = "" if rule.kind == "milestone" else '; a type of your own needs counts_as = "..."'
        yield Problem("name", "", f"is no {rule.kind}; {_suggest(rule.name, known)}{besides}")


def _suggest(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else f"known are: {', '.join(known)}"
