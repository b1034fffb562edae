"""What people's answers teach: which label of which letter, and what says nothing of a letter's words."""

import pytest

from agent.lessons import lessons_of, verdicts
from agent.model import Letter
from agent.store.answers import Correction
from agent.store.lessons import Worded
from classifiers.lessons import Lesson

OFFER = Letter(
    direction="outbound", subject="Offer", body="Please find our offer attached.", attachments=("offer.pdf",)
)


def said(decided: str, what: str = "stage:proposal", milestone: str = "proposal_sent") -> Correction:
    return Correction("offer", what, decided, "freezer", milestone)


@pytest.mark.parametrize(
    ("decided", "holds"),
    [("accepted", True), ("restored", True), ("declined", False), ("undone", False), ("overruled", False)],
)
def test_an_answer_on_a_move_says_whether_its_milestone_holds(decided: str, holds: bool) -> None:
    assert verdicts([said(decided)]) == {"offer": {"proposal_sent": holds}}


def test_an_answer_on_an_objection_says_whether_its_type_holds() -> None:
    assert verdicts([said("undone", "objection:price", "")]) == {"offer": {"price": False}}


@pytest.mark.parametrize(
    "one",
    [
        said("accepted", "stage:proposal", ""),  # a person's own move, which no words of ours had proposed
        said("deal:lift", "deal:freezer", ""),
        said("declined", "record", ""),
        said("accepted", "objection:haulage", ""),
    ],
)
def test_what_is_not_about_words_teaches_nothing(one: Correction) -> None:
    assert verdicts([one]) == {}


def test_the_last_word_counts() -> None:
    assert verdicts([said("accepted"), said("undone")]) == {"offer": {"proposal_sent": False}}
    assert verdicts([said("undone"), said("restored")]) == {"offer": {"proposal_sent": True}}


def test_only_letters_that_still_have_their_words_teach_and_only_what_was_read_in_them() -> None:
    told = {
        "call": {"meeting_held": True},
        "gone": {"lost": False},
        "offer": {"negotiation": True, "proposal_sent": True},
    }
    letters = {
        "gone": Worded(None, frozenset()),
        "offer": Worded(OFFER, frozenset({"proposal_sent"})),  # that it is part of the bargaining shows the deal
    }
    school = lessons_of(told, letters)
    assert school.lessons == (Lesson(OFFER, (("proposal_sent", True),)),)
    assert (school.verdicts, school.wordless, school.unread) == (4, 1, 2)
