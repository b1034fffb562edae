"""Hostile letters in a mailbox: every ordinary letter beside them is logged, and the program lives."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent import status
from agent.sync import sync
from agent.workers import READING, ProcessPool
from tests.flow.company import CompanyWorld
from tests.hostile import mailbox
from tests.hostile.letters import HOSTILE, letter


class Pools(ProcessPool):
    """Real worker processes for parsing and reading; the parser may have holes."""

    def __init__(self, parse: str = "") -> None:
        super().__init__(2)
        self._parse = parse
        self.readers = ProcessPool(1, work=READING)

    def run(self, function: str, items: Sequence[Any], *args: Any) -> list[Any]:
        return super().run(self._parse or function, items, *args)

    def close(self) -> None:
        super().close()
        self.readers.close()


@contextmanager
def pools(parse: str = "") -> Iterator[Pools]:
    made = Pools(parse)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[CompanyWorld]:
    made = CompanyWorld(tmp_path / "company")
    made.import_crm()
    yield made
    made.store.close()


def run(world: CompanyWorld, workers: Pools) -> None:
    sync(world.flow(parsers=workers, readers=workers.readers), world.config.sources)


def logged(world: CompanyWorld) -> set[str]:
    return {row["message_id"] for row in world.rows("message") if row["outcome"] == "logged"}


def good_ones(count: int) -> set[str]:
    return {f"<good.{number}@letters.example>" for number in range(count)}


def test_there_are_sixty_four_hostile_letters() -> None:
    assert len(HOSTILE) == 64


@pytest.mark.parametrize("good", [60, pytest.param(mailbox.GOOD, marks=pytest.mark.long)])
def test_every_ordinary_letter_among_hostile_ones_is_logged(world: CompanyWorld, tmp_path: Path, good: int) -> None:
    letters = mailbox.among(mailbox.ordinary(good), mailbox.hostile())
    mailbox.fill(tmp_path / "mail", letters)
    mailbox.read_from(world, tmp_path / "mail")
    with pools() as workers:
        run(world, workers)
    assert logged(world) >= good_ones(good)
    rows = world.rows("message")
    assert len(rows) == len(letters)
    assert [row for row in rows if row["outcome"] == "quarantined"] == []
    assert world.prove("anna").holds
    for text in world.export():
        assert not any(sign in text for sign in "\x00\x07\x1b\x7f\x9b\u202e\u2066")


def test_what_cannot_be_read_is_put_aside_and_named_and_a_repair_reads_it_once_it_can(
    world: CompanyWorld, tmp_path: Path
) -> None:
    place = tmp_path / "mail"
    killing = letter(b"x", "text/plain", ("X-Kills", b"yes"))(900)
    raising = letter(b"x", "text/plain", ("X-Raises", b"yes"))(901)
    mailbox.fill(place, mailbox.among(mailbox.ordinary(20), [killing, raising]))
    outside = tmp_path / "secret"
    outside.write_bytes(letter()(902))
    link = place / "cur" / "1772450000.M900P1.made:2,S"
    link.symlink_to(outside)
    os.mkfifo(place / "cur" / "1772450001.M901P1.made:2,S")
    mailbox.read_from(world, place)
    with pools("tests.flow.killers:fragile") as workers:
        run(world, workers)
    assert logged(world) == good_ones(20)
    put_aside = {row["reason"] for row in world.rows("message") if row["outcome"] == "quarantined"}
    assert put_aside == {
        "killed its worker (exit code 9)",
        "RecursionError: too deep",
        "it is a link that leads out of the mailbox",
        "it is no file",
    }
    with world.store.reading() as tx:
        told = status.look(tx, world.config, world.clock()).problems
    assert any(line.startswith("4 items could not be read") for line in told)
    assert any(line.startswith("anna: INBOX|") and line.endswith("killed its worker (exit code 9)") for line in told)

    link.unlink()
    link.write_bytes(outside.read_bytes())
    assert world.prove("anna", repair=True).holds
    world.sync()
    left = [row["reason"] for row in world.rows("message") if row["outcome"] == "quarantined"]
    assert left == ["it is no file"]
    assert logged(world) == good_ones(20) | {f"<hostile-{n}@harbour.example>" for n in (900, 901, 902)}
