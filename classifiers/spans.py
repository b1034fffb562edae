"""What the pipeline hands to the decisions: sentences with their words, clauses, phrase hits and the reach of cues."""

import msgspec

from agent.model import Direction, Span
from classifiers.rules import Rule

MAX_QUOTE = 400  # characters of a quote; a longer sentence is cut at a word


class Hit(msgspec.Struct, frozen=True):
    """One phrase that stands in a sentence: its words are first .. last (last excluded)."""

    rule: Rule
    first: int
    last: int
    own: frozenset[str]  # the words that the phrase itself names: a "not" among them does not negate it


class Sentence(msgspec.Struct, frozen=True):
    """One sentence of the new text; `start` and `end` are places in the body."""

    start: int
    end: int
    words: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    clauses: tuple[int, ...]  # the clause's number, for each word
    question: bool
    hits: tuple[Hit, ...] = ()  # milestones, objections, topics
    cues: tuple[Hit, ...] = ()
    settling: tuple[Hit, ...] = ()  # what may settle an objection of an earlier letter

    def has(self, cue: str) -> bool:
        return any(hit.rule.name == cue for hit in self.cues)


def span(body: str, start: int, end: int) -> Span:
    """A quote of the body, trimmed of blanks and kept to a readable length."""
    while start < end and body[start].isspace():
        start += 1
    while end > start and body[end - 1].isspace():
        end -= 1
    if body[start:end].count("«") > body[start:end].count("»") and body[end : end + 1] == "»":
        end += 1
    if end - start > MAX_QUOTE:
        cut = body.rfind(" ", start, start + MAX_QUOTE)
        end = cut if cut > start else start + MAX_QUOTE
    return Span(quote=body[start:end], start=start, end=end)


def sentence_span(body: str, sentence: Sentence) -> Span:
    return span(body, sentence.start, sentence.end)


def reach(sentence: Sentence, cue: Hit) -> range:
    """The words which a cue speaks of."""
    count = len(sentence.words)
    kind = cue.rule.reach
    if kind == "sentence":
        return range(count)
    clause = sentence.clauses[cue.first]
    first = sentence.clauses.index(clause)
    after = cue.last
    while after < count and sentence.clauses[after] == sentence.clauses[cue.last - 1]:
        after += 1
    if kind == "clause":
        return range(first, after)
    if kind == "after":
        return range(cue.last, after)
    return range(cue.last, min(after, cue.last + int(kind)))


def blocked(sentence: Sentence, hit: Hit, direction: Direction) -> bool:
    """Whether a cue takes the phrase's force: "not paid", "will be signed", "if you have signed"."""
    wanted = hit.rule.not_when
    if "question" in wanted and sentence.question:
        return True
    for cue in sentence.cues:
        if cue.rule.name not in wanted or cue.rule.direction not in ("either", direction) or _own(sentence, hit, cue):
            continue
        if sentence.words[cue.last - 1] in ("'ll", "will") and sentence.words[cue.last : cue.last + 1] == ("find",):
            continue  # "you will find our offer attached" is no promise
        touched = reach(sentence, cue)
        if touched.start < hit.last and hit.first < touched.stop:
            return True
    return False


def _own(sentence: Sentence, hit: Hit, cue: Hit) -> bool:
    if cue.rule.name == "our_side":
        return False
    inside = hit.first <= cue.first and cue.last <= hit.last
    return inside and all(word in hit.own for word in sentence.words[cue.first : cue.last])
