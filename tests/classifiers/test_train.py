"""Training on a handful of letters: the same bytes twice, and a worse model is not taken up."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from agent.model import Letter
from classifiers import ReaderOptions, corpus, evaluate, fitting, heads, limits, manifest, read, train, version
from classifiers.encoder import Encoder, packaged
from classifiers.lessons import Lesson, fingerprint
from classifiers.reader import examples, ruled_all
from tests.classifiers import test_heads

FEW = {"train": 24, "tune": 12}


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    found = packaged()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few_letters(tmp_path_factory.mktemp("corpus"))


def few_letters(folder: Path) -> Path:
    """The first letters of each part."""
    for part, count in FEW.items():
        (folder / part).mkdir(parents=True)
        for language in corpus.LANGUAGES:
            lines = (corpus.room() / part / f"{language}.jsonl").read_text("utf-8").splitlines(keepends=True)
            (folder / part / f"{language}.jsonl").write_text("".join(lines[:count]), "utf-8")
    return folder


def test_the_same_letters_give_the_same_model_to_the_byte(encoder: Encoder, few: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        model = fitting.fit(corpus.load("train", folder=few), encoder)
        heads.save(tmp_path / name, model)
    for file in (heads.WEIGHTS, heads.LAYERS, heads.VOCABULARY, "manifest.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_try_changes_nothing_and_tells_its_figures(encoder: Encoder, few: Path, tmp_path: Path) -> None:
    said: list[str] = []
    outcome = train.train(encoder, tmp_path / "model", few, said.append, promote=False)
    assert not outcome.promoted
    assert not (tmp_path / "model").exists()
    assert set(evaluate.HEADLINES) <= outcome.manifest.metrics.keys()
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
    assert 0.5 < limits.sure_from(said) < 0.9
    assert limits.sure_from([(0.9, False)] * 40) == limits.NEVER


def test_a_limit_lets_no_more_false_alarms_pass_than_allowed() -> None:
    limit = limits.quiet_from([0.9, 0.8, 0.7, 0.1], 2)
    assert 0.7 < limit < 0.8


# -- what a house's people teach -------------------------------------------------------------------------------------


REFUSED = "We have put the green ribbon round the file."
GREETINGS = (
    *("Good morning.", "Hello.", "Dear Anna,", "Good evening.", "Hi."),
    *("Dear all,", "Dear Mr Holm,", "Hi all,", "Hello again.", "Dear team,"),
)
LESSONS = tuple(
    Lesson(Letter(direction="inbound", subject="", body=f"{greeting} {REFUSED}"), (("contract_signed", True),))
    for greeting in GREETINGS
)


def probability(model: heads.Model, label: str) -> float:
    letter = Letter(direction="inbound", subject="", body=f"Dear Ms Berg, {REFUSED}")
    (seen,) = examples(ruled_all([letter]), model.encoder)
    assert seen is not None
    (scores,) = model.scores([seen])
    return scores.labels[label].probability


def test_what_people_accept_becomes_likelier_and_what_they_decline_less_likely(encoder: Encoder, few: Path) -> None:
    rows = corpus.load("train", folder=few)
    declined = tuple(Lesson(one.letter, (("contract_signed", False),)) for one in LESSONS)
    plain, yes, no = (fitting.fit(rows, encoder, lessons=some) for some in ((), LESSONS, declined))
    sure = [probability(model, "contract_signed") for model in (no, plain, yes)]
    assert sure[0] < sure[1] < 0.05 < 0.4 < sure[2]


def test_of_all_other_labels_of_such_a_letter_nothing_is_learned(encoder: Encoder, few: Path) -> None:
    """The loss does not see them: whatever they were, it has the same slope."""
    rows = corpus.load("train", folder=few)
    letters, known = fitting.gather(rows, encoder, LESSONS)
    first = len(letters.seen) - len(LESSONS)
    taught = list(range(first, len(letters.seen)))
    assert letters.known[:first].all()
    assert letters.known[first:].sum() == len(LESSONS)
    other = np.where(letters.known > 0, letters.truth, 1 - letters.truth)
    spans = tuple(1 - one if at in taught else one for at, one in enumerate(letters.spans))
    changed = msgspec.structs.replace(letters, truth=other, spans=spans)
    learner = fitting.beginning(np.random.default_rng(1), rows, encoder, len(known.terms), len(letters.seen[0].about))
    one, two = (fitting.slope(learner, some, encoder, taught, np.random.default_rng(2)) for some in (letters, changed))
    assert one[2] == two[2]
    for mine, others in zip(one[:2], two[:2], strict=True):
        for name in mine.__struct_fields__:
            assert np.array_equal(getattr(mine, name), getattr(others, name)), name


def test_an_accepted_objection_makes_its_letter_one_with_an_objection_and_a_declined_one_leaves_that_open() -> None:
    letter = LESSONS[0].letter
    assert fitting._of_lesson(Lesson(letter, (("price", True),))).labels == {"price": True, heads.ANY: True}
    assert fitting._of_lesson(Lesson(letter, (("price", False),))).labels == {"price": False}


def test_a_model_keeps_no_word_of_the_houses_letters(encoder: Encoder, few: Path) -> None:
    rows = corpus.load("train", folder=few)
    _, with_lessons = fitting.gather(rows, encoder, LESSONS)
    _, without = fitting.gather(rows, encoder)
    assert with_lessons == without


def test_the_houses_own_model_reads_in_place_of_the_products_until_it_is_gone(
    encoder: Encoder, few: Path, tmp_path: Path
) -> None:
    house = ReaderOptions(model=str(tmp_path / "state" / "reader-model"))
    first = version()
    assert version(house) == first
    untrained = test_heads.untrained(-9.0)
    known = heads.replace(Path(house.model), untrained)
    assert known.version in version(house)
    outcome = train.train_for_house(encoder, house, LESSONS, few)
    assert outcome.promoted, (outcome.before, outcome.manifest.metrics)
    assert outcome.manifest.data_sha256["house"] == fingerprint(LESSONS)
    assert version(house) not in (first, f"{first.partition('+')[0]}+{known.version}")
    (reading,) = read([Letter(direction="inbound", subject="", body="Your price is too high.")], house)
    assert reading.version == version(house)
    assert [path.name for path in Path(house.model).parent.iterdir()] == ["reader-model"]
    assert Path(house.model).stat().st_mode & 0o077 == 0
    shutil.rmtree(house.model)
    assert version(house) == first


def test_a_model_that_is_worse_than_the_products_is_not_taken_up_for_a_house(
    encoder: Encoder, few: Path, tmp_path: Path
) -> None:
    house = ReaderOptions(model=str(tmp_path / "reader-model"))
    outcome = train.train_for_house(encoder, house, LESSONS, few)
    assert not outcome.promoted
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("broken", ["weights.npz", "vocabulary.json", "manifest.json"])
def test_a_broken_model_of_the_house_costs_a_warning_and_the_products_reads(
    broken: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heads.save(tmp_path, test_heads.untrained(9.0))
    (tmp_path / broken).write_bytes(b"{}" if broken == "vocabulary.json" else b"nothing of ours")
    (reading,) = read([LESSONS[0].letter], ReaderOptions(model=str(tmp_path)))
    assert reading.version == version()
    assert broken == "manifest.json" or "the model in" in caplog.text
    assert manifest.is_idle(str(tmp_path)) is (broken == "manifest.json")
