"""Where a milestone leads from where a deal stands."""

import pytest

from agent.match import DealThen
from agent.model import Direction
from agent.stages import Progress, in_order, move_key
from tests.core.builders import STAGES, day, deal, milestone, pipeline


def standing(*entered: str) -> Progress:
    progress = Progress(DealThen(deal("kiln", "Tunnel kiln"), ""), pipeline(), "lead")
    for number, stage in enumerate(entered, 1):
        progress.enter(stage, day(f"02-{number:02}"))
    return progress


def leads_to(progress: Progress, name: str, direction: Direction = "inbound") -> list[str]:
    return [stage.name for stage in progress.targets(name, direction)]


@pytest.mark.parametrize(
    ("here", "proven", "there"),
    [
        ("lead", "contact_established", ["contact"]),
        ("lead", "contract_signed", ["payment"]),
        ("proposal", "proposal_sent", []),
        ("negotiation", "proposal_sent", []),
        ("negotiation", "meeting_scheduled", []),
        ("contract", "payment_confirmed", ["won"]),
        ("contract", "lost", ["lost"]),
        ("contract", "postponed", ["on_hold"]),
        ("won", "postponed", []),
        ("won", "lost", []),
        ("won", "proposal_requested", []),
        ("lost", "lost", []),
        ("lost", "postponed", []),
        ("lost", "negotiation", ["contact"]),
    ],
)
def test_a_milestone_leads_forward_only(here: str, proven: str, there: list[str]) -> None:
    assert leads_to(standing(here), proven) == there


@pytest.mark.parametrize("proven", ["negotiation", "contract_signed"])
def test_our_own_letter_wakes_neither_a_lost_deal_nor_a_parked_one(proven: str) -> None:
    assert leads_to(standing("proposal", "lost"), proven, "outbound") == []
    assert leads_to(standing("proposal", "on_hold"), proven, "outbound") == []


def test_a_parked_deal_returns_to_the_stage_before_the_pause_and_goes_on_from_there() -> None:
    assert leads_to(standing("proposal", "on_hold"), "needs_identified") == ["proposal"]
    assert leads_to(standing("proposal", "on_hold"), "negotiation") == ["proposal", "negotiation"]


def test_a_second_pause_remembers_its_own_stage() -> None:
    assert leads_to(standing("proposal", "on_hold", "proposal", "contract", "on_hold"), "negotiation") == ["contract"]


def test_a_deal_that_comes_back_is_open_again() -> None:
    lost = standing("proposal", "lost")
    assert not lost.then.is_open(day("02-10"))
    lost.enter("contact", day("02-11"))
    assert lost.then.is_open(day("02-12"))


def test_a_stage_that_the_pipeline_does_not_list_is_left_by_the_first_proof() -> None:
    assert leads_to(standing("handed over to Hull"), "proposal_sent") == ["proposal"]


def test_milestones_of_one_letter_are_taken_in_the_order_of_a_sale() -> None:
    found = in_order(milestone(name, "x") for name in ("contract_signed", "contact_established", "negotiation"))
    assert [m.name for m in found] == ["contact_established", "negotiation", "contract_signed"]


def test_each_entry_into_a_stage_has_a_key_of_its_own() -> None:
    assert move_key("kiln", "proposal", 1) != move_key("kiln", "proposal", 2)
    assert standing("proposal", "on_hold", "proposal").entries == {"proposal": 2, "on_hold": 1}


def test_every_milestone_of_the_sample_pipeline_but_the_agreed_meeting_leads_somewhere() -> None:
    reached = {m for stage in STAGES for m in stage.reached_by}
    assert "meeting_scheduled" not in reached
    assert {"postponed", "lost", "payment_confirmed"} < reached


def test_a_deal_that_was_paused_before_we_knew_it_goes_on_where_the_client_says() -> None:
    assert leads_to(standing("on_hold"), "proposal_received") == ["proposal"]
    assert leads_to(standing("on_hold"), "proposal_sent", "outbound") == []
    assert [stage.name for stage in standing("on_hold").taken_up()] == ["contact"]


@pytest.mark.parametrize(
    ("here", "proven", "fits"),
    [
        ("contact", "proposal_sent", "stage fits"),
        ("contract", "contract_signed", "stage fits"),
        ("proposal", "proposal_received", ""),
        ("contract", "needs_identified", "stage passed"),
        ("lead", "contract_signed", "stage ahead"),
        ("proposal", "postponed", ""),
    ],
)
def test_how_a_letter_fits_where_a_deal_stands(here: str, proven: str, fits: str) -> None:
    assert standing(here).step([proven]) == fits


def test_what_is_known_of_a_deals_way() -> None:
    assert standing("proposal").has_passed("proposal_sent")
    assert not standing("qualified").has_passed("proposal_sent")
    assert standing("on_hold").has_passed("proposal_sent")


def test_a_letter_that_proves_the_next_step_fits_however_much_more_it_proves() -> None:
    assert standing("lead").step(["contact_established", "contract_sent"]) == "stage fits"
