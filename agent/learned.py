"""What a client's letters teach about his deals: numbers of papers, words, subjects, and where their threads led.

The history is gone through twice. The first time shows which letters are surely about which deal; what they have in
common is known the next time, so that a letter also counts for the deal that its thread turned out to be about.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise

from agent.words import (
    STEM,
    Moment,
    WordIndex,
    answered_topic,
    latin,
    moments,
    numbers,
    paper_numbers,
    stems,
    telling,
    words,
)

USUAL = 2  # other talks about a deal that must have a word
OFTEN = 6  # one talk in so many must have it
SOLD = 0.85  # what a word of our deals' names tells at least
TELLS = 0.2  # what tells less tells nothing
ONE_SIDED = 0.3  # what a word that only the one side has counts for it
RIVAL = 1.5  # a word that stands in two of three as many of a rival's talks tells nothing
ARRANGED = timedelta(days=45)  # a meeting is agreed on at most so long before
NEAR = 12  # letters of a thread, before and after one, that are asked what it is about
LATER = 0.1  # what a later letter of the thread counts for
BESIDE = 0.4  # what another letter of the thread counts for, beside the one that is answered


TOGETHER = 3  # words in which a thing and its place stand
_AND = frozenset("and also plus both и также оба обе".split())

Unit = tuple[str, ...]  # a word of a deal's name, or words that follow each other
Places = tuple[Set[str], Set[str]]  # the talks in which a word stands: in their letters, in ours


@dataclass(frozen=True)
class Said:
    """The words of one letter or meeting itself, without what it repeats."""

    text: str  # new text of the letter; title and description of a meeting
    subject: str = ""  # "" when it only repeats the thread's
    attachments: tuple[str, ...] = ()

    @cached_property
    def index(self) -> WordIndex:
        return WordIndex(f"{self.subject}\n{self.text}\n{self._files}")

    def are_one(self, one: Unit, other: Unit) -> bool:
        """Is it "the softener for the gallery", or the one in the subject and the other in the letter?

        "The softener and the gallery" are two things, and so are those of two sentences.
        """
        headed = len(words(self.subject))
        heads = [{place < headed for place in self.index.places(unit)} for unit in (one, other)]
        if heads in ([{True}, {False}], [{False}, {True}]):
            return True
        places = sorted((place, unit) for unit in (one, other) for place in self.index.places(unit))
        return any(
            first != second and high - low <= TOGETHER and _AND.isdisjoint(self.index.between(low, high))
            for (low, first), (high, second) in pairwise(places)
        )

    @property
    def _files(self) -> str:
        return " ".join(self.attachments).replace("_", " ")

    @cached_property
    def numbers(self) -> set[str]:
        return numbers((self.subject, self.text, *self.attachments))

    @cached_property
    def papers(self) -> frozenset[str]:
        return paper_numbers((self.subject, self.text, *self.attachments))

    @cached_property
    def moments(self) -> set[Moment]:
        return moments(f"{self.subject}\n{self.text}")

    @cached_property
    def stems(self) -> frozenset[str]:
        """How its words begin; a subject that is only answered was somebody else's words."""
        if answered_topic(self.subject):
            return stems(words(f"{self.text}\n{self._files}"))
        return stems(self.index.distinct())


@dataclass(frozen=True)
class Heard:
    """One letter or meeting, and the deals that it was found to be about."""

    key: str
    at: datetime
    thread: int
    topic: str
    said: Said
    deal_ids: tuple[str, ...]
    ours: bool = False  # we wrote it, or it is a meeting of ours

    @property
    def talk(self) -> str:
        """What it belongs to: its thread, or all threads of its subject, since threads are often broken."""
        return talk(self.thread, self.topic)


@dataclass(frozen=True)
class OwnWords:
    """How surely some words of a letter are one deal's own (0 to 1), and the word that says so most."""

    strength: float = 0.0
    word: str = ""
    best: float = 0.0  # the strength of this word alone

    def and_(self, word: str, strength: float) -> "OwnWords":
        both = 1 - (1 - self.strength) * (1 - strength)
        return OwnWords(both, *max((strength, word), (self.best, self.word))[::-1])


@dataclass(frozen=True)
class Learned:
    """What is known from the time before; the first time nothing. A letter never teaches about itself."""

    products: Set[str] = frozenset()  # words of the names of several clients' deals
    papers: Mapping[str, Mapping[str, Set[str]]] = field(default_factory=dict)  # number -> deal -> talks that have it
    stems: Mapping[str, Mapping[str, Places]] = field(default_factory=dict)  # word -> deal -> where it stands
    sold: Mapping[str, Set[str]] = field(default_factory=dict)  # deal -> words of `products` in its letters
    talks: Mapping[str, Set[str]] = field(default_factory=dict)  # deal -> talks with letters that are about it alone
    topics: Mapping[str, str] = field(default_factory=dict)  # subject of threads -> the only deal that they were about
    threads: Mapping[int, tuple[Heard, ...]] = field(default_factory=dict)  # its letters with a deal, in their order
    arranged: Mapping[Moment, tuple[Heard, ...]] = field(default_factory=dict)  # letters that name a day and an hour

    def deal_of_paper(self, number: str, talk: str) -> str:
        """The deal in most of whose other talks this number stands; "" when it is that of two, or of none."""
        times = {deal_id: len(of - {talk}) for deal_id, of in self.papers.get(number, {}).items()}
        most = max(times.values(), default=0)
        first, *rest = [d for d, n in times.items() if n == most > 0] or ["", ""]
        return "" if rest else first

    def later_in(self, thread: int, key: str, at: datetime) -> tuple[Heard, ...]:
        """The next letters of a thread after this one."""
        return tuple(one for one in self.threads.get(thread, ()) if (one.at, one.key) > (at, key))[:NEAR]

    def arranged_for(self, moment: Moment | None, start: datetime) -> frozenset[str]:
        """The deals of the letters that named this day and hour in the weeks before."""
        letters = self.arranged.get(moment, ()) if moment else ()
        return frozenset(i for one in letters if start - ARRANGED <= one.at <= start for i in one.deal_ids)

    def with_word(self, stem: str) -> Iterable[str]:
        """The deals in whose letters a word stands."""
        return self.stems.get(stem, ())

    def is_usual(self, stem: str, deal_id: str, talk: str) -> bool:
        """Does every sixth talk about this deal have the word, and more than one?"""
        times = sum(self._times(stem, deal_id, talk))
        return times >= USUAL and OFTEN * times >= self._talks(deal_id, talk)

    def own_words(self, said: Said, deal_ids: Container[str], talk: str, *, ours: bool) -> dict[str, OwnWords]:
        """Per deal how far a letter speaks in words of the other talks about it that those about its rivals lack.

        A word counts by how much it tells, how often it was said of the deal, and how rarely of a rival. What a deal
        is about both sides say: a word that only the one side has is rather how its people write.
        """
        found: dict[str, OwnWords] = {}
        for stem in sorted(said.stems & self.stems.keys()):
            times = {d: t for d in self.stems[stem] if d in deal_ids and any(t := self._times(stem, d, talk))}
            sold = stem in self.products
            if not times or not (sold or any(t[not ours] for t in times.values())):
                continue
            tells = max(telling(stem), SOLD if sold else 0.0)
            shares = {d: sum(t) * (1 if all(t) else ONE_SIDED) / self._talks(d, talk) for d, t in times.items()}
            for deal_id, share in shares.items():
                rival = max((s for d, s in shares.items() if d != deal_id), default=0.0)
                often = sum(times[deal_id])
                strength = tells * often / (often + 1) * (1 - RIVAL * rival / share)
                if strength > 0 and (sold or times[deal_id][not ours]):
                    found[deal_id] = found.get(deal_id, OwnWords()).and_(stem, strength)
        return found

    def products_of(self, deal_id: str) -> Set[str]:
        """What we sell, as far as the letters about a deal say."""
        return self.sold.get(deal_id, frozenset())

    def _times(self, stem: str, deal_id: str, talk: str) -> tuple[int, int]:
        """In how many other talks about this deal a word stands: in their letters, in ours."""
        places = self.stems.get(stem, {}).get(deal_id)
        if places is None:
            return 0, 0
        theirs, ours = places
        return len(theirs) - (talk in theirs), len(ours) - (talk in ours)

    def _talks(self, deal_id: str, talk: str) -> int:
        talks = self.talks.get(deal_id, frozenset())
        return 1 + len(talks) - (talk in talks)


def talk(thread: int, topic: str) -> str:
    return topic or str(thread)


def shares(before: Iterable[Heard], after: Iterable[Heard], parent: str) -> dict[str, float]:
    """What share of a thread's letters each deal has; the letter that is answered (`parent`) counts for more."""
    weights: dict[str, float] = defaultdict(float)
    for one, weight in [*((b, 1.0 if b.key == parent else BESIDE) for b in before), *((a, LATER) for a in after)]:
        for deal_id in one.deal_ids:
            weights[deal_id] += weight / len(one.deal_ids)
    total = sum(weights.values())
    return {deal_id: weight / total for deal_id, weight in weights.items()}


def learn(heard: Iterable[Heard], names: Set[str], products: Set[str]) -> Learned:
    """From the letters of one time to what is known the next time; people's `names` tell nothing."""
    papers: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    places: dict[str, dict[str, tuple[set[str], set[str]]]] = defaultdict(lambda: defaultdict(lambda: (set(), set())))
    sold: dict[str, set[str]] = defaultdict(set)
    talks: dict[str, set[str]] = defaultdict(set)
    topics: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    threads: dict[int, list[Heard]] = defaultdict(list)
    arranged: dict[Moment, list[Heard]] = defaultdict(list)
    for one in heard:
        if one.deal_ids:
            for moment in one.said.moments:
                arranged[moment].append(one)
            topics[one.topic].add(one.deal_ids)
            threads[one.thread].append(one)
        if len(one.deal_ids) == 1:
            (deal_id,) = one.deal_ids
            talks[deal_id].add(one.talk)
            for number in one.said.papers:
                papers[number][deal_id].add(one.talk)
            sold[deal_id] |= one.said.stems & products
            for stem in one.said.stems - names:
                if stem in products or (telling(stem) >= TELLS and latin(stem)[:STEM] not in names):
                    places[stem][deal_id][one.ours].add(one.talk)
    return Learned(
        papers=papers,
        products=products,
        stems=places,
        sold=sold,
        talks=talks,
        topics={topic: min(told)[0] for topic, told in topics.items() if topic and len(told) == 1 == len(min(told))},
        threads={thread: tuple(of) for thread, of in threads.items()},
        arranged={moment: tuple(of) for moment, of in arranged.items()},
    )
