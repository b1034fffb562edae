"""Sentences that may settle an objection of an earlier letter: what is granted, withdrawn, ordered, or told in reply.

Which objection they settle depends on the history and is weighed there; here only the sentence itself is read.
"""

from collections.abc import Sequence

from agent.model import Letter, SettlingRead, Span
from classifiers.conditions import conditions
from classifiers.phrases import BREAKS
from classifiers.spans import Hit, Sentence, blocked, sentence_span, span

MOST = 12  # sentences of one letter
TELLING = 4  # words of a sentence that says something
_TIED = frozenset("once when as before until till pending awaiting waiting когда как после прежде пока до".split())


def settling(letter: Letter, some: Sequence[Sentence]) -> tuple[SettlingRead, ...]:
    """What a letter grants, takes back or orders; of our own letters also what they tell."""
    found = [read for sentence in some if not _void(sentence) for read in _settles(letter, sentence)][:MOST]
    telling = [sentence for sentence in some if _tells(sentence)] if letter.direction == "outbound" else []
    if telling:
        about = tuple(sorted({name for sentence in telling for name in _about(sentence)}))
        most = max(telling, key=lambda sentence: len(sentence.words))
        found.append(SettlingRead(kind="tells", evidence=sentence_span(letter.body, most), about=about))
    return tuple(found)


def _void(sentence: Sentence) -> bool:
    """What hangs on an "if", a "once" or a "do it and we sign", or only puts off, settles nothing."""
    tied = any(cue.rule.name == "future" and sentence.words[cue.first] in _TIED for cue in sentence.cues)
    bargain = any(one.promise for one in conditions(sentence))
    return tied or bargain or sentence.has("hypothetical") or _puts_off(sentence)


def _settles(letter: Letter, sentence: Sentence) -> list[SettlingRead]:
    """Each kind once."""
    hits = {
        hit.rule.name: hit
        for hit in sentence.settling
        if hit.rule.direction in ("either", letter.direction) and not blocked(sentence, hit, letter.direction)
    }
    about = _about(sentence)
    return [
        SettlingRead(kind=kind, evidence=_said(letter.body, sentence, hits[kind]), about=about)
        for kind in ("granted", "withdrawn", "goes_ahead")
        if kind in hits
    ]


def _said(body: str, sentence: Sentence, hit: Hit) -> Span:
    """The hit's clause with those beside it, up to one that denies: "not 90 days, but 60 are fine" grants 60 only."""
    denials = [cue for cue in sentence.cues if cue.rule.name == "negated" and not _inside(cue, hit)]
    without = ("without", "без")
    denied = {sentence.clauses[cue.first] for cue in denials} - {sentence.clauses[hit.first]}
    first, last = hit.first, hit.last
    while first > 0 and sentence.clauses[first - 1] not in denied:
        first -= 1
    ends = {cue.first for cue in denials if sentence.words[cue.first] not in without}
    while last < len(sentence.words) and sentence.clauses[last] not in denied and last not in ends:
        last += 1
    return span(body, sentence.starts[first], sentence.ends[last - 1])


def _inside(cue: Hit, hit: Hit) -> bool:
    return hit.first <= cue.first and cue.last <= hit.last


def _tells(sentence: Sentence) -> bool:
    """A statement that is neither thanks nor a promise to come back, nor about a day to meet."""
    words = [word for word in sentence.words if word not in BREAKS]
    return len(words) >= TELLING and not (sentence.question or sentence.has("slot") or _puts_off(sentence))


def _puts_off(sentence: Sentence) -> bool:
    return any(hit.rule.name == "put_off" for hit in sentence.settling)


def _about(sentence: Sentence) -> tuple[str, ...]:
    names = {hit.rule.name for hit in sentence.hits if hit.rule.kind in ("topic", "objection")}
    return tuple(sorted(names - {"other"}))
