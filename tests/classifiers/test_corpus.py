"""The labelled letters: every row is sound, and the parts were written apart."""

import pytest

from agent.errors import Rejected
from classifiers import corpus
from classifiers.corpus import LANGUAGES, PARTS, Labels, Objection, Row

NEAR_ALLOWED = 0.01


def row(name: str, body: str, *objections: Objection) -> Row:
    return Row(
        id=name,
        lang="en",
        direction="inbound",
        subject="",
        body=body,
        labels=Labels(milestones=(), objections=objections, automated=False, business=True),
    )


@pytest.mark.parametrize("part", PARTS)
def test_every_labelled_letter_is_sound(part: str) -> None:
    assert corpus.problems(corpus.load(part)) == []


def test_no_letter_stands_in_two_parts() -> None:
    names = [row.id for part in PARTS for row in corpus.load(part)]
    bodies = [row.body for part in PARTS for row in corpus.load(part)]
    assert len(names) == len(set(names))
    assert len(bodies) == len(set(bodies))


@pytest.mark.parametrize("part", PARTS)
def test_both_languages_and_quiet_letters_are_in_every_part(part: str) -> None:
    for language in LANGUAGES:
        rows = corpus.load(part, (language,))
        assert {one.lang for one in rows} == {language}
        assert sum(not one.labels.objections for one in rows) > len(rows) / 3


def test_the_parts_hardly_share_a_run_of_words() -> None:
    parts = {part: corpus.load(part) for part in PARTS}
    found = corpus.near(parts)
    assert len(found) <= NEAR_ALLOWED * sum(len(rows) for rows in parts.values())


def test_a_copied_sentence_is_found_between_parts_and_not_within_one() -> None:
    told = "The harbour crane lifts seventeen tonnes over muddy ground."
    one, other = row("a", f"{told} Regards"), row("b", f"Well then: {told}")
    assert [(each.one, each.other) for each in corpus.near({"train": [one], "tune": [other]})] == [("a", "b")]
    assert corpus.near({"train": [one, other]}) == []


def test_what_is_wrong_with_a_row_is_said() -> None:
    wrong = Objection(type="colour", genuine=False, reason="the roof leaks")
    found = corpus.problems([row("a", "Nothing here.", wrong), row("a", "Nothing there.")])
    assert found == [
        "a: no objection is called colour",
        "a: a pretext has neither reason nor condition",
        "a: not in its text: the roof leaks",
        "a: the id stands twice",
    ]


def test_a_row_that_cannot_be_read_is_named_with_its_line(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "en.jsonl").write_text("{}\n", "utf-8")
    with pytest.raises(Rejected, match="line 1"):
        corpus.load("train", ("en",), tmp_path)
