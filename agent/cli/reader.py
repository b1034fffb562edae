"""`classify`, `train`, `evaluate`: what the classifiers say of letters, how they learn it, and how well they do."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from agent.cli.common import NO, ConfigPath, Json, complain, opened, safe_json, tell
from agent.errors import Rejected
from agent.lessons import schooling
from agent.texts import say
from classifiers import ReaderOptions
from classifiers.classify import classify_lines
from classifiers.lessons import Lesson

if TYPE_CHECKING:
    from classifiers.train import Outcome

NEAR_ALLOWED = 0.01  # share of a part's letters that may share a run of words with another part


class At(StrEnum):
    """Down to which confidence."""

    propose = "propose"
    write = "write"


class Part(StrEnum):
    """A part of the corpus."""

    train = "train"
    tune = "tune"
    test = "test"


def classify(
    at: Annotated[At, typer.Option(help="write: only what would be written; propose: proposals too.")] = At.propose,
) -> None:
    """Read letters as JSON lines from standard input; one JSON line each, in the same order."""
    failed = False
    for line in classify_lines(sys.stdin, at.value):
        failed |= line.startswith('{"id":null,"error"')
        sys.stdout.write(safe_json(line) + "\n")
    if failed:
        raise typer.Exit(NO)


def evaluate(
    part: Annotated[Part, typer.Option(help="Which labelled letters: train, tune or test.")] = Part.tune,
    rules_only: Annotated[bool, typer.Option("--rules-only", help="Without the trained heads.")] = False,
    near: Annotated[bool, typer.Option("--near", help="How near the parts come to each other instead.")] = False,
    as_json: Json = False,
) -> None:
    """Measure the reader on labelled letters."""
    from classifiers import corpus, evaluate, heads, reader  # NumPy is loaded only for those who measure

    if near:
        _near(as_json)
        return
    rows = corpus.load(part.value)
    readings, speed = evaluate.timed(rows, reader.read_by_rules if rules_only else reader.read_all)
    reports = evaluate.evaluation(rows, readings)
    reads = None if rules_only else heads.in_use()
    error = evaluate.calibration_error(evaluate.probabilities(rows, reads)) if reads else None
    if as_json:
        shown = {
            "part": part.value,
            "reader": readings[0].version,
            "letters_per_second": speed,
            "calibration_error": error,
            "groups": reports,
        }
        print(safe_json(msgspec.json.encode(shown).decode()))
        return
    print(f"{part.value}: {readings[0].version}, {speed:.0f} letters a second on one core")
    if error is not None:
        print(f"probabilities are off by {error:.3f} in the mean (calibration error, ten bins)")
    print("\n".join(evaluate.as_text(reports)))


def _near(as_json: bool) -> None:
    from classifiers import corpus

    parts = {part: corpus.load(part) for part in corpus.PARTS}
    found = corpus.near(parts)
    share = len(found) / max(1, sum(len(rows) for rows in parts.values()))
    if as_json:
        print(safe_json(msgspec.json.encode({"share": share, "near": found}).decode()))
    else:
        for one in found:
            tell(f"{one.one} and {one.other}: {one.run}")
        print(f"{len(found)} letters, {share:.2%}, share a run of words with a letter of another part")
    if share > NEAR_ALLOWED:
        raise typer.Exit(NO)


def train(
    output: Annotated[Path | None, typer.Option(help="The model's folder; else the product's own.")] = None,
    corpus: Annotated[Path | None, typer.Option(help="A folder with train/ and tune/; else the product's own.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Fit and measure; change nothing.")] = False,
    curve: Annotated[bool, typer.Option("--curve", help="With how many letters it learns how much, instead.")] = False,
    with_corrections: Annotated[
        bool, typer.Option("--with-corrections", help="Learn from people's answers too, into a model of your own.")
    ] = False,
    config: ConfigPath = None,
) -> None:
    """Fit the heads on labelled letters; they are taken up if they read no worse than what reads now."""
    from classifiers import encoder, manifest

    try:
        from classifiers import train
    except ModuleNotFoundError as error:
        complain(f"training needs the extra `train`: {error.name} is not installed")
        raise typer.Exit(NO) from error
    packaged = encoder.packaged()
    if packaged is None:
        complain("training needs the extra `encoder`")
        raise typer.Exit(NO)
    if curve:
        train.curve(packaged, corpus, print)
        return
    if with_corrections:
        house, lessons = _lessons(config, output)
        outcome = train.train_for_house(packaged, house, lessons, corpus, print, promote=not dry_run)
    else:
        outcome = train.train(packaged, output or Path(str(manifest.room())), corpus, print, promote=not dry_run)
    _tell_outcome(outcome, dry_run)
    if outcome.promoted and with_corrections:
        tell(say("train.replay"))


def _lessons(config: Path | None, output: Path | None) -> tuple[ReaderOptions, tuple[Lesson, ...]]:
    """What the people of the configured house teach, and where its model lies. Rejected when it cannot be."""
    with opened(config) as (loaded, store), store.reading() as tx:
        school = schooling(tx)
    house = msgspec.structs.replace(loaded.reader, model=str(output or loaded.reader.model))
    told = {"verdicts": school.verdicts, "wordless": school.wordless, "unread": school.unread}
    tell(say("train.lessons", letters=len(school.lessons), **told))
    if not school.lessons:
        raise Rejected(say("train.nothing"))
    folder = Path(house.model)
    if folder.exists() and not (folder / "manifest.json").is_file():
        raise Rejected(say("train.other", folder=folder))
    return house, school.lessons


def _tell_outcome(outcome: "Outcome", dry_run: bool) -> None:
    print(f"{'on the part tune':28}{'rules alone':>12}{'before':>10}{'now':>10}")
    for name, value in outcome.manifest.metrics.items():
        print(f"{name:28}{outcome.manifest.baseline[name]:>12.3f}{outcome.before[name]:>10.3f}{value:>10.3f}")
    if outcome.promoted:
        print(f"taken up: {outcome.manifest.version}")
    else:
        print("changed nothing" if dry_run else "not taken up: it reads worse than what reads now")
        raise typer.Exit(0 if dry_run else NO)
