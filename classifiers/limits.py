"""Calibration and limits, chosen on the part `tune`: from when on a reading is proposed, and from when on written."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from scipy.optimize import minimize

from agent.model import MILESTONES
from classifiers.corpus import Row
from classifiers.encoder import Encoder
from classifiers.evaluate import bears, figures
from classifiers.features import Example
from classifiers.heads import ANY, LABELS, MACHINE, Model, Scores, sigmoid
from classifiers.layers import Numbers
from classifiers.manifest import FORMAT, Limits, Manifest
from classifiers.reader import Ruled, by_rules, examples, ruled_all, weighed, with_model
from classifiers.rules import HousePhrases

HOLD_SHIFT = 4.0  # how strongly a label's own calibration is held to the common one
SURE = 0.97  # precision that what is written must reach on tune, which flatters: 0.95 is what is wanted elsewhere
OF_HEADS = 0.04  # share of letters without an objection in which the heads may read one; the rest is the rules'
FALSE_MILESTONES = 0.15  # share of letters without a milestone in which one may be read
TAKEN_FOR_MACHINES = 0.005  # share of people's letters that may be
LEAST_SAID = 10  # reads on tune below which a precision is no evidence
LOWEST = 0.2  # no less probable reading is proposed
NEVER = 0.995  # written from here on when no limit reaches that precision
LEANS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)


class Tune(msgspec.Struct, frozen=True):
    """The part by which limits are chosen and models are compared, as the rules read it."""

    rows: tuple[Row, ...]
    ruled: tuple[Ruled, ...]

    @classmethod
    def of(cls, rows: Sequence[Row], phrases: tuple[HousePhrases, ...] = ()) -> "Tune":
        return cls(tuple(rows), tuple(ruled_all([row.letter() for row in rows], phrases)))

    def figures(self, model: Model) -> dict[str, float]:
        return figures(self.rows, with_model(self.ruled, model))

    def told(self, seen: Sequence[Example | None], scores: Sequence[Scores], manifest: Manifest) -> dict[str, float]:
        """`scores` are of those letters in which there is something to see."""
        return figures(self.rows, weighed(self.ruled, seen, scores, manifest))

    def by_rules(self) -> dict[str, float]:
        return figures(self.rows, [by_rules(one) for one in self.ruled])


def undecided(encoder: Encoder, rules: str) -> Manifest:
    """Of heads that were only fitted yet."""
    none = Limits(propose=0.5, write=NEVER)
    return Manifest(
        format=FORMAT,
        version="",
        encoder=encoder.name,
        encoder_sha256=encoder.fingerprint(),
        data_sha256={},
        rules=rules,
        milestones=none,
        objections=none,
        machine=NEVER,
        spans=(0.0, 0.0),
        metrics={},
        baseline={},
    )


def limited(model: Model, tune: Tune) -> Model:
    """The same heads with the calibration and the limits that suit the tune part."""
    seen = examples(tune.ruled, model.encoder)
    shown = [one for one in seen if one is not None]
    rows = [row for row, one in zip(tune.rows, seen, strict=True) if one is not None]
    scale, shift = _calibrated(model.scores(shown), rows)
    told = model.with_limits(model.manifest, scale, shift).scores(shown)
    scores = iter(told)
    both = [(row, None if one is None else next(scores)) for row, one in zip(tune.rows, seen, strict=True)]
    manifest = msgspec.structs.replace(
        model.manifest,
        milestones=_milestone_limits(both),
        objections=_objection_limits(both),
        machine=_machine_limit(both),
    )
    tried = {lean: tune.told(seen, told, msgspec.structs.replace(manifest, spans=(lean, lean))) for lean in LEANS}
    manifest = msgspec.structs.replace(manifest, spans=(_best(tried, "reason"), _best(tried, "condition")))
    return model.with_limits(manifest, scale, shift)


def _best(tried: Mapping[float, Mapping[str, float]], name: str) -> float:
    return max(tried, key=lambda lean: tried[lean][name])


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
    propose = max(best_f1(said, wanted), quiet_from(still, int(FALSE_MILESTONES * quiet)))
    return Limits(propose=propose, write=sure_from(said))


def _objection_limits(both: Sequence[tuple[Row, Scores | None]]) -> Limits:
    """Proposed: as many as the allowed false alarms let. Written: when the type is as good as certain too."""
    inbound = [(row, one) for row, one in both if one is not None and row.direction == "inbound"]
    quiet = sum(not row.labels.objections for row, _ in both)
    alarms = [one.labels[ANY].probability for row, one in inbound if not row.labels.objections]
    said = [(one.labels[ANY].probability, bool(row.labels.objections)) for row, one in inbound]
    wanted = sum(bool(row.labels.objections) for row, _ in both)
    propose = max(best_f1(said, wanted), quiet_from(alarms, int(OF_HEADS * quiet)))
    typed = [
        (
            min(one.labels[ANY].probability, one.labels[one.types[0]].probability),
            any(one.types[0] in (held.type, *held.also_ok) for held in row.labels.objections),
        )
        for row, one in inbound
    ]
    return Limits(propose=max(propose, LOWEST), write=sure_from(typed))


def _machine_limit(both: Sequence[tuple[Row, Scores | None]]) -> float:
    """Rather a machine taken for a person than a client's letter for a machine's: hardly any of those on tune is."""
    people = [one.labels[MACHINE].probability for row, one in both if one and not row.labels.automated]
    return max(0.5, quiet_from(people, int(TAKEN_FOR_MACHINES * len(people))))


def best_f1(said: Sequence[tuple[float, bool]], wanted: int) -> float:
    """The limit with the highest F1."""
    best, limit, right = 0.0, 0.5, 0
    for number, (probability, is_so) in enumerate(sorted(said, reverse=True), start=1):
        right += is_so
        f1 = 2 * right / (number + wanted)
        if f1 > best:
            best, limit = f1, probability
    return round(limit, 4)


def quiet_from(alarms: Sequence[float], allowed: int) -> float:
    """The lowest limit above which no more than so many lie."""
    ordered = sorted(alarms, reverse=True)
    return round(ordered[allowed] + 1e-4, 4) if allowed < len(ordered) else LOWEST


def sure_from(said: Sequence[tuple[float, bool]]) -> float:
    """The lowest limit above which the wanted precision is reached."""
    limit, right = NEVER, 0
    for number, (probability, is_so) in enumerate(sorted(said, reverse=True), start=1):
        right += is_so
        if number >= LEAST_SAID and right / number >= SURE:
            limit = probability
    return round(limit, 4)
