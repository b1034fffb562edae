"""Fitting the heads and tuning the encoder to them: letters with what is known of them, learnt in small steps (Adam).

Of a lesson that people gave a label or two are known: the others say nothing to the loss.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Generic

import msgspec
import numpy as np
from scipy.sparse import csr_matrix

from agent.model import OBJECTION_TYPES, Letter
from classifiers import layers, net
from classifiers.corpus import Row
from classifiers.encoder import LONGEST, Encoder, Pieces, encode_once, laid_out
from classifiers.evaluate import bears
from classifiers.features import MOST_SENTENCES, Example, Vocabulary, example, sparse, vocabulary
from classifiers.heads import ANY, LABELS, PLACES, SPANS, Kept, Model, rounded, sigmoid
from classifiers.layers import Layers, Numbers
from classifiers.lessons import Lesson
from classifiers.limits import undecided
from classifiers.reader import Ruled, ruled_all
from classifiers.rules import HousePhrases
from classifiers.rules import version as rules_version

SEED = 20
ROUNDS = 9  # over all letters
TOGETHER = 32  # letters a step
HIDDEN = 160
SAMPLE = 500  # letters by which pieces are narrowed
NARROWED = 320  # directions in which pieces differ most; the others are noise to so few letters
STEP = 2e-3  # the largest; it rises in the first rounds and falls in the last
RISING = 0.15
TUNING = 2e-4  # the same for the encoder's layers, which know much already
HOLD = 0.1  # how strongly matrices are held small
BLANK_NUMBERS, BLANK_PIECES = 0.1, 0.1  # shares of what the encoder is given that are blanked in training
SPANS_COUNT = 6.0  # how much the words of a span count beside a letter's labels
EDGES_COUNT = 3.0  # and its first and its last one beside the others: they are few

_SPAN_WEIGHTS = np.tile(np.array([1.0, EDGES_COUNT, EDGES_COUNT], np.float32) * SPANS_COUNT, len(SPANS))

Say = Callable[[str], None]


class Labelled(msgspec.Struct, frozen=True):
    """A letter and what is known of it."""

    letter: Letter
    labels: dict[str, bool]  # of LABELS those that are known
    quotes: tuple[tuple[str, ...], ...] | None  # per SPANS; None when they are not known


class Letters(msgspec.Struct, frozen=True):
    """Letters that the heads can see, and what they should say of them."""

    seen: tuple[Example, ...]
    pieces: tuple[tuple[Pieces, ...], ...]  # per letter, of each of its sentences
    words: Any  # sentences x words and marks, sparse
    first: tuple[int, ...]  # per letter, the first of its sentences
    truth: Numbers  # letters x LABELS
    known: Numbers  # the same: 1 where it is known whether the label holds, else 0
    spans: tuple[Numbers, ...]  # per letter: pieces x SPANS and their PLACES
    spans_known: tuple[Numbers, ...]  # per letter: pieces x 1


class Learner(msgspec.Struct, frozen=True):
    """What is learnt: the encoder's layers, and the network upon their narrowed pieces."""

    layers: Layers
    narrowing: Numbers
    weights: net.Weights


# -- gather -----------------------------------------------------------------------------------------------------------


def gather(
    rows: Sequence[Row], encoder: Encoder, lessons: Sequence[Lesson] = (), phrases: tuple[HousePhrases, ...] = ()
) -> tuple[Letters, Vocabulary]:
    """Letters, and the words that count.

    The words are those of the corpus alone: a model keeps no word of a house's letters, so that these can be forgotten.
    """
    of_corpus = list(_visible([_of_row(row) for row in rows], phrases))
    known = vocabulary([seen for _, _, seen in of_corpus])
    some = [*of_corpus, *_visible([_of_lesson(one) for one in lessons], phrases)]
    shown = tuple(seen for _, _, seen in some)
    pieces = tuple(_pieces(one.letter.body, ruled, encoder) for one, ruled, _ in some)
    letters = Letters(
        seen=shown,
        pieces=pieces,
        words=_words(shown, known),
        first=tuple(np.cumsum([0, *(len(cut) for cut in pieces)]).tolist()),
        truth=np.array([[one.labels.get(name, False) for name in LABELS] for one, _, _ in some], np.float32),
        known=np.array([[name in one.labels for name in LABELS] for one, _, _ in some], np.float32),
        spans=tuple(_span_truth(one, ruled, cut) for (one, ruled, _), cut in zip(some, pieces, strict=True)),
        spans_known=tuple(_spans_known(one, cut) for (one, _, _), cut in zip(some, pieces, strict=True)),
    )
    return letters, known


def _visible(
    labelled: Sequence[Labelled], phrases: tuple[HousePhrases, ...]
) -> Iterator[tuple[Labelled, Ruled, Example]]:
    """Those in which the heads have something to see."""
    for one, ruled in zip(labelled, ruled_all([one.letter for one in labelled], phrases), strict=True):
        if ruled.sentences:
            yield one, ruled, example(one.letter, ruled.sentences, (), ruled.milestones, ruled.objections)


def _pieces(body: str, ruled: Ruled, encoder: Encoder) -> tuple[Pieces, ...]:
    return tuple(encoder.cut(body[one.start : one.end][:LONGEST]) for one in ruled.sentences[:MOST_SENTENCES])


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


def _words(shown: Sequence[Example], known: Vocabulary) -> csr_matrix:
    places = known.places()
    lines = [line for one in shown for line in sparse(one, places, known.weights)]
    entries = [(at, place, value) for at, line in enumerate(lines) for place, value in sorted(line.items())]
    at, place, value = zip(*entries, strict=True) if entries else ((), (), ())
    return csr_matrix((np.array(value, np.float32), (at, place)), shape=(len(lines), len(known.terms)))


def _span_truth(one: Labelled, ruled: Ruled, pieces: Sequence[Pieces]) -> Numbers:
    """Which pieces of a letter belong to a reason, which to a condition, and where each begins and ends."""
    quoted = [[_found(one.letter.body, quote) for quote in quotes] for quotes in one.quotes or [()] * len(SPANS)]
    found = [
        [place for some in quoted for place in _places(start, end, some)]
        for sentence, cut in zip(ruled.sentences, pieces, strict=False)
        for start, end in zip(sentence.start + cut.starts, sentence.start + cut.ends, strict=True)
    ]
    return np.array(found, np.float32)


def _places(start: int, end: int, quoted: Sequence[tuple[int, int]]) -> tuple[bool, bool, bool]:
    """Of the piece from start to end: is it in a quote, its first, its last? See PLACES."""
    inside = any(start < after and before < end for before, after in quoted) and end > start
    begins = any(start <= before < end for before, after in quoted if before < after)
    return inside, begins, any(start < after <= end for before, after in quoted if before < after)


def _spans_known(one: Labelled, pieces: Sequence[Pieces]) -> Numbers:
    return np.full((sum(len(cut.ids) for cut in pieces), 1), one.quotes is not None, np.float32)


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
    """The heads and their encoder, not yet calibrated; their limits are still to be chosen."""
    letters, known = gather(rows, encoder, lessons, phrases)
    report(f"{len(letters.seen)} letters with {letters.words.shape[0]} sentences and {len(known.terms)} words")
    random = np.random.default_rng(SEED)
    learner = beginning(random, rows, encoder, len(known.terms), len(letters.seen[0].about))
    learn, tune = Adam(learner.weights, net.MATRICES), Adam(learner.layers, ())
    steps = ROUNDS * -(-len(letters.seen) // TOGETHER)
    for number in range(ROUNDS):
        unlike = 0.0
        order = random.permutation(len(letters.seen))
        for at in range(0, len(order), TOGETHER):
            some = order[at : at + TOGETHER].tolist()
            of_layers, of_weights, cost = slope(learner, letters, encoder, some, random)
            pace = _pace(learn.steps / steps)
            learner = Learner(
                layers=tune.step(learner.layers, of_layers, TUNING * pace),
                narrowing=learner.narrowing,
                weights=learn.step(learner.weights, of_weights, STEP * pace),
            )
            unlike += cost * len(some)
        report(f"round {number + 1} of {ROUNDS}: {unlike / len(order):.3f}")
    unfolded = msgspec.structs.replace(learner.weights, narrow=learner.narrowing @ learner.weights.narrow)
    return Model(
        undecided(encoder, rules_version(phrases)),
        encoder.tuned(rounded(learner.layers)),
        rounded(unfolded),
        known,
        1.0,
        np.zeros(len(LABELS), np.float32),
    )


def beginning(random: np.random.Generator, rows: Sequence[Row], encoder: Encoder, words: int, facts: int) -> Learner:
    """The packaged layers, and a network that knows nothing."""
    weights = net.beginning(random, HIDDEN, NARROWED, encoder.size, words, facts, len(LABELS), len(SPANS) * len(PLACES))
    return Learner(layers=encoder.layers, narrowing=_narrowing(rows, encoder), weights=weights)


def slope(
    learner: Learner, letters: Letters, encoder: Encoder, some: Sequence[int], random: np.random.Generator
) -> tuple[Layers, net.Weights, float]:
    """How the loss of some letters changes with layers and weights, and the loss of their labels."""
    cuts = [cut for at in some for cut in letters.pieces[at]]
    sentence_of, first_piece = laid_out([len(cut.ids) for cut in cuts])
    letter_of, first_sentence = laid_out([len(letters.pieces[at]) for at in some])
    drop = net.Dropout(random)
    own = encoder.own(np.concatenate([cut.ids for cut in cuts]))
    own = own * drop.mask(own, BLANK_NUMBERS) * (random.random((len(own), 1)) >= BLANK_PIECES).astype(np.float32)
    through = layers.forward(learner.layers, own, sentence_of, first_piece)
    bag = net.Bag(
        pieces=through.tokens @ learner.narrowing,
        sentence_of=sentence_of,
        first_piece=first_piece,
        vectors=through.vectors,
        words=letters.words[[line for at in some for line in range(letters.first[at], letters.first[at + 1])]],
        letter_of=letter_of,
        first_sentence=first_sentence,
        facts=np.array([letters.seen[at].about for at in some], np.float32),
    )
    said = net.forward(learner.weights, bag, drop)
    truth, known = letters.truth[some], letters.known[some]
    spans, spans_known = (np.concatenate([of[at] for at in some]) for of in (letters.spans, letters.spans_known))
    off: Numbers = known * (sigmoid(said.letters) - truth) / np.float32(len(some))
    strayed: Numbers = spans_known * (sigmoid(said.spans) - spans) * _SPAN_WEIGHTS / np.float32(len(spans))
    cost = float((known * (np.logaddexp(0, said.letters) - truth * said.letters)).sum() / len(some))
    back = net.backward(learner.weights, bag, said, off, strayed)
    pieces = back.pieces @ learner.narrowing.T
    of_layers = layers.backward(learner.layers, through, sentence_of, first_piece, pieces, back.vectors)
    return of_layers, back.weights, cost


def _pace(done: float) -> float:
    """The share of the largest step: up to the whole, then down to nothing on half a cosine."""
    falling = max(0.0, (done - RISING) / (1 - RISING))
    return float(min(1.0, done / RISING) * (1 + np.cos(np.pi * falling)) / 2)


class Adam(Generic[Kept]):
    """Steps by the mean and spread of past slopes (Kingma, Ba 2014), matrices held small (Loshchilov, Hutter 2017)."""

    SLOPE, SPREAD = 0.9, 0.99

    def __init__(self, start: Kept, held: Collection[str]) -> None:
        self.steps = 0
        self._held = held
        self._mean = {name: np.zeros_like(getattr(start, name)) for name in start.__struct_fields__}
        self._spread = {name: np.zeros_like(getattr(start, name)) for name in start.__struct_fields__}

    def step(self, was: Kept, slope: Kept, pace: float) -> Kept:
        """The numbers one step on."""
        self.steps += 1
        return type(was)(
            **{name: self._one(name, getattr(was, name), getattr(slope, name), pace) for name in was.__struct_fields__}
        )

    def _one(self, name: str, was: Numbers, slope: Numbers, pace: float) -> Numbers:
        mean, spread = self._mean[name], self._spread[name]
        mean += np.float32(1 - self.SLOPE) * (slope - mean)
        spread += np.float32(1 - self.SPREAD) * (slope * slope - spread)
        way = mean / np.float32(1 - self.SLOPE**self.steps)
        way /= np.sqrt(spread / np.float32(1 - self.SPREAD**self.steps)) + np.float32(1e-6)
        held = np.float32(HOLD if name in self._held else 0.0) * was
        stepped: Numbers = was - np.float32(pace) * (way + held)
        return stepped
