"""Conditions of buying: "once the roof is sealed we sign", "Две сушилки вместо одной – и по рукам"."""

import msgspec

from classifiers.phrases import BREAKS
from classifiers.spans import Sentence

CONJUNCTIONS = (  # a condition starts behind these
    "if|once|when|as soon as|as long as|so long as|provided that|provided|providing|on condition that|on the "
    "condition that|unless|in case|assuming|the moment|если|когда|как только|при условии, что|при условии что|лишь бы|"
    "в случае, если|в случае если|раз|коли|ежели"
).split("|")
_AFTER = tuple(tuple(phrase.replace(",", " ,").split()) for phrase in (*CONJUNCTIONS, "при условии"))
_SURE = frozenset(  # these make a condition without a promise beside them
    tuple(line.split())
    for line in (
        "provided that|on condition that|on the condition that|при условии , что|при условии что|при условии"
    ).split("|")
)
_LOOSE = frozenset((one,) for one in ("when", "in", "когда", "раз"))  # these speak of time as often as of a condition
_KEPT = frozenset("until till after with without should after при после до с со без".split())  # these stay in the span
_ANYWHERE = frozenset("until till after после".split())
_LEAD_OUT = frozenset("and then so that и то тогда значит only even так вот ладно хорошо уже".split())
_LINK = frozenset(("and", "then", "и", "тогда", "то", "-", "–", "—", ",", "--"))
_DASH = frozenset(("-", "–", "—", "--"))
_IMPERATIVE = frozenset(
    "put cut drop make give add show send lower take throw bring let move change fix include get name find prove "
    "extend guarantee offer write tell "
    "come deliver install build match swap leave keep remove replace provide reduce waive strike delete double "
    "promise confirm arrange raise shorten "
    "lift split knock shave trim teach train test repair clean finish start do help say halve meet free ship "
    "hold lend pay call set turn open allow "
    "accept agree translate mount paint attach supply spread manage stop".split()
)
_FINITE = frozenset(
    "is are was were am has have had will would can could does did do 's 're 've 'd 'll i we it they you".split()
)
_SHORT = 14  # words of a bare demand


class Condition(msgspec.Struct, frozen=True):
    """The words first .. last of a sentence (last excluded), and the whole stretch with conjunction and promise."""

    first: int
    last: int
    outer: int  # where the stretch begins
    end: int  # where it ends
    promise: bool  # whether a promise of buying stands beside it


def conditions(sentence: Sentence) -> list[Condition]:
    """The conditions which a sentence names, the surest first; a question names none."""
    if sentence.question:
        return []
    promises = sorted((hit.first, hit.last) for hit in sentence.cues if hit.rule.name == "promise")
    return _conjunctions(sentence, promises) or _demands(sentence, promises)


# -- with a conjunction -----------------------------------------------------------------------------------------------


def _conjunctions(sentence: Sentence, promises: list[tuple[int, int]]) -> list[Condition]:
    words = sentence.words
    for at in range(len(words)):
        conjunction = _conjunction(words, at)
        if conjunction is None:
            continue
        first = at + len(conjunction)
        found = _before_promise(sentence, at, first, promises) or _after_promise(
            sentence, at, first, promises, conjunction
        )
        if found is not None and found.last - found.first >= (1 if conjunction else 3):
            return [found]
    return []


def _conjunction(words: tuple[str, ...], at: int) -> tuple[str, ...] | None:
    """The conjunction at this place, () for one that stays in the span, None for none."""
    best = max((one for one in _AFTER if words[at : at + len(one)] == one), key=len, default=None)
    if best == ("once",) and words[at + 1 : at + 2] in (("again",), ("more",)):
        return None
    if best is not None:
        return best
    at_start = at == 0 or words[at - 1] in BREAKS
    if words[at] in _KEPT and (at_start or words[at] in _ANYWHERE):
        return ()
    return None


def _before_promise(sentence: Sentence, at: int, first: int, promises: list[tuple[int, int]]) -> Condition | None:
    """ "Once the roof is sealed, we sign": the promise follows, behind the last comma if there is one."""
    behind = [promise for promise, _ in promises if promise > first]
    if not behind:
        return None
    breaks = [
        place
        for place in range(first, len(sentence.words))
        if sentence.words[place] in BREAKS or sentence.words[place] in _DASH
    ]
    parted = [promise for promise in behind if any(place < promise for place in breaks)]
    promise = parted[0] if parted else behind[0]
    last = max((place for place in breaks if place < promise), default=promise)
    return Condition(first, _trimmed(sentence.words, first, last), at, len(sentence.words), True)


def _after_promise(
    sentence: Sentence, at: int, first: int, promises: list[tuple[int, int]], conjunction: tuple[str, ...]
) -> Condition | None:
    """ "We sign once the roof is sealed": the promise stands before it, or the conjunction is sure by itself."""
    before = [promise for promise, _ in promises if promise < at]
    words = sentence.words
    if before:
        outer = before[-1]
        while outer > 0 and sentence.clauses[outer - 1] == sentence.clauses[before[-1]]:
            outer -= 1
        return Condition(first, _trimmed(words, first, len(words)), outer, len(words), True)
    if conjunction in _SURE:
        return Condition(first, _trimmed(words, first, len(words)), at, len(words), False)
    if conjunction and conjunction not in _LOOSE and at == 0:  # a condition without a promise: of use beside a reason
        comma = next((place for place in range(first, len(words)) if words[place] == ","), 0)
        if comma:
            return Condition(first, _trimmed(words, first, comma), at, len(words), False)
    return None


def _trimmed(words: tuple[str, ...], first: int, last: int) -> int:
    while last > first and (words[last - 1] in BREAKS or words[last - 1] in _LEAD_OUT or words[last - 1] in _DASH):
        last -= 1
    return last


# -- without one ------------------------------------------------------------------------------------------------------


def _demands(sentence: Sentence, promises: list[tuple[int, int]]) -> list[Condition]:
    """An imperative or a bare demand before its promise: "Add a manual and it's yours"."""
    words = sentence.words
    for promise, _ in promises:
        link = promise - 1
        while link > 0 and words[link] not in _LINK and promise - link < 4:
            link -= 1
        if link < 1 or words[link] not in _LINK:
            continue
        first = _demand_start(words, link)
        last = _trimmed(words, first, link)
        if last > first and _demanding(words[first:last], dash=words[link] in _DASH, comma=words[link] == ","):
            return [Condition(first, last, first, len(words), True)]
    return []


def _demand_start(words: tuple[str, ...], link: int) -> int:
    """After a name, a colon, a reason before a semicolon; else the sentence's start."""
    first = 0
    for at in range(link):
        if (
            words[at] in (":", ";")
            or (words[at] == "," and at - first <= 2 and not _ordering(words[first]))
            or (words[at] in ("but", "но") and at + 1 < link)
        ):
            first = at + 1
    return first


def _ordering(word: str) -> bool:
    return word in _IMPERATIVE or (len(word) > 4 and word.endswith(("ите", "йте", "ьте", "ете", "тесь")))


def _demanding(some: tuple[str, ...], *, dash: bool, comma: bool) -> bool:
    if _ordering(some[0]) or (len(some) > 1 and some[0] in ("please", "just", "просто") and _ordering(some[1])):
        return True
    if some[0] in _KEPT or "instead" in some or "вместо" in some:
        return len(some) > 2
    cyrillic = "а" <= some[0][0] <= "я"
    if cyrillic:
        return dash and len(some) <= _SHORT
    return not comma and len(some) > 2 and len(some) <= _SHORT and not any(word in _FINITE for word in some)
