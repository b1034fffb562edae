"""The funnel and the objections, as a head of sales reads them."""

from collections.abc import Sequence

import pytest

from agent.model import Deal, Pipeline, StageMove
from agent.reports import Book, Entered, FunnelRow, Work, funnel
from agent.stuck_report import stuck
from tests.core.builders import day, deal, pipeline


def book(
    *deals: Deal,
    entered: Sequence[tuple[str, str, str]] = (),
    proposed: Sequence[tuple[str, str]] = (),
    wrote: Sequence[tuple[str, str, str]] = (),
) -> Book:
    """`entered`: (day, deal, stage); `proposed`: (deal, stage); `wrote`: (day, deal, rep, or "" for the client)."""
    moves = [
        StageMove(
            key=f"stage:{deal_id}:{stage}:1",
            deal_id=deal_id,
            stage=stage,
            date=day("03-02"),
            state="proposed",
            evidence="letter",
            quote="paid",
            milestone="payment_confirmed",
        )
        for deal_id, stage in proposed
    ]
    return Book(
        deals={one.id: one for one in deals},
        reps={},
        entered=[Entered(deal_id, stage, day(on), "agent") for on, deal_id, stage in sorted(entered)],
        proposed=moves,
        objections=[],
        work=[
            Work(deal_id, "message", day(on), frozenset({rep} if rep else ()), from_client=not rep)
            for on, deal_id, rep in wrote
        ],
    )


KILN, SILO, OVEN = deal("kiln", "Kiln"), deal("silo", "Silo"), deal("oven", "Oven", owner="boris")
YEAR = book(
    KILN,
    SILO,
    OVEN,
    entered=[
        ("02-01", "kiln", "contact"),
        ("02-05", "kiln", "proposal"),
        ("02-15", "kiln", "contract"),
        ("02-02", "silo", "contact"),
        ("02-12", "silo", "proposal"),
        ("03-12", "silo", "lost"),
        ("02-03", "oven", "contact"),
    ],
    proposed=[("kiln", "won")],
)


def row(stage: str, owner: str | None, of: Book = YEAR) -> FunnelRow:
    (found,) = [r for r in funnel(of, [pipeline()]) if (r.stage, r.owner) == (stage, owner)]
    return found


def test_a_manager_who_opens_well_and_closes_badly_shows_at_each_stage() -> None:
    assert (row("contact", "anna").entered, row("contact", "anna").moved_on) == (2, 2)
    assert (row("proposal", "anna").entered, row("proposal", "anna").moved_on) == (2, 1)
    assert row("proposal", "anna").conversion == pytest.approx(0.5)
    assert (row("contact", "boris").entered, row("contact", "boris").moved_on) == (1, 0)


def test_all_managers_together_come_before_each_of_them() -> None:
    assert [r.owner for r in funnel(YEAR, [pipeline()]) if r.stage == "contact"] == [None, "anna", "boris"]
    assert row("contact", None).entered == 3


def test_where_a_deal_stands_now_is_counted_once() -> None:
    here = {r.stage: r.here for r in funnel(YEAR, [pipeline()]) if r.owner is None}
    assert here == {"contact": 1, "proposal": 0, "contract": 1, "won": 0, "lost": 1}


def test_losing_a_deal_is_no_progress_and_an_end_has_no_conversion() -> None:
    assert row("proposal", "anna").moved_on == 1
    assert row("lost", "anna").conversion is None


def test_how_long_a_stage_takes_is_the_middle_one_of_those_that_left_it() -> None:
    assert row("contact", "anna").median_days == pytest.approx(7.0)  # four days and ten
    assert row("contract", "anna").median_days is None


def test_what_waits_for_a_person_is_shown_at_its_stage() -> None:
    assert (row("won", "anna").entered, row("won", "anna").proposed) == (0, 1)


def test_the_same_stage_told_twice_in_a_row_is_one_stay() -> None:
    told = book(
        KILN, entered=[("02-01", "kiln", "contact"), ("02-04", "kiln", "contact"), ("02-11", "kiln", "proposal")]
    )
    assert row("contact", "anna", told).median_days == pytest.approx(10.0)


def test_a_deal_that_went_back_and_forth_entered_once() -> None:
    told = book(
        KILN,
        entered=[
            ("02-01", "kiln", "proposal"),
            ("02-03", "kiln", "on_hold"),
            ("03-03", "kiln", "proposal"),
            ("03-05", "kiln", "negotiation"),
        ],
    )
    assert (row("proposal", "anna", told).entered, row("proposal", "anna", told).moved_on) == (1, 1)
    assert row("on_hold", "anna", told).moved_on == 1
    assert row("proposal", "anna", told).median_days == pytest.approx(2.0)


def test_stages_stand_in_the_funnels_order_and_unused_ones_are_left_out() -> None:
    stages = list(dict.fromkeys(r.stage for r in funnel(YEAR, [pipeline()])))
    assert stages == ["contact", "proposal", "contract", "won", "lost"]


def test_a_funnel_shows_only_its_own_deals() -> None:
    assert funnel(YEAR, [Pipeline(name="Service plans", stages=pipeline().stages)]) == []


def test_without_deals_there_is_no_funnel() -> None:
    assert funnel(book(), [pipeline()]) == []


HELPED = book(
    KILN,
    entered=[("02-01", "kiln", "contact"), ("02-05", "kiln", "proposal"), ("02-15", "kiln", "contract")],
    wrote=[("02-03", "kiln", "boris"), ("02-05", "kiln", "boris"), ("02-10", "kiln", ""), ("02-15", "kiln", "carla")],
)


def test_a_deal_counts_for_whoever_wrote_while_it_stood_there_and_not_for_its_owner() -> None:
    owners = {r.stage: r.owner for r in funnel(HELPED, [pipeline()]) if r.owner}
    assert owners == {"contact": "boris", "proposal": "carla", "contract": "carla"}


def test_where_nobody_has_written_yet_the_deal_is_in_the_hands_that_had_it_before() -> None:
    assert (row("contract", "carla", HELPED).here, row("contact", None, HELPED).entered) == (1, 1)


def test_a_deal_that_two_have_in_hand_counts_for_both_and_once_for_all() -> None:
    both = book(
        KILN, entered=[("02-01", "kiln", "contact")], wrote=[("02-03", "kiln", "anna"), ("02-04", "kiln", "boris")]
    )
    assert [(r.owner, r.entered) for r in funnel(both, [pipeline()])] == [(None, 1), ("anna", 1), ("boris", 1)]


def test_a_deal_is_stuck_when_the_client_is_silent_however_much_we_write() -> None:
    told = book(
        KILN,
        SILO,
        entered=[("02-01", "kiln", "proposal"), ("02-01", "silo", "proposal")],
        wrote=[("02-03", "kiln", ""), ("02-20", "kiln", "anna"), ("02-19", "silo", "")],
    )
    rows = stuck(told, [pipeline()], 14, day("02-21"))
    assert [(r.deal_id, r.days, r.last_ours) for r in rows] == [("kiln", 18, day("02-20"))]
    (all_together,) = [r for r in funnel(told, [pipeline()], {r.deal_id for r in rows}) if r.owner is None]
    assert (all_together.here, all_together.stuck) == (2, 1)
