"""Training: the heads are fitted on the part `train`, their limits chosen on `tune`; the same data give the same bytes.

letters -> rules and vectors -> examples -> heads, each also fitted five times without a fifth of the letters
        -> calibration on what those say of the letters left out -> limits on tune -> figures -> promoted or not

A letter is a bag of sentences: it is positive if one of them is. Where a label's own words are known (the reason of an
objection), only their sentences stand for it.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from agent.model import OBJECTION_TYPES, Reading
from classifiers.corpus import Row, load, raw
from classifiers.encoder import Encoder
from classifiers.evaluate import Report, evaluation
from classifiers.features import Example, Numbers, Vocabulary, dense, sparse, vocabulary
from classifiers.heads import (
    ANY,
    LETTER_HEADS,
    SENTENCE_HEADS,
    Model,
    Scores,
    Weights,
    save,
    sigmoid,
)
from classifiers.heads import load as load_model
from classifiers.manifest import FORMAT, Limits, Manifest
from classifiers.reader import Ruled, by_rules, examples, ruled_all, with_model
from classifiers.rules import VERSION

FOLDS = 5
SEED = 20
HOLD = 8.0  # how strongly the weights of a sentence are held small
HOLD_LETTER = 1.0
HOLD_KINDS = 1.0
STEPS = 60  # of the optimizer
SURE = 0.95  # precision that what is written without asking must reach on tune
ALARMS = 0.05  # share of letters without an objection in which one may be read
OF_HEADS = 0.035  # the share of those that the heads may have by themselves; the rest is the rules'
FALSE_MILESTONES = 0.15  # share of letters without a milestone in which one may be read
LEAST_SAID = 10  # reads on tune below which a precision is no evidence
LOWEST = 0.2  # no less probable reading is proposed
NEVER = 0.995  # written from here on when no limit reaches that precision
HEADLINES = (
    "milestones_micro",
    "objections_macro",
    "any_objection",
    "false_alarms",
    "false_milestones",
    "genuineness",
    "reason",
    "condition",
    "written",
)
SUMMED = ("milestones_micro", "objections_macro", "any_objection")

Say = Callable[[str], None]
Places = list[list[int]]  # per letter, the rows of its sentences


class Outcome(msgspec.Struct, frozen=True):
    """What a training gave."""

    manifest: Manifest
    promoted: bool
    before: dict[str, float]  # the same figures of what read until now


class Letters(msgspec.Struct, frozen=True):
    """Letters that the heads can see, all their sentences as one matrix."""

    rows: tuple[Row, ...]
    ruled: tuple[Ruled, ...]
    seen: tuple[Example, ...]
    known: Vocabulary
    numbers: Numbers  # sentences x features
    words: Any  # sentences x vocabulary, sparse
    about: Numbers  # letters x features of a letter
    places: Places


def train(
    encoder: Encoder, folder: Path, corpus: Path | None = None, report: Say = lambda text: None, promote: bool = True
) -> Outcome:
    """Fits and measures; the model goes into `folder` if it reads the tune part no worse than what reads now."""
    with threadpool_limits(limits=1):  # sums in another order are other bytes
        tune = load("tune", folder=corpus)
        ruled = ruled_all([row.letter() for row in tune])
        rules_alone = figures(tune, [by_rules(one) for one in ruled])
        model = _limited(fit(load("train", folder=corpus), encoder, report), tune, ruled, encoder, corpus)
        metrics = figures(tune, with_model(ruled, model, encoder))
        before = _before(folder, tune, ruled, encoder) or rules_alone
        manifest = msgspec.structs.replace(model.manifest, metrics=metrics, baseline=rules_alone)
        wanted = promote and better(metrics, before)
        if wanted:
            manifest = save(folder, manifest, model.weights, model.known)
        return Outcome(manifest=manifest, promoted=wanted, before=before)


def better(new: dict[str, float], old: dict[str, float]) -> bool:
    """Not worse in what is found, and no more false alarms than are allowed or were there before."""
    found = sum(new[name] for name in SUMMED) >= sum(old[name] for name in SUMMED)
    return found and new["false_alarms"] <= max(ALARMS, old["false_alarms"]) + 1e-9


def figures(rows: Sequence[Row], readings: Sequence[Reading]) -> dict[str, float]:
    reports: dict[str, Report] = evaluation(rows, readings)
    return {
        name if group == "all" else f"{group}.{name}": getattr(one, name).value
        for group, one in reports.items()
        for name in HEADLINES
    }


def _before(folder: Path, tune: Sequence[Row], ruled: Sequence[Ruled], encoder: Encoder) -> dict[str, float]:
    if not (folder / "manifest.json").is_file():
        return {}
    old = load_model(folder)
    if old.manifest.encoder_sha256 != encoder.fingerprint():
        return {}
    return figures(tune, with_model(ruled, old, encoder))


def curve(
    encoder: Encoder, corpus: Path | None = None, report: Say = lambda text: None
) -> list[tuple[int, float, float]]:
    """The learning curve: letters, micro-F1 of milestones and macro-F1 of objections on tune."""
    with threadpool_limits(limits=1):
        rows = load("train", folder=corpus)
        tune = load("tune", folder=corpus)
        ruled = ruled_all([row.letter() for row in tune])
        order = np.random.default_rng(SEED).permutation(len(rows))
        found = []
        for share in (0.25, 0.5, 1.0):
            some = [rows[number] for number in sorted(order[: round(share * len(rows))])]
            model = _limited(fit(some, encoder), tune, ruled, encoder, corpus)
            shown = figures(tune, with_model(ruled, model, encoder))
            found.append((len(some), shown["milestones_micro"], shown["objections_macro"]))
            report(f"{len(some)} letters: milestones {found[-1][1]:.2f}, objections {found[-1][2]:.2f}")
        return found


# -- gather -----------------------------------------------------------------------------------------------------------


def gather(rows: Sequence[Row], encoder: Encoder) -> Letters:
    ruled = ruled_all([row.letter() for row in rows])
    some = [
        (row, one, seen)
        for row, one, seen in zip(rows, ruled, examples(ruled, encoder), strict=True)
        if seen is not None
    ]
    shown = tuple(seen for _, _, seen in some)
    known = vocabulary(shown)
    terms = known.places()
    sentences = [line for one in shown for line in sparse(one, terms, known.weights)]
    entries = [(at, place, value) for at, line in enumerate(sentences) for place, value in sorted(line.items())]
    at, place, value = zip(*entries, strict=True) if entries else ((), (), ())
    places: Places = []
    for one in shown:
        begin = places[-1][-1] + 1 if places else 0
        places.append(list(range(begin, begin + len(one.words))))
    return Letters(
        rows=tuple(row for row, _, _ in some),
        ruled=tuple(one for _, one, _ in some),
        seen=shown,
        known=known,
        numbers=np.vstack([dense(one) for one in shown]),
        words=csr_matrix((value, (at, place)), shape=(len(sentences), len(known.terms))),
        about=np.array([one.about for one in shown]),
        places=places,
    )


# -- fit --------------------------------------------------------------------------------------------------------------


def fit(rows: Sequence[Row], encoder: Encoder, report: Say = lambda text: None) -> Model:
    """Heads with their calibration; the limits are still to be chosen."""
    letters = gather(rows, encoder)
    report(f"{len(letters.rows)} letters with {len(letters.numbers)} sentences and {len(letters.known.terms)} words")
    fold = np.random.default_rng(SEED).permutation(len(letters.rows)) % FOLDS
    columns, scales = [], []
    speaking = np.zeros(len(letters.numbers))
    for name in LETTER_HEADS:
        truth = np.array([_bears(row, name) for row in letters.rows], float)
        bags = _bags(letters, name, truth)
        left_out = np.zeros(len(truth))
        for number in range(FOLDS):
            inside, outside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            found = _fit_bags(letters, bags, truth, inside)
            values = _values(letters, found[0])
            left_out[outside] = [_pool(values[letters.places[at]])[0] for at in outside]
            left_out[outside] += found[2] + letters.about[outside] @ found[1]
            if name == ANY:
                rest = [line for at in outside for line in letters.places[at]]
                speaking[rest] = values[rest]
        columns.append(_fit_bags(letters, bags, truth, np.arange(len(truth))))
        scales.append(_calibrated(left_out, truth))
        report(f"{name}: {int(truth.sum())} letters")
    kinds, kinds_bias = _fit_kinds(letters, speaking)
    weights = Weights(
        sentence=np.stack([column[0] for column in columns], 1),
        letter=np.stack([column[1] for column in columns], 1),
        bias=np.array([column[2] for column in columns]),
        scale=np.array([scale for scale, _ in scales]),
        shift=np.array([shift for _, shift in scales]),
        kinds=kinds,
        kinds_bias=kinds_bias,
    )
    return Model(_draft(encoder), weights, letters.known)


def _draft(encoder: Encoder) -> Manifest:
    undecided = Limits(propose=0.5, write=NEVER)
    return Manifest(
        format=FORMAT,
        version="",
        encoder=encoder.name,
        encoder_sha256=encoder.fingerprint(),
        data_sha256={},
        rules=VERSION,
        milestones=undecided,
        objections=undecided,
        metrics={},
        baseline={},
    )


def _bears(row: Row, name: str) -> bool:
    return bool(row.labels.objections) if name == ANY else name in row.labels.milestones


def _bags(letters: Letters, name: str, truth: Numbers) -> Places:
    """The sentences that stand for each letter: where the reason of an objection is known, those that hold it."""
    if name != ANY:
        return letters.places
    return [(_reasons(letters, at) if truth[at] else []) or letters.places[at] for at in range(len(letters.rows))]


def _reasons(letters: Letters, at: int) -> list[int]:
    return sorted({line for one in letters.rows[at].labels.objections for line in _lines(letters, at, one.reason)})


def _lines(letters: Letters, at: int, quote: str | None) -> Iterator[int]:
    """The sentences of a letter which a quote touches."""
    begin = letters.rows[at].body.find(quote) if quote else -1
    if quote and begin >= 0:
        for line, some in zip(letters.places[at], letters.ruled[at].sentences, strict=False):
            if some.start < begin + len(quote) and begin < some.end:
                yield line


def _fit_bags(
    letters: Letters, bags: Places, truth: Numbers, inside: NDArray[np.intp]
) -> tuple[Numbers, Numbers, float]:
    """Logistic regression on the soft maximum over a bag: (weights of a sentence, of a letter, bias)."""
    lines = [line for at in inside for line in bags[at]]
    counts = np.array([len(bags[at]) for at in inside])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    numbers, words = letters.numbers[lines], letters.words[lines]
    about, wanted = letters.about[inside], truth[inside]
    wide, full = numbers.shape[1], numbers.shape[1] + words.shape[1]

    def loss(at: Numbers) -> tuple[float, Numbers]:
        inner, outer, bias = at[:full], at[full:-1], at[-1]
        values = numbers @ inner[:wide] + words @ inner[wide:]
        top = np.maximum.reduceat(values, starts)
        powers = np.exp(values - np.repeat(top, counts))
        summed = np.add.reduceat(powers, starts)
        said = top + np.log(summed) + about @ outer + bias
        off = sigmoid(said) - wanted
        pull = powers * np.repeat(off / summed, counts)
        cost = (
            np.sum(np.logaddexp(0, said) - wanted * said) + HOLD * inner @ inner / 2 + HOLD_LETTER * outer @ outer / 2
        )
        slope = np.concatenate([numbers.T @ pull, words.T @ pull]) + HOLD * inner
        return float(cost), np.concatenate([slope, about.T @ off + HOLD_LETTER * outer, [off.sum()]])

    start = np.zeros(full + about.shape[1] + 1)
    start[-1] = -2.0
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x
    return found[:full], found[full:-1], float(found[-1])


def _values(letters: Letters, inner: Numbers) -> Numbers:
    wide = letters.numbers.shape[1]
    values: Numbers = letters.numbers @ inner[:wide] + letters.words @ inner[wide:]
    return values


def _pool(values: Numbers) -> Numbers:
    top = values.max()
    return np.array([top + np.log(np.exp(values - top).sum())])


def _calibrated(values: Numbers, truth: Numbers) -> tuple[float, float]:
    """Scale and shift that make the values of letters left out into probabilities (Platt)."""
    positive = truth.sum()
    goal = np.where(truth > 0, (positive + 1) / (positive + 2), 1 / (len(truth) - positive + 2))

    def loss(at: Numbers) -> tuple[float, Numbers]:
        said = at[0] * values + at[1]
        off = sigmoid(said) - goal
        return float(np.sum(np.logaddexp(0, said) - goal * said)), np.array([off @ values, off.sum()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0.05, 5.0), (None, None)]).x
    return float(found[0]), float(found[1])


def _fit_kinds(letters: Letters, speaking: Numbers) -> tuple[Numbers, Numbers]:
    """Type and genuineness by the sentence that holds the reason, else by the one that speaks most for an objection."""
    lines, types, genuine = [], [], []
    for at, row in enumerate(letters.rows):
        loudest = letters.places[at][int(speaking[letters.places[at]].argmax())]
        for one in row.labels.objections:
            for line in list(_lines(letters, at, one.reason)) or [loudest]:
                lines.append(line)
                types.append(OBJECTION_TYPES.index(one.type))
                genuine.append(float(one.genuine))
    kinds = np.zeros((letters.numbers.shape[1] + letters.words.shape[1], len(SENTENCE_HEADS)))
    bias = np.zeros(len(SENTENCE_HEADS))
    if lines:
        several = np.eye(len(OBJECTION_TYPES))[types]
        kinds[:, :-1], bias[:-1] = _fit_lines(letters, lines, several, _softmax)
        kinds[:, -1:], bias[-1:] = _fit_lines(letters, lines, np.array(genuine)[:, None], sigmoid)
    return kinds, bias


def _softmax(values: Numbers) -> Numbers:
    powers = np.exp(values - values.max(1, keepdims=True))
    shares: Numbers = powers / powers.sum(1, keepdims=True)
    return shares


def _fit_lines(
    letters: Letters, lines: list[int], goal: Numbers, shares: Callable[[Numbers], Numbers]
) -> tuple[Numbers, Numbers]:
    """Logistic regression on single sentences; `shares` makes values into probabilities."""
    numbers, words = letters.numbers[lines], letters.words[lines]
    wide, full, heads = numbers.shape[1], numbers.shape[1] + words.shape[1], goal.shape[1]

    def loss(at: Numbers) -> tuple[float, Numbers]:
        inner, bias = at[:-heads].reshape(full, heads), at[-heads:]
        said = shares(numbers @ inner[:wide] + words @ inner[wide:] + bias)
        off = said - goal
        unlike = -np.sum(goal * np.log(said + 1e-12))
        if heads == 1:
            unlike -= np.sum((1 - goal) * np.log(1 - said + 1e-12))
        slope = np.vstack([numbers.T @ off, words.T @ off]) + HOLD_KINDS * inner
        return float(unlike + HOLD_KINDS * np.sum(inner * inner) / 2), np.concatenate([slope.ravel(), off.sum(0)])

    found = minimize(loss, np.zeros((full + 1) * heads), jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x
    return found[:-heads].reshape(full, heads), found[-heads:]


# -- limits -----------------------------------------------------------------------------------------------------------


def _limited(model: Model, tune: Sequence[Row], ruled: Sequence[Ruled], encoder: Encoder, corpus: Path | None) -> Model:
    """The same model with the limits that suit the tune part, and with what it was made from."""
    scores = [None if one is None else model.scores(one) for one in examples(ruled, encoder)]
    both = list(zip(tune, scores, strict=True))
    manifest = msgspec.structs.replace(
        model.manifest,
        milestones=_milestone_limits(both),
        objections=_objection_limits(both),
        data_sha256={part: hashlib.sha256(raw(part, corpus)).hexdigest() for part in ("train", "tune")},
    )
    return Model(manifest, model.weights, model.known)


def _milestone_limits(both: Sequence[tuple[Row, Scores | None]]) -> Limits:
    said = [
        (probability, name in row.labels.milestones)
        for row, one in both
        if one is not None
        for name, (probability, _) in one.milestones.items()
    ]
    wanted = sum(len(row.labels.milestones) for row, _ in both)
    still = [max(p for p, _ in one.milestones.values()) for row, one in both if one and not row.labels.milestones]
    quiet = sum(not row.labels.milestones for row, _ in both)
    propose = max(_best_f1(said, wanted), _quiet_from(still, int(FALSE_MILESTONES * quiet)))
    return Limits(propose=propose, write=_sure_from(said))


def _objection_limits(both: Sequence[tuple[Row, Scores | None]]) -> Limits:
    """Proposed: as many as the allowed false alarms let. Written: when the type is as good as certain too."""
    inbound = [(row, one) for row, one in both if one is not None and row.direction == "inbound"]
    quiet = sum(not row.labels.objections for row, _ in both)
    alarms = [one.objection[0] for row, one in inbound if not row.labels.objections]
    propose = _quiet_from(alarms, int(OF_HEADS * quiet))
    typed = [
        (one.certain, any(one.type in (held.type, *held.also_ok) for held in row.labels.objections))
        for row, one in inbound
    ]
    return Limits(propose=max(propose, LOWEST), write=_sure_from(typed))


def _best_f1(said: Sequence[tuple[float, bool]], wanted: int) -> float:
    """The limit with the highest F1."""
    best, limit, right = 0.0, 0.5, 0
    for number, (probability, is_so) in enumerate(sorted(said, reverse=True), start=1):
        right += is_so
        f1 = 2 * right / (number + wanted)
        if f1 > best:
            best, limit = f1, probability
    return round(limit, 4)


def _quiet_from(alarms: Sequence[float], allowed: int) -> float:
    """The lowest limit above which no more than so many lie."""
    ordered = sorted(alarms, reverse=True)
    return round(ordered[allowed] + 1e-4, 4) if allowed < len(ordered) else LOWEST


def _sure_from(said: Sequence[tuple[float, bool]]) -> float:
    """The lowest limit above which the wanted precision is reached."""
    limit, right = NEVER, 0
    for number, (probability, is_so) in enumerate(sorted(said, reverse=True), start=1):
        right += is_so
        if number >= LEAST_SAID and right / number >= SURE:
            limit = probability
    return round(limit, 4)
