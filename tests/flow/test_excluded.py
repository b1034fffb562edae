"""Excluded means not stored: not a byte of it, in no table, no log and no file."""

from datetime import timedelta
from typing import Any

import pytest

from agent.store import sources
from agent.store.tables import activity, crm_activity, ledger, outbox, participant
from tests.flow.company import ANNA, BORIS, START, VERA, CompanyWorld, event, letter
from tests.flow.conftest import Founder

TELLTALE = (b"ubarb", b"zelda", b"secretive")  # of subject and body, of the address, of the domain

RULES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("address", {"addresses": ("zelda@secretive.example",)}, {}),
    ("domain", {"domains": ("secretive.example",)}, {}),
    ("label no-crm", {"labels": ("no-crm",)}, {"labels": ["No-CRM"]}),
]


def rhubarb(**more: Any) -> bytes:
    return letter("Zelda <zelda@secretive.example>", ANNA, "Rhubarb", "The rhubarb is ripe.", name="rhubarb", **more)


@pytest.mark.parametrize(("said", "rule", "where"), RULES)
def test_of_an_excluded_letter_not_a_byte_is_stored(
    world: CompanyWorld, said: str, rule: dict[str, Any], where: dict[str, Any]
) -> None:
    world.exclude(**rule)
    world.receive("anna", rhubarb(), **where)
    world.sync()
    assert [(row.outcome, row.reason) for row in world.table(ledger)] == [("excluded", said)]
    assert world.rows("message") == []
    assert not any(word in world.bytes_on_disk() for word in TELLTALE)


def test_a_domain_is_excluded_with_all_that_is_below_it(world: CompanyWorld) -> None:
    world.exclude(domains=("secretive.example",))
    world.receive("anna", letter("zelda@mail.secretive.example", ANNA, "Rhubarb", "The rhubarb is ripe."))
    world.receive("anna", letter("iris@notsecretive.example", ANNA, "Currants", "The currants are ripe."))
    world.sync()
    assert [row.outcome for row in world.table(ledger)] == ["excluded", None]
    assert b"ubarb" not in world.bytes_on_disk()


def test_somebody_excluded_who_only_stands_in_copy_keeps_the_letter_out(world: CompanyWorld) -> None:
    world.exclude(addresses=("zelda@secretive.example",))
    world.receive("anna", letter(VERA, ANNA, "Rhubarb", "The rhubarb is ripe.", cc=("zelda@secretive.example",)))
    world.sync()
    assert [row.reason for row in world.table(ledger)] == ["address"]
    assert not any(word in world.bytes_on_disk() for word in TELLTALE)


def test_an_excluded_folder_is_not_even_looked_into(world: CompanyWorld) -> None:
    world.exclude(folders=("private",))
    world.receive("anna", rhubarb(), folder="Private")
    world.sync()
    assert world.table(ledger) == []
    assert not any(word in world.bytes_on_disk() for word in TELLTALE)
    assert world.prove("anna").holds


def test_a_private_event_leaves_nothing(found: Founder) -> None:
    world = found(calendars=("anna-calendar",))
    text = event("one", "Rhubarb", START, guests=("zelda@secretive.example", VERA), lines=["CLASS:PRIVATE"])
    world.enter("anna-calendar", "one", text)
    world.sync()
    assert [(row.outcome, row.reason) for row in world.table(ledger)] == [("excluded", "private")]
    assert world.rows("meeting") == []
    assert not any(word in world.bytes_on_disk() for word in TELLTALE)


def test_an_event_that_becomes_private_is_taken_back(found: Founder) -> None:
    world = found(calendars=("anna-calendar",))
    guests = ("zelda@secretive.example", VERA)
    world.enter("anna-calendar", "one", event("one", "Rhubarb", START, guests=guests))
    world.sync()
    assert world.meeting("one")["outcome"] == "logged"
    private = event("one", "Rhubarb", START, guests=guests, lines=["CLASS:PRIVATE"], sequence=1)
    world.enter("anna-calendar", "one", private)
    world.sync()
    assert_nothing_is_left(world)


def test_a_letter_that_gets_the_excluded_label_is_taken_back_when_it_is_seen_again(world: CompanyWorld) -> None:
    raw = letter(VERA, (ANNA, "zelda@secretive.example"), "Rhubarb", "The rhubarb is ripe.")
    world.receive("anna", raw, labels=["no-crm"])
    world.exclude(labels=())
    world.sync()
    assert len(world.table(crm_activity)) == 1
    world.exclude(labels=("no-crm",))
    see_again(world)
    assert_nothing_is_left(world)


@pytest.mark.parametrize("rule", [{"addresses": ("zelda@secretive.example",)}, {"domains": ("secretive.example",)}])
def test_who_is_excluded_later_is_taken_back_at_the_next_sync(world: CompanyWorld, rule: dict[str, Any]) -> None:
    world.receive("anna", letter(VERA, (ANNA, "zelda@secretive.example"), "Rhubarb", "The rhubarb is ripe."))
    world.sync()
    assert len(world.table(crm_activity)) == 1
    world.exclude(**rule)
    world.sync()
    assert_nothing_is_left(world)


def test_a_folder_that_is_excluded_later_is_taken_back(world: CompanyWorld) -> None:
    world.receive("anna", letter(VERA, (ANNA, "zelda@secretive.example"), "Rhubarb", "It is ripe."), folder="Private")
    world.sync()
    world.exclude(folders=("private",))
    world.sync()
    assert_nothing_is_left(world)


@pytest.mark.parametrize("sender", ["zelda@secretive.example", "zelda.secretive@gmail.com"])
def test_a_stranger_who_is_excluded_later_leaves_nothing(world: CompanyWorld, sender: str) -> None:
    world.receive("anna", letter(sender, ANNA, "Rhubarb", "The rhubarb is ripe."))
    world.sync()
    assert len(world.rows("message")) == 1
    world.exclude(addresses=(sender,))
    world.sync()
    assert [row.outcome for row in world.table(ledger)] == ["excluded"]
    assert tables_that_tell(world) == []


def test_a_letter_that_another_mailbox_shows_stays(world: CompanyWorld) -> None:
    raw = letter(VERA, (ANNA, BORIS), "Freezer room", "When do you deliver?", name="when", at=START + timedelta(days=1))
    world.receive("anna", raw, labels=["no-crm"])
    world.receive("boris", raw)
    world.sync()
    assert world.message("when")["sources"] == ["boris"]
    assert world.message("when")["outcome"] == "logged"


def test_an_exclusion_that_is_lifted_lets_the_letter_in_when_it_is_seen_again(world: CompanyWorld) -> None:
    world.exclude(domains=("harbour.example",))
    world.receive("anna", letter(VERA, ANNA, "Freezer room", "When do you deliver?", name="when"))
    world.sync()
    assert world.rows("message") == []
    world.exclude(labels=())
    see_again(world)
    assert world.message("when")["outcome"] == "logged"


def see_again(world: CompanyWorld) -> None:
    """The source is listed anew, as after `sync --since`."""
    with world.store.transaction() as tx:
        sources.save(tx, "anna", cursor=None)
    world.sync()


def assert_nothing_is_left(world: CompanyWorld) -> None:
    """The rule stands in the ledger; text and addresses stand nowhere, and the CRM no longer shows it."""
    assert [row.outcome for row in world.table(ledger)] == ["excluded"]
    assert world.table(activity) == world.table(participant) == []
    assert [row.removed for row in world.table(crm_activity)] == [True]
    assert tables_that_tell(world) == []
    assert {row.state for row in world.table(outbox)} == {"written"}


def tables_that_tell(world: CompanyWorld) -> list[str]:
    return [table for table, rows in world.dump().items() if any(word in repr(rows).encode() for word in TELLTALE)]
