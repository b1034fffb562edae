"""Fitting the heads: letters with what is known of them, and the network that learns it in small steps (Adam).

Of a lesson that people gave a label or two are known: the others say nothing to the loss.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from scipy.sparse import csr_matrix, hstack

from agent.model import OBJECTION_TYPES, Letter
from classifiers import net
from classifiers.corpus import Row
from classifiers.encoder import Encoder, Numbers, encode_once
from classifiers.evaluate import bears
from classifiers.features import Example, Vocabulary, dense, sparse, vocabulary
from classifiers.heads import ANY, LABELS, SPANS, Model, bagged, sigmoid
from classifiers.lessons import Lesson
from classifiers.limits import undecided
from classifiers.reader import Ruled, examples, ruled_all
from classifiers.rules import HousePhrases
from classifiers.rules import version as rules_version

SEED = 20
ROUNDS = 16  # over all letters
TOGETHER = 32  # letters a step
HIDDEN = 160
SAMPLE = 500  # letters by which pieces are narrowed
AT_ONCE = 200  # letters that are encoded together
NARROWED = 320  # directions in which pieces differ most; the others are noise to so few letters
STEP = 2e-3  # the largest; it rises in the first rounds and falls in the last
RISING = 0.15
HOLD = 0.1  # how strongly matrices are held small
SPANS_COUNT = 6.0  # how much the words of a span count beside a letter's labels

Say = Callable[[str], None]


class Labelled(msgspec.Struct, frozen=True):
    """A letter and what is known of it."""

    letter: Letter
    labels: dict[str, bool]  # of LABELS those that are known
    quotes: tuple[tuple[str, ...], ...] | None  # per SPANS; None when they are not known


class Letters(msgspec.Struct, frozen=True):
    """Letters that the heads can see, and what they should say of them."""

    seen: tuple[Example, ...]  # their pieces narrowed
    rows: Any  # sentences x features, sparse
    first: tuple[int, ...]  # per letter, the first of its rows
    truth: Numbers  # letters x LABELS
    known: Numbers  # the same: 1 where it is known whether the label holds, else 0
    spans: tuple[Numbers, ...]  # per letter: pieces x SPANS
    spans_known: tuple[Numbers, ...]  # per letter: pieces x 1


# -- gather -----------------------------------------------------------------------------------------------------------


def gather(
    rows: Sequence[Row], encoder: Encoder, lessons: Sequence[Lesson] = (), phrases: tuple[HousePhrases, ...] = ()
) -> tuple[Letters, Vocabulary, Numbers]:
    """Letters, the words that count, and the narrowing of pieces.

    The words are those of the corpus alone: a model keeps no word of a house's letters, so that these can be forgotten.
    """
    narrowing = _narrowing(rows, encoder)
    of_corpus = list(_visible([_of_row(row) for row in rows], encoder, narrowing, phrases))
    known = vocabulary([seen for _, _, seen in of_corpus])
    some = [*of_corpus, *_visible([_of_lesson(one) for one in lessons], encoder, narrowing, phrases)]
    shown = tuple(seen for _, _, seen in some)
    letters = Letters(
        seen=shown,
        rows=_sparse_rows(shown, known),
        first=tuple(np.cumsum([0, *(len(one.encoded) for one in shown)]).tolist()),
        truth=np.array([[one.labels.get(name, False) for name in LABELS] for one, _, _ in some], np.float32),
        known=np.array([[name in one.labels for name in LABELS] for one, _, _ in some], np.float32),
        spans=tuple(_span_truth(*each) for each in some),
        spans_known=tuple(_spans_known(one, seen) for one, _, seen in some),
    )
    return letters, known, narrowing


def _visible(
    labelled: Sequence[Labelled], encoder: Encoder, narrowing: Numbers, phrases: tuple[HousePhrases, ...]
) -> Iterator[tuple[Labelled, Ruled, Example]]:
    """Those in which the heads have something to see."""
    for at in range(0, len(labelled), AT_ONCE):  # what the encoder says of all letters would fill the memory
        chunk = labelled[at : at + AT_ONCE]
        ruled = ruled_all([one.letter for one in chunk], phrases)
        for one, by_rule, seen in zip(chunk, ruled, examples(ruled, encoder), strict=True):
            if seen is not None:
                yield one, by_rule, _narrowed(seen, narrowing)


def _of_row(row: Row) -> Labelled:
    held = row.labels.objections
    quotes = tuple(tuple(getattr(one, name) for one in held if getattr(one, name)) for name in SPANS)
    return Labelled(row.letter(), {name: bears(row, name) for name in LABELS}, quotes)


def _of_lesson(lesson: Lesson) -> Labelled:
    """A type that holds makes the letter one with an objection; one that does not may leave another."""
    objects = any(holds and name in OBJECTION_TYPES for name, holds in lesson.labels)
    return Labelled(lesson.letter, dict(lesson.labels) | ({ANY: True} if objects else {}), None)


def _narrowing(rows: Sequence[Row], encoder: Encoder) -> Numbers:
    """The directions in which the pieces of some letters differ most (principal components, Pearson 1901)."""
    some = rows[:: max(1, len(rows) // SAMPLE)]
    pieces = np.concatenate([one.tokens for one in encode_once(encoder, [row.body for row in some])]).astype(np.float64)
    _, directions = np.linalg.eigh(np.cov((pieces - pieces.mean(0)).T))
    kept: Numbers = directions[:, ::-1][:, :NARROWED].astype(np.float32)
    return kept


def _narrowed(seen: Example, narrowing: Numbers) -> Example:
    encoded = tuple(msgspec.structs.replace(one, tokens=one.tokens @ narrowing) for one in seen.encoded)
    return msgspec.structs.replace(seen, encoded=encoded)


def _sparse_rows(shown: Sequence[Example], known: Vocabulary) -> csr_matrix:
    places = known.places()
    lines = [line for one in shown for line in sparse(one, places, known.weights)]
    entries = [(at, place, value) for at, line in enumerate(lines) for place, value in sorted(line.items())]
    at, place, value = zip(*entries, strict=True) if entries else ((), (), ())
    words = csr_matrix((np.array(value, np.float32), (at, place)), shape=(len(lines), len(known.terms)))
    return hstack([csr_matrix(np.vstack([dense(one) for one in shown])), words], format="csr")


def _span_truth(one: Labelled, ruled: Ruled, seen: Example) -> Numbers:
    """Which pieces of a letter belong to a reason, which to a condition."""
    quoted = [[_found(one.letter.body, quote) for quote in quotes] for quotes in one.quotes or [()] * len(SPANS)]
    found = [
        [
            [
                float(any(start < after and before < end for before, after in some)) if end > start else 0.0
                for some in quoted
            ]
            for start, end in zip(sentence.start + each.starts, sentence.start + each.ends, strict=True)
        ]
        for sentence, each in zip(ruled.sentences, seen.encoded, strict=False)
    ]
    return np.array([piece for sentence in found for piece in sentence], np.float32)


def _spans_known(one: Labelled, seen: Example) -> Numbers:
    pieces = sum(len(each.tokens) for each in seen.encoded)
    return np.full((pieces, 1), one.quotes is not None, np.float32)


def _found(body: str, quote: str) -> tuple[int, int]:
    begin = body.find(quote)
    return (begin, begin + len(quote)) if begin >= 0 else (0, 0)


# -- fit --------------------------------------------------------------------------------------------------------------


def fit(
    rows: Sequence[Row],
    encoder: Encoder,
    report: Say = lambda text: None,
    lessons: Sequence[Lesson] = (),
    phrases: tuple[HousePhrases, ...] = (),
) -> Model:
    """The heads, not yet calibrated; their limits are still to be chosen."""
    letters, known, narrowing = gather(rows, encoder, lessons, phrases)
    report(f"{len(letters.seen)} letters with {letters.rows.shape[0]} sentences and {len(known.terms)} words")
    random = np.random.default_rng(SEED)
    facts = len(letters.seen[0].about)
    weights = net.beginning(random, HIDDEN, narrowing.shape[1], letters.rows.shape[1], facts, len(LABELS))
    drop = net.Dropout(random)
    adam = Adam(weights)
    steps = ROUNDS * -(-len(letters.seen) // TOGETHER)
    for number in range(ROUNDS):
        unlike = 0.0
        order = random.permutation(len(letters.seen))
        for at in range(0, len(order), TOGETHER):
            some = order[at : at + TOGETHER].tolist()
            slope, cost = _slope(weights, letters, some, drop)
            weights = adam.step(weights, slope, _pace(adam.steps / steps))
            unlike += cost * len(some)
        report(f"round {number + 1} of {ROUNDS}: {unlike / len(order):.3f}")
    unfolded = msgspec.structs.replace(weights, narrow=narrowing @ weights.narrow)
    rounded = net.Weights(
        **{
            name: getattr(unfolded, name).astype(np.float16).astype(np.float32)  # as it is stored
            for name in net.Weights.__struct_fields__
        }
    )
    return Model(undecided(encoder, rules_version(phrases)), rounded, known, 1.0, np.zeros(len(LABELS), np.float32))


def _slope(weights: net.Weights, letters: Letters, some: Sequence[int], drop: net.Dropout) -> tuple[net.Weights, float]:
    """How the loss of some letters changes with the weights, and the loss of their labels."""
    seen = [letters.seen[at] for at in some]
    lines = [line for at in some for line in range(letters.first[at], letters.first[at + 1])]
    bag = bagged(seen, letters.rows[lines])
    said = net.forward(weights, bag, drop)
    truth, known = letters.truth[some], letters.known[some]
    spans, spans_known = (np.concatenate([of[at] for at in some]) for of in (letters.spans, letters.spans_known))
    off: Numbers = known * (sigmoid(said.letters) - truth) / np.float32(len(seen))
    strayed: Numbers = spans_known * (sigmoid(said.spans) - spans) * np.float32(SPANS_COUNT / len(spans))
    cost = float((known * (np.logaddexp(0, said.letters) - truth * said.letters)).sum() / len(seen))
    return net.backward(weights, bag, said, off, strayed), cost


def _pace(done: float) -> float:
    """The length of a step: up to the largest, then down to nothing on half a cosine."""
    falling = max(0.0, (done - RISING) / (1 - RISING))
    return float(STEP * min(1.0, done / RISING) * (1 + np.cos(np.pi * falling)) / 2)


class Adam:
    """Steps by the mean and spread of past slopes (Kingma, Ba 2014), matrices held small (Loshchilov, Hutter 2017)."""

    SLOPE, SPREAD = 0.9, 0.99

    def __init__(self, weights: net.Weights) -> None:
        self.steps = 0
        self._mean = {name: np.zeros_like(getattr(weights, name)) for name in net.Weights.__struct_fields__}
        self._spread = {name: np.zeros_like(getattr(weights, name)) for name in net.Weights.__struct_fields__}

    def step(self, weights: net.Weights, slope: net.Weights, pace: float) -> net.Weights:
        self.steps += 1
        return net.Weights(**{name: self._one(name, weights, slope, pace) for name in net.Weights.__struct_fields__})

    def _one(self, name: str, weights: net.Weights, slope: net.Weights, pace: float) -> Numbers:
        now, was = getattr(slope, name), getattr(weights, name)
        mean, spread = self._mean[name], self._spread[name]
        mean += np.float32(1 - self.SLOPE) * (now - mean)
        spread += np.float32(1 - self.SPREAD) * (now * now - spread)
        way = mean / np.float32(1 - self.SLOPE**self.steps)
        way /= np.sqrt(spread / np.float32(1 - self.SPREAD**self.steps)) + np.float32(1e-6)
        held = np.float32(HOLD if name in net.MATRICES else 0.0) * was
        stepped: Numbers = was - np.float32(pace) * (way + held)
        return stepped
