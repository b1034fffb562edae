"""spaCy pipelines, one per language: words and sentences, then the phrases that stand in them.

Phrases are grouped by the word without which they cannot be there: a sentence meets only the groups that it wakes.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import msgspec
import spacy
from spacy.language import Language
from spacy.matcher import Matcher
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from classifiers.phrases import BREAKS, group, words
from classifiers.rules import Book, HousePhrases, book
from classifiers.spans import Hit, Sentence

MAX_WORDS = 4000  # of one letter; what stands behind is not read
MAX_SENTENCE = 120  # words; a longer one is read in parts

_CLAUSE_WORDS = frozenset("but however though although whereas но однако зато хотя".split())
_ENDS = re.compile(r"(?<![.!?…])[.!?…]++[\"'»”)]*+(?=\s)|\n[ \t\r]*(?:\n|$)|\n(?=[ \t]*(?:[-*•–—·]|\d{1,2}[.)])[ \t])")
_BREAK = re.compile(r"\n")
_SHORT = frozenset(
    "mr mrs ms dr prof st no nr approx ca e.g i.e etc vs inc ltd co fig art cl sec jan feb mar apr jun jul aug "
    "sep sept oct nov dec tel ext "
    "г гг ул д кв стр корп руб коп тыс млн млрд им т п е к см мм м кг ч мин сек др пр т.е т.к т.д т.п и.о п.п ст "
    "пп шт тел доб янв февр апр авг сент окт нояб дек".split()
)


def sentence_ends(text: str) -> list[int]:
    """Where sentences end: at full stops that are none of an abbreviation, at blank lines, bullets and short lines."""
    found = [
        match.end()
        for match in _ENDS.finditer(text)
        if match.group()[0] != "." or not _abbreviated(text, match.start())
    ]
    line_start = 0
    for match in _BREAK.finditer(text):
        line = text[line_start : match.start()].strip()
        if len(line) < 50 or line.endswith((":", ";")):
            found.append(match.start())
        line_start = match.end()
    return sorted({*found, len(text)})


def _abbreviated(text: str, dot: int) -> bool:
    word = re.search(r"[^\s(«\"]{1,6}$", text[max(0, dot - 7) : dot])
    if word is None:
        return False
    last = word.group().lower()
    return last in _SHORT or (len(last) == 1 and last.isalpha() and word.group().isupper())


class Words:
    """A tokenizer that keeps the place of each word in the text and where sentences end."""

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab

    def __call__(self, text: str) -> Doc:
        ends = sentence_ends(text)
        tokens: list[str] = []
        starts: list[int] = []
        stops: list[int] = []
        first: list[bool | int | None] = []
        last_part, since = -1, 0
        for word, start, end in words(text):
            part = bisect_left(ends, end)
            since = 0 if part != last_part else since + 1
            tokens.append(word)
            starts.append(start)
            stops.append(end)
            first.append(part != last_part or since % MAX_SENTENCE == 0)
            last_part = part
            if len(tokens) == MAX_WORDS:
                break
        doc = Doc(self.vocab, words=tokens, sent_starts=first)
        doc.user_data["places"] = (tuple(starts), tuple(stops))
        return doc


class Gate:
    """Tells which groups of phrases a handful of words can wake."""

    def __init__(self, known: Book) -> None:
        self.groups = group(known.lines)
        self.exact: dict[str, list[int]] = {}
        self.begins: dict[str, list[int]] = {}
        for number, one in enumerate(self.groups):
            for word in one.anchor.exact:
                self.exact.setdefault(word, []).append(number)
            for word in one.anchor.begins:
                self.begins.setdefault(word, []).append(number)
        self.lengths = sorted({len(word) for word in self.begins})

    def woken(self, some: Sequence[str]) -> set[int]:
        found: set[int] = set()
        for word in some:
            found.update(self.exact.get(word, ()))
            for length in self.lengths:
                if length > len(word):
                    break
                found.update(self.begins.get(word[:length], ()))
        return found


class Phrases:
    """Writes the phrases of a text into its span group `phrases`; a span's label is its phrase."""

    def __init__(self, vocab: Vocab, known: Book) -> None:
        self.book = known
        self.gate = Gate(known)
        self.vocab = vocab
        self.matchers: dict[int, Matcher] = {}
        self.own: dict[int, frozenset[str]] = {}
        self.rule: dict[int, int] = {}
        for number, one in enumerate(self.gate.groups):
            for place, (rule, line) in enumerate(one.lines):
                key = vocab.strings.add(f"{number}/{place}")  # here, where strings stay: see `sentences`
                self.own[key] = frozenset().union(*(slot.exact for slot in line))
                self.rule[key] = rule

    def _matcher(self, number: int) -> Matcher:
        """Made when its group is first woken: most groups sleep through most mail."""
        if number not in self.matchers:
            matcher = Matcher(self.vocab)
            for place, (_, line) in enumerate(self.gate.groups[number].lines):
                matcher.add(f"{number}/{place}", [[slot.pattern() for slot in line]])
            self.matchers[number] = matcher
        return self.matchers[number]

    def __call__(self, doc: Doc) -> Doc:
        found: list[Span] = []
        for sentence in doc.sents:
            for number in sorted(self.gate.woken([token.text for token in sentence])):
                for key, start, end in self._matcher(number)(sentence):
                    found.append(Span(doc, sentence.start + start, sentence.start + end, label=key))
        doc.spans["phrases"] = found
        return doc


@Language.factory("dealscribe_phrases", default_config={"language": "en", "house": "[]"})
def _phrases(nlp: Language, name: str, language: str, house: str) -> Phrases:
    return Phrases(nlp.vocab, book(language, msgspec.json.decode(house, type=tuple[HousePhrases, ...])))


@cache
def pipeline(language: str, house: tuple[HousePhrases, ...] = ()) -> Language:
    """Words, sentences, phrases; loaded once, in a second or so. `house` are the admin's own phrases."""
    nlp = spacy.blank(language)
    nlp.tokenizer = Words(nlp.vocab)
    own = msgspec.json.encode(house).decode().replace("$", r"\u0024")  # in spaCy's configs "${" begins a variable
    nlp.add_pipe("dealscribe_phrases", config={"language": language, "house": own})
    return nlp


def sentences(language: str, texts: Sequence[str], house: tuple[HousePhrases, ...] = ()) -> list[tuple[Sentence, ...]]:
    """The sentences of each text, phrases and cues marked; places are those of the text."""
    nlp = pipeline(language, house)
    component: Any = nlp.get_pipe("dealscribe_phrases")
    with nlp.memory_zone():  # words of strangers do not stay in the store of strings
        return [tuple(_sentences(doc, component)) for doc in nlp.pipe(texts)]


def _sentences(doc: Doc, component: Phrases) -> Iterator[Sentence]:
    starts, ends = doc.user_data["places"]
    spans = list(doc.spans["phrases"]) if "phrases" in doc.spans else []
    spans.sort(key=lambda span: (span.start, span.end))
    for sentence in doc.sents:
        here = [span for span in spans if sentence.start <= span.start < sentence.end]
        hits = _hits(here, sentence.start, component)
        some = tuple(token.text for token in sentence)
        places = starts[sentence.start : sentence.end]
        stops = ends[sentence.start : sentence.end]
        yield Sentence(
            start=places[0],
            end=stops[-1],
            words=some,
            starts=places,
            ends=stops,
            clauses=_clauses(some, places, stops),
            question=_question(some),
            hits=tuple(hit for hit in hits if hit.rule.kind not in ("cue", "settling")),
            cues=tuple(hit for hit in hits if hit.rule.kind == "cue"),
            settling=tuple(hit for hit in hits if hit.rule.kind == "settling"),
        )


def _question(some: Sequence[str]) -> bool:
    return "?" in some[-3:]


def _hits(spans: Sequence[Span], offset: int, component: Phrases) -> list[Hit]:
    return [
        Hit(
            rule=component.book.rules[component.rule[span.label]],
            first=span.start - offset,
            last=span.end - offset,
            own=component.own[span.label],
        )
        for span in spans
    ]


def _clauses(some: Sequence[str], starts: Sequence[int], ends: Sequence[int]) -> tuple[int, ...]:
    number = 0
    found: list[int] = []
    for at, word in enumerate(some):
        dash = word == "-" and at > 0 and starts[at] > ends[at - 1]
        if word in _CLAUSE_WORDS:
            number += 1
        found.append(number)
        if word in BREAKS or dash:
            number += 1
    return tuple(found)


__all__ = ["Sentence", "pipeline", "sentences"]
