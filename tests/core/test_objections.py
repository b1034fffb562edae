"""An objection's life, told one by one."""

import pytest

from agent.model import ObjectionLife
from agent.objections import ObjectionBook
from tests.core.builders import day, objection

GATE = "Your crane cannot pass our gate, it is 2.9 m high, unless you bring the small one."


def raised(type_: str = "technical", reason: str = "", condition: str = "", text: str = GATE) -> ObjectionBook:
    book = ObjectionBook(())
    raise_in(book, type_, reason, condition, text)
    return book


def raise_in(
    book: ObjectionBook, type_: str, reason: str = "", condition: str = "", text: str = GATE, no: int = 1
) -> None:
    book.raise_(
        objection(type_, text, reason=reason, condition=condition),
        deal_id="kiln",
        stage="proposal",
        activity=f"letter {no}",
        message_id=f"<{no}@mail.example>",
        at=day(f"03-{no:02}"),
    )


def only(book: ObjectionBook) -> ObjectionLife:
    (one,) = book.all()
    return one


def test_an_objection_keeps_its_letter_its_stage_and_its_words() -> None:
    one = only(raised(reason="Your crane cannot pass our gate", condition="you bring the small one"))
    assert (one.message_id, one.stage, one.opened) == ("<1@mail.example>", "proposal", day("03-01"))
    assert one.reason == "Your crane cannot pass our gate"
    assert one.condition == "you bring the small one"
    assert one.quote == GATE


def test_a_pretext_that_gets_its_reason_keeps_its_first_day() -> None:
    book = raised()
    raise_in(book, "technical", "it is 2.9 m high", no=2)
    one = only(book)
    assert one.genuine
    assert one.reason == "it is 2.9 m high"
    assert (one.opened, one.activity) == (day("03-01"), "letter 1")


def test_two_types_are_two_objections() -> None:
    book = raised("technical")
    raise_in(book, "price", no=2)
    assert [o.type for o in book.all()] == ["technical", "price"]


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        ("We bring the small crane through your gate.", "answered"),
        ("Our cranes are lower than your gates.", "answered"),
        ("The gate is a matter for Thursday.", "open"),
        ("Thank you for the order of the bricks.", "open"),
        ("", "open"),
    ],
)
def test_only_a_reply_to_the_point_answers(reply: str, state: str) -> None:
    book = raised(reason="Your crane cannot pass our gate")
    book.we_wrote("kiln", reply)
    assert only(book).state == state


def test_a_pretext_gives_us_nothing_to_answer() -> None:
    book = raised()
    book.we_wrote("kiln", GATE)
    assert only(book).state == "open"


def test_a_reply_on_another_deal_answers_nothing() -> None:
    book = raised(reason="Your crane cannot pass our gate")
    book.we_wrote("silo", "We bring the small crane through your gate.")
    assert only(book).state == "open"


def test_what_is_closed_says_when_and_why() -> None:
    book = raised(reason="it is 2.9 m high")
    book.close(book.unsettled("kiln"), day("03-09"), "the deal reached contract")
    assert (only(book).state, only(book).closed, only(book).closed_by) == (
        "closed",
        day("03-09"),
        "the deal reached contract",
    )
    assert book.unsettled("kiln") == []


def test_an_objection_that_was_taken_back_is_not_raised_from_the_same_letter() -> None:
    book = ObjectionBook({"objection:kiln:letter 1:price"})
    raise_in(book, "price", no=1)
    assert book.all() == ()
    raise_in(book, "price", no=2)
    assert only(book).activity == "letter 2"
