"""The objections at each stage, as a head of sales reads them."""

from agent.model import Deal, ObjectionLife
from agent.objection_report import ObjectionCount, objection_report
from agent.reports import Book
from tests.core.builders import day, deal, pipeline

KILN, OVEN = deal("kiln", "Kiln"), deal("oven", "Oven", owner="boris")


def raised(
    deal_id: str, stage: str, type_: str, on: str, state: str = "open", *, cause: str = "", condition: str | None = None
) -> ObjectionLife:
    return ObjectionLife(
        key=f"objection:{deal_id}:{on}:{type_}",
        deal_id=deal_id,
        activity=on,
        message_id=None,
        stage=stage,
        type=type_,
        genuine=type_ != "other",
        reason="44 a brick" if type_ != "other" else None,
        condition=condition,
        quote="44 a brick",
        state="closed" if cause else state,  # type: ignore[arg-type]
        cause=cause,  # type: ignore[arg-type]
        opened=day(on),
    )


def book(*objections: ObjectionLife, deals: tuple[Deal, ...] = (KILN, OVEN)) -> Book:
    return Book(deals={d.id: d for d in deals}, reps={}, entered=[], proposed=[], objections=list(objections))


SPRING = book(
    raised("kiln", "contract", "legal", "02-20"),
    raised("kiln", "proposal", "price", "02-01", cause="met", condition="make it 35"),
    raised("oven", "proposal", "price", "02-08", condition="four per cent off"),
    raised("oven", "proposal", "trust", "02-10", "answered"),
    raised("kiln", "proposal", "other", "02-12"),
    raised("kiln", "handed over to Hull", "other", "02-13"),
)


def count(stage: str, type_: str, owner: str | None = None) -> ObjectionCount:
    counts = objection_report(SPRING, [pipeline()]).counts
    (found,) = [c for c in counts if (c.stage, c.type, c.owner) == (stage, type_, owner)]
    return found


def test_objections_stand_by_stage_and_the_open_ones_first() -> None:
    rows = objection_report(SPRING, [pipeline()]).objections
    assert [(r.stage, r.objection.type, r.owner, r.deal) for r in rows] == [
        ("handed over to Hull", "other", "anna", "Kiln"),
        ("proposal", "price", "boris", "Oven"),
        ("proposal", "other", "anna", "Kiln"),
        ("proposal", "trust", "boris", "Oven"),
        ("proposal", "price", "anna", "Kiln"),
        ("contract", "legal", "anna", "Kiln"),
    ]


def test_real_and_stalling_ones_are_counted_apart() -> None:
    assert (count("proposal", "price").real, count("proposal", "price").stalling) == (2, 0)
    assert (count("proposal", "other").real, count("proposal", "other").stalling) == (0, 1)


def test_it_shows_under_which_conditions_clients_would_buy_and_which_were_granted() -> None:
    both = count("proposal", "price")
    assert (both.conditions_open, both.conditions_met) == (1, 1)
    assert (both.open, both.met) == (1, 1)


def test_each_manager_has_his_own_counts() -> None:
    anna, boris = count("proposal", "price", "anna"), count("proposal", "price", "boris")
    assert (anna.met, anna.conditions_open) == (1, 0)
    assert (boris.met, boris.conditions_open) == (0, 1)


def test_the_most_frequent_type_of_a_stage_comes_first() -> None:
    counts = objection_report(SPRING, [pipeline()]).counts
    here = [c.type for c in counts if c.stage == "proposal" and c.owner is None]
    assert here == ["price", "other", "trust"]


def test_an_objection_of_a_deal_that_the_crm_no_longer_has_is_left_out() -> None:
    gone = book(raised("kiln", "proposal", "price", "02-01"), deals=())
    assert objection_report(gone, [pipeline()]).objections == []
