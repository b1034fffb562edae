"""How often people agree with our moves, whether they answer or simply move the deal in the CRM."""

from collections.abc import Sequence

from agent.answers import Verdicts
from agent.history import fold
from agent.known import Answer
from agent.model import History
from agent.trust import TrustRow, trust
from tests.core import builders as b
from tests.core.test_answers_model import JO, people

OFFER = ("offer", "02-05", "proposal_sent")


def said(*letters: tuple[str, str, str], events: Sequence[tuple[str, str]] = (), mode: str = "auto") -> History:
    """The history of one deal with these letters, each of which proves something; `events`: a person's moves."""
    deals = [b.deal("kiln", "Tunnel kiln", "jo", of="marlow", events=events)]
    seen = []
    for thread, (key, on, proves) in enumerate(letters):
        text = "This is about the tunnel kiln."
        record, read = b.letter(key, on, b.ANNA, JO, text=text), b.reading([b.milestone(proves, text)])
        seen.append(b.seen(record, people(deals), "company:marlow", thread=thread, read=read))
    return fold(b.client_of("company:marlow", people(deals), mode), seen, [], b.day("12-31"))


def rows(history: History, *answers: Answer) -> list[TrustRow]:
    return trust([history], Verdicts.of(answers), [b.pipeline()], {"kiln": "New business"})


def counted(row: TrustRow) -> dict[str, int]:
    names = ("waiting", "accepted", "declined", "written", "undone", "overruled")
    return {name: getattr(row, name) for name in names if getattr(row, name)}


def answer(kind: str) -> Answer:
    return Answer(kind=kind, subject="move", deal_ids=("kiln",), stage="proposal", evidence="offer", before="lead")


def test_a_move_that_nobody_touched_was_right() -> None:
    (row,) = rows(said(OFFER))
    assert (row.pipeline, row.before, row.stage) == ("New business", "lead", "proposal")
    assert (counted(row), row.right) == ({"written": 1}, 1.0)


def test_a_move_that_was_undone_was_written_and_wrong() -> None:
    (row,) = rows(said(), answer("undone"))
    assert (counted(row), row.right) == ({"written": 1, "undone": 1}, 0.0)


def test_a_person_who_soon_moves_the_deal_back_overrules_us_and_one_who_moves_it_on_does_not() -> None:
    (back,) = rows(said(OFFER, events=[("02-10", "contact")]))
    assert (counted(back), back.right) == ({"written": 1, "overruled": 1}, 0.0)
    (on,) = rows(said(OFFER, events=[("02-10", "contract")]))
    assert counted(on) == {"written": 1}
    (much_later,) = rows(said(OFFER, events=[("06-10", "contact")]))
    assert counted(much_later) == {"written": 1}


def test_a_proposal_is_judged_by_its_answer_or_by_where_a_person_puts_the_deal() -> None:
    (waiting,) = rows(said(OFFER, mode="propose"))
    assert (counted(waiting), waiting.right) == ({"waiting": 1}, None)
    (made,) = rows(said(OFFER, mode="propose", events=[("02-10", "proposal")]))
    assert counted(made) == {"accepted": 1}
    (elsewhere,) = rows(said(OFFER, mode="propose", events=[("02-10", "lost")]))
    assert counted(elsewhere) == {"declined": 1}
    (declined,) = rows(said(mode="propose"), answer("declined"))
    assert counted(declined) == {"declined": 1}


def test_transitions_come_in_the_order_of_the_funnel() -> None:
    history = said(("yes", "02-01", "contact_established"), OFFER, ("paper", "02-09", "contract_sent"))
    assert [(r.before, r.stage) for r in rows(history)] == [
        ("lead", "contact"),
        ("contact", "proposal"),
        ("proposal", "contract"),
    ]
