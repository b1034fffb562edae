"""What every CRM must do; a connector's test file inherits a suite and gives it a `desk`.

`CrmSuite` is for all, `HostedCrmSuite` for those that are reached over a line: they refuse, break off, and know no key
of ours by which they would take a record only once.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest

from agent.errors import OutcomeUnknown, Rejected, Retry
from agent.model import Change, Company, Contact, Deal, Pipeline, Rep, Stage
from connectors.base import Crm, Facts

START = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)
PIPELINE = Pipeline(
    name="Machines",
    stages=(Stage(name="First contact"), Stage(name="Proposal"), Stage(name="Contract"), Stage(name="Won", kind="won")),
)
REP = Rep(id="u-anna", name="Anna Example", email="anna@vendor.example")
COMPANY = Company(id="c-1", name="Client Ltd", domains=("client.example",))
CONTACT = Contact(id="p-1", name="Ivan", emails=("ivan@client.example",), company_id="c-1")
DEALS = tuple(
    Deal(
        id=deal_id,
        name=f"Machine {deal_id}",
        company_id="c-1",
        contact_ids=("p-1",),
        owner="u-anna",
        pipeline="Machines",
        stage="First contact",
        status="open",
        created_at=START - timedelta(days=30),
    )
    for deal_id in ("d-1", "d-2")
)
FACTS: tuple[Pipeline | Rep | Company | Contact | Deal, ...] = (PIPELINE, REP, COMPANY, CONTACT, *DEALS)


class Desk(Protocol):
    """A CRM that holds FACTS, and what a person at his desk sees in it."""

    crm: Crm

    def activities(self) -> list[tuple[str, tuple[str, ...]]]:
        """Every activity shown: its subject and the deals it stands on."""

    def stage(self, deal_id: str) -> tuple[str, str]:
        """The deal's stage and status."""

    def objections(self) -> list[tuple[str, str]]:
        """Every objection shown: its quote and its state, or for what it was closed."""

    def moved(self) -> list[tuple[str, str, str]]:
        """Every stage that we gave: which, when (RFC 3339, UTC), and the quote."""


class HostedDesk(Desk, Protocol):
    """... with what befalls a hosted CRM."""

    def fail_next(self, failure: str, after: float | None = None) -> None:
        """busy (429), broken (500, not applied), lost (applied, no answer), rejected (4xx)."""


def at(hours: int) -> str:
    return (START + timedelta(hours=hours)).isoformat()


def log(activity: str, deals: tuple[str, ...] = ("d-1",), revision: int = 0) -> Change:
    return Change(
        key=f"log:{activity}:{revision}" if revision else f"log:{activity}",
        kind="log_activity",
        subject=activity,
        needs=(f"log:{activity}",) if revision else (),
        body={
            "activity": activity,
            "kind": "message",
            "at": at(1),
            "subject": f"About {activity}",
            "direction": "inbound",
            "owners": ["u-anna"],
            "company_id": "c-1",
            "contact_ids": ["p-1"],
            "deal_ids": list(deals),
            "excerpt": "Please send us an offer",
            "reasons": ["one open deal"],
        },
    )


def unlink(activity: str, deals: tuple[str, ...], *, stays: bool) -> Change:
    body = {"activity": activity, "deal_ids": list(deals), "stays": stays}
    return Change(key=f"unlink:{activity}:1", kind="unlink", subject=activity, needs=(f"log:{activity}",), body=body)


def move(stage: str, hours: int, deal_id: str = "d-1") -> Change:
    body = {"deal_id": deal_id, "stage": stage, "at": at(hours), "milestone": "proposal_sent", "quote": "our offer"}
    rest = {"evidence": "a-1", "by": "rules"}
    return Change(key=f"move:{deal_id}:{stage}", kind="move_stage", subject=f"deal:{deal_id}", body={**body, **rest})


def correct(move: Change, hours: int, quote: str) -> Change:
    body = {**move.body, "change": move.key, "at": at(hours), "quote": quote, "evidence": "a-0"}
    return Change(
        key=f"{move.key}:corrected:1", kind="correct_move", subject=move.subject, needs=(move.key,), body=body
    )


def withdraw(move: Change, stands: str | None) -> Change:
    body = {"deal_id": move.body["deal_id"], "move": move.key, "from": move.body["stage"], "stage": stands}
    rest = {"why": "taken back by a person"}
    key = f"withdraw:{move.key}:1"
    return Change(key=key, kind="withdraw_stage", subject=move.subject, needs=(move.key,), body={**body, **rest})


def objection(deal_id: str = "d-1") -> Change:
    key = f"objection:{deal_id}:a-1"
    words = {"type": "price", "genuine": False, "reason": None, "condition": None, "quote": "too expensive"}
    where = {"objection": key, "deal_id": deal_id, "activity": "a-1", "stage": "Proposal", "at": at(2), "state": "open"}
    return Change(key=key, kind="open_objection", subject=key, body={**where, **words})


def _later(opened: Change, kind: Any, name: str, **news: object) -> Change:
    body = {"objection": opened.key, **news}
    return Change(key=f"{opened.key}:{name}:1", kind=kind, subject=opened.key, needs=(opened.key,), body=body)


def explained(opened: Change) -> Change:
    """The client has named his reason, and we have answered."""
    news = {"genuine": True, "reason": "over our budget", "quote": "it is over our budget", "state": "answered"}
    return _later(opened, "update_objection", "update", **{**opened.body, **news})


def answer_to(opened: Change) -> Change:
    end = {"state": "closed", "closed": at(9), "cause": "dropped", "closed_by": "a-2", "closed_quote": "it is settled"}
    return _later(opened, "close_objection", "dropped", **end)


def reopened(opened: Change) -> Change:
    ended = dict.fromkeys(("closed", "cause", "closed_by", "closed_quote"))
    return _later(opened, "update_objection", "again", **{**opened.body, "state": "open", **ended})


def removed(opened: Change) -> Change:
    return _later(opened, "remove_objection", "remove")


def write(crm: Crm, *changes: Change) -> list[str]:
    """Write these in turn, each with the ids of what went before, as the outbox does."""
    remote: dict[str, str] = {}
    for change in changes:
        remote[change.key] = crm.write(change, {key: remote[key] for key in change.needs})
    return list(remote.values())


def write_more(crm: Crm, *changes: Change) -> None:
    """Write these, which need what was written before."""
    for change in changes:
        crm.write(change, {key: str(crm.find(key)) for key in change.needs})


class CrmSuite:
    """What every CRM must do."""

    @pytest.fixture
    def desk(self) -> Desk:
        raise NotImplementedError("the inheriting class gives a CRM that holds FACTS")

    def test_it_takes_activities_objections_stages_and_records(self, desk: Desk) -> None:
        assert desk.crm.capabilities() <= {"activities", "objections", "stages", "records", "handoffs"}
        assert "activities" in desk.crm.capabilities()

    def test_check_says_what_was_found(self, desk: Desk) -> None:
        found = desk.crm.check()
        assert found
        assert all(finding.level != "problem" for finding in found)

    def test_what_was_written_is_found_by_its_key(self, desk: Desk) -> None:
        changes = [log("a-1"), move("Proposal", 2), objection(), answer_to(objection())]
        ids = write(desk.crm, *changes)
        assert all(ids)
        assert [desk.crm.find(change.key) for change in changes] == ids

    def test_what_was_never_written_is_not_found(self, desk: Desk) -> None:
        write(desk.crm, log("a-1"))
        assert desk.crm.find("log:a-2") is None
        assert desk.crm.find("log:a") is None  # the beginning of a key is not the key
        assert desk.crm.find("") is None

    def test_a_letter_stands_on_its_deals(self, desk: Desk) -> None:
        write(desk.crm, log("a-1", ("d-1", "d-2")), log("a-2", ()))
        assert desk.activities() == [("About a-1", ("d-1", "d-2")), ("About a-2", ())]

    def test_a_letter_that_turns_out_to_belong_elsewhere_stays_one_record(self, desk: Desk) -> None:
        write(desk.crm, log("a-1", ("d-1",)), log("a-1", ("d-2",), revision=1))
        assert desk.activities() == [("About a-1", ("d-2",))]
        assert desk.crm.find("log:a-1:1") == desk.crm.find("log:a-1")

    def test_a_letter_is_taken_off_a_deal_and_stays_on_the_other(self, desk: Desk) -> None:
        write(desk.crm, log("a-1", ("d-1", "d-2")), unlink("a-1", ("d-2",), stays=True))
        assert desk.activities() == [("About a-1", ("d-2",))]

    def test_a_letter_that_is_no_business_of_ours_is_shown_no_more(self, desk: Desk) -> None:
        write(desk.crm, log("a-1"), log("a-2"), unlink("a-1", (), stays=False))
        assert desk.activities() == [("About a-2", ("d-1",))]

    def test_a_move_puts_the_deal_into_its_stage(self, desk: Desk) -> None:
        write(desk.crm, move("Proposal", 2), move("Won", 3))
        assert desk.stage("d-1") == ("Won", "won")
        assert desk.stage("d-2") == ("First contact", "open")

    def test_a_move_of_the_past_leaves_the_deal_where_it_is(self, desk: Desk) -> None:
        late = move("Proposal", 2)
        write(desk.crm, move("Contract", 5), late)
        assert desk.stage("d-1") == ("Contract", "open")
        assert desk.crm.find(late.key)

    def test_a_move_of_a_deal_that_is_gone_is_refused_with_the_reason(self, desk: Desk) -> None:
        nowhere = move("Proposal", 2, deal_id="d-gone")
        with pytest.raises(Rejected, match="d-gone"):
            desk.crm.write(nowhere, {})
        assert desk.crm.find(nowhere.key) is None

    def test_an_objection_is_one_record_from_its_opening_to_its_end(self, desk: Desk) -> None:
        write(desk.crm, objection())
        assert desk.objections() == [("too expensive", "open")]
        remote = {objection().key: str(desk.crm.find(objection().key))}
        desk.crm.write(explained(objection()), remote)
        assert desk.objections() == [("it is over our budget", "answered")]
        desk.crm.write(answer_to(objection()), remote)
        assert desk.objections() == [("it is over our budget", "dropped")]

    def test_an_objection_that_the_client_returns_to_is_open_again(self, desk: Desk) -> None:
        write(desk.crm, objection(), answer_to(objection()), reopened(objection()))
        assert desk.objections() == [("too expensive", "open")]

    def test_an_objection_of_which_nothing_is_said_any_more_is_shown_no_more(self, desk: Desk) -> None:
        write(desk.crm, objection(), removed(objection()))
        assert desk.objections() == []

    def test_earlier_evidence_that_came_late_corrects_the_day_and_the_quote_of_our_own_move(self, desk: Desk) -> None:
        first = move("Proposal", 5)
        write(desk.crm, first, move("Contract", 8), correct(first, 3, "the offer is attached"))
        assert desk.moved()[0] == ("Proposal", at(3), "the offer is attached")
        assert len(desk.moved()) == 2
        assert desk.stage("d-1") == ("Contract", "open")

    def test_a_move_that_turns_out_to_be_older_than_another_gives_way_to_it(self, desk: Desk) -> None:
        offer = move("Proposal", 5)
        write(desk.crm, offer, move("Contract", 3))
        assert desk.stage("d-1") == ("Proposal", "open")
        write_more(desk.crm, correct(offer, 2, "the offer is attached"))
        assert desk.stage("d-1") == ("Contract", "open")

    def test_what_came_after_a_move_that_turns_out_to_be_older_puts_the_deal_further(self, desk: Desk) -> None:
        offer = move("Proposal", 8)
        write(desk.crm, offer, correct(offer, 2, "the offer is attached"), move("Won", 5))
        assert desk.stage("d-1") == ("Won", "won")

    def test_a_won_deal_whose_payment_turns_out_to_be_older_is_won_all_the_same(self, desk: Desk) -> None:
        paid = move("Won", 8)
        write(desk.crm, move("Contract", 3), paid, correct(paid, 6, "we have paid"))
        assert desk.stage("d-1") == ("Won", "won")
        write_more(desk.crm, withdraw(paid, "Contract"))
        assert desk.stage("d-1") == ("Contract", "open")

    def test_a_deal_whose_move_is_taken_back_goes_where_it_came_from(self, desk: Desk) -> None:
        offer, contract = move("Proposal", 2), move("Contract", 5)
        write(desk.crm, offer, contract, withdraw(contract, "Proposal"))
        assert desk.stage("d-1") == ("Proposal", "open")
        write_more(desk.crm, withdraw(offer, "First contact"))
        assert desk.stage("d-1") == ("First contact", "open")

    def test_a_move_that_the_deal_has_left_behind_is_taken_back_and_the_deal_stays(self, desk: Desk) -> None:
        offer = move("Proposal", 2)
        write(desk.crm, offer, move("Contract", 5), withdraw(offer, "Contract"))
        assert desk.stage("d-1") == ("Contract", "open")


class HostedCrmSuite(CrmSuite):
    """What a CRM must do that is reached over a line."""

    @pytest.fixture
    def desk(self) -> HostedDesk:
        raise NotImplementedError("the inheriting class gives a CRM that holds FACTS")

    def test_its_facts_are_pulled_and_then_only_what_changed(self, desk: HostedDesk) -> None:
        parts = list(desk.crm.pull(None))
        assert _all_of(parts) == set(FACTS)
        assert _all_of(list(desk.crm.pull(parts[-1].cursor))) == set()

    def test_a_refused_record_says_why_and_nothing_is_applied(self, desk: HostedDesk) -> None:
        desk.fail_next("rejected")
        with pytest.raises(Rejected) as caught:
            desk.crm.write(log("a-1"), {})
        assert str(caught.value)
        assert desk.activities() == []
        assert desk.crm.find("log:a-1") is None

    def test_the_rest_goes_on_after_a_refused_record(self, desk: HostedDesk) -> None:
        desk.fail_next("rejected")
        with pytest.raises(Rejected):
            desk.crm.write(log("a-1"), {})
        write(desk.crm, log("a-2"))
        assert desk.activities() == [("About a-2", ("d-1",))]

    def test_a_busy_crm_says_when_to_come_back_and_applies_nothing(self, desk: HostedDesk) -> None:
        desk.fail_next("busy", after=7)
        with pytest.raises(Retry) as caught:
            desk.crm.write(log("a-1"), {})
        assert not isinstance(caught.value, OutcomeUnknown)
        assert caught.value.after == 7
        assert desk.activities() == []
        write(desk.crm, log("a-1"))
        assert desk.activities() == [("About a-1", ("d-1",))]

    def test_when_the_answer_is_lost_the_look_up_tells_that_it_was_applied(self, desk: HostedDesk) -> None:
        desk.fail_next("lost")
        with pytest.raises(OutcomeUnknown):
            desk.crm.write(log("a-1"), {})
        assert desk.crm.find("log:a-1")
        assert desk.activities() == [("About a-1", ("d-1",))]

    def test_when_the_crm_breaks_down_the_look_up_tells_that_nothing_was_applied(self, desk: HostedDesk) -> None:
        desk.fail_next("broken")
        with pytest.raises(OutcomeUnknown):
            desk.crm.write(log("a-1"), {})
        assert desk.crm.find("log:a-1") is None
        assert desk.activities() == []

    def test_twice_without_a_look_up_makes_two(self, desk: HostedDesk) -> None:
        """So the outbox asks `find` after an unknown outcome; no hosted CRM does it for us."""
        first, second = desk.crm.write(log("a-1"), {}), desk.crm.write(log("a-1"), {})
        assert first != second
        assert len(desk.activities()) == 2


def _all_of(parts: list[Facts]) -> set[object]:
    return {
        fact for part in parts for fact in (*part.reps, *part.pipelines, *part.companies, *part.contacts, *part.deals)
    }
