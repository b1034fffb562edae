"""The network behind the heads: from the pieces and sentences of letters to one value per label, and where it says so.

pieces, each in its context -> a narrow layer -> what five neighbours say -> per label the pieces that speak most for it
                            -> how much a piece looks like a part of a reason or a condition
sentences (vectors, words, marks of the rules) -> per label a value of their own, added to that of their pieces
a letter: the soft maximum of its sentences, one that speaks for a label is enough; then what is known of the letter

Forward for reading and, with what it remembers, backward for training. Arrays are float32, rows of a letter stand
side by side.
"""

from typing import Any

import msgspec
import numpy as np

from classifiers.layers import Numbers, Places, unwound, windows

NEIGHBOURS, LEFT = 5, 2  # of a piece
AROUND = (3, 1)  # a sentence is seen with the one before and the one after it
PLACES = 3  # the first, the second, the last sentence
OWN, BESIDE = 8.0, 4.0  # how loud its own vector speaks, and theirs
MATRICES = ("narrow", "around", "look", "say", "sentence", "words", "span")  # held small in training


class Weights(msgspec.Struct, frozen=True):
    """The numbers that are learnt; `hidden` is the width of the narrow layer, columns are labels."""

    narrow: Numbers  # features of a piece x hidden
    narrow_bias: Numbers
    side: Numbers  # facts of a letter x hidden: the same words say different things from either side
    around: Numbers  # NEIGHBOURS * hidden x hidden
    around_bias: Numbers
    look: Numbers  # hidden x labels: which pieces of a sentence to listen to
    say: Numbers  # hidden x labels: and what they say
    sentence: Numbers  # numbers of a sentence and its neighbours x labels
    words: Numbers  # words and marks of a sentence x labels
    letter: Numbers  # facts of a letter x labels
    bias: Numbers  # labels
    span: Numbers  # 2 * hidden x spans: a piece, and the mean of its sentence; a span counts for inside, begin and end
    span_bias: Numbers


class Bag(msgspec.Struct, frozen=True):
    """Some letters, their sentences and the pieces of these."""

    pieces: Numbers  # pieces x features
    sentence_of: Places  # of each piece
    first_piece: Places  # of each sentence
    vectors: Numbers  # sentences x size
    words: Any  # sentences x words and marks: a sparse matrix
    letter_of: Places  # of each sentence
    first_sentence: Places  # of each letter
    facts: Numbers  # letters x facts


class Said(msgspec.Struct, frozen=True):
    """What the network answers, before calibration."""

    letters: Numbers  # letters x labels
    sentences: Numbers  # sentences x labels: who spoke for it
    spans: Numbers  # pieces x spans
    between: dict[str, Numbers]  # for the way back


class Slope(msgspec.Struct, frozen=True):
    """How the loss changes with every weight, with each piece and with each sentence's vector."""

    weights: Weights
    pieces: Numbers
    vectors: Numbers


class Dropout(msgspec.Struct):
    """Blanks a share of the numbers in training, so that no single one is relied upon (Srivastava et al. 2014)."""

    random: np.random.Generator
    pieces: float = 0.2
    hidden: float = 0.3

    def mask(self, rows: Numbers, share: float) -> Numbers:
        kept: Numbers = (self.random.random(rows.shape, dtype=np.float32) >= share).astype(np.float32) / (1 - share)
        return kept


def forward(weights: Weights, bag: Bag, drop: Dropout | None = None) -> Said:
    masks: dict[str, Numbers] = {}
    pieces = bag.pieces
    if drop is not None:
        masks["pieces"] = drop.mask(pieces, drop.pieces)
        pieces = pieces * masks["pieces"]
    facts = (bag.facts @ weights.side)[bag.letter_of][bag.sentence_of]
    narrow = np.maximum(pieces @ weights.narrow + weights.narrow_bias + facts, 0)
    if drop is not None:
        masks["narrow"] = drop.mask(narrow, drop.hidden)
        narrow = narrow * masks["narrow"]
    context = windows(narrow, bag.sentence_of, NEIGHBOURS, LEFT)
    around = np.maximum(context @ weights.around + weights.around_bias, 0)
    hidden = narrow + around
    if drop is not None:
        masks["hidden"] = drop.mask(hidden, drop.hidden)
        hidden = hidden * masks["hidden"]
    look, say = hidden @ weights.look, hidden @ weights.say
    power = np.exp(look - np.maximum.reduceat(look, bag.first_piece)[bag.sentence_of])
    heard = power / np.add.reduceat(power, bag.first_piece)[bag.sentence_of]
    spoken = np.add.reduceat(heard * say, bag.first_piece)
    around_it = seen_sentences(bag.vectors, bag.letter_of, bag.first_sentence)
    sentences = spoken + around_it @ weights.sentence + bag.words @ weights.words
    top = np.maximum.reduceat(sentences, bag.first_sentence)
    power = np.exp(sentences - top[bag.letter_of])
    summed = np.add.reduceat(power, bag.first_sentence)
    counts = np.diff(np.append(bag.first_piece, len(hidden)))[:, None].astype(np.float32)
    mean = np.add.reduceat(hidden, bag.first_piece) / counts
    wide = np.hstack([hidden, mean[bag.sentence_of]])
    between = {
        "pieces": pieces, "narrow": narrow, "context": context, "around": around, "hidden": hidden, "say": say,
        "heard": heard, "spoken": spoken, "share": power / summed[bag.letter_of], "counts": counts, "wide": wide,
        "around it": around_it,
    }  # fmt: skip
    return Said(
        letters=top + np.log(summed) + bag.facts @ weights.letter + weights.bias,
        sentences=sentences,
        spans=wide @ weights.span + weights.span_bias,
        between=between | {f"mask of {name}": mask for name, mask in masks.items()},
    )


def backward(weights: Weights, bag: Bag, said: Said, letters: Numbers, spans: Numbers) -> Slope:
    """How the loss changes, from how it changes with each letter's labels and each piece's spans."""
    was = said.between
    size = weights.narrow_bias.size
    speaking = was["share"] * letters[bag.letter_of]
    told = speaking[bag.sentence_of] * was["heard"]
    looked = told * (was["say"] - was["spoken"][bag.sentence_of])
    wide = spans @ weights.span.T
    meant = np.add.reduceat(wide[:, size:], bag.first_piece) / was["counts"]
    hidden = told @ weights.say.T + looked @ weights.look.T + wide[:, :size] + meant[bag.sentence_of]
    hidden = hidden * was.get("mask of hidden", np.float32(1))
    around = (hidden * (was["around"] > 0)).astype(np.float32)
    narrow = hidden + unwound(around @ weights.around.T, bag.sentence_of, NEIGHBOURS, LEFT)
    narrow = (narrow * was.get("mask of narrow", np.float32(1)) * (was["narrow"] > 0)).astype(np.float32)
    by_letter = np.add.reduceat(np.add.reduceat(narrow, bag.first_piece), bag.first_sentence)
    found = Weights(
        narrow=(was["pieces"].T @ narrow).astype(np.float32),
        narrow_bias=narrow.sum(0),
        side=bag.facts.T @ by_letter,
        around=was["context"].T @ around,
        around_bias=around.sum(0),
        look=was["hidden"].T @ looked,
        say=was["hidden"].T @ told,
        sentence=was["around it"].T @ speaking,
        words=bag.words.T @ speaking,
        letter=bag.facts.T @ letters,
        bias=letters.sum(0),
        span=was["wide"].T @ spans,
        span_bias=spans.sum(0),
    )
    pieces = narrow @ weights.narrow.T * was.get("mask of pieces", np.float32(1))
    return Slope(found, pieces, _seen_back(speaking @ weights.sentence.T, bag.letter_of, bag.vectors.shape[1]))


def seen_sentences(vectors: Numbers, letter_of: Places, first_sentence: Places) -> Numbers:
    """Of each sentence the vectors of itself and its neighbours in the letter, and where it stands."""
    place = np.zeros((len(vectors), PLACES), vectors.dtype)
    place[first_sentence, 0] = 1.0
    place[np.append(first_sentence[1:], len(vectors)) - 1, 2] = 1.0
    second = first_sentence[np.diff(np.append(first_sentence, len(vectors))) > 1] + 1
    place[second, 1] = 1.0
    size = vectors.shape[1]
    return np.hstack([windows(vectors, letter_of, *AROUND) * _loudness(size), place])


def _seen_back(slope: Numbers, letter_of: Places, size: int) -> Numbers:
    """How the loss changes with each vector, from how it changes with what `seen_sentences` made of them."""
    width, left = AROUND
    return unwound(slope[:, : width * size] * _loudness(size), letter_of, width, left)


def _loudness(size: int) -> Numbers:
    return np.repeat(np.array([BESIDE, OWN, BESIDE], np.float32), size)


def beginning(
    random: np.random.Generator,
    hidden: int,
    pieces: int,
    size: int,
    words: int,
    facts: int,
    labels: int,
    spans: int,
) -> Weights:
    """Weights before training; labels start as rare."""

    def small(rows: int, columns: int, scale: float) -> Numbers:
        drawn: Numbers = (random.standard_normal((rows, columns)) * scale).astype(np.float32)
        return drawn

    def blank(*shape: int) -> Numbers:
        return np.zeros(shape, np.float32)

    return Weights(
        narrow=small(pieces, hidden, pieces**-0.5),
        narrow_bias=blank(hidden),
        side=small(facts, hidden, 0.05),
        around=small(NEIGHBOURS * hidden, hidden, 0.7 * (NEIGHBOURS * hidden) ** -0.5),
        around_bias=blank(hidden),
        look=small(hidden, labels, 0.1 * hidden**-0.5),
        say=small(hidden, labels, 0.3 * hidden**-0.5),
        sentence=blank(AROUND[0] * size + PLACES, labels),
        words=blank(words, labels),
        letter=blank(facts, labels),
        bias=blank(labels) - 3,
        span=small(2 * hidden, spans, 0.3 * hidden**-0.5),
        span_bias=blank(spans) - 2,
    )
