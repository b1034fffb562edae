"""Whatever dies when, and whatever the CRM answers: every letter is in the CRM once, and nothing is written twice."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import connectors
from agent.collect import collect
from agent.deliver import deliver
from agent.errors import Retry
from agent.flow import Flow, open_crm
from agent.store.tables import crm_activity, outbox, reading
from agent.sync import digest, pull
from connectors.crm.memory import Failure
from tests.flow.company import MEMORY, OLEG, START, VERA, CompanyWorld, fill, in_batches, letter
from tests.flow.mortal import FATE, MortalCrm, MortalStore, MortalWorkers, survives
from tests.flow.story import Post, story

Death = tuple[str, int]
MOMENTS = 20  # of a step with one letter in hand, at most
STEPS = ("pull", "collect anna", "collect boris", "digest", "deliver")
DEATHS = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 50)), min_size=3, max_size=6
)  # in which step, at which moment
FAILURES: st.SearchStrategy[list[Failure]] = st.lists(st.sampled_from(["busy", "broken", "lost"]), max_size=8)
QUICK = settings(
    max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(autouse=True)
def _mortal_mailboxes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connectors.MAILBOXES, "mortal", "tests.flow.mortal:MortalMailbox")
    monkeypatch.setattr("agent.collect.STORED_TOGETHER", 3)


def mortal_world(folder: Path, *, hosted: bool, posts: Sequence[Post] | None = None) -> CompanyWorld:
    """The story, or other letters, to be read in batches of three by parts that may die."""
    world = CompanyWorld(folder, hosted=hosted)
    world.config = in_batches(world.config, 3, "mortal")
    world.store.close()
    world.store = MortalStore(world.config.store.url, FATE)
    if world.hosted is None:
        world.import_crm()
    else:
        fill(world.hosted)
    for post in story() if posts is None else posts:
        post.arrive(world)
    return world


def mortal_flow(world: CompanyWorld) -> Flow:
    crm = MortalCrm(world.hosted or open_crm(world.config, world.store), FATE)
    return world.flow(crm=crm, parsers=MortalWorkers(FATE), readers=MortalWorkers(FATE))


def run_once(world: CompanyWorld, dies_in: str = "", moment: int = 0) -> None:
    """One run, step by step in one thread, so that a death always strikes at the same place."""
    flow = mortal_flow(world)
    anna, boris = world.config.sources
    steps = (
        lambda: pull(flow),
        lambda: collect(flow, anna),
        lambda: collect(flow, boris),
        lambda: digest(flow),
        lambda: deliver(flow),
    )
    try:
        for name, step in zip(STEPS, steps, strict=True):
            if not survives(FATE, moment if name == dies_in else None, step):
                return
    except Retry as error:  # the CRM asks for patience
        world.clock.turn(error.after or 1)


def run_to_the_end(world: CompanyWorld) -> None:
    """Clean runs until the CRM has taken everything."""
    for _ in range(300):
        run_once(world)
        world.clock.turn(1)
        if {row.state for row in world.table(outbox)} == {"written"}:
            pull(world.flow())  # a hosted CRM tells what has become of its deals
            return
    raise AssertionError("the CRM never took everything")


@cache
def undisturbed(hosted: bool) -> list[str]:
    """What is known at the end when nothing dies and the CRM takes everything at once."""
    with TemporaryDirectory(dir=MEMORY) as folder:
        world = mortal_world(Path(folder), hosted=hosted)
        run_to_the_end(world)
        said = world.export()
        world.store.close()
    return said


def die_again_and_again(world: CompanyWorld, deaths: list[Death]) -> None:
    for step, moment in deaths:
        run_once(world, step, moment)
        world.clock.turn(1)
    run_to_the_end(world)


@pytest.mark.parametrize("hosted", [False, True])
def test_the_story_is_long_enough_to_die_in(tmp_path: Path, hosted: bool) -> None:
    world = mortal_world(tmp_path, hosted=hosted)
    before = FATE.moments
    run_to_the_end(world)
    assert FATE.moments - before > 100
    logged = {row["message_id"] for row in world.rows("message") if row["outcome"] == "logged"}
    assert len(logged) == 8
    assert {row["type"] for row in world.rows("objection")} >= {"price"}
    assert world.stages() != []
    world.store.close()


@pytest.mark.parametrize("hosted", [False, True])
def test_a_death_at_any_moment_of_any_step_loses_nothing_and_doubles_nothing(hosted: bool) -> None:
    """Each run has a new letter to bring all the way, and dies one moment later than the run before it."""
    with TemporaryDirectory(dir=MEMORY) as folder:
        world = mortal_world(Path(folder), hosted=hosted, posts=())
        for number, (step, moment) in enumerate(product(STEPS, range(MOMENTS))):
            sender, rep = (VERA, "anna") if number % 2 else (OLEG, "boris")
            text = f"When do you deliver number {number}?"
            at = START + timedelta(minutes=number)
            world.receive(rep, letter(sender, f"{rep}@ours.example", f"Order {number}", text, at=at))
            run_once(world, step, moment)
            world.clock.turn(5)
        run_to_the_end(world)
        logged = {row["key"] for row in world.rows("message") if row["outcome"] == "logged"}
        assert len(logged) == MOMENTS * len(STEPS)
        assert len(world.table(reading)) == len(logged)
        if hosted:
            assert_each_change_once(world)
        else:
            assert {row.key for row in world.table(crm_activity) if not row.removed} == logged
        world.store.close()


@QUICK
@given(deaths=DEATHS)
def test_whatever_dies_when_the_built_in_crm_holds_each_letter_once(deaths: list[Death]) -> None:
    with TemporaryDirectory(dir=MEMORY) as folder:
        world = mortal_world(Path(folder), hosted=False)
        die_again_and_again(world, deaths)
        assert world.export() == undisturbed(hosted=False)
        logged = {row["key"] for row in world.rows("message") if row["outcome"] == "logged"}
        assert {row.key for row in world.table(crm_activity) if not row.removed} == logged
        assert_order_of_needs({row.key: row.seq for row in world.table(outbox)}, world)
        world.store.close()


@QUICK
@given(deaths=DEATHS, failures=FAILURES)
def test_whatever_dies_when_and_whatever_it_answers_a_hosted_crm_holds_each_letter_once(
    deaths: list[Death], failures: list[Failure]
) -> None:
    with TemporaryDirectory(dir=MEMORY) as folder:
        world = mortal_world(Path(folder), hosted=True)
        assert world.hosted is not None
        for failure in failures:
            world.hosted.fail_next(failure)
        die_again_and_again(world, deaths)
        assert world.export() == undisturbed(hosted=True)
        assert_each_change_once(world)
        world.store.close()


def assert_each_change_once(world: CompanyWorld) -> None:
    """The CRM's own records: one for each letter, one mark for each change, each made after what it needs."""
    assert world.hosted is not None
    activities = Counter(record.body["activity"] for record in world.hosted.written("log_activity"))
    logged = {row["key"] for row in world.rows("message") if row["outcome"] == "logged"}
    assert activities == dict.fromkeys(logged, 1)
    marks = Counter(mark for record in world.hosted.records.values() for mark in record.marks)
    assert marks == {row.key: 1 for row in world.table(outbox)}
    made = {mark: int(record.id[1:]) for record in world.hosted.records.values() for mark in record.marks}
    assert_order_of_needs(made, world)


def assert_order_of_needs(made: dict[str, int], world: CompanyWorld) -> None:
    for row in world.table(outbox):
        for needed in row.needs:
            assert made[needed] <= made[row.key]
