"""`python -m bench.fit STORE TRUTH`: what the evidence for a deal should weigh, from letters whose deals are known.

STORE is the URL of a store that has been synced, TRUTH a folder with `truth.json` (or such a file): "messages" with
`message_id`, "meetings" with `uid`, both with `deals`, `should_log` and, where nobody could know, `ok_null`.

The choice is seen as one among a letter's candidates and "none"; the weights are those under which what is true was
the likeliest, held near those in use, since one company tells little. They are fitted on the earlier letters and
judged on the later ones; what is printed goes into agent/data/weights.toml by hand. `--words` prints everyday.txt.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import select

from agent.match import THRESHOLD, WEIGHTS
from agent.model import Link
from agent.store import Store, histories
from agent.store.tables import activity, link
from agent.words import stems, words

NAMES = [name for name in WEIGHTS if name != "answer"]  # what a person says is not weighed
STEPS = 4_000
CORPUS = Path(__file__).parents[1] / "classifiers" / "data" / "corpus"
Vector = np.ndarray[Any, np.dtype[np.float64]]


class Choice(NamedTuple):
    """One letter or meeting: its candidates' evidence, and which of them are right."""

    at: str
    evidence: Vector  # a row for each candidate, and a last one for "none"
    right: Vector  # shares that add up to one


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.fit", description=__doc__)
    options.add_argument("store", nargs="?", help="URL of a synced store")
    options.add_argument("truth", nargs="?", type=Path, help="folder with truth.json, or the file")
    options.add_argument("--hold", type=float, default=3.0, help="how strongly the weights in use hold")
    options.add_argument("--words", action="store_true", help="count the words of the labelled letters instead")
    chosen = options.parse_args()
    if chosen.words:
        print("\n".join(_everyday()))
        return
    choices = sorted(_choices(Store(chosen.store), _truth(chosen.truth)), key=lambda c: c.at)
    earlier, later = choices[: len(choices) // 2], choices[len(choices) // 2 :]
    start = np.array([*(WEIGHTS[name] for name in NAMES), THRESHOLD])
    for name, fitted in (("in use", start), ("fitted", _fit(earlier, start, chosen.hold))):
        told = ", ".join(
            f"{part} {_right(some, fitted):.3f}" for part, some in (("earlier", earlier), ("later", later))
        )
        print(f"{name}: right choices: {told}")
    both = _fit(choices, start, chosen.hold)
    print(f"threshold = {both[-1]:.2f}")
    for name, weight in zip(NAMES, both[:-1], strict=True):
        print(f'"{name}" = {weight:.2f}')


def _truth(path: Path) -> dict[str, dict[str, Any]]:
    file = path / "truth.json" if path.is_dir() else path
    told = json.loads(file.read_text(encoding="utf-8"))
    return {row.get("message_id") or row["uid"]: row for row in (*told["messages"], *told["meetings"])}


def _choices(store: Store, truth: dict[str, dict[str, Any]]) -> Iterator[Choice]:
    with store.reading() as tx:
        identity = {row.key: row for row in tx.execute(select(activity.c.key, activity.c.identity, activity.c.date))}
        for client in list(tx.scalars(select(link.c.client).distinct().order_by(link.c.client))):
            for one in histories.links(tx, client):
                row = truth.get(identity[one.activity].identity)
                if row and row["should_log"] and not row.get("ok_null"):
                    yield from _choice(one, set(row["deals"]), identity[one.activity].date.isoformat())


def _choice(one: Link, deals: set[str], at: str) -> Iterator[Choice]:
    right = [float(c.deal_id in deals) for c in one.candidates]
    if not right or (deals and not any(right)):  # the right one is another client's
        return
    evidence = np.zeros((len(right) + 1, len(NAMES) + 1))
    for row, candidate in zip(evidence, one.candidates, strict=False):
        for reason in candidate.reasons:
            if reason.name in NAMES:
                row[NAMES.index(reason.name)] += reason.weight / WEIGHTS[reason.name]
    evidence[-1, -1] = 1.0  # "none" scores the threshold
    yield Choice(at, evidence, np.array([*right, 0.0 if any(right) else 1.0]) / max(1.0, sum(right)))


def _fit(choices: Sequence[Choice], start: Vector, hold: float) -> Vector:
    weights, pace = start.copy(), 1.0 / (len(choices) + hold)
    for _ in range(STEPS):
        slope = 2 * hold * (weights - start)
        for _at, evidence, right in choices:
            slope += evidence.T @ (_shares(evidence @ weights) - right)
        weights -= pace * slope
        if float(np.abs(pace * slope).max()) < 1e-4:
            break
    return weights


def _shares(scores: Vector) -> Vector:
    odds: Vector = np.exp(scores - scores.max())
    return odds / odds.sum()


def _right(choices: Sequence[Choice], weights: Vector) -> float:
    """How often the highest score is that of a right candidate, or of "none" where there is none."""
    return sum(bool(c.right[int(np.argmax(c.evidence @ weights))]) for c in choices) / max(1, len(choices))


def _everyday() -> Iterator[str]:
    """How words begin, and in how many labelled letters such a word stands."""
    letters: Counter[str] = Counter()
    for path in sorted(CORPUS.glob("*/*.jsonl")):
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            letters.update(stems(words(f"{row.get('subject', '')}\n{row['body']}")))
    return (f"{stem} {count}" for stem, count in sorted(letters.items()) if count >= 3)


if __name__ == "__main__":
    main()
