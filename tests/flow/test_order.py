"""What is known of a client does not depend on what arrived first."""

from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.collect import collect
from agent.store.tables import activity, reading, to_read
from agent.sync import read, understand
from agent.workers import InProcess
from tests.flow.company import ANNA, BORIS, CRM, MEMORY, SERVER, VERA, CompanyWorld, letter
from tests.flow.conftest import Founder
from tests.flow.story import Post, story

QUICK = settings(
    max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@cache
def all_at_once() -> list[str]:
    with TemporaryDirectory(dir=MEMORY) as folder:
        world = CompanyWorld(Path(folder))
        world.import_crm()
        for post in story():
            post.arrive(world)
        world.sync()
        said = world.export()
        world.store.close()
    return said


@QUICK
@given(data=st.data())
def test_letters_may_arrive_in_any_order_and_in_any_portions(data: st.DataObject) -> None:
    posts = data.draw(st.permutations(story()))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(posts) - 1), max_size=4)))
    with TemporaryDirectory(dir=MEMORY) as folder:
        world = CompanyWorld(Path(folder))
        world.import_crm()
        for begin, end in zip([0, *cuts], [*cuts, len(posts)], strict=True):
            deliver(world, posts[begin:end])
            world.sync()
        assert world.export() == all_at_once()
        world.store.close()


def deliver(world: CompanyWorld, posts: Sequence[Post]) -> None:
    for post in posts:
        post.arrive(world)


def test_month_by_month_gives_the_same_as_all_at_once(world: CompanyWorld) -> None:
    for post in story():
        post.arrive(world)
        world.sync()
    assert world.export() == all_at_once()


def test_a_mailbox_that_is_connected_later_gives_the_same(world: CompanyWorld) -> None:
    deliver(world, story())
    world.sync("boris")
    world.sync("anna")
    assert world.export() == all_at_once()


def test_nothing_is_said_of_a_client_while_half_of_his_letters_are_still_imported(world: CompanyWorld) -> None:
    deliver(world, story())
    collect(world.flow(), world.source("anna"))
    assert understand(world.flow(), fresh_only=True) == 0
    assert world.table(reading)
    assert understand(world.flow()) > 0
    world.receive("anna", letter(VERA, ANNA, "Freezer room", "Could you call me tomorrow?", name="new"))
    collect(world.flow(), world.source("anna"))
    assert understand(world.flow(), fresh_only=True) > 0


def test_a_company_that_is_entered_later_takes_the_place_of_the_one_that_we_had_made(found: Founder) -> None:
    world = CompanyWorld(found().folder / "late")
    deliver(world, story())
    world.sync()
    assert {row["id"] for row in world.rows("company")} == {"company:harbour.example", "company:mill.example"}
    for tables in (("reps", "pipelines"), ("companies",), ("contacts",), ("deals",)):
        world.import_crm({"as_of": CRM["as_of"]} | {table: CRM[table] for table in tables})
        world.sync()
    assert world.export() == all_at_once()
    world.store.close()


def test_a_deal_that_is_entered_a_week_after_its_first_letter_gets_it(world: CompanyWorld) -> None:
    rows: dict[str, Any] = deepcopy(CRM)
    late = [deal for deal in rows["deals"] if deal["id"] == "freezer"]
    rows["deals"].remove(late[0])
    other = CompanyWorld(world.folder / "late")
    other.import_crm(rows)
    deliver(other, story())
    other.sync()
    assert other.message("ask")["deal_ids"] == []
    other.import_crm(CRM)
    other.sync()
    assert other.message("ask")["deal_ids"] == ["freezer"]
    assert other.export() == all_at_once()
    other.store.close()


def test_a_better_copy_that_comes_while_the_first_is_read_is_read_too(world: CompanyWorld) -> None:
    asks = "Could you send us a quotation for a freezer room?"
    worse = letter(VERA, (ANNA, BORIS), "Freezer room", "Good morning! " + asks, name="ask")
    world.receive("anna", worse)
    collect(world.flow(), world.source("anna"))

    class Interrupted(InProcess):
        def run(self, function: str, items: Sequence[Any], *args: Any) -> list[Any]:
            world.receive("boris", letter(VERA, (ANNA, BORIS), "Freezer room", asks, name="ask"))
            collect(world.flow(), world.source("boris"))
            return super().run(function, items, *args)

    read(world.flow(readers=Interrupted()))
    assert len(world.table(to_read)) == 1
    world.sync()
    (row,) = world.table(activity)
    assert [one.content for one in world.table(reading)] == [row.content]
    assert world.stages() == ["qualified"]


def test_a_copy_that_is_no_bodys_business_does_not_hide_the_one_that_is(found: Founder) -> None:
    said = set()
    for order in ((0, 1), (1, 0)):
        world = found()
        raw = letter(VERA, "all@harbour.example", "Freezer room", "Which firm builds freezer rooms?", name="list")
        headers = b"List-Id: <builders.lists.example>\nPrecedence: list\n"
        for which in order:
            world.receive(("anna", "boris")[which], (raw, headers + raw)[which])
            world.sync()
        said.add((world.message("list")["outcome"], world.message("list")["reason"]))
    assert said == {("logged", None)}


def test_a_contact_that_is_entered_later_claims_his_letters_from_a_private_address(world: CompanyWorld) -> None:
    raw = letter("vera.made.up@gmail.com", ANNA, "Freezer room", "When can you install the freezer room?", name="home")
    world.receive("anna", raw)
    world.sync()
    assert world.message("home")["reason"] == "no_client"
    rows = deepcopy(CRM)
    rows["contacts"][0]["emails"].append("vera.made.up@gmail.com")
    world.import_crm(rows)
    world.sync()
    assert (world.message("home")["outcome"], world.message("home")["contact_ids"]) == ("logged", ["vera"])


def test_a_contact_that_is_entered_later_is_known_by_name_at_an_address_that_nobody_entered(found: Founder) -> None:
    world = CompanyWorld(found().folder / "late")
    signed = (("Authentication-Results", f"{SERVER}; dmarc=pass header.from=gmail.com"),)
    sender = "Vera Pole <pole.vera.made_up@gmail.com>"
    asks = letter(
        sender,
        ANNA,
        "Freezer",
        "Could you send us a quotation for a freezer room?",
        name="home",
        verdict="",
        headers=signed,
    )
    world.receive("anna", asks)
    nobody = [deal | {"contact_ids": []} for deal in CRM["deals"]]
    world.import_crm(CRM | {"contacts": CRM["contacts"][1:], "deals": nobody})
    world.sync()
    assert world.message("home")["reason"] == "no_client"
    world.import_crm()
    world.sync()
    assert (world.message("home")["outcome"], world.message("home")["contact_ids"]) == ("logged", ["vera"])
    assert (world.stages(), world.stages(state="proposed")) == ([], ["qualified"])  # anybody can call himself Vera
    namesake = {"id": "other", "name": "Pole, Vera", "emails": [], "company_id": "mill"}
    world.import_crm(CRM | {"contacts": [*CRM["contacts"], namesake]})
    world.sync()
    assert world.message("home")["reason"] == "no_client"  # which of the two?
    world.store.close()
