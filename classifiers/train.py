"""Training: heads learn from the part `train`, their limits are chosen on `tune`; the same data give the same bytes.

letters -> rules and encoder -> network (fitting) -> calibration and limits (limits) -> figures -> promoted or not

A house's people may add lessons.
"""

import hashlib
from collections.abc import Callable, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from classifiers.corpus import load, raw
from classifiers.encoder import Encoder
from classifiers.fitting import SEED, Say, fit
from classifiers.heads import Model, replace, save
from classifiers.heads import load as load_model
from classifiers.house import ReaderOptions
from classifiers.lessons import Lesson, fingerprint
from classifiers.limits import Tune, limited
from classifiers.manifest import FORMAT, Manifest, chosen, read_manifest
from classifiers.rules import HousePhrases

ALARMS = 0.05  # share of letters without an objection in which one may be read
SUMMED = ("milestones_micro", "objections_macro", "any_objection")


class Outcome(msgspec.Struct, frozen=True):
    """What a training gave."""

    manifest: Manifest
    promoted: bool
    before: dict[str, float]  # the same figures of what read until now


def train(
    encoder: Encoder, folder: Path, corpus: Path | None = None, report: Say = lambda text: None, promote: bool = True
) -> Outcome:
    """Fits and measures; the model goes into `folder` if it reads the tune part no worse than what reads now."""

    def old(tune: Tune) -> dict[str, float]:
        return _figures_of(folder, tune, encoder)

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

    def old(tune: Tune) -> dict[str, float]:
        reads = chosen(house.model)
        return _figures_of(reads.folder, tune, encoder) if reads else {}

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
    old: Callable[[Tune], dict[str, float]],
) -> tuple[Outcome, Model]:
    """The model, and whether it is to be taken up; `old` gives the figures of what reads now."""
    with threadpool_limits(limits=1):  # sums in another order are other bytes
        tune = Tune.of(load("tune", folder=corpus), phrases)
        rules_alone = tune.by_rules()
        model = limited(fit(load("train", folder=corpus), encoder, report, lessons, phrases), tune)
        metrics = tune.figures(model)
        before = old(tune) or rules_alone
        learned = {part: hashlib.sha256(raw(part, corpus)).hexdigest() for part in ("train", "tune")}
        if lessons:
            learned["house"] = fingerprint(lessons)
        manifest = msgspec.structs.replace(model.manifest, metrics=metrics, baseline=rules_alone, data_sha256=learned)
        outcome = Outcome(manifest=manifest, promoted=better(metrics, before), before=before)
        return outcome, model.with_limits(manifest, model.scale, model.shift)


def better(new: dict[str, float], old: dict[str, float]) -> bool:
    """Not worse in what is found, and no more false alarms than are allowed or were there before."""
    found = sum(new[name] for name in SUMMED) >= sum(old[name] for name in SUMMED)
    return found and new["false_alarms"] <= max(ALARMS, old["false_alarms"]) + 1e-9


def _figures_of(folder: Traversable, tune: Tune, encoder: Encoder) -> dict[str, float]:
    """What the model in a folder reads of the tune part; nothing where it cannot read."""
    known = read_manifest(folder)
    if known is None or known.format != FORMAT or known.encoder_sha256 != encoder.fingerprint():
        return {}
    return tune.figures(load_model(folder, encoder))


def curve(
    encoder: Encoder, corpus: Path | None = None, report: Say = lambda text: None
) -> list[tuple[int, float, float]]:
    """The learning curve: letters, micro-F1 of milestones and macro-F1 of objections on tune."""
    with threadpool_limits(limits=1):
        rows = load("train", folder=corpus)
        tune = Tune.of(load("tune", folder=corpus))
        order = np.random.default_rng(SEED).permutation(len(rows))
        found = []
        for share in (0.25, 0.5, 1.0):
            some = [rows[number] for number in sorted(order[: round(share * len(rows))])]
            shown = tune.figures(limited(fit(some, encoder), tune))
            found.append((len(some), shown["milestones_micro"], shown["objections_macro"]))
            report(f"{len(some)} letters: milestones {found[-1][1]:.2f}, objections {found[-1][2]:.2f}")
        return found
