"""What the client holds against buying: its type, whether it can be worked on, the reason and the condition.

Three things show an objection: a phrase that is one by itself ("too expensive"), a worry ("one thing bothers us"), and
a condition of buying beside a sentence that says what is missing. The last two take their type from the topics there.
"""

from collections import Counter
from collections.abc import Container, Sequence

import msgspec

from agent.model import Letter, ObjectionRead, Span
from classifiers.conditions import Condition, conditions
from classifiers.phrases import BREAKS, is_number
from classifiers.rules import of_house
from classifiers.spans import Hit, Sentence, blocked, sentence_span, span

MOST = 3  # objections of one letter
NEAR = 2  # sentences between a reason and its condition
LEAD_IN = 3  # words after a worry that only announce the next sentence
BY_WORRY = 0.7  # how sure: a worry whose type the topics tell
BY_CONDITION = 0.62  # how sure: a condition, and before it a sentence that says what is missing
REPORTED = 0.1  # taken off when we, not the client, say so

# Of two topics named equally often the earlier one stands: the special before the general.
_PRIORITY = (
    "legal",
    "authority",
    "budget",
    "competitor",
    "technical",
    "feature_gap",
    "trust",
    "timing",
    "price",
    "need",
    "other",
)
_LEADS = frozenset(
    "but however unfortunately sadly alas regrettably only and so still yet well though although honestly frankly "
    "right also "
    "но однако увы и а зато просто вот только же хотя ну да впрочем жаль честно откровенно".split()
)
_LEAD_PAIRS = (("к", "сожалению"), ("к", "несчастью"), ("при", "этом"), ("the", "trouble", "is"), ("дело", "в", "том"))
_REPORTING = frozenset((",", "us", "me", "said", "mentioned", "is", "noted", "worried", "afraid"))
_TAILS = ("so", "thus", "hence", "therefore", "поэтому", "потому", "так", "отсюда")


class Found(msgspec.Struct):
    """One objection while its letter is being read."""

    type: str
    at: int  # the sentence
    genuine: bool
    confidence: float
    by: str
    first: int = 0  # the phrase's place in its sentence
    clause: int = 0
    fixed: bool = False  # a pretext by its nature: a condition elsewhere does not make it genuine
    condition: tuple[int, Condition] | None = None  # (sentence, condition)


def objections(letter: Letter, some: Sequence[Sentence], proven: Container[str] = ()) -> tuple[ObjectionRead, ...]:
    """The objections that are open in this letter; in our own letters only those that record the client's."""
    readable = _readable(letter, some)
    if not readable:
        return ()
    named = {at: conditions(some[at])[:1] for at in readable}
    found = _stated(letter, some, readable, named) + _worries(some, readable, named)
    if not found:
        found = _by_condition(some, readable, named)
    found = _distinct(found)
    _give_conditions(found, named)
    if "lost" in proven:  # a refusal has a reason or none; "we will think about it" is over
        found = [one for one in found if one.genuine]
    off = 0.0 if letter.direction == "inbound" else REPORTED
    kept = sorted(found, key=lambda one: (not of_house(one.by), one.at))[:MOST]
    return tuple(_read(letter.body, some, one, off) for one in sorted(kept, key=lambda one: one.at))


def _readable(letter: Letter, some: Sequence[Sentence]) -> list[int]:
    """The sentences in which the client's objections may stand."""
    if letter.direction == "inbound":
        return list(range(len(some)))
    return [at for at, sentence in enumerate(some) if sentence.has("report")]


# -- what shows an objection ------------------------------------------------------------------------------------------


def _stated(
    letter: Letter, some: Sequence[Sentence], readable: Sequence[int], named: dict[int, list[Condition]]
) -> list[Found]:
    found: list[Found] = []
    selling = _selling(some, named)
    for at in readable:
        sentence = some[at]
        for hit in sentence.hits:
            if hit.rule.kind != "objection" or blocked(sentence, hit, letter.direction) or _wished(hit, named[at]):
                continue
            if "sale" in hit.rule.only_when and not (selling or sentence.has("sale")):
                continue
            genuine = hit.rule.genuine == "yes" or (hit.rule.genuine == "facts" and _facts(sentence))
            if not genuine and sentence.has("answer_plan"):
                continue
            found.append(
                Found(
                    hit.rule.name,
                    at,
                    genuine,
                    hit.rule.confidence,
                    hit.rule.id,
                    hit.first,
                    sentence.clauses[hit.first],
                    hit.rule.genuine == "no",
                )
            )
    return found


def _selling(some: Sequence[Sentence], named: dict[int, list[Condition]]) -> bool:
    """Whether buying is spoken of at all: a fault of what was delivered long ago is no objection."""
    return any(named.values()) or any(sentence.has("worry") for sentence in some)


def _wished(hit: Hit, conditions: Sequence[Condition]) -> bool:
    """Words of the condition or of the promise behind it say what is wanted, not what is wrong."""
    return any(one.first <= hit.first < (one.end if one.outer >= one.first - 4 else one.last) for one in conditions)


def _worries(some: Sequence[Sentence], readable: Sequence[int], named: dict[int, list[Condition]]) -> list[Found]:
    """A worry says that there is an objection; what follows it says which."""
    found: list[Found] = []
    for at in readable:
        sentence = some[at]
        worries = [hit for hit in sentence.cues if hit.rule.name == "worry"]
        if not worries or _void(sentence) or sentence.question:
            continue
        after = worries[0].last
        topic, where = _topic([sentence], after), at
        if at + 1 in readable and not _void(some[at + 1]):
            topic = topic or _topic([some[at + 1]], 0)
            where = at if len(sentence.words) - after > LEAD_IN or named[at + 1] else at + 1
        if topic:
            found.append(Found(topic, where, True, BY_WORRY, f"worry+{topic}", after if where == at else 0))
    return found


def _by_condition(some: Sequence[Sentence], readable: Sequence[int], named: dict[int, list[Condition]]) -> list[Found]:
    """A condition of buying, and in or before its sentence what is missing."""
    for at in readable:
        if not named[at] or not named[at][0].promise or _void(some[at]):
            continue
        for where in range(at, max(-1, at - NEAR - 1), -1):
            if where not in readable or _void(some[where]):
                continue
            outside = _outside(some[where], named[at][0] if where == at else None)
            lacking = any(hit.rule.name == "lack" and hit.first in outside for hit in some[where].cues)
            if not lacking and (where == at or _bargains(some[at]) or not _plain(some[where])):
                continue
            topic = _topic([some[where], some[at]], 0) or "other"
            return [Found(topic, where, True, BY_CONDITION, f"condition+{topic}", min(outside, default=0))]
    return []


def _bargains(sentence: Sentence) -> bool:
    """A counter-offer needs no objection: the demand must be held against something that is said to be wrong."""
    return any(hit.rule.name == "negotiation" for hit in sentence.hits)


def _plain(sentence: Sentence) -> bool:
    """A statement that proves nothing and asks nothing: beside a demand it says what the demand is about."""
    words = [word for word in sentence.words if word not in BREAKS]
    return len(words) > 3 and not sentence.question and all(hit.rule.kind == "topic" for hit in sentence.hits)


def _outside(sentence: Sentence, condition: Condition | None) -> set[int]:
    """The words that stand neither in the condition nor in the promise behind it."""
    if condition is None:
        return set(range(len(sentence.words)))
    return set(range(condition.outer)) | set(range(condition.end, len(sentence.words)))


def _void(sentence: Sentence) -> bool:
    return any(sentence.has(cue) for cue in ("resolved", "third"))


def _topic(some: Sequence[Sentence], first: int) -> str:
    """What these sentences speak of; the first one counts from the given word on."""
    counted: Counter[str] = Counter()
    for number, sentence in enumerate(some):
        seen: set[tuple[str, int]] = set()
        for hit in sentence.hits:
            if hit.rule.kind in ("topic", "objection") and (number or hit.first >= first):
                seen.add((hit.rule.name, hit.first))
        counted.update(name for name, _ in seen)
    counted.pop("", None)
    return min(counted, key=lambda name: (-counted[name], _PRIORITY.index(name)), default="")


def _facts(sentence: Sentence) -> bool:
    return sentence.has("fact") or any(is_number(word) for word in sentence.words)


# -- one per reason ---------------------------------------------------------------------------------------------------


def _distinct(found: Sequence[Found]) -> list[Found]:
    """One objection per type, and of a sentence only the surest types; the genuine one before the pretext."""
    best: dict[str, Found] = {}
    for one in found:
        known = best.get(one.type)
        if known is None or _rank(one) > _rank(known):
            best[one.type] = one
    chosen: list[Found] = []
    for one in sorted(best.values(), key=lambda one: (*(-each for each in _rank(one)), _PRIORITY.index(one.type))):
        if of_house(one.by) or not any(
            other.at == one.at and (other.genuine or other.clause == one.clause) for other in chosen
        ):
            chosen.append(one)
    return [one for one in chosen if one.type != "other" or len(chosen) == 1 or one.genuine]


def _rank(one: Found) -> tuple[float, ...]:
    """The admin's own phrases first, then what is genuine, then what is sure."""
    return of_house(one.by), one.genuine, one.confidence


def _give_conditions(found: Sequence[Found], named: dict[int, list[Condition]]) -> None:
    """A condition belongs to the nearest reason: the same sentence, the one before it, the one after it."""
    for at in sorted(named):
        for condition in named[at]:
            if not condition.promise and not any(one.at == at for one in found):
                continue
            free = [one for one in found if one.condition is None and not (one.fixed and one.at != at)]
            near = min(free, key=lambda one: (abs(at - one.at), at < one.at), default=None)
            if near is not None:
                near.condition = (at, condition)
                near.genuine = True


# -- spans ------------------------------------------------------------------------------------------------------------


def _read(body: str, some: Sequence[Sentence], one: Found, off: float) -> ObjectionRead:
    sentence = some[one.at]
    same = one.condition[1] if one.condition and one.condition[0] == one.at else None
    return ObjectionRead(
        type=one.type,
        genuine=one.genuine,
        confidence=round(one.confidence - off, 3),
        evidence=sentence_span(body, sentence),
        reason=_reason(body, sentence, one.first, same) if one.genuine else None,
        condition=_words_span(body, some[one.condition[0]], one.condition[1]) if one.condition else None,
        by=one.by,
    )


def _words_span(body: str, sentence: Sentence, condition: Condition) -> Span:
    return span(body, sentence.starts[condition.first], sentence.ends[condition.last - 1])


def _reason(body: str, sentence: Sentence, anchor: int, condition: Condition | None) -> Span | None:
    """The clause that says what is wrong, without its lead-in and without the condition."""
    first, last = 0, len(sentence.words)
    if condition is not None:
        if anchor < condition.outer:
            last = condition.outer
        elif anchor < condition.end:
            return None  # the reason is nothing but the condition
    first = _lead(sentence, first, min(anchor, last - 1))
    last = _tail(sentence, max(first, anchor), last)
    if not any(len(word) > 2 for word in sentence.words[first:last]):
        return None
    return span(body, sentence.starts[first], sentence.ends[last - 1])


def _lead(sentence: Sentence, first: int, anchor: int) -> int:
    """Past a name, a colon, a "but" or a "however" before the phrase."""
    words = sentence.words
    for at in range(first, anchor):
        greeting = words[at] == "," and at - first <= 3
        reported = words[at] in ("that", "что") and words[at - 1] in _REPORTING
        if words[at] == ":" or greeting or reported or words[at] in ("but", "however", "но", "однако", "зато"):
            first = at + 1
    while words[first] in ("*", "•", "-", "–", "—") or (
        first < anchor and (words[first] in _LEADS or words[first] in BREAKS)
    ):
        first += 1
    for pair in _LEAD_PAIRS:
        if words[first : first + len(pair)] == pair:
            first += len(pair)
    while first < anchor and words[first] in BREAKS:
        first += 1
    return first


def _tail(sentence: Sentence, anchor: int, last: int) -> int:
    """Before a consequence (", so ...") and without the full stop."""
    words = sentence.words
    for at in range(anchor + 1, last - 1):
        if words[at] in (",", ";", "-", "–", "—") and words[at + 1] in _TAILS:
            last = at
            break
    while last > 0 and (words[last - 1] in BREAKS or words[last - 1] in ("-", "and", "и")):
        last -= 1
    return last
