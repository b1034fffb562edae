"""The reader as a filter of JSON lines."""

import json

from classifiers.classify import BATCH, classify_lines


def ask(**fields: object) -> str:
    return json.dumps({"id": "a", "direction": "inbound", "subject": "", "body": "", **fields}, ensure_ascii=False)


def answers(*lines: str, at: str = "propose") -> list[dict[str, object]]:
    return [json.loads(line) for line in classify_lines(lines, at)]  # type: ignore[arg-type]


def test_each_letter_gets_one_line_in_the_same_order() -> None:
    lines = [ask(id=number, body="The contract is signed.") for number in range(BATCH + 3)]
    assert [one["id"] for one in answers(*lines)] == list(range(BATCH + 3))


def test_a_line_says_what_was_proven_and_held() -> None:
    (one,) = answers(ask(body="Это на треть дороже прошлогоднего. Если уберёте доставку из счёта, берём три шкафа."))
    sure = [read.pop("confidence") for read in (*one["milestones"], *one["objections"])]  # type: ignore[misc]
    assert all(0.5 <= confidence < 1 for confidence in sure)
    assert one == {
        "id": "a",
        "milestones": [{"name": "negotiation", "quote": "Если уберёте доставку из счёта, берём три шкафа."}],
        "objections": [
            {
                "type": "price",
                "genuine": True,
                "reason": "на треть дороже прошлогоднего",
                "condition": "уберёте доставку из счёта",
            }
        ],
        "automated": False,
        "business": True,
        "language": "ru",
    }


def test_only_the_surest_is_written() -> None:
    line = ask(body="We need that by Friday. What worries us is the signal in the cellar.")
    (proposed,), (written,) = answers(line), answers(line, at="write")
    assert proposed["objections"]
    assert not written["objections"]


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
    (with_name,) = answers(ask(direction="outbound", body="Во вложении, как обсуждали.", attachments=["КП_2291.pdf"]))
    (without,) = answers(ask(direction="outbound", body="Во вложении, как обсуждали."))
    assert [one["name"] for one in with_name["milestones"]] == ["proposal_sent"]  # type: ignore[attr-defined]
    assert without["milestones"] == []
