"""The words of a reason or a condition: of the stretches that could be quoted, the one that looks most like it.

A quote begins where a sentence, a clause or what follows a conjunction begins, and ends where a clause does; which of
these stretches it is, the heads tell, piece by piece: the sentence where most of a quote is, then the stretch in it
that is likeliest from its first piece to its last.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from agent.model import Span
from classifiers.conditions import CONJUNCTIONS
from classifiers.encoder import Encoded
from classifiers.layers import Numbers, Places
from classifiers.spans import Sentence, span

MOST_EDGES = 40  # begins or ends of a sentence that are tried
EDGES = 8.0  # what its first and its last piece count beside all of them
_AROUND = " \t\r\n,;:.!?–—-…\"'«»“”()"  # stands around a quote, not in it
_BREAKS = tuple(",;:.!?)…–—")  # a word that ends so ends its clause
_DASHES = frozenset(("-", "–", "—", "--"))
_LINKS = frozenset("and then but so or и а но или то тогда значит поэтому so, then, то,".split())
_LEAD_IN = frozenset(
    "and but so then because since however unfortunately sadly that honestly frankly "
    "а и но так потому ведь однако только что поскольку увы".split()
)
_CONJUNCTIONS = tuple(
    tuple(phrase.split()) for phrase in (*CONJUNCTIONS, "the minute", "only if", "если только", "пока")
)
_KEPT = frozenset("until till after with without from by at under при после до с со без от за под на".split())


def best(
    body: str,
    some: Sequence[Sentence],
    encoded: Sequence[Encoded],
    values: Sequence[Numbers],
    near: Sequence[int],
    lean: float,
) -> Span | None:
    """The stretch with the most in one of these sentences; None where no stretch is likelier in than out.

    `values` are per sentence the log-odds of each piece to be in it, its first and its last; `lean` is added to those
    of being in it.
    """
    most, found = 0.0, None
    for at in near:
        stretches = _Stretches.of(body, some[at], encoded[at], values[at], lean)
        if stretches is not None and (worth := stretches.heaviest()) > most:
            most, found = worth, stretches
    return _trimmed(body, *found.likeliest()) if found else None


class _Stretches(NamedTuple):
    """What may be quoted of a sentence, from each of some begins to each of some ends, counted in pieces."""

    starts: Places  # in the body
    ends: Places
    summed: Numbers  # of what speaks for being in it, before each piece and at the end
    first: Numbers
    last: Numbers
    pairs: list[tuple[int, int]]

    @classmethod
    def of(cls, body: str, sentence: Sentence, encoded: Encoded, values: Numbers, lean: float) -> "_Stretches | None":
        starts, first = np.unique(encoded.starts[1:-1], return_index=True)
        if not len(starts):
            return None
        ends = encoded.ends[1:-1][first] + sentence.start
        starts = starts + sentence.start
        words = [body[start:end].lower() for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        behind = _ends(words)
        pairs = [(begin, end) for begin in _begins(words) for end in behind if end > begin]
        inside, begins, stops = values[1:-1].T
        summed = np.concatenate([[0.0], np.cumsum(np.add.reduceat(inside + lean, first))])
        return cls(starts, ends, summed, begins[first], stops[first], pairs)

    def heaviest(self) -> float:
        """How much speaks for one of them, by its parts alone."""
        return max((float(self.summed[end] - self.summed[begin]) for begin, end in self.pairs), default=0.0)

    def likeliest(self) -> tuple[int, int]:
        """Start and end of the one that looks most like a quote from its first piece to its last."""
        begin, end = max(self.pairs, key=self._likely)
        return int(self.starts[begin]), int(self.ends[end - 1])

    def _likely(self, pair: tuple[int, int]) -> float:
        begin, end = pair
        return float(self.summed[end] - self.summed[begin] + EDGES * (self.first[begin] + self.last[end - 1]))


def _begins(words: Sequence[str]) -> list[int]:
    """Words at which a quote may begin: of the sentence, of a clause, behind a conjunction, at a preposition."""
    found: set[int] = set()
    for at, word in enumerate(words):
        opens = at == 0 or words[at - 1].endswith(_BREAKS) or words[at - 1] in _LINKS or words[at - 1] in _DASHES
        length = max((len(one) for one in _CONJUNCTIONS if tuple(words[at : at + len(one)]) == one), default=0)
        if length:
            found.add(at + length)
        if word in _KEPT or (opens and not length):
            found.add(at)
    return sorted(at for at in found if at < len(words))[:MOST_EDGES]


def _ends(words: Sequence[str]) -> list[int]:
    """Words before which a quote may end: the sentence's end, a clause's end, a link to what follows."""
    found = [
        at
        for at in range(1, len(words) + 1)
        if at == len(words) or words[at - 1].endswith(_BREAKS) or words[at] in _LINKS or words[at] in _DASHES
    ]
    return found[-MOST_EDGES:]


def _trimmed(body: str, start: int, end: int) -> Span | None:
    while True:
        while start < end and body[start] in _AROUND:
            start += 1
        word = body[start:end].split(maxsplit=1)[:1]
        if not word or word[0].lower().strip(_AROUND) not in _LEAD_IN:
            break
        start += len(word[0])
    while end > start and body[end - 1] in _AROUND:
        end -= 1
    return span(body, start, end) if start < end else None
