"""What a client's letters teach about his deals: numbers of papers, words, subjects, and where their threads led.

The history is gone through twice. The first time shows which letters are surely about which deal; what they have in
common is known the second time, so that a letter also counts for the deal that its thread turned out to be about.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from math import log

from agent.words import Moment, WordIndex, moments, numbers, paper_numbers, telling_stems

USUAL = 3  # other letters of a deal that must have a word
OFTEN = 6  # one letter in so many must have it
ARRANGED = timedelta(days=45)  # a meeting is agreed on at most so long before
PRIOR = 0.4  # of a letter: a word that was never seen with a deal may be seen there next


@dataclass(frozen=True)
class Said:
    """The words of one letter or meeting itself, without what it repeats."""

    text: str  # new text of the letter; title and description of a meeting
    subject: str = ""  # "" when it only repeats the thread's
    attachments: tuple[str, ...] = ()

    @cached_property
    def index(self) -> WordIndex:
        return WordIndex(f"{self.subject}\n{self.text}\n{' '.join(self.attachments).replace('_', ' ')}")

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
        return telling_stems(self.index.distinct())


@dataclass(frozen=True)
class Heard:
    """One letter or meeting of the first time, and the deals that it was found to be about."""

    key: str
    at: datetime
    thread: int
    topic: str
    said: Said
    deal_ids: tuple[str, ...]


@dataclass(frozen=True)
class Learned:
    """What is known the second time; the first time nothing. A letter never teaches about itself."""

    papers: Mapping[str, str] = field(default_factory=dict)  # number -> its deal
    stems: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # word -> deal -> letters that have it
    letters: Mapping[str, int] = field(default_factory=dict)  # deal -> letters that are about it alone
    topics: Mapping[str, str] = field(default_factory=dict)  # subject of threads -> the only deal that they were about
    threads: Mapping[int, tuple[Heard, ...]] = field(default_factory=dict)  # its first letters with a deal, at most two
    alone: Mapping[str, str] = field(default_factory=dict)  # letter -> the one deal that it taught about
    arranged: Mapping[Moment, tuple[Heard, ...]] = field(default_factory=dict)  # letters that name a day and an hour

    def led_to(self, thread: int, key: str) -> tuple[str, ...]:
        """The deals that the first other letter of a thread was about."""
        return next((one.deal_ids for one in self.threads.get(thread, ()) if one.key != key), ())

    def arranged_for(self, moment: Moment | None, start: datetime) -> frozenset[str]:
        """The deals of the letters that named this day and hour in the weeks before."""
        letters = self.arranged.get(moment, ()) if moment else ()
        return frozenset(i for one in letters if start - ARRANGED <= one.at <= start for i in one.deal_ids)

    def is_usual(self, key: str, stem: str, deal_id: str) -> bool:
        """Does every sixth letter about this deal have the word, and more than one?"""
        times = self._times(key, stem, deal_id)
        return times >= USUAL and OFTEN * times >= self.letters[deal_id]

    def own_word(self, key: str, said: Said, deal_id: str, rivals: Iterable[str]) -> str:
        """A usual word of this deal's letters that the letters about its rivals have not; "" when there is none."""
        others = [r for r in rivals if r != deal_id]
        return next(
            (
                stem
                for stem in sorted(said.stems & self.stems.keys())
                if self.is_usual(key, stem, deal_id) and not any(self._times(key, stem, r) for r in others)
            ),
            "",
        )

    def closeness(self, key: str, said: Said, deal_id: str, rivals: Iterable[str]) -> tuple[float, str]:
        """How much more a letter's words are this deal's than any rival's, and the word that says so most."""
        others = [r for r in rivals if r != deal_id]
        told = []
        for stem in sorted(said.stems & self.stems.keys()) if others else ():
            if self._times(key, stem, deal_id) >= USUAL:
                rival = max(self._share(key, stem, r) for r in others)
                told.append((log(self._share(key, stem, deal_id) / rival), stem))
        best = sorted((t for t in told if t[0] > 0), reverse=True)[:3]
        return sum(t for t, _ in best), best[0][1] if best else ""

    def _times(self, key: str, stem: str, deal_id: str) -> int:
        of = self.stems.get(stem)
        return of.get(deal_id, 0) - (self.alone.get(key) == deal_id) if of else 0

    def _share(self, key: str, stem: str, deal_id: str) -> float:
        letters = self.letters.get(deal_id, 0) - (self.alone.get(key) == deal_id)
        return (self._times(key, stem, deal_id) + PRIOR) / (letters + 4 * PRIOR)


def learn(heard: Iterable[Heard], names: frozenset[str]) -> Learned:
    """From the letters of the first time to what is known the second time; people's `names` tell nothing."""
    papers: dict[str, Counter[str]] = defaultdict(Counter)
    stems: dict[str, Counter[str]] = defaultdict(Counter)
    topics: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    threads: dict[int, list[Heard]] = defaultdict(list)
    arranged: dict[Moment, list[Heard]] = defaultdict(list)
    alone: dict[str, str] = {}
    for one in heard:
        if one.deal_ids:
            for moment in one.said.moments:
                arranged[moment].append(one)
            topics[one.topic].add(one.deal_ids)
            threads[one.thread].append(one)
        if len(one.deal_ids) == 1:
            (alone[one.key],) = one.deal_ids
            for number in one.said.papers:
                papers[number].update(one.deal_ids)
            for stem in one.said.stems - names:
                stems[stem].update(one.deal_ids)
    return Learned(
        papers={number: deal for number, of in papers.items() if (deal := _most(of))},
        stems=stems,
        letters=Counter(alone.values()),
        topics={topic: min(told)[0] for topic, told in topics.items() if topic and len(told) == 1 == len(min(told))},
        threads={thread: tuple(of[:2]) for thread, of in threads.items()},
        alone=alone,
        arranged={moment: tuple(of) for moment, of in arranged.items()},
    )


def _most(of: Counter[str]) -> str:
    """The deal that has most of them; "" when two have as many."""
    (first, times), *rest = of.most_common(2)
    return "" if rest and rest[0][1] == times else first
