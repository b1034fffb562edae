"""A letter that kills, hangs or breaks its worker is put aside, and the next ones go on."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from agent import status
from agent.collect import take_up
from agent.flow import open_source
from agent.store.tables import ledger, quarantine
from agent.workers import Poison, ProcessPool
from tests.flow.company import ANNA, START, VERA, CompanyWorld, letter


class FragileParsers(ProcessPool):
    """Real worker processes, whose parser has holes."""

    def run(self, function: str, items: Sequence[Any], *args: Any) -> list[Any]:
        return super().run("tests.flow.killers:fragile", items, *args)


@pytest.fixture
def parsers() -> Iterator[FragileParsers]:
    made = FragileParsers(1, seconds=3)
    yield made
    made.close()


def test_letters_that_kill_their_worker_are_put_aside_and_the_next_ones_go_on(
    world: CompanyWorld, parsers: FragileParsers
) -> None:
    world.parsers = parsers
    for name, header in (("one", "X-Is"), ("kills", "X-Kills"), ("two", "X-Is"), ("raises", "X-Raises")):
        raw = letter(VERA, ANNA, "Freezer room", f"This is {name}.", name=name, headers=[(header, "yes")])
        world.receive("anna", raw)
    world.sync()
    assert world.message("one")["outcome"] == world.message("two")["outcome"] == "logged"
    put_aside = [row for row in world.rows("message") if row["outcome"] == "quarantined"]
    assert [row["reason"].partition(" (")[0] for row in put_aside] == ["killed its worker", "RecursionError: too deep"]
    assert [b"X-" in row.raw for row in world.table(quarantine)] == [True, True]
    with world.store.reading() as tx:
        assert "2 items could not be read" in "\n".join(status.look(tx, world.config, world.clock()).problems)
    assert world.prove("anna").holds
    assert world.sync() == 0
    assert len(world.table(ledger)) == 4


def test_a_letter_on_which_a_worker_hangs_is_given_up() -> None:
    pool = ProcessPool(1, seconds=1)
    try:
        answers = pool.run("tests.flow.sleepers:slow", ["quick", "hangs", "quick"])
    finally:
        pool.close()
    assert answers == ["done", Poison("not finished after 1 s"), "done"]


def test_a_letter_on_which_a_worker_works_for_good_is_given_up_by_its_work_and_not_by_the_clock() -> None:
    pool = ProcessPool(1, work=1, seconds=120)
    began = time.monotonic()
    try:
        answers = pool.run("tests.flow.sleepers:busy", ["quick", "works", "quick"])
        again = pool.run("tests.flow.sleepers:busy", ["quick"] * 50)
    finally:
        pool.close()
    assert answers == ["done", Poison("not finished after 1 s of work"), "done"]
    assert again == ["done"] * 50
    assert time.monotonic() - began < 100


def test_a_quarantined_letter_that_can_be_read_after_all_is_taken_up(
    world: CompanyWorld, parsers: FragileParsers
) -> None:
    ref = world.receive("anna", letter(VERA, ANNA, "Freezer room", "When?", name="when", headers=[("X-Kills", "1")]))
    sound, world.parsers = world.parsers, parsers
    world.sync()
    assert [row["outcome"] for row in world.rows("message")] == ["quarantined"]
    world.parsers = sound
    source = world.source("anna")
    opened = open_source(world.config, source, START, world.clock())
    assert take_up(world.flow(), source, opened, [ref]) == 1
    world.sync()
    assert [row["outcome"] for row in world.rows("message")] == ["logged"]
    assert world.table(quarantine) == []


def test_the_bytes_of_a_letter_that_nobody_could_read_go_after_a_month_and_its_row_stays(
    world: CompanyWorld, parsers: FragileParsers
) -> None:
    world.receive("anna", letter(VERA, ANNA, "Freezer room", "When?", name="when", headers=[("X-Kills", "1")]))
    world.parsers = parsers
    world.sync()
    assert b"X-Kills" in world.table(quarantine)[0].raw
    world.clock.turn(31 * 86_400)
    world.prove("anna")
    assert [row.raw for row in world.table(quarantine)] == [b""]
    assert [row["outcome"] for row in world.rows("message")] == ["quarantined"]
