"""Training: heads learn from the part `train`, their limits are chosen on `tune`; the same data give the same bytes.

letters -> rules and encoder -> examples -> network (some rounds of small steps, Adam) -> calibration and limits on tune
        -> figures -> promoted or not

A house's people may add lessons: of such a letter a label or two are known, and the others say nothing to the loss.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, hstack
from threadpoolctl import threadpool_limits

from agent.model import MILESTONES, OBJECTION_TYPES, Letter, Reading
from classifiers import net
from classifiers.corpus import Row, load, raw
from classifiers.encoder import Encoder, Numbers, encode_once
from classifiers.evaluate import Report, bears, evaluation
from classifiers.features import Example, Vocabulary, dense, sparse, vocabulary
from classifiers.heads import ANY, LABELS, MACHINE, SPANS, Model, Scores, bagged, replace, save, sigmoid
from classifiers.heads import load as load_model
from classifiers.house import ReaderOptions
from classifiers.lessons import Lesson, fingerprint
from classifiers.manifest import FORMAT, Limits, Manifest, chosen
from classifiers.reader import Ruled, by_rules, examples, ruled_all, weighed, with_model
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
HOLD_SHIFT = 4.0  # how strongly a label's own calibration is held to the common one
SURE = 0.95  # precision that what is written without asking must reach on tune
ALARMS = 0.05  # share of letters without an objection in which one may be read
OF_HEADS = 0.035  # the share of those that the heads may have by themselves; the rest is the rules'
FALSE_MILESTONES = 0.15  # share of letters without a milestone in which one may be read
LEAST_SAID = 10  # reads on tune below which a precision is no evidence
LOWEST = 0.2  # no less probable reading is proposed
NEVER = 0.995  # written from here on when no limit reaches that precision
LEANS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
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


class Outcome(msgspec.Struct, frozen=True):
    """What a training gave."""

    manifest: Manifest
    promoted: bool
    before: dict[str, float]  # the same figures of what read until now


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


def train(
    encoder: Encoder, folder: Path, corpus: Path | None = None, report: Say = lambda text: None, promote: bool = True
) -> Outcome:
    """Fits and measures; the model goes into `folder` if it reads the tune part no worse than what reads now."""

    def old(tune: Sequence[Row], ruled: Sequence[Ruled]) -> dict[str, float]:
        return _figures_of(folder, tune, ruled, encoder)

    outcome, model = _trained(encoder, corpus, report, (), (), old)
    if promote and outcome.promoted:
        return msgspec.structs.replace(outcome, manifest=save(folder, model))
    return msgspec.structs.replace(outcome, promoted=False)


def train_for_house(
    encoder: Encoder,
    house: ReaderOptions,
    lessons: Sequence[Lesson],
    corpus: Path | None = None,
    report: Say = lambda text: None,
    promote: bool = True,
) -> Outcome:
    """The same with the lessons of its people; into its own folder, if it reads no worse than what reads there now."""

    def old(tune: Sequence[Row], ruled: Sequence[Ruled]) -> dict[str, float]:
        reads = chosen(house.model)
        return _figures_of(reads.folder, tune, ruled, encoder) if reads else {}

    outcome, model = _trained(encoder, corpus, report, lessons, house.phrases, old)
    if promote and outcome.promoted:
        return msgspec.structs.replace(outcome, manifest=replace(Path(house.model), model))
    return msgspec.structs.replace(outcome, promoted=False)


def _trained(
    encoder: Encoder,
    corpus: Path | None,
    report: Say,
    lessons: Sequence[Lesson],
    phrases: tuple[HousePhrases, ...],
    old: Callable[[Sequence[Row], Sequence[Ruled]], dict[str, float]],
) -> tuple[Outcome, Model]:
    """The model, and whether it is to be taken up; `old` gives the figures of what reads now."""
    with threadpool_limits(limits=1):  # sums in another order are other bytes
        tune = load("tune", folder=corpus)
        ruled = ruled_all([row.letter() for row in tune], phrases)
        rules_alone = figures(tune, [by_rules(one) for one in ruled])
        fitted = fit(load("train", folder=corpus), encoder, report, lessons, phrases)
        model = _limited(fitted, tune, ruled, encoder, corpus)
        metrics = figures(tune, with_model(ruled, model, encoder))
        before = old(tune, ruled) or rules_alone
        learned = {"house": fingerprint(lessons)} if lessons else {}
        manifest = msgspec.structs.replace(
            model.manifest, metrics=metrics, baseline=rules_alone, data_sha256=model.manifest.data_sha256 | learned
        )
        outcome = Outcome(manifest=manifest, promoted=better(metrics, before), before=before)
        return outcome, Model(manifest, model.weights, model.known, model.scale, model.shift)


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


def _figures_of(folder: Traversable, tune: Sequence[Row], ruled: Sequence[Ruled], encoder: Encoder) -> dict[str, float]:
    """What the model in a folder reads of the tune part; nothing where it cannot read."""
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
    return Model(_draft(encoder, rules_version(phrases)), rounded, known, 1.0, np.zeros(len(LABELS), np.float32))


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


def _draft(encoder: Encoder, rules: str) -> Manifest:
    undecided = Limits(propose=0.5, write=NEVER)
    return Manifest(
        format=FORMAT,
        version="",
        encoder=encoder.name,
        encoder_sha256=encoder.fingerprint(),
        data_sha256={},
        rules=rules,
        milestones=undecided,
        objections=undecided,
        machine=NEVER,
        spans=(0.0, 0.0),
        metrics={},
        baseline={},
    )


# -- calibration and limits -------------------------------------------------------------------------------------------


def _limited(model: Model, tune: Sequence[Row], ruled: Sequence[Ruled], encoder: Encoder, corpus: Path | None) -> Model:
    """The same model with the calibration and limits that suit the tune part, and with what it was made from."""
    seen = examples(ruled, encoder)
    shown = [(row, one) for row, one in zip(tune, seen, strict=True) if one is not None]
    raw_scores = model.scores([one for _, one in shown])
    scale, shift = _calibrated(raw_scores, [row for row, _ in shown])
    even = Model(model.manifest, model.weights, model.known, scale, shift)
    scores = iter(even.scores([one for _, one in shown]))
    both = [(row, None if one is None else next(scores)) for row, one in zip(tune, seen, strict=True)]
    manifest = msgspec.structs.replace(
        model.manifest,
        milestones=_milestone_limits(both),
        objections=_objection_limits(both),
        machine=_machine_limit(both),
        data_sha256={part: hashlib.sha256(raw(part, corpus)).hexdigest() for part in ("train", "tune")},
    )
    told = [one for _, one in both if one is not None]

    def found(lean: float) -> dict[str, float]:
        leaning = msgspec.structs.replace(manifest, spans=(lean, lean))
        return figures(tune, weighed(ruled, seen, told, leaning))

    tried = {lean: found(lean) for lean in LEANS}
    best = [max(LEANS, key=lambda lean, name=name: tried[lean][name]) for name in SPANS]  # type: ignore[misc]
    manifest = msgspec.structs.replace(manifest, spans=(best[0], best[1]))
    return Model(manifest, model.weights, model.known, scale, shift)


def _calibrated(scores: Sequence[Scores], rows: Sequence[Row]) -> tuple[float, Numbers]:
    """One scale for all labels and a small shift for each (Platt's with a common slope)."""
    values = np.array([[_logit(one.labels[name].probability) for name in LABELS] for one in scores])
    truth = np.array([[bears(row, name) for name in LABELS] for row in rows], float)

    def loss(at: Numbers) -> tuple[float, Numbers]:
        scale, shift = at[0], at[1:]
        said = scale * values + shift
        off = sigmoid(said) - truth
        cost = np.sum(np.logaddexp(0, said) - truth * said) + HOLD_SHIFT * shift @ shift / 2
        return float(cost), np.concatenate([[np.sum(off * values)], off.sum(0) + HOLD_SHIFT * shift])

    found = minimize(
        loss,
        np.concatenate([[1.0], np.zeros(len(LABELS))]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.05, 5.0)] + [(None, None)] * len(LABELS),
    ).x
    return float(np.float32(found[0])), found[1:].astype(np.float32)


def _logit(probability: float) -> float:
    kept = min(max(probability, 1e-7), 1 - 1e-7)
    return float(np.log(kept / (1 - kept)))


def _milestone_limits(both: Sequence[tuple[Row, Scores | None]]) -> Limits:
    said = [
        (one.labels[name].probability, name in row.labels.milestones)
        for row, one in both
        if one is not None
        for name in MILESTONES
    ]
    wanted = sum(len(row.labels.milestones) for row, _ in both)
    still = [
        max(one.labels[name].probability for name in MILESTONES)
        for row, one in both
        if one and not row.labels.milestones
    ]
    quiet = sum(not row.labels.milestones for row, _ in both)
    propose = max(_best_f1(said, wanted), _quiet_from(still, int(FALSE_MILESTONES * quiet)))
    return Limits(propose=propose, write=_sure_from(said))


def _objection_limits(both: Sequence[tuple[Row, Scores | None]]) -> Limits:
    """Proposed: as many as the allowed false alarms let. Written: when the type is as good as certain too."""
    inbound = [(row, one) for row, one in both if one is not None and row.direction == "inbound"]
    quiet = sum(not row.labels.objections for row, _ in both)
    alarms = [one.labels[ANY].probability for row, one in inbound if not row.labels.objections]
    said = [(one.labels[ANY].probability, bool(row.labels.objections)) for row, one in inbound]
    wanted = sum(bool(row.labels.objections) for row, _ in both)
    propose = max(_best_f1(said, wanted), _quiet_from(alarms, int(OF_HEADS * quiet)))
    typed = [
        (
            min(one.labels[ANY].probability, one.labels[one.types[0]].probability),
            any(one.types[0] in (held.type, *held.also_ok) for held in row.labels.objections),
        )
        for row, one in inbound
    ]
    return Limits(propose=max(propose, LOWEST), write=_sure_from(typed))


def _machine_limit(both: Sequence[tuple[Row, Scores | None]]) -> float:
    """Rather a machine taken for a person than a client's letter taken for a machine's: above all of those on tune."""
    people = [one.labels[MACHINE].probability for row, one in both if one and not row.labels.automated]
    return max(0.5, _quiet_from(people, 0))


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
