"""What becomes of an objection reaches the CRM, and a proof that comes late corrects our own move."""

from datetime import timedelta

from agent.store.tables import crm_objection, stage_event
from tests.flow.company import ANNA, START, VERA, CompanyWorld, letter

DEAR = "Thank you for the offer. It is too expensive for us: a competitor asks 31 a metre, you want 44."
OURS = "Our 44 a metre hold the frost for thirty years, the 31 of the competitor for ten."


def receive(world: CompanyWorld, text: str, days: float, name: str, answers: str = "") -> None:
    at = START + timedelta(days=days)
    world.receive("anna", letter(VERA, ANNA, "Re: Freezer room", text, at=at, name=name, answers=answers))


def send(world: CompanyWorld, text: str, days: float, name: str, answers: str = "", attachment: str = "") -> None:
    at = START + timedelta(days=days)
    raw = letter(ANNA, VERA, "Re: Freezer room", text, at=at, name=name, answers=answers, attachment=attachment)
    world.send("anna", raw)


def test_an_answer_and_the_end_of_an_objection_reach_the_crm_and_a_repeated_sync_writes_nothing(
    world: CompanyWorld,
) -> None:
    receive(world, DEAR, 1, "dear")
    world.sync()
    (row,) = world.table(crm_objection)
    assert (row.type, row.state, row.closed) == ("price", "open", None)
    send(world, OURS, 2, "ours", answers="dear")
    world.sync()
    (row,) = world.table(crm_objection)
    assert row.state == "answered"
    receive(world, "The price is no longer a problem.", 3, "settled", answers="ours")
    world.sync()
    (row,) = world.table(crm_objection)
    assert (row.state, row.cause, row.closed_quote) == ("closed", "dropped", "The price is no longer a problem.")
    assert world.sync() == 0


def test_an_offer_that_was_found_late_and_was_sent_earlier_corrects_the_day_of_the_stage(world: CompanyWorld) -> None:
    offer = "Please find attached our offer for the freezer room."
    send(world, offer, 5, "second", attachment="Offer_4471.pdf")
    world.sync()
    send(world, offer, 2, "first", attachment="Offer_4471.pdf")
    world.sync()
    (move,) = [row for row in world.table(stage_event) if row.by == "agent"]
    assert (move.stage, move.date) == ("proposal", START + timedelta(days=2))
    assert [row["date"] for row in world.rows("stage") if row["by"] == "agent"] == [move.date.isoformat()]
    assert world.sync() == 0
