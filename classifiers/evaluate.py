"""How well the reader reads: letters with known labels, their readings, and what the two say of each other.

rows (corpus) -> readings (the reader, timed) -> one verdict per row (what was right, false, missed) -> figures, each
with the interval in which it would fall for other letters of the kind (bootstrap over letters)
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.model import MILESTONES, OBJECTION_TYPES, Letter, ObjectionRead, Reading
from classifiers import PROPOSE, WRITE
from classifiers.corpus import Objection, Row
from classifiers.heads import ANY as OBJECTION
from classifiers.heads import LABELS as LETTER_LABELS
from classifiers.heads import MACHINE, STALLING, Model
from classifiers.phrases import words
from classifiers.reader import examples, ruled_all

DRAWS = 500  # of the bootstrap
SEED = 7
BATCH = 64  # letters read at once, as the agent does
COVERAGES = (0.25, 0.5, 0.75, 1.0)
KINDS = (*(f"milestone:{name}" for name in MILESTONES), *(f"objection:{name}" for name in OBJECTION_TYPES))
ANY = "objection:any"
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
LABELS = (*KINDS, ANY, "genuine", "stalling", "automated", "not_business")
_AT = {label: number for number, label in enumerate(LABELS)}
RIGHT, FALSE, MISSED = range(3)

Counts = NDArray[np.float64]  # letters x labels x (right, false, missed)


class Figure(msgspec.Struct, frozen=True):
    """One measured share: its value and where it would lie in 95 of 100 samples like this one."""

    value: float
    low: float
    high: float


class Score(msgspec.Struct, frozen=True):
    """How one label does."""

    label: str
    letters: int  # that bear it
    precision: float
    recall: float
    f1: Figure


class Verdict(msgspec.Struct, frozen=True):
    """One letter, judged."""

    row: Row
    counts: Counts  # labels x 3
    said: tuple[tuple[float, bool], ...]  # (confidence, is it right) of each milestone and objection that was read
    spans: tuple[tuple[str, float], ...]  # (reason | condition, token F1) where either side has one


class Report(msgspec.Struct, frozen=True):
    """What one group of letters shows."""

    letters: int
    milestones_micro: Figure
    milestones_macro: Figure
    objections_macro: Figure
    any_objection: Figure
    false_alarms: Figure  # of the letters without an objection, the share in which one was read
    false_milestones: Figure  # of the letters without a milestone, the share in which one was read
    genuineness: Figure  # of the objections of the right type, the share with the right word on whether it is real
    reason: Figure  # token F1
    condition: Figure
    automated: Figure
    written: Figure  # precision of what would be written without asking
    written_share: float  # of what is read at all
    precision_at: dict[str, float]  # by share of what is read, the surest first
    labels: tuple[Score, ...]
    traps: dict[str, tuple[int, float]]  # trap -> letters, share read without any mistake


# -- gather -----------------------------------------------------------------------------------------------------------


def timed(rows: Sequence[Row], read: Callable[[Sequence[Letter]], list[Reading]]) -> tuple[list[Reading], float]:
    """The readings, and how many letters a second of one core's time."""
    letters = [row.letter() for row in rows]
    if letters:
        read(letters[:1])  # what is loaded once is not counted
    began = time.process_time()
    found = [one for at in range(0, len(letters), BATCH) for one in read(letters[at : at + BATCH])]
    return found, len(letters) / max(time.process_time() - began, 1e-6)


# -- decide -----------------------------------------------------------------------------------------------------------


def judge(row: Row, reading: Reading, floor: float = PROPOSE) -> Verdict:
    """What a reading gets right in one letter; what is less sure than `floor` was not said."""
    counts = np.zeros((len(LABELS), 3))
    said: list[tuple[float, bool]] = []
    wanted = set(row.labels.milestones)
    read = {one.name: one.confidence for one in reading.milestones if one.confidence >= floor}
    for name in wanted | read.keys():
        counts[_AT[f"milestone:{name}"], _cell(name in wanted, name in read)] += 1
    said += [(sure, name in wanted) for name, sure in read.items()]
    held = [one for one in reading.objections if one.confidence >= floor]
    pairs, missed, extra = _paired(row.labels.objections, held)
    for one in missed:
        counts[_AT[f"objection:{one.type}"], MISSED] += 1
        counts[_AT["genuine" if one.genuine else "stalling"], MISSED] += 1
    for false in extra:
        counts[_AT[f"objection:{false.type}"], FALSE] += 1
        counts[_AT["genuine" if false.genuine else "stalling"], FALSE] += 1
    for one, right in pairs:
        counts[_AT[f"objection:{one.type}"], RIGHT] += 1
        if one.genuine == right.genuine:
            counts[_AT["genuine" if one.genuine else "stalling"], RIGHT] += 1
        else:
            counts[_AT["genuine" if one.genuine else "stalling"], MISSED] += 1
            counts[_AT["genuine" if right.genuine else "stalling"], FALSE] += 1
    said += [(one.confidence, any(one is right for _, right in pairs)) for one in held]
    for label, is_so, was_read in (
        (ANY, bool(row.labels.objections), bool(held)),
        ("automated", row.labels.automated, bool(reading.automated)),
        ("not_business", not row.labels.business, not reading.business),
    ):
        if is_so or was_read:
            counts[_AT[label], _cell(is_so, was_read)] += 1
    return Verdict(row=row, counts=counts, said=tuple(said), spans=tuple(_spans(pairs, missed)))


def _cell(is_so: bool, was_read: bool) -> int:
    return RIGHT if is_so and was_read else FALSE if was_read else MISSED


def _paired(
    wanted: Sequence[Objection], held: Sequence[ObjectionRead]
) -> tuple[list[tuple[Objection, ObjectionRead]], list[Objection], list[ObjectionRead]]:
    """Each labelled objection with the one that was read for it: by its own type first, else by one that is also ok."""
    pairs: list[tuple[Objection, ObjectionRead]] = []
    missed, free = list(wanted), list(held)
    for fits in (lambda one, read: read.type == one.type, lambda one, read: read.type in one.also_ok):
        for one in tuple(missed):
            read = next((read for read in free if fits(one, read)), None)
            if read is not None:
                pairs.append((one, read))
                missed.remove(one)
                free.remove(read)
    return pairs, missed, free


def _spans(
    pairs: Sequence[tuple[Objection, ObjectionRead]], missed: Sequence[Objection]
) -> Iterable[tuple[str, float]]:
    for one, read in pairs:
        for part, wanted, found in (("reason", one.reason, read.reason), ("condition", one.condition, read.condition)):
            if wanted or found:
                yield part, token_f1(wanted or "", found.quote if found else "")
    for one in missed:
        for part, wanted in (("reason", one.reason), ("condition", one.condition)):
            if wanted:
                yield part, 0.0


def token_f1(wanted: str, found: str) -> float:
    """How far two quotes agree, by their words."""
    left, right = ([word for word, _, _ in words(text) if word[0].isalnum()] for text in (wanted, found))
    common = 0
    rest = list(left)
    for word in right:
        if word in rest:
            rest.remove(word)
            common += 1
    return 2 * common / (len(left) + len(right)) if left or right else 0.0


def report(verdicts: Sequence[Verdict]) -> Report:
    """The figures of one group of letters."""
    counts = np.stack([one.counts for one in verdicts]) if verdicts else np.zeros((0, len(LABELS), 3))
    draws = _draws(len(verdicts))
    milestones = [_AT[label] for label in KINDS if label.startswith("milestone")]
    types = [_AT[label] for label in KINDS if label.startswith("objection")]
    quiet = [not one.row.labels.objections for one in verdicts]
    still = [not one.row.labels.milestones for one in verdicts]
    alarmed = counts[:, types, FALSE].sum(1) > 0
    moved = counts[:, milestones, FALSE].sum(1) > 0
    right_type = counts[:, types, RIGHT].sum(1)
    right_word = counts[:, [_AT["genuine"], _AT["stalling"]], RIGHT].sum(1)
    said = sorted((pair for one in verdicts for pair in one.said), key=lambda pair: -pair[0])
    sure = [[right for confidence, right in one.said if confidence >= WRITE] for one in verdicts]
    return Report(
        letters=len(verdicts),
        milestones_micro=_figure(draws, lambda weights: _f1(_sums(weights, counts[:, milestones]).sum(1))),
        milestones_macro=_figure(draws, lambda weights: _macro(_sums(weights, counts[:, milestones]))),
        objections_macro=_figure(draws, lambda weights: _macro(_sums(weights, counts[:, types]))),
        any_objection=_figure(draws, lambda weights: _f1(_sums(weights, counts[:, [_AT[ANY]]])[:, 0])),
        false_alarms=_share(draws, alarmed & np.array(quiet, bool), np.array(quiet, bool)),
        false_milestones=_share(draws, moved & np.array(still, bool), np.array(still, bool)),
        genuineness=_share(draws, right_word, right_type),
        reason=_mean_of(draws, verdicts, "reason"),
        condition=_mean_of(draws, verdicts, "condition"),
        automated=_figure(draws, lambda weights: _f1(_sums(weights, counts[:, [_AT["automated"]]])[:, 0])),
        written=_share(draws, np.array([sum(some) for some in sure]), np.array([len(some) for some in sure])),
        written_share=round(sum(map(len, sure)) / max(1, len(said)), 4),
        precision_at={f"{share:.0%}": _precision(said[: max(1, round(share * len(said)))]) for share in COVERAGES},
        labels=tuple(_score(label, draws, counts[:, number]) for number, label in enumerate(LABELS)),
        traps=_traps(verdicts),
    )


def _draws(letters: int) -> Counts:
    """How often each letter is drawn: first the sample itself, then DRAWS samples of it with replacement."""
    random = np.random.default_rng(SEED)
    drawn = random.multinomial(letters, np.full(letters, 1 / max(1, letters)), size=DRAWS if letters else 0)
    return np.vstack([np.ones((1, letters)), drawn]).astype(np.float64)


def _sums(weights: Counts, counts: Counts) -> Counts:
    summed: Counts = np.tensordot(weights, counts, axes=(1, 0))
    return summed


def _f1(sums: Counts) -> Counts:
    right, wrong = sums[..., RIGHT], sums[..., FALSE] + sums[..., MISSED]
    return np.divide(2 * right, 2 * right + wrong, out=np.zeros_like(right), where=2 * right + wrong > 0)


def _macro(sums: Counts) -> Counts:
    """The mean over the labels that occur in the sample."""
    occurring = sums[0, :, RIGHT] + sums[0, :, MISSED] > 0
    return _f1(sums[:, occurring]).mean(1) if occurring.any() else np.zeros(len(sums))


def _figure(draws: Counts, measure: Callable[[Counts], Counts]) -> Figure:
    values = measure(draws)
    low, high = np.percentile(values[1:], (2.5, 97.5)) if len(values) > 1 else (values[0], values[0])
    return Figure(round(float(values[0]), 4), round(float(low), 4), round(float(high), 4))


def _share(draws: Counts, part: NDArray[Any], whole: NDArray[Any]) -> Figure:
    def measure(weights: Counts) -> Counts:
        over, under = weights @ part.astype(float), weights @ whole.astype(float)
        shares: Counts = np.divide(over, under, out=np.zeros_like(over), where=under > 0)
        return shares

    return _figure(draws, measure)


def _mean_of(draws: Counts, verdicts: Sequence[Verdict], part: str) -> Figure:
    some = [[value for name, value in one.spans if name == part] for one in verdicts]
    return _share(draws, np.array([sum(values) for values in some]), np.array([len(values) for values in some]))


def _precision(said: Sequence[tuple[float, bool]]) -> float:
    return round(sum(right for _, right in said) / len(said), 4) if said else 0.0


def _score(label: str, draws: Counts, counts: Counts) -> Score:
    right, false, missed = (float(value) for value in counts.sum(0)) if len(counts) else (0.0, 0.0, 0.0)
    return Score(
        label=label,
        letters=int(right + missed),
        precision=round(right / (right + false), 4) if right + false else 0.0,
        recall=round(right / (right + missed), 4) if right + missed else 0.0,
        f1=_figure(draws, lambda weights: _f1(_sums(weights, counts))),
    )


def _traps(verdicts: Sequence[Verdict]) -> dict[str, tuple[int, float]]:
    """Per trap: how many letters, and the share read without any false or missed milestone or objection type."""
    kinds = [_AT[label] for label in KINDS]
    clean: dict[str, list[bool]] = {}
    for one in verdicts:
        clean.setdefault(one.row.hard or "none", []).append(not one.counts[kinds][:, (FALSE, MISSED)].any())
    return {name: (len(some), round(sum(some) / len(some), 4)) for name, some in sorted(clean.items())}


def evaluation(rows: Sequence[Row], readings: Sequence[Reading]) -> dict[str, Report]:
    """One report for all letters and one per language."""
    verdicts = [judge(row, reading) for row, reading in zip(rows, readings, strict=True)]
    groups = {"all": verdicts} | {
        language: [one for one in verdicts if one.row.lang == language] for language in ("en", "ru")
    }
    return {name: report(some) for name, some in groups.items() if some}


def figures(rows: Sequence[Row], readings: Sequence[Reading]) -> dict[str, float]:
    """The head lines of all letters, and of each language under its name."""
    return {
        name if group == "all" else f"{group}.{name}": getattr(one, name).value
        for group, one in evaluation(rows, readings).items()
        for name in HEADLINES
    }


# -- probabilities ----------------------------------------------------------------------------------------------------


def bears(row: Row, label: str) -> bool:
    """Whether a letter bears one of the heads' labels."""
    held = row.labels.objections
    if label == OBJECTION:
        return bool(held)
    if label == STALLING:
        return any(not one.genuine for one in held)
    if label == MACHINE:
        return row.labels.automated
    return label in row.labels.milestones or any(one.type == label for one in held)


def probabilities(rows: Sequence[Row], model: Model) -> list[tuple[float, bool]]:
    """What the heads say of every label of every letter that they can see, and whether it is so."""
    seen = examples(ruled_all([row.letter() for row in rows]), model.encoder)
    shown = [(row, one) for row, one in zip(rows, seen, strict=True) if one is not None]
    scores = model.scores([one for _, one in shown])
    return [
        (one.labels[name].probability, bears(row, name))
        for (row, _), one in zip(shown, scores, strict=True)
        for name in LETTER_LABELS
    ]


def calibration_error(said: Sequence[tuple[float, bool]], bins: int = 10) -> float:
    """How far probabilities lie from shares: the mean gap over bins of equal width (ECE, Guo et al. 2017)."""
    gaps = np.zeros(bins)
    for probability, right in said:
        gaps[min(int(probability * bins), bins - 1)] += probability - right
    return round(float(np.abs(gaps).sum()) / max(1, len(said)), 4)


# -- print ------------------------------------------------------------------------------------------------------------

_HEADLINES = (
    ("milestones, micro-F1", "milestones_micro"),
    ("milestones, macro-F1", "milestones_macro"),
    ("objections, macro-F1", "objections_macro"),
    ("any objection, F1", "any_objection"),
    ("false alarms", "false_alarms"),
    ("false milestones", "false_milestones"),
    ("genuineness", "genuineness"),
    ("reason, token-F1", "reason"),
    ("condition, token-F1", "condition"),
    ("automated, F1", "automated"),
    ("written, precision", "written"),
)


def as_text(reports: dict[str, Report]) -> Iterable[str]:
    """The figures for people: head lines per language, then each label and each trap."""
    yield f"{'':24}" + "".join(f"{name:>22}" for name in reports)
    yield f"{'letters':24}" + "".join(f"{one.letters:>22}" for one in reports.values())
    for title, field in _HEADLINES:
        yield f"{title:24}" + "".join(f"{_shown(getattr(one, field)):>22}" for one in reports.values())
    yield f"{'written, share':24}" + "".join(f"{one.written_share:>22.2f}" for one in reports.values())
    for share in (f"{share:.0%}" for share in COVERAGES):
        row = "".join(f"{one.precision_at[share]:>22.2f}" for one in reports.values())
        yield f"{'precision, surest ' + share:24}" + row
    for name, one in reports.items():
        yield ""
        yield f"{name + ': label':34}{'letters':>8}{'precision':>11}{'recall':>8}{'F1':>20}"
        for score in one.labels:
            yield (
                f"{score.label:34}{score.letters:>8}{score.precision:>11.2f}{score.recall:>8.2f}{_shown(score.f1):>20}"
            )
    yield ""
    yield f"{'trap':34}{'letters':>8}{'without mistake':>17}"
    for trap, (letters, faultless) in reports["all"].traps.items():
        yield f"{trap:34}{letters:>8}{faultless:>17.2f}"


def _shown(figure: Figure) -> str:
    return f"{figure.value:.2f} ({figure.low:.2f}-{figure.high:.2f})"
