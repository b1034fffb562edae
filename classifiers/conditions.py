"""Conditions of buying: "once the roof is sealed we sign", "Две сушилки вместо одной – и по рукам"."""

import msgspec

from classifiers.phrases import BREAKS
from classifiers.spans import Sentence

_AFTER = (  # the condition starts after these
    ("if",), ("once",), ("when",), ("as", "soon", "as"), ("as", "long", "as"), ("so", "long", "as"), ("provided", "that"), ("provided",),
    ("providing",), ("on", "condition", "that"), ("on", "the", "condition", "that"), ("unless",), ("in", "case"), ("assuming",), ("the", "moment"),
    ("если",), ("когда",), ("как", "только"), ("при", "условии", ",", "что"), ("при", "условии", "что"), ("при", "условии"), ("лишь", "бы"),
    ("в", "случае", ",", "если"), ("в", "случае", "если"), ("раз",), ("коли",), ("ежели",),
)  # fmt: skip
_SURE = frozenset(
    {
        ("provided", "that"),
        ("on", "condition", "that"),
        ("при", "условии", ",", "что"),
        ("при", "условии", "что"),
        ("при", "условии"),
    }
)
_KEPT = frozenset(
    "until till after with without should были after при после до с со без".split()
)  # these stay in the span
_BEFORE = frozenset(
    "and then so that и то тогда значит only even так вот ладно хорошо".split()
)  # lead-ins of the promise
_LINK = frozenset(("and", "then", "и", "тогда", "то", "-", "–", "—", ",", "--"))
_IMPERATIVE = frozenset(
    "put cut drop make give add show send lower take throw bring let move change fix include get name find prove extend guarantee offer write tell "
    "come deliver install build match swap leave keep remove replace provide reduce waive strike delete double promise confirm arrange raise shorten "
    "lift split knock shave trim teach train test repair clean finish start do help say halve meet free ship hold lend pay call set turn open allow "
    "accept agree translate knock please just mount paint attach supply".split()
)
_FINITE = frozenset("is are was were am has have had will would can could does did do 's 're".split())


class Condition(msgspec.Struct, frozen=True):
    """The words first .. last of a sentence (last excluded), and the whole stretch with its conjunction."""

    first: int
    last: int
    outer: int  # where the conjunction begins
    promise: bool  # whether a promise of buying stands beside it


def conditions(sentence: Sentence) -> list[Condition]:
    """The conditions which a sentence names; a question names none."""
    if sentence.question:
        return []
    promises = sorted((hit.first, hit.last) for hit in sentence.cues if hit.rule.name == "promise")
    return _conjunctions(sentence, promises) or _demands(sentence, promises)


def _conjunctions(sentence: Sentence, promises: list[tuple[int, int]]) -> list[Condition]:
    words = sentence.words
    at = 0
    while at < len(words):
        found = _conjunction(words, at)
        if found is None:
            at += 1
            continue
        length, sure = found
        first = at + length
        after = [promise for promise in promises if promise[0] > first]
        if after:
            last = _promise_start(sentence, first, after[0][0])
            if last > first:
                return [Condition(first, last, at, True)]
        elif sure or any(promise[0] < at for promise in promises):
            return [Condition(first, _trimmed(words, first, len(words)), at, bool(promises))]
        at += max(length, 1)
    return []


def _conjunction(words: tuple[str, ...], at: int) -> tuple[int, bool] | None:
    """How many words the conjunction at this place has that do not belong to the span."""
    best = max((one for one in _AFTER if words[at : at + len(one)] == one), key=len, default=None)
    if best is not None:
        return len(best), best in _SURE
    at_start = at == 0 or words[at - 1] in BREAKS
    if words[at] in _KEPT and (at_start or words[at] in ("until", "till", "after", "после")):
        return 0, False
    return None


def _promise_start(sentence: Sentence, first: int, promise: int) -> int:
    """Where the condition ends before a promise that follows: at the last break between them, else at the promise."""
    last = promise
    for at in range(promise - 1, first, -1):
        if sentence.words[at] in BREAKS or sentence.clauses[at] != sentence.clauses[promise]:
            last = at
            break
    return _trimmed(sentence.words, first, last)


def _trimmed(words: tuple[str, ...], first: int, last: int) -> int:
    while last > first and (
        words[last - 1] in BREAKS or words[last - 1] in _BEFORE or words[last - 1] in ("-", '"', "»")
    ):
        last -= 1
    return last


def _demands(sentence: Sentence, promises: list[tuple[int, int]]) -> list[Condition]:
    """An imperative, an inverted clause or a bare demand before its promise: "Add a manual and it's yours"."""
    words = sentence.words
    for promise, _ in promises:
        link = promise - 1
        while link > 0 and words[link] not in _LINK and promise - link < 3:
            link -= 1
        if link < 2 or words[link] not in _LINK:
            continue
        first = _demand_start(words, link)
        last = _trimmed(words, first, link)
        if last - first >= 2 and _demanding(words[first:last]):
            return [Condition(first, last, first, True)]
    return []


def _demand_start(words: tuple[str, ...], link: int) -> int:
    """After a greeting or a lead-in with a colon; else the sentence's start."""
    first = 0
    for at in range(link):
        if words[at] == ":" or (words[at] == "," and at <= 2 and not _demanding(words[:at])):
            first = at + 1
    return first


def _demanding(some: tuple[str, ...]) -> bool:
    head = some[0]
    if head in _IMPERATIVE or head in _KEPT or "instead" in some or "вместо" in some:
        return True
    if head.endswith(("ите", "йте", "ьте", "ете", "ете", "тесь")) and len(head) > 4:
        return True
    return not any(word in _FINITE for word in some) and any(word[0].isdigit() for word in some)
