"""Measuring: what counts as right, as false and as missed, and how surely it is known."""

import pytest

from agent.model import MilestoneRead, ObjectionRead, Reading, Span
from classifiers import corpus, evaluate
from classifiers.corpus import Labels, Objection, Row
from classifiers.reader import read_by_rules

BODY = "Your crane costs 40 more than theirs. Drop the fee and we order."
HERE = Span(quote=BODY[:37], start=0, end=37)


def row(milestones: tuple[str, ...] = (), objections: tuple[Objection, ...] = (), hard: str | None = None) -> Row:
    labels = Labels(milestones=milestones, objections=objections, automated=False, business=True)
    return Row(id="a", lang="en", direction="inbound", subject="", body=BODY, labels=labels, hard=hard)


def reading(*names: str, objections: tuple[ObjectionRead, ...] = (), sure: float = 0.9) -> Reading:
    found = tuple(MilestoneRead(name=name, confidence=sure, evidence=HERE) for name in names)
    return Reading(version="v", language="en", milestones=found, objections=objections)


def read(type_: str, genuine: bool = True, sure: float = 0.9, condition: Span | None = None) -> ObjectionRead:
    return ObjectionRead(type=type_, genuine=genuine, confidence=sure, evidence=HERE, reason=HERE, condition=condition)


def figures(rows: list[Row], readings: list[Reading]) -> evaluate.Report:
    return evaluate.evaluation(rows, readings)["all"]


def test_a_reader_who_finds_all_and_no_more_is_perfect() -> None:
    held = Objection(type="price", genuine=True, reason=HERE.quote)
    one = figures([row(("negotiation",), (held,))], [reading("negotiation", objections=(read("price"),))])
    assert [one.milestones_micro.value, one.objections_macro.value, one.any_objection.value] == [1.0, 1.0, 1.0]
    assert [one.genuineness.value, one.reason.value, one.written.value, one.false_alarms.value] == [1.0, 1.0, 1.0, 0.0]


def test_a_type_that_a_careful_reader_may_defend_counts_as_right() -> None:
    held = Objection(type="price", genuine=True, also_ok=("competitor",))
    assert figures([row((), (held,))], [reading(objections=(read("competitor"),))]).objections_macro.value == 1.0


def test_an_objection_where_none_is_is_a_false_alarm() -> None:
    one = figures([row(), row()], [reading(objections=(read("price"),)), reading()])
    assert one.false_alarms.value == 0.5
    assert one.written.value == 0.0


def test_what_is_less_sure_than_a_proposal_was_not_said() -> None:
    assert figures([row()], [reading("lost", objections=(read("price", sure=0.4),), sure=0.4)]).false_alarms.value == 0


def test_a_pretext_taken_for_a_reason_is_right_in_type_and_wrong_in_kind() -> None:
    held = Objection(type="price", genuine=False)
    one = figures([row((), (held,))], [reading(objections=(read("price"),))])
    assert (one.objections_macro.value, one.genuineness.value) == (1.0, 0.0)


def test_a_missed_condition_counts_as_nothing_found() -> None:
    held = Objection(type="price", genuine=True, reason=HERE.quote, condition="Drop the fee")
    assert figures([row((), (held,))], [reading(objections=(read("price"),))]).condition.value == 0.0


@pytest.mark.parametrize(
    ("wanted", "found", "share"),
    [("the roof is sealed", "the roof is sealed", 1.0), ("the roof", "the wall", 0.5), ("the roof", "", 0.0)],
)
def test_quotes_agree_by_their_words(wanted: str, found: str, share: float) -> None:
    assert evaluate.token_f1(wanted, found) == share


def test_each_trap_is_told_by_itself() -> None:
    rows = [row(hard="negation"), row(("lost",), hard="negation"), row()]
    assert figures(rows, [reading(), reading(), reading("lost")]).traps == {"negation": (2, 0.5), "none": (1, 0.0)}


def test_the_surest_readings_come_first_in_the_precision_by_share() -> None:
    rows = [row(("lost",)), row(), row(), row()]
    readings = [reading("lost", sure=0.95), *(reading("lost", sure=0.6) for _ in range(3))]
    assert figures(rows, readings).precision_at == {"25%": 1.0, "50%": 0.5, "75%": 0.3333, "100%": 0.25}


def test_figures_stand_in_their_interval_and_are_the_same_twice() -> None:
    rows = corpus.load("tune")[:60]
    readings, speed = evaluate.timed(rows, read_by_rules)
    reports = evaluate.evaluation(rows, readings)
    assert reports == evaluate.evaluation(rows, readings)
    for one in reports.values():
        assert one.milestones_micro.low <= one.milestones_micro.value <= one.milestones_micro.high
    assert speed > 0
    text = "\n".join(evaluate.as_text(reports))
    assert "objections, macro-F1" in text
    assert "milestone:lost" in text


def test_probabilities_are_right_where_their_shares_are() -> None:
    fair = [(0.25, number % 4 == 0) for number in range(40)]
    assert evaluate.calibration_error(fair) == 0
    assert evaluate.calibration_error([(0.9, False)] * 10) == pytest.approx(0.9)
    assert evaluate.calibration_error([(1.0, True)] * 5 + [(0.05, True)] * 5) == pytest.approx(0.475)
    assert evaluate.calibration_error([]) == 0
