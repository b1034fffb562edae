"""Training on a handful of letters: the same bytes twice, and a worse model is not taken up."""

from pathlib import Path

import pytest

from classifiers import corpus, heads, train
from classifiers.encoder import Encoder, packaged

FEW = {"train": 24, "tune": 12}


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    found = packaged()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first letters of each part."""
    folder = tmp_path_factory.mktemp("corpus")
    for part, count in FEW.items():
        (folder / part).mkdir()
        for language in corpus.LANGUAGES:
            lines = (corpus.room() / part / f"{language}.jsonl").read_text("utf-8").splitlines(keepends=True)
            (folder / part / f"{language}.jsonl").write_text("".join(lines[:count]), "utf-8")
    return folder


def test_the_same_letters_give_the_same_model_to_the_byte(encoder: Encoder, few: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        model = train.fit(corpus.load("train", folder=few), encoder)
        heads.save(tmp_path / name, model)
    for file in ("weights.npz", "vocabulary.json", "manifest.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_try_changes_nothing_and_tells_its_figures(encoder: Encoder, few: Path, tmp_path: Path) -> None:
    said: list[str] = []
    outcome = train.train(encoder, tmp_path / "model", few, said.append, promote=False)
    assert not outcome.promoted
    assert not (tmp_path / "model").exists()
    assert set(train.HEADLINES) <= outcome.manifest.metrics.keys()
    assert said


def figures(**changed: float) -> dict[str, float]:
    same = {"milestones_micro": 0.7, "objections_macro": 0.5, "any_objection": 0.6, "false_alarms": 0.04}
    return same | changed


@pytest.mark.parametrize(
    ("new", "taken"),
    [
        (figures(), True),
        (figures(objections_macro=0.6), True),
        (figures(milestones_micro=0.6), False),
        (figures(objections_macro=0.9, false_alarms=0.2), False),
    ],
)
def test_a_model_that_finds_less_or_cries_wolf_is_not_taken_up(new: dict[str, float], taken: bool) -> None:
    assert train.better(new, figures()) is taken


def test_the_limit_of_what_is_written_lies_where_nearly_all_is_right() -> None:
    said = [(0.9 - number / 1000, True) for number in range(12)] + [(0.5, False)] * 20
    assert 0.5 < train._sure_from(said) < 0.9
    assert train._sure_from([(0.9, False)] * 40) == train.NEVER


def test_a_limit_lets_no_more_false_alarms_pass_than_allowed() -> None:
    limit = train._quiet_from([0.9, 0.8, 0.7, 0.1], 2)
    assert 0.7 < limit < 0.8
