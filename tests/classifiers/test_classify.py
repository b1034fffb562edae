"""The reader as a filter of JSON lines."""

import json
from typing import Any, Literal

from classifiers import WRITE
from classifiers.classify import BATCH, classify_lines
from classifiers.corpus import load


def ask(**fields: object) -> str:
    return json.dumps({"id": "a", "direction": "inbound", "subject": "", "body": "", **fields}, ensure_ascii=False)


def answers(*lines: str, at: Literal["propose", "write"] = "propose") -> list[dict[str, Any]]:
    return [json.loads(line) for line in classify_lines(lines, at)]


def test_each_letter_gets_one_line_in_the_same_order() -> None:
    lines = [ask(id=number, body="The contract is signed.") for number in range(BATCH + 3)]
    assert [one["id"] for one in answers(*lines)] == list(range(BATCH + 3))


def test_a_line_says_what_was_proven_and_held() -> None:
    (one,) = answers(ask(body="Your quotation is 40 percent above last year. Take ten percent off and we sign."))
    sure = [read.pop("confidence") for read in (*one["milestones"], *one["objections"])]
    assert all(0.5 <= confidence < 1 for confidence in sure)
    assert {"name": "negotiation", "quote": "Take ten percent off and we sign."} in one["milestones"]
    assert one["objections"] == [
        {
            "type": "price",
            "genuine": True,
            "reason": "Your quotation is 40 percent above last year",
            "condition": "Take ten percent off",
        }
    ]
    assert (one["automated"], one["business"], one["language"]) == (False, True, "en")


def test_only_the_surest_is_written() -> None:
    lines = [ask(body=row.body, direction=row.direction) for row in load("tune")[:60]]
    proposed, written = answers(*lines), answers(*lines, at="write")
    sure = [[one for one in row["objections"] if one["confidence"] >= WRITE] for row in proposed]
    assert [row["objections"] for row in written] == sure
    assert any(sure)
    assert sum(map(len, sure)) < sum(len(row["objections"]) for row in proposed)


def test_a_line_that_is_no_letter_is_answered_with_its_error_and_the_rest_goes_on() -> None:
    first, second, third, fourth = answers(
        ask(id="1"), "{not json", '{"id": "3", "direction": "sideways", "body": ""}', ask(id="4")
    )
    assert (first["id"], fourth["id"]) == ("1", "4")
    assert second["id"] is None
    assert third["id"] is None
    assert str(second["error"]).startswith("line 2: ")
    assert str(third["error"]).startswith("line 3: ")


def test_an_empty_line_is_no_letter() -> None:
    assert [one["id"] for one in answers("\n", ask(id="x"), "  \n")] == ["x"]


def test_attachments_say_what_is_attached() -> None:
    (with_name,) = answers(ask(direction="outbound", body="Отправляю, как обсуждали.", attachments=["КП_2291.pdf"]))
    (without,) = answers(ask(direction="outbound", body="Отправляю, как обсуждали."))
    assert [one["name"] for one in with_name["milestones"]] == ["proposal_sent"]
    assert without["milestones"] == []
