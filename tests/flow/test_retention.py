"""Words are kept for as long as the config says; what was said because of them stands."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agent.errors import NeedsHuman
from agent.replay import replay
from agent.retention import let_go_old_words
from agent.store import pending
from agent.store.tables import crm_activity, crm_objection, outbox, stage_event
from tests.flow.company import ANNA, BORIS, START, VERA, CompanyWorld, event, letter
from tests.flow.conftest import Founder
from tests.flow.story import story

WORDS = (
    b"room of 40 m2",
    b"plans of the hall",
    b"offer_4471",
    b"on site",
    b"too expensive",
    b"competitor asks",
    b"signed contract",
    b"three deck ovens",
    b"think about it",
)
NAMES = ("Freezer room", "Deck ovens")  # of deals: they are the CRM's own
YEARS = timedelta(days=3 * 365)


def told(world: CompanyWorld) -> CompanyWorld:
    for post in story():
        post.arrive(world)
    for folder in ("anna-calendar",):
        if any(c.name == folder for c in world.config.calendars):
            world.enter(
                folder, "visit", event("visit", "The freezer room, on site", START + timedelta(days=1, hours=3))
            )
    world.sync()
    world.clock.turn(3600)
    world.sync()  # a hosted CRM is read again after it was written
    return world


def years_later(world: CompanyWorld) -> int:
    world.clock.at = START + YEARS + timedelta(days=30)
    world.sync()
    return let_go_old_words(world.flow())


def gist(world: CompanyWorld) -> list[dict[str, Any]]:
    """What is exported, without its words."""
    rows = [json.loads(line) for line in world.export()]
    for row in rows:
        for name in ("quote", "reason", "condition", "closed_quote"):
            if row["kind"] not in ("message", "meeting"):
                row.pop(name, None)
        for turn in row.get("life", ()):
            turn.pop("quote")
    return sorted(rows, key=json.dumps)


def fold_all_again(world: CompanyWorld) -> int:
    with world.store.transaction() as tx:
        pending.mark_dirty(tx, ["company:harbour", "company:mill"])
    return world.sync()


def wordless_file(world: CompanyWorld) -> bytes:
    found = world.bytes_on_disk()
    for name in NAMES:
        found = found.replace(name.encode(), b"")
    return found.lower()


@pytest.fixture(params=[False, True], ids=["built-in CRM", "hosted CRM"])
def company(found: Founder, request: pytest.FixtureRequest) -> CompanyWorld:
    return told(found(calendars=("anna-calendar",), hosted=request.param))


def test_after_three_years_no_word_is_left_in_the_store(company: CompanyWorld) -> None:
    before = company.bytes_on_disk().lower()
    assert all(word in before for word in WORDS)
    assert years_later(company) > 8
    after = wordless_file(company)
    assert [word for word in WORDS if word in after] == []


def test_what_was_said_stands_and_only_its_words_are_gone(company: CompanyWorld) -> None:
    before = gist(company)
    years_later(company)
    assert gist(company) == before
    assert {row["quote"] for row in company.rows("stage") if row["by"] == "agent"} == {""}
    assert {(r["reason"], r["condition"], r["quote"]) for r in company.rows("objection")} == {(None, None, "")}


def test_a_client_that_is_folded_again_without_his_words_is_told_the_same(company: CompanyWorld) -> None:
    before = gist(company)
    written = len(company.table(outbox))
    years_later(company)
    assert fold_all_again(company) == 0
    assert fold_all_again(company) == 0
    assert gist(company) == before
    assert len(company.table(outbox)) == written


def test_a_new_reader_reads_no_letter_whose_words_are_gone(
    company: CompanyWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    years_later(company)
    before = gist(company)
    monkeypatch.setattr("agent.replay.version", lambda _: "another")
    assert replay(company.flow()) == []
    assert gist(company) == before


def test_letting_go_twice_changes_nothing(company: CompanyWorld) -> None:
    years_later(company)
    before = company.dump()
    assert let_go_old_words(company.flow()) == 0
    assert company.dump() == before


def test_the_built_in_crm_forgets_the_words_too(world: CompanyWorld) -> None:
    told(world)
    years_later(world)
    assert {(r.subject, r.excerpt) for r in world.table(crm_activity)} == {("", "")}
    assert {r.quote for r in world.table(stage_event) if r.by == "agent"} == {""}
    assert {(r.reason, r.condition, r.quote) for r in world.table(crm_objection)} == {(None, None, "")}


def test_younger_words_stay(world: CompanyWorld) -> None:
    told(world)
    world.clock.at = START + YEARS + timedelta(days=3, hours=1)
    assert let_go_old_words(world.flow()) == 3  # the letters of the first three days
    subjects = {r.key: r.subject for r in world.table(crm_activity)}
    assert subjects[world.message("ask")["key"]] == ""
    assert subjects[world.message("order")["key"]] == "Re: Freezer room"
    assert any("too expensive" in r["quote"] for r in world.rows("objection"))


@pytest.mark.parametrize("days", range(1, 11))
def test_whatever_part_of_a_story_has_lost_its_words_nothing_is_taken_back(world: CompanyWorld, days: int) -> None:
    told(world)
    before = gist(world)
    world.clock.at = START + YEARS + timedelta(days=days, hours=1)
    assert let_go_old_words(world.flow()) > 0
    assert fold_all_again(world) == 0
    assert gist(world) == before
    world.clock.turn(86_400)
    let_go_old_words(world.flow())
    assert fold_all_again(world) == 0
    assert gist(world) == before


def test_a_new_letter_of_an_old_client_is_logged_and_moves_his_deal_on(world: CompanyWorld) -> None:
    told(world)
    years_later(world)
    before = world.stages()
    paid = letter(
        VERA,
        ANNA,
        "Re: Freezer room",
        "We have paid your invoice today.",
        at=world.clock(),
        name="paid",
        answers="order",
    )
    world.receive("anna", paid)
    assert world.sync() > 0
    assert world.message("paid")["deal_ids"] == ["freezer"]
    assert world.stages() == [*before, "won"]


def test_a_copy_that_turns_up_later_brings_no_words_back(world: CompanyWorld) -> None:
    told(world)
    years_later(world)
    for post in story():
        world.receive("boris", post.raw, folder="Archive")
    assert world.sync() == 0
    let_go_old_words(world.flow())
    after = wordless_file(world)
    assert [word for word in WORDS if word in after] == []


def test_what_still_waits_for_the_crm_keeps_its_words_until_it_is_there(found: Founder) -> None:
    world = found(hosted=True)
    assert world.hosted is not None
    world.receive("anna", letter(VERA, (ANNA, BORIS), "Freezer room", "When do you deliver the freezer?", name="ask"))
    world.clock.at = START + YEARS + timedelta(days=30)
    world.hosted.fail_next("locked")
    with pytest.raises(NeedsHuman):
        world.sync()
    assert let_go_old_words(world.flow()) == 0
    world.clock.turn(3600)
    world.sync()
    assert let_go_old_words(world.flow()) == 1
    (logged,) = world.hosted.written("log_activity")
    assert logged.body["excerpt"] == "When do you deliver the freezer?"


def test_forever_is_forever(world: CompanyWorld) -> None:
    told(world)
    kept = world.config.retention.model_copy(update={"text": None})
    world.config = msgspec.structs.replace(world.config, retention=kept)
    assert years_later(world) == 0
    assert b"too expensive" in world.bytes_on_disk()
