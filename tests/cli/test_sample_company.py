"""What the commands make of the sample company is what examples/company/expected.json says is right."""

import json
from collections import Counter
from functools import cache
from typing import Any

import pytest

from agent import config
from tests.cli.conftest import COMPANY

Row = dict[str, Any]

# What the reader does not see in the words of these letters; each goes where a letter without an opinion goes.
NOT_SEEN_THROUGH = {
    "<197EA724FBA027B3048181F0@EX02.redfern-copper.example>": ("waiting", "no_client"),  # a supplier's new price
    "<61316221541777438843@mail.skladskoy-ryad.example>": ("waiting", "no_client"),  # the landlord's new rent
    "<E4EF8CE2-080D-CF02-F6E4-ED34A3947135@brightcatch.example>": ("logged", None),  # a quiz evening with a client
}


@cache
def expected() -> dict[str, dict[str, Row]]:
    found: dict[str, dict[str, Row]] = json.loads((COMPANY / "expected.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="session")
def letters(exported: list[Row]) -> dict[str, Row]:
    """Message-ID -> what was made of the letter."""
    return {r["message_id"]: r for r in exported if r["kind"] == "message"}


@pytest.fixture(scope="session")
def meetings(exported: list[Row]) -> dict[str, list[Row]]:
    """UID -> its meetings."""
    rows = [r for r in exported if r["kind"] == "meeting"]
    return {uid: [r for r in rows if r["uid"] == uid] for uid in {r["uid"] for r in rows}}


@pytest.fixture(scope="session")
def stages(exported: list[Row]) -> list[Row]:
    return [r for r in exported if r["kind"] == "stage" and r["by"] == "agent"]


# -- every letter and meeting has its outcome -----------------------------------------------------------------------


def test_every_letter_is_there_once_and_ended_as_it_should(exported: list[Row], letters: dict[str, Row]) -> None:
    assert Counter(r["kind"] for r in exported)["message"] == len(expected()["messages"])
    assert letters.keys() == expected()["messages"].keys()
    for message_id, truth in expected()["messages"].items():
        right = {(truth["outcome"], truth["reason"]), NOT_SEEN_THROUGH.get(message_id)}
        found = letters[message_id]
        assert (found["outcome"], found["reason"]) in right, message_id


def test_every_meeting_is_there_once_and_ended_as_it_should(meetings: dict[str, list[Row]]) -> None:
    for uid, truth in expected()["meetings"].items():
        found = meetings.get(uid, [])
        if truth["outcome"] == "excluded":
            assert found == [], "of a private event nothing at all is kept"
            continue
        assert {(r["outcome"], r["reason"]) for r in found} == {(truth["outcome"], truth["reason"])}, uid
        assert len(found) == len(truth["instances"]), uid


def test_a_letter_that_stands_in_both_mailboxes_is_one_letter_of_both(letters: dict[str, Row]) -> None:
    for message_id, truth in expected()["messages"].items():
        assert letters[message_id]["sources"] == truth["sources"], message_id


def test_it_is_known_who_really_sent_a_letter(letters: dict[str, Row]) -> None:
    for message_id, truth in expected()["messages"].items():
        assert letters[message_id]["verified"] == truth["verified"], message_id


def test_every_logged_letter_is_at_its_client_and_his_people(letters: dict[str, Row]) -> None:
    for message_id, truth in expected()["messages"].items():
        if truth["outcome"] == "logged":
            found = letters[message_id]
            assert (found["company_id"], found["contact_ids"]) == (truth["company_id"], truth["contact_ids"])


# -- the right deal, or none ------------------------------------------------------------------------------------------


def _links(letters: dict[str, Row], meetings: dict[str, list[Row]]) -> list[tuple[str, set[str], Row]]:
    """(letter or meeting, deals that were linked, the truth)"""
    of_letters = [(i, set(letters[i]["deal_ids"]), truth) for i, truth in expected()["messages"].items()]
    of_meetings = [
        (uid, set(r["deal_ids"]), truth) for uid, truth in expected()["meetings"].items() for r in meetings.get(uid, [])
    ]
    return of_letters + of_meetings


def test_no_letter_and_no_meeting_is_linked_to_a_wrong_deal(
    letters: dict[str, Row], meetings: dict[str, list[Row]]
) -> None:
    for name, linked, truth in _links(letters, meetings):
        if name not in NOT_SEEN_THROUGH:
            assert linked <= set(truth["deal_ids"]), name


def test_hardly_a_link_is_missing(letters: dict[str, Row], meetings: dict[str, list[Row]]) -> None:
    wanted = missing = 0
    for _, linked, truth in _links(letters, meetings):
        if not truth.get("no_deal_is_right_too"):
            wanted += len(truth["deal_ids"])
            missing += len(set(truth["deal_ids"]) - linked)
    assert wanted > 80
    assert missing <= 2


def test_the_letter_that_fits_two_deals_is_left_between_them(letters: dict[str, Row]) -> None:
    for message_id, truth in expected()["messages"].items():
        assert set(letters[message_id]["ambiguous"]) == set(truth["ambiguous"]), message_id


# -- stages and objections --------------------------------------------------------------------------------------------


def test_no_deal_is_won_or_lost_without_a_person_and_none_is_written_so_wrongly(stages: list[Row]) -> None:
    ends = {
        s.name for p in config.load(COMPANY / "config.toml").pipelines for s in p.stages if s.kind in ("won", "lost")
    }
    assert ends == {"won", "lost"}
    assert not [r for r in stages if r["stage"] in ends and r["state"] == "written"]


def test_most_stages_of_the_ten_deals_are_found_with_the_words_that_prove_them(stages: list[Row]) -> None:
    way = {(deal_id, s["stage"]) for deal_id, truth in expected()["deals"].items() for s in truth["stages"]}
    found = {(r["deal_id"], r["stage"]) for r in stages}
    assert len(way & found) >= 27
    assert len(found - way) <= 6
    assert all(r["evidence"] and r["quote"] for r in stages)


def test_most_objections_are_found_and_real_ones_are_kept_apart_from_stalling(exported: list[Row]) -> None:
    found = [r for r in exported if r["kind"] == "objection"]
    hits = 0
    for message_id, truth in expected()["messages"].items():
        said = {(r["type"], r["genuine"]) for r in found if r["message_id"] == message_id}
        hits += sum(any((t, o["genuine"]) in said for t in (o["type"], *o["also_ok"])) for o in truth["objections"])
    assert hits >= 8
    assert len(found) - hits <= 8
    assert {r["genuine"] for r in found} == {True, False}
