"""The choice of the deal shows its reasons, and is careful."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.learned import Learned, Said
from agent.match import MARGIN, NAME_CAP, THRESHOLD, About, DealThen, match
from agent.model import Deal
from tests.core.builders import day, deal

SILO = deal("silo", "Grain silo, Whitby", "olive", number="Q-2291")
SIFTER = deal("sifter", "Flour sifter", "olive", "tom", number="Q-2305")
ABOUT = About(
    at=day("03-02"),
    said=Said(""),
    outside=frozenset({"olive@harbourmills.example"}),
    contact_ids=frozenset({"olive"}),
    owners=frozenset({"anna"}),
)


def then(*deals: Deal) -> list[DealThen]:
    return [DealThen(one, "harbour mills") for one in deals]


def reasons(about: About, deal_id: str) -> set[str]:
    """Why this deal: each reason, with what it stands on."""
    (candidate,) = [c for c in match(about, then(SILO, SIFTER)).candidates if c.deal_id == deal_id]
    return {f"{r.name}: {r.detail}" if r.detail else r.name for r in candidate.reasons}


def test_without_any_deal_there_is_nothing_to_choose() -> None:
    assert match(ABOUT, []).candidates == ()


def test_a_deal_that_ended_long_ago_is_no_candidate() -> None:
    ended = DealThen(SILO, "harbour mills", closed_at=day("01-10"))
    assert [c.deal_id for c in match(replace(ABOUT, at=day("04-10")), [ended]).candidates] == ["silo"]
    assert match(replace(ABOUT, at=day("06-10"), contact_ids=frozenset()), [ended]).candidates == ()


def test_every_candidate_shows_its_reasons() -> None:
    about = replace(ABOUT, said=Said("Q-2305: is the sifter for flour dust?"), thread={"silo": 1.0})
    assert reasons(about, "sifter") == {
        "number: 2305",
        "name: flour",
        "name, again: sifter",
        "contact: olive",
        "owner: anna",
    }
    assert reasons(about, "silo") == {"thread, other words", "contact: olive", "owner: anna"}


def test_a_colleague_of_another_deal_counts_against_this_one() -> None:
    about = replace(ABOUT, contact_ids=frozenset({"tom"}))
    assert "other contact: tom" in reasons(about, "silo")
    assert "contact: tom" in reasons(about, "sifter")


def test_a_score_is_the_sum_of_its_reasons() -> None:
    found = match(replace(ABOUT, said=Said("Q-2291 for Whitby")), then(SILO, SIFTER))
    for candidate in found.candidates:
        assert candidate.score == pytest.approx(sum(r.weight for r in candidate.reasons))


def test_a_deals_many_words_do_not_outweigh_everything() -> None:
    wordy = deal("wordy", "Oak beech birch maple cherry walnut veneer press")
    (candidate,) = match(replace(ABOUT, said=Said(wordy.name)), then(wordy)).candidates
    assert sum(r.weight for r in candidate.reasons if r.name.startswith("name")) == pytest.approx(NAME_CAP)


def test_what_is_shared_by_all_deals_tells_nothing_apart() -> None:
    hull, whitby = deal("hull", "Belt conveyor, Hull", "olive"), deal("whitby", "Belt conveyor, Whitby", "olive")
    assert match(replace(ABOUT, said=Said("belt conveyor")), then(hull, whitby)).ambiguous == ("hull", "whitby")


def test_the_file_names_words_count_like_the_letters() -> None:
    assert match(
        replace(ABOUT, said=Said("", attachments=("flour_sifter_drawing.pdf",))), then(SILO, SIFTER)
    ).deal_ids == ("sifter",)


_PIECE = st.sampled_from(
    ["silo", "sifter", "flour", "Whitby", "Q-2291", "2305", "grain", "please", "tomorrow", "thanks", "2026"]
)
_ABOUT = st.builds(
    lambda text, thread, people, owner: replace(
        ABOUT, said=Said(" ".join(text)), thread=thread, contact_ids=people, owners=owner
    ),
    st.lists(_PIECE, max_size=6),
    st.sampled_from([{}, {"silo": 1.0}, {"sifter": 1.0}, {"silo": 0.5, "sifter": 0.5}]),
    st.frozensets(st.sampled_from(["olive", "tom"])),
    st.frozensets(st.sampled_from(["anna", "boris"])),
)


@given(_ABOUT)
def test_the_deals_order_does_not_change_the_choice(about: About) -> None:
    assert match(about, then(SILO, SIFTER)) == match(about, then(SIFTER, SILO))


@given(_ABOUT)
def test_a_deal_is_chosen_only_above_the_threshold_and_with_a_margin(about: About) -> None:
    found = match(about, then(SILO, SIFTER))
    scores = {c.deal_id: c.score for c in found.candidates}
    assert not (found.deal_ids and found.ambiguous)
    assert all(scores[i] >= THRESHOLD for i in found.deal_ids)
    assert not found.ambiguous or max(scores[i] for i in found.ambiguous) >= THRESHOLD
    if len(found.deal_ids) == 1:
        (chosen,) = found.deal_ids
        assert all(
            scores[chosen] - score >= MARGIN for i, score in scores.items() if i != chosen and score >= THRESHOLD
        )


def test_a_deal_that_is_known_for_another_product_gives_way_to_one_that_is_known_for_none() -> None:
    unnamed = deal("unnamed", "untitled", "olive")
    about = replace(ABOUT, said=Said("Please price the hoist."), learned=Learned(products=frozenset({"silo", "hoist"})))
    silo, other = sorted(match(about, then(SILO, unnamed)).candidates, key=lambda c: c.deal_id)
    assert "other product" in {r.name for r in silo.reasons}
    assert "other product" not in {r.name for r in other.reasons}


def test_where_every_deal_is_known_for_another_product_none_gives_way() -> None:
    about = replace(ABOUT, said=Said("Please price the hoist."), learned=Learned(products=frozenset({"silo", "hoist"})))
    assert "other product" not in {r.name for c in match(about, then(SILO)).candidates for r in c.reasons}
