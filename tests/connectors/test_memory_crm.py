"""The CRM in memory: it passes as a hosted one, and shows what people do in such a CRM."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from agent.errors import CursorExpired, NeedsHuman, Rejected, Retry
from agent.model import Change, Company, Contact, Deal, StageEvent
from connectors import load
from connectors.crm.memory import Failure, MemoryCrm, MemoryCrmOptions
from tests.connectors.crm_suite import (
    COMPANY,
    FACTS,
    START,
    HostedCrmSuite,
    answer_to,
    correct,
    log,
    move,
    objection,
    unlink,
    write,
    write_more,
)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class MemoryDesk:
    def __init__(self) -> None:
        self.crm = MemoryCrm(MemoryCrmOptions(requests_per_second=10_000))
        self.crm.add(*FACTS)

    def activities(self) -> list[tuple[str, tuple[str, ...]]]:
        shown = [stored.body for stored in self.crm.written("log_activity") if not stored.removed]
        return [(body["subject"], tuple(body["deal_ids"])) for body in shown]

    def stage(self, deal_id: str) -> tuple[str, str]:
        deal = self.crm.deal(deal_id)
        return deal.stage, deal.status

    def objections(self) -> list[tuple[str, str]]:
        shown = [stored.body for stored in self.crm.written("open_objection") if not stored.removed]
        return [(body["quote"], body.get("cause") or body["state"]) for body in shown]

    def moved(self) -> list[tuple[str, str, str]]:
        shown = [stored.body for stored in self.crm.written("move_stage")]
        return [(body["stage"], body["at"], body["quote"]) for body in shown]

    def fail_next(self, failure: Failure, after: float | None = None) -> None:
        self.crm.fail_next(failure, after)


class TestMemoryCrm(HostedCrmSuite):
    @pytest.fixture
    def desk(self) -> MemoryDesk:
        return MemoryDesk()


@pytest.fixture
def crm() -> MemoryCrm:
    return MemoryDesk().crm


def pulled(crm: MemoryCrm, cursor: str | None = None) -> list[Deal]:
    return [deal for part in crm.pull(cursor) for deal in part.deals]


def last_cursor(crm: MemoryCrm) -> str:
    return list(crm.pull(None))[-1].cursor


def test_our_own_move_is_not_handed_back_as_a_persons(crm: MemoryCrm) -> None:
    since = last_cursor(crm)
    write(crm, move("Proposal", 2))
    [deal] = pulled(crm, since)
    assert (deal.stage, deal.events) == ("Proposal", ())


def test_a_persons_move_is_handed_back_with_its_time(crm: MemoryCrm) -> None:
    since = last_cursor(crm)
    crm.move_stage("d-1", "Won", START + timedelta(hours=3))
    [deal] = pulled(crm, since)
    assert (deal.id, deal.stage, deal.status) == ("d-1", "Won", "won")
    assert deal.closed_at == START + timedelta(hours=3)
    assert deal.events == (StageEvent(stage="Won", date=START + timedelta(hours=3), by="human"),)


def test_a_person_may_move_a_deal_back_and_an_older_letter_does_not_move_it_again(crm: MemoryCrm) -> None:
    write(crm, move("Contract", 2))
    crm.move_stage("d-1", "First contact", START + timedelta(hours=4))
    write(crm, move("Proposal", 3))
    assert crm.deal("d-1").stage == "First contact"


def test_a_person_who_has_moved_a_deal_since_wins_when_our_move_turns_out_to_be_older(crm: MemoryCrm) -> None:
    offer = move("Proposal", 6)
    crm.move_stage("d-1", "First contact", START + timedelta(hours=4))
    write(crm, offer)
    assert crm.deal("d-1").stage == "Proposal"
    write_more(crm, correct(offer, 2, "the offer is attached"))
    assert crm.deal("d-1").stage == "First contact"


def test_a_deal_that_was_won_earlier_than_we_knew_is_closed_on_the_earlier_day(crm: MemoryCrm) -> None:
    paid = move("Won", 8)
    write(crm, paid, correct(paid, 6, "we have paid"))
    assert crm.deal("d-1").closed_at == START + timedelta(hours=6)


def test_a_deal_that_comes_with_a_persons_stage_is_not_moved_by_what_was_before(crm: MemoryCrm) -> None:
    given = StageEvent(stage="Contract", date=START + timedelta(hours=8), by="import")
    crm.add(replace(crm.deal("d-1"), events=(given,)))
    write(crm, move("Proposal", 3))
    assert crm.deal("d-1").stage == "First contact"


def test_a_stage_that_the_pipeline_does_not_have_is_refused(crm: MemoryCrm) -> None:
    with pytest.raises(Rejected, match="no stage Delivery"):
        crm.write(move("Delivery", 2), {})
    assert crm.written("move_stage") == []


def test_an_objection_on_a_deal_that_is_gone_is_refused(crm: MemoryCrm) -> None:
    with pytest.raises(Rejected, match="d-gone"):
        crm.write(objection("d-gone"), {})


def test_records_get_ids_of_the_crms_own_and_refer_to_each_other_by_them(crm: MemoryCrm) -> None:
    since = last_cursor(crm)
    company: dict[str, object] = {"id": "company:new.example", "name": "New", "domains": ["new.example"]}
    contact: dict[str, object] = {"id": "contact:olga@new.example", "name": "Olga", "emails": ["olga@new.example"]}
    deal: dict[str, object] = {
        "id": "deal:new.example:1",
        "name": "Offer for New",
        "owner": "u-anna",
        "pipeline": "Machines",
    }
    deal |= {"stage": "First contact", "status": "open", "created_at": START.isoformat()}
    changes = [
        Change(key="company:new.example", kind="create_company", subject="new.example", body=company),
        Change(
            key="contact:olga@new.example",
            kind="create_contact",
            subject="olga@new.example",
            needs=("company:new.example",),
            body=contact | {"company_id": "company:new.example"},
        ),
        Change(
            key="deal:new.example:1",
            kind="create_deal",
            subject="new.example",
            needs=("company:new.example", "contact:olga@new.example"),
            body=deal | {"company_id": "company:new.example", "contact_ids": ["contact:olga@new.example"]},
        ),
    ]
    company_id, contact_id, deal_id = write(crm, *changes)
    assert [crm.find(change.key) for change in changes] == [company_id, contact_id, deal_id]
    [facts] = crm.pull(since)
    assert facts.companies == (Company(id=company_id, name="New", domains=("new.example",), created_by="agent"),)
    assert [(each.id, each.company_id) for each in facts.contacts] == [(contact_id, company_id)]
    assert [(each.id, each.company_id, each.contact_ids) for each in facts.deals] == [
        (deal_id, company_id, (contact_id,))
    ]
    twice = crm.write(changes[0], {})
    assert twice != company_id


def test_what_a_person_deleted_is_found_no_more_and_can_be_logged_again(crm: MemoryCrm) -> None:
    [first] = write(crm, log("a-1"))
    crm.remove(first)
    assert crm.find("log:a-1") is None
    with pytest.raises(Rejected, match="not in the CRM any more"):
        crm.write(unlink("a-1", (), stays=False), {"log:a-1": first})
    with pytest.raises(Rejected, match="not in the CRM any more"):
        crm.write(answer_to(objection()), {objection().key: "m0"})
    again = crm.write(log("a-1", revision=1), {"log:a-1": first})
    assert crm.find("log:a-1:1") == again != first


def test_when_a_person_deletes_one_of_two_the_other_is_still_found(crm: MemoryCrm) -> None:
    first, second = crm.write(log("a-1"), {}), crm.write(log("a-1"), {})
    crm.remove(second)
    assert crm.find("log:a-1") == first


def test_only_two_requests_a_second_are_taken_and_the_third_is_told_when_to_come() -> None:
    clock = Clock()
    crm = MemoryCrm(now=clock)
    crm.write(log("a-1"), {})
    clock.time += 0.25
    assert crm.find("log:a-1")
    clock.time += 0.25
    with pytest.raises(Retry) as caught:
        crm.write(log("a-2"), {})
    assert caught.value.after == pytest.approx(0.5)
    assert len(crm.written("log_activity")) == 1
    clock.time += 0.5
    crm.write(log("a-2"), {})


def test_a_slow_crm_may_take_less_than_one_request_a_second() -> None:
    clock = Clock()
    crm = MemoryCrm(MemoryCrmOptions(requests_per_second=0.5), clock)
    crm.check()
    with pytest.raises(Retry) as caught:
        crm.check()
    assert caught.value.after == pytest.approx(2)
    with pytest.raises(ValidationError):
        MemoryCrmOptions(requests_per_second=0)


def test_many_facts_come_in_parts_and_a_pull_that_was_cut_goes_on_from_each() -> None:
    crm = MemoryCrm(MemoryCrmOptions(requests_per_second=10_000))
    people = [Contact(id=f"p-{number}", name=f"Person {number}") for number in range(250)]
    crm.add(COMPANY, *people)
    parts = list(crm.pull(None))
    assert [len(part.companies) + len(part.contacts) for part in parts] == [100, 100, 51]
    rest = [contact for part in crm.pull(parts[0].cursor) for contact in part.contacts]
    assert rest == people[99:]


def test_a_position_of_another_crm_asks_for_everything_anew(crm: MemoryCrm) -> None:
    for cursor in ("999999", "not ours", "-1"):
        with pytest.raises(CursorExpired):
            list(crm.pull(cursor))


def test_a_password_that_no_longer_holds_needs_a_human(crm: MemoryCrm) -> None:
    crm.fail_next("locked")
    with pytest.raises(NeedsHuman, match="connect it again"):
        crm.write(log("a-1"), {})
    assert crm.written("log_activity") == []


def test_the_connector_is_found_by_its_kind() -> None:
    assert load("crm", "memory") is MemoryCrm
