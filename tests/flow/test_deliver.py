"""A hosted CRM that refuses, is too busy or wants a person: the rest goes on, and what waits is told."""

from datetime import timedelta

import pytest

from agent import status
from agent.collect import collect
from agent.deliver import CrmUnreachable, deliver
from agent.errors import NeedsHuman
from agent.reconcile import CrmProof, prove_crm
from agent.store.tables import outbox
from agent.sync import digest, pull
from tests.flow.company import ANNA, BORIS, OLEG, VERA, CompanyWorld, letter, replace
from tests.flow.conftest import Founder

OFFER = "Please find attached our offer for the freezer room."


@pytest.fixture
def world(found: Founder) -> CompanyWorld:
    """A company with a hosted CRM; two letters, and the move that one of them proves, wait to be written."""
    made = found(hosted=True)
    made.send("anna", letter(ANNA, VERA, "Freezer room", OFFER, name="offer", attachment="Offer_4471.pdf"))
    made.receive("boris", letter(OLEG, BORIS, "Ovens", "When do you deliver?", name="when"))
    flow = made.flow()
    pull(flow)
    for source in made.config.sources:
        collect(flow, source)
    digest(flow)
    made.clock.turn(10)
    return made


def states(world: CompanyWorld) -> dict[str, str]:
    """What became of each change, by its kind and the deal or letter's name."""
    names = {world.message(name)["key"]: name for name in ("offer", "when")}
    return {f"{row.kind} {names.get(row.subject, row.subject)}": row.state for row in world.table(outbox)}


def deliver_all(world: CompanyWorld) -> None:
    flow = world.flow()
    for _ in range(20):
        try:
            deliver(flow)
            return
        except CrmUnreachable as error:
            world.clock.turn(error.after or 700)
    raise AssertionError("the CRM never took everything")


def test_a_refused_change_does_not_block_the_others(world: CompanyWorld) -> None:
    assert world.hosted is not None
    world.hosted.fail_next("rejected")
    deliver_all(world)
    assert states(world) == {
        "log_activity offer": "rejected",
        "move_stage deal:freezer": "pending",
        "log_activity when": "written",
    }


def test_what_depends_on_a_refused_change_waits_and_is_named_in_the_status(world: CompanyWorld) -> None:
    assert world.hosted is not None
    world.hosted.fail_next("rejected")
    deliver_all(world)
    with world.store.reading() as tx:
        seen = status.look(tx, world.config, world.clock())
    assert not seen.green
    told = "\n".join(seen.problems)
    assert world.message("offer")["key"] in told
    assert "422" in told
    assert "stage:freezer:proposal:1" in told
    world.clock.turn(10)
    assert not prove_crm(world.flow()).holds


def test_a_crm_that_names_a_time_is_not_asked_before(world: CompanyWorld) -> None:
    assert world.hosted is not None
    world.hosted.fail_next("busy", 90)
    flow = world.flow()
    with pytest.raises(CrmUnreachable) as busy:
        deliver(flow)
    assert busy.value.after == 90
    first = world.table(outbox)[0]
    assert (first.state, first.next_try) == ("pending", world.clock() + timedelta(seconds=90))
    world.clock.turn(89)
    deliver(flow)
    assert world.table(outbox)[0].state == "pending"
    world.clock.turn(1)
    deliver(flow)
    assert {row.state for row in world.table(outbox)} == {"written"}


def test_a_lost_answer_is_asked_for_and_not_written_twice(world: CompanyWorld) -> None:
    assert world.hosted is not None
    world.hosted.fail_next("lost")
    deliver_all(world)
    assert {row.state for row in world.table(outbox)} == {"written"}
    assert len(world.hosted.written("log_activity")) == 2


def test_a_locked_crm_waits_for_a_person_and_loses_nothing(world: CompanyWorld) -> None:
    assert world.hosted is not None
    world.hosted.fail_next("locked")
    with pytest.raises(NeedsHuman, match="connect it again"):
        deliver(world.flow())
    assert {row.state for row in world.table(outbox)} <= {"pending", "sending"}
    world.clock.turn(700)
    deliver_all(world)
    assert {row.state for row in world.table(outbox)} == {"written"}
    assert len(world.hosted.written("log_activity")) == 2


def test_only_what_may_be_written_is_written(found: Founder) -> None:
    world = found()
    world.config = replace(world.config, crm=replace(world.config.crm, write=frozenset({"activities"})))
    world.send("anna", letter(ANNA, VERA, "Freezer room", OFFER, name="offer", attachment="Offer_4471.pdf"))
    world.sync()
    assert {row.kind for row in world.table(outbox)} == {"log_activity"}


def test_an_activity_that_somebody_deleted_in_the_crm_is_found_missing(world: CompanyWorld) -> None:
    assert world.hosted is not None
    deliver_all(world)
    proof = prove_at_leisure(world)
    assert (proof.logged, proof.missing, proof.holds) == (2, (), True)
    (record,) = [r for r in world.hosted.written("log_activity") if r.body["activity"] == world.message("when")["key"]]
    world.hosted.remove(record.id)
    assert prove_at_leisure(world).missing == (world.message("when")["key"],)


def prove_at_leisure(world: CompanyWorld) -> CrmProof:
    world.clock.turn(10)
    return prove_crm(world.flow())


def test_the_proof_asks_a_busy_crm_in_the_rhythm_that_it_allows(world: CompanyWorld) -> None:
    for number in range(4):
        world.receive("boris", letter(OLEG, BORIS, "Ovens", f"And the {number} doors?", name=f"more{number}"))
    flow = world.flow()
    for source in world.config.sources:
        collect(flow, source)
    digest(flow)
    deliver_all(world)
    rests: list[float] = []

    def rest(seconds: float) -> None:
        rests.append(seconds)
        world.clock.turn(seconds)

    flow.rest = rest
    assert prove_crm(flow).holds
    assert rests, "two requests a second: six questions cannot come at once"
