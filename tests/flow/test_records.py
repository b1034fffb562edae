"""New contacts, companies and deals on their way into the built-in CRM and into a hosted one."""

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent import status
from agent.model import Company, Contact
from agent.store import records
from agent.store.tables import outbox
from tests.flow.company import ANNA, BORIS, CRM, OLEG, START, VERA, CompanyWorld, letter, replace
from tests.flow.conftest import Founder

PIA, IVO = "pia.lund@lundboats.example", "ivo.dahl@lundboats.example"
ASKS = "Could you send us a quotation for two boat cradles?\n\n-- \nPia Lund\nHead of Purchasing\nLund Boats Ltd"
HOUR = timedelta(hours=1)

hosted_or_not = pytest.mark.parametrize("hosted", [False, True], ids=["built-in", "hosted"])


def asked(world: CompanyWorld) -> None:
    """Somebody whom nobody knows asks for an offer, and Anna answers."""
    world.receive("anna", letter(PIA, ANNA, "Boat cradles", ASKS, name="cradles"))
    answer = letter(ANNA, PIA, "Re: Boat cradles", "Gladly. How wide are they?", name="wide", answers="cradles")
    world.send("anna", at_later(answer, 1))


def at_later(raw: bytes, days: float) -> bytes:
    """The same letter, some days later."""
    before, _, after = raw.partition(b"Date: ")
    _, newline, rest = after.partition(b"\n")
    when = (START + timedelta(days=days)).strftime("%a, %d %b %Y %H:%M:%S +0000").encode()
    return before + b"Date: " + when + newline + rest


def creating(world: CompanyWorld, create_deals: str) -> CompanyWorld:
    (pipeline,) = world.config.pipelines
    world.config = replace(world.config, pipelines=(replace(pipeline, create_deals=create_deals),))
    return world


def made(world: CompanyWorld, kind: str) -> list[dict[str, Any]]:
    return [row for row in world.rows(kind) if row["created_by"] == "agent"]


@hosted_or_not
def test_a_new_client_stands_in_the_crm_after_one_sync_with_all_his_letters(found: Founder, hosted: bool) -> None:
    world = found(hosted=hosted)
    asked(world)
    world.sync()
    (company,), (contact,) = made(world, "company"), made(world, "contact")
    assert (company["name"], company["domains"]) == ("Lund Boats Ltd", ["lundboats.example"])
    assert (contact["name"], contact["title"], contact["emails"]) == ("Pia Lund", "Head of Purchasing", [PIA])
    assert contact["company_id"] == company["id"]
    for name in ("cradles", "wide"):
        told = world.message(name)
        assert (told["outcome"], told["company_id"], told["contact_ids"]) == ("logged", company["id"], [contact["id"]])
    if world.hosted is not None:
        assert {f.name for f in world.hosted.facts.values() if isinstance(f, Company)} >= {"Lund Boats Ltd"}
        logged = world.hosted.written("log_activity")
        assert [stored.body["company_id"] for stored in logged] == [company["id"]] * 2


@hosted_or_not
def test_the_next_sync_makes_nobody_again(found: Founder, hosted: bool) -> None:
    world = found(hosted=hosted)
    asked(world)
    world.sync()
    before = world.export()
    world.clock.turn(10)
    assert world.sync() == 0
    assert world.export() == before


@hosted_or_not
def test_a_deal_is_opened_for_the_request_and_goes_on_by_its_letters(found: Founder, hosted: bool) -> None:
    world = creating(found(hosted=hosted), "auto")
    asked(world)
    world.sync()
    (deal,) = made(world, "deal")
    assert (deal["name"], deal["owner"], deal["pipeline"]) == ("Boat cradles", "anna", "New business")
    assert deal["company_id"] == made(world, "company")[0]["id"]
    assert deal["contact_ids"] == [made(world, "contact")[0]["id"]]
    assert world.message("cradles")["deal_ids"] == world.message("wide")["deal_ids"] == [deal["id"]]
    assert world.stages(deal["id"])[-1] == "qualified"
    world.clock.turn(10)
    world.sync()
    assert world.deal(deal["id"])["stage"] == "qualified"


def test_by_default_the_deal_is_proposed_with_the_words_that_ask_for_it(world: CompanyWorld) -> None:
    asked(world)
    world.sync()
    assert made(world, "deal") == []
    with world.store.reading() as tx:
        (proposal,) = records.proposed(tx)
    assert proposal.evidence == world.message("cradles")["key"]
    assert "quotation for two boat cradles" in proposal.quote
    assert (proposal.name, proposal.body["owner"], proposal.body["stage"]) == ("Boat cradles", "anna", "lead")
    assert 'create_deals = "propose"' in proposal.why


def test_whoever_may_not_write_records_makes_none_and_proposes_none(world: CompanyWorld) -> None:
    world.config = replace(world.config, crm=replace(world.config.crm, write=frozenset({"activities", "stages"})))
    asked(world)
    world.receive("boris", letter(OLEG, BORIS, "Ovens", "Please send us an offer for a dough mixer.", name="mixer"))
    world.sync()
    assert made(world, "contact") == made(world, "company") == []
    assert world.message("cradles")["reason"] == "no_client"
    with world.store.reading() as tx:
        assert records.proposed(tx) == []


@hosted_or_not
def test_what_is_above_the_hourly_cap_waits_is_told_and_goes_on_by_itself(found: Founder, hosted: bool) -> None:
    world = found(hosted=hosted)
    world.config = replace(world.config, crm=replace(world.config.crm, records_per_hour=1))
    asked(world)
    world.sync()
    assert [row["name"] for row in made(world, "company")] == ["Lund Boats Ltd"]
    assert made(world, "contact") == []
    assert "records_per_hour" in "\n".join(told(world).problems)
    world.clock.turn(HOUR.total_seconds() + 1)
    world.sync()
    assert [row["name"] for row in made(world, "contact")] == ["Pia Lund"]
    assert "records_per_hour" not in "\n".join(told(world).problems)


def test_an_admin_who_raises_the_cap_need_not_wait(world: CompanyWorld) -> None:
    world.config = replace(world.config, crm=replace(world.config.crm, records_per_hour=1))
    asked(world)
    world.sync()
    world.config = replace(world.config, crm=replace(world.config.crm, records_per_hour=10))
    world.sync()
    assert [row["name"] for row in made(world, "contact")] == ["Pia Lund"]


def told(world: CompanyWorld) -> status.Status:
    with world.store.reading() as tx:
        return status.look(tx, world.config, world.clock())


def test_a_record_that_waits_is_not_made_when_a_person_enters_it_first(found: Founder) -> None:
    world = found(hosted=True)
    assert world.hosted is not None
    world.config = replace(world.config, crm=replace(world.config.crm, records_per_hour=1))
    world.receive("boris", letter("new@harbour.example", BORIS, "Doors", "I have taken over from Vera.", name="new"))
    world.send("boris", letter(BORIS, "new@harbour.example", "Re: Doors", "Welcome!", name="hello", answers="new"))
    asked(world)
    world.sync()
    lund = Company(id="c-7", name="Lund Boats", domains=("lundboats.example",))
    world.hosted.add(lund, Contact(id="p-7", name="Pia L.", emails=(PIA,), company_id="c-7"))
    world.clock.turn(2 * HOUR.total_seconds())
    world.sync()
    emails = [email for f in world.hosted.facts.values() if isinstance(f, Contact) for email in f.emails]
    domains = [domain for f in world.hosted.facts.values() if isinstance(f, Company) for domain in f.domains]
    assert emails.count(PIA) == domains.count("lundboats.example") == 1
    assert world.message("cradles")["contact_ids"] == ["p-7"]


@hosted_or_not
def test_a_person_who_enters_the_same_client_later_has_him_once(found: Founder, hosted: bool) -> None:
    world = creating(found(hosted=hosted), "auto")
    asked(world)
    world.sync()
    world.clock.turn(10)
    company = {"id": "c-7", "name": "Lund Boats", "domains": ["lundboats.example"]}
    contact = {"id": "p-7", "name": "Pia L.", "emails": [PIA], "company_id": "c-7"}
    if world.hosted is not None:
        world.hosted.add(Company(id="c-7", name="Lund Boats", domains=("lundboats.example",)))
        world.hosted.add(Contact(id="p-7", name="Pia L.", emails=(PIA,), company_id="c-7"))
    else:
        rows = deepcopy(CRM)
        world.import_crm(rows | {"companies": [*rows["companies"], company], "contacts": [*rows["contacts"], contact]})
    world.sync()
    assert made(world, "company") == made(world, "contact") == []
    told = world.message("cradles")
    assert (told["company_id"], told["contact_ids"]) == ("c-7", ["p-7"])
    (deal,) = made(world, "deal")
    assert (deal["company_id"], deal["contact_ids"]) == ("c-7", ["p-7"])
    world.clock.turn(10)
    assert world.sync() == 0


def test_a_company_that_the_crm_refuses_holds_back_its_people_and_nothing_else(found: Founder) -> None:
    world = found(hosted=True)
    assert world.hosted is not None
    asked(world)
    world.hosted.fail_next("rejected")
    world.sync()
    world.clock.turn(10)
    world.receive("boris", letter(OLEG, BORIS, "Ovens", "When do you deliver?", name="when"))
    world.sync()
    states = {row.kind: row.state for row in world.table(outbox)}
    assert states == {"create_company": "rejected", "create_contact": "pending", "log_activity": "written"}
    assert "company:lundboats.example" in "\n".join(told(world).problems)


def test_an_unknown_colleague_joins_the_deal_and_becomes_a_contact_when_he_has_written(world: CompanyWorld) -> None:
    world.receive("anna", letter(VERA, ANNA, "Freezer room", "Kim is in copy.", name="ask", cc=["kim@harbour.example"]))
    reply = letter(ANNA, VERA, "Re: Freezer room", "Hello Kim.", name="hi", answers="ask", cc=["kim@harbour.example"])
    world.send("anna", reply)
    world.sync()
    assert made(world, "contact") == []
    answer = "The freezer room's ceiling is 4 m high."
    world.receive("anna", letter("Kim Holt <kim@harbour.example>", ANNA, "Re: Freezer room", answer, answers="hi"))
    world.sync()
    (contact,) = made(world, "contact")
    assert (contact["name"], contact["company_id"]) == ("Kim Holt", "harbour")
    assert made(world, "company") == made(world, "deal") == []
    assert {tuple(row["deal_ids"]) for row in world.rows("message")} == {("freezer",)}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(6)), syncs=st.sets(st.integers(0, 5)))
def test_whatever_arrives_first_the_same_people_and_deals_are_made(
    found: Founder, order: list[int], syncs: set[int]
) -> None:
    """The letters arrive in any order, with a sync after some of them."""
    world = creating(found(), "auto")
    for place, number in enumerate(order):
        box, raw = POST[number]
        post(world, box, raw)
        if place in syncs:
            world.sync()
    world.sync()
    again = creating(found(), "auto")
    for box, raw in POST:
        post(again, box, raw)
    again.sync()
    assert [_plain(row) for row in world.rows("message")] == [_plain(row) for row in again.rows("message")]
    for kind in ("company", "contact", "deal"):
        assert world.rows(kind) == again.rows(kind)


def post(world: CompanyWorld, box: str, raw: bytes) -> None:
    ours = b"From: anna@" in raw or b"From: boris@" in raw
    (world.send if ours else world.receive)(box, raw)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "sources"}


POST = [
    ("anna", letter(PIA, ANNA, "Boat cradles", ASKS, name="cradles")),
    (
        "anna",
        at_later(letter(ANNA, PIA, "Re: Boat cradles", "How wide?", name="wide", answers="cradles", cc=[IVO]), 1),
    ),
    ("anna", at_later(letter(f"Ivo Dahl <{IVO}>", ANNA, "Re: Boat cradles", "3.40 m.", name="m", answers="wide"), 2)),
    (
        "boris",
        at_later(letter(OLEG, BORIS, "Ovens", "When do you deliver the deck ovens?", name="when"), 3),
    ),
    (
        "boris",
        at_later(letter(BORIS, "Kim Holt <kim@mill.example>", "Deck ovens", "They come on Monday.", name="mon"), 4),
    ),
    (
        "boris",
        at_later(
            letter("Kim Holt <kim@mill.example>", BORIS, "Re: Deck ovens", "Fine.", answers="mon", name="fine"), 5
        ),
    ),
]


@hosted_or_not
def test_the_letters_of_a_new_client_are_written_once_with_all_that_is_new(found: Founder, hosted: bool) -> None:
    world = creating(found(hosted=hosted), "auto")
    asked(world)
    world.sync()
    (deal,), (contact,) = made(world, "deal"), made(world, "contact")
    logged = [row.body for row in world.table(outbox) if row.kind == "log_activity"]
    assert [(body["contact_ids"], body["deal_ids"]) for body in logged] == [([contact["id"]], [deal["id"]])] * 2
