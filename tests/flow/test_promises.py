"""The promises of dealscribe, one by one, on a whole flow."""

from copy import deepcopy
from datetime import timedelta

import pytest
from sqlalchemy import delete

import connectors
from agent.review import give, keep
from agent.store import memberships, mirror
from agent.store.sources import state
from agent.store.tables import activity, crm_activity, ledger, outbox, participant
from agent.undo import undo
from tests.flow.company import ANNA, BORIS, CRM, START, VERA, CompanyWorld, in_batches, letter, message_id
from tests.flow.story import story

ASKS = "Could you send us a quotation for a freezer room of 40 m2?"
OFFER = "Please find attached our offer for the freezer room."


def days(number: float) -> timedelta:
    return timedelta(days=number)


def told(world: CompanyWorld) -> None:
    for post in story():
        post.arrive(world)
    world.sync()


# -- nothing is lost silently -------------------------------------------------------------------------------------


def test_every_letter_ends_with_an_outcome(world: CompanyWorld) -> None:
    told(world)
    outcomes = {row["message_id"]: (row["outcome"], row["reason"]) for row in world.rows("message")}
    assert len(outcomes) == 10
    assert outcomes[message_id("pia")] == ("waiting", "no_client")
    assert outcomes[message_id("lunch")] == ("skipped", "internal")
    assert sum(outcome == "logged" for outcome, _ in outcomes.values()) == 8


def test_the_proof_holds_when_nothing_is_missing(world: CompanyWorld) -> None:
    told(world)
    proof = world.prove("anna")
    assert (proof.on_server, proof.known, proof.missing, proof.vanished) == (8, 8, (), 0)
    assert proof.holds


def test_the_proof_finds_a_letter_that_has_no_row_and_repair_takes_it_up(world: CompanyWorld) -> None:
    told(world)
    before = world.export()
    lost = world.message("ask")["key"]
    (hole,) = [row for row in world.table(ledger) if row.ref == "INBOX|1|1" and row.source == "anna"]
    with world.store.transaction() as tx:
        tx.execute(delete(ledger).where(ledger.c.id == hole.id))
        tx.execute(delete(activity).where(activity.c.key == lost))
    proof = world.prove(hole.source)
    assert [ref.ref for ref in proof.missing] == [hole.ref]
    assert not proof.holds
    assert world.prove(hole.source, repair=True).taken_up == 1
    assert world.prove(hole.source).holds
    world.sync()
    assert world.export() == before


def test_a_letter_that_vanished_is_counted_apart_and_deletes_nothing(world: CompanyWorld) -> None:
    ref = world.receive("anna", letter(VERA, ANNA, "Freezer room", ASKS, name="ask"))
    world.sync()
    before = world.export()
    world.mailbox("anna").expunge(ref)
    assert world.sync() == 0
    proof = world.prove("anna")
    assert (proof.on_server, proof.vanished, proof.holds) == (0, 1, True)
    assert world.export() == before
    assert [row.removed for row in world.table(crm_activity)] == [False]


def test_a_letter_that_arrives_during_the_proof_is_taken_up_and_is_not_missing(world: CompanyWorld) -> None:
    told(world)
    world.receive("anna", letter(VERA, ANNA, "Freezer room", "One more thing.", at=START + days(20), name="new"))
    proof = world.prove("anna")
    assert proof.holds
    assert proof.on_server == 9


def test_a_broken_line_loses_nothing_and_is_told(world: CompanyWorld) -> None:
    world.mailbox("anna").box.broken_calls = 1
    world.receive("anna", letter(VERA, ANNA, "Freezer room", ASKS, name="ask"))
    assert world.sync() == 0
    with world.store.reading() as tx:
        row = state(tx, "anna")
    assert "broke" in row.last_error
    assert row.next_try > world.clock()
    world.sync()
    assert world.message("ask")["outcome"] == "logged"
    with world.store.reading() as tx:
        assert state(tx, "anna").last_error is None


def test_a_line_that_breaks_again_and_again_still_brings_everything(
    world: CompanyWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connectors.MAILBOXES, "memory", "tests.flow.mortal:ShakyMailbox")
    for number in range(5):
        world.receive("anna", letter(VERA, ANNA, f"Room {number}", "When do you deliver?", name=f"room {number}"))
    world.config = in_batches(world.config, 1)
    for _ in range(5):
        world.sync("anna")
    assert len(world.rows("message")) == 5


def test_a_refused_password_waits_for_a_person_and_the_other_mailbox_goes_on(world: CompanyWorld) -> None:
    world.mailbox("anna").wrong_password()
    world.receive("boris", letter(VERA, BORIS, "Freezer room", ASKS, name="ask"))
    world.sync()
    assert world.message("ask")["outcome"] == "logged"
    with world.store.reading() as tx:
        assert (state(tx, "anna").phase, state(tx, "boris").phase) == ("needs a person", "following")


# -- nothing is written twice -------------------------------------------------------------------------------------


def test_a_second_sync_writes_nothing(world: CompanyWorld) -> None:
    told(world)
    before = world.dump()
    assert world.sync() == 0
    assert world.dump()["outbox"] == before["outbox"]
    assert world.dump()["crm_activity"] == before["crm_activity"]


def test_a_mailbox_that_was_numbered_anew_writes_nothing_twice(world: CompanyWorld) -> None:
    told(world)
    before = world.export()
    world.mailbox("anna").new_uidvalidity()
    assert world.sync() == 0
    assert world.export() == before
    proof = world.prove("anna")
    assert (proof.holds, proof.vanished) == (True, 7)


def test_the_proof_is_due_at_once_after_a_re_list(world: CompanyWorld) -> None:
    told(world)
    world.prove("anna")
    world.mailbox("anna").new_uidvalidity()
    world.sync()
    with world.store.reading() as tx:
        assert state(tx, "anna").last_proof is None


def test_a_letter_in_three_places_is_one_activity(world: CompanyWorld) -> None:
    raw = letter(ANNA, VERA, "Freezer room", OFFER, name="offer", cc=(BORIS,))
    world.send("anna", raw)
    world.receive("anna", raw, folder="Clients")
    world.receive("boris", raw)
    world.sync()
    assert world.message("offer")["sources"] == ["anna", "boris"]
    (row,) = world.table(crm_activity)
    assert row.owners == ["anna", "boris"]
    assert len(world.table(ledger)) == 3


def test_a_copy_with_a_footer_of_a_list_is_the_same_letter(world: CompanyWorld) -> None:
    text = "We would like to see the plans of the freezer room before the summer holidays begin."
    world.receive("anna", letter(VERA, (ANNA, BORIS), "Plans", text, name="plans"))
    world.receive("boris", letter(VERA, (ANNA, BORIS), "Plans", text + "\n\n-- \nSent to all of sales", name="plans"))
    world.sync()
    assert len(world.rows("message")) == 1


def test_one_message_id_with_clearly_other_text_is_two_letters_and_a_warning(world: CompanyWorld) -> None:
    one = "The freezer room must stand before the summer, the hall has a ceiling of four metres."
    two = "Our accountant asks whether invoices may carry another postal address from April onwards."
    world.receive("anna", letter(VERA, ANNA, "Freezer room", one, name="same"))
    world.receive("anna", letter(VERA, ANNA, "Freezer room", two, name="same"))
    world.sync()
    assert len({row["key"] for row in world.rows("message")}) == 2
    assert len(world.table(crm_activity)) == 2
    assert any("share the key" in row.reason for row in world.table(ledger))


# -- a person's word ----------------------------------------------------------------------------------------------


def person_moves(world: CompanyWorld, stage: str, day: float) -> None:
    with world.store.transaction() as tx:
        before = mirror.directory(tx)
        mirror.add_stage_event(tx, "freezer", stage, START + days(day), "human")
        memberships.regroup(tx, before, mirror.directory(tx), world.flow().house(tx))


def test_a_person_who_moves_a_deal_back_is_not_overruled(world: CompanyWorld) -> None:
    world.send("anna", letter(ANNA, VERA, "Freezer room", OFFER, name="offer", attachment="Offer_4471.pdf"))
    world.sync()
    assert world.stages() == ["proposal"]
    person_moves(world, "contact", 3)
    assert world.sync() == 0
    assert world.stages() == ["proposal"]


def test_new_evidence_moves_a_deal_on_from_where_a_person_put_it(world: CompanyWorld) -> None:
    world.send("anna", letter(ANNA, VERA, "Freezer room", OFFER, name="offer", attachment="Offer_4471.pdf"))
    world.sync()
    person_moves(world, "contact", 3)
    world.send("anna", letter(ANNA, VERA, "Freezer room", OFFER, at=START + days(5), name="again"))
    world.sync()
    assert world.stages() == ["proposal", "proposal"]
    assert world.deal()["stage"] == "proposal"


def test_what_a_person_has_done_already_is_not_written_again(world: CompanyWorld) -> None:
    person_moves(world, "proposal", -1)
    world.send("anna", letter(ANNA, VERA, "Freezer room", OFFER, name="offer", attachment="Offer_4471.pdf"))
    world.sync()
    assert world.stages() == []


def test_late_history_never_moves_a_deal_back(world: CompanyWorld) -> None:
    world.send("anna", letter(ANNA, VERA, "Freezer room", OFFER, at=START + days(5), name="offer"))
    world.sync("anna")
    world.receive("boris", letter(VERA, BORIS, "Freezer room", ASKS, at=START, name="ask"))
    world.sync("boris")
    assert world.stages() == ["qualified", "proposal"]
    assert world.deal()["stage"] == "proposal"


def test_one_answer_settles_the_whole_thread(world: CompanyWorld) -> None:
    two_deals(world)
    world.receive("anna", letter(VERA, ANNA, "A question", "Can you ring me?", name="ring"))
    world.receive("anna", letter(VERA, ANNA, "Re: A question", "I am here until five.", answers="ring", name="five"))
    world.sync()
    asked = world.message("ring")
    assert (asked["outcome"], asked["deal_ids"]) == ("logged", [])
    assert asked["ambiguous"] == ["freezer", "shelves"] == world.message("five")["ambiguous"]
    with world.store.transaction() as tx:
        give(tx, world.config.pipelines, asked["key"], "shelves", "anna", world.clock())
    world.sync()
    assert world.message("ring")["deal_ids"] == ["shelves"] == world.message("five")["deal_ids"]
    assert {tuple(row.deal_ids) for row in world.table(crm_activity)} == {("shelves",)}


def test_a_move_that_a_person_took_back_is_not_made_again(world: CompanyWorld) -> None:
    world.send("anna", letter(ANNA, VERA, "Freezer room", OFFER, name="offer", attachment="Offer_4471.pdf"))
    world.sync()
    (move,) = [row.key for row in world.table(outbox) if row.kind == "move_stage"]
    with world.store.transaction() as tx:
        keep(tx, undo(tx, move), "anna", world.clock())
    world.sync()
    assert (world.stages(), world.stages(state="undone"), world.deal()["stage"]) == ([], ["proposal"], "lead")
    written = len(world.table(outbox))
    world.send("anna", letter(ANNA, VERA, "Freezer room", "As promised.", at=START + days(1), name="more"))
    world.sync()
    assert (world.stages(), world.deal()["stage"]) == ([], "lead")
    assert [row.kind for row in world.table(outbox)[written:]] == ["log_activity"]


def two_deals(world: CompanyWorld) -> None:
    rows = deepcopy(CRM)
    rows["deals"].append(rows["deals"][0] | {"id": "shelves", "name": "Pallet shelves"})
    world.import_crm(rows)


# -- who sent it --------------------------------------------------------------------------------------------------


def test_a_letter_that_only_claims_to_be_from_a_client_is_skipped_as_spoof(world: CompanyWorld) -> None:
    raw = letter(VERA, ANNA, "Freezer room", "We have signed.", name="spoof", verdict="spf=fail; dmarc=fail")
    world.receive("anna", raw)
    world.sync()
    row = world.message("spoof")
    assert (row["outcome"], row["reason"], row["verified"]) == ("skipped", "spoof", "failed")
    assert world.table(crm_activity) == []


def test_a_letter_that_only_claims_to_be_from_us_is_skipped_as_spoof(world: CompanyWorld) -> None:
    raw = letter(BORIS, (ANNA, VERA), "Invoice", "New bank account.", name="fraud", verdict="spf=fail; dmarc=fail")
    world.receive("anna", raw)
    world.sync()
    assert world.message("fraud")["reason"] == "spoof"


def test_an_unverified_sender_is_logged_and_moves_nothing_by_himself(world: CompanyWorld) -> None:
    world.receive("anna", letter(VERA, ANNA, "Freezer room", ASKS, name="ask", verdict=""))
    world.sync()
    assert (world.message("ask")["outcome"], world.message("ask")["verified"]) == ("logged", "unknown")
    assert (world.stages(), world.stages(state="proposed")) == ([], ["qualified"])
    assert world.deal()["stage"] == "lead"


# -- what is kept -------------------------------------------------------------------------------------------------


def test_of_a_skipped_letter_no_text_and_no_address_is_kept(world: CompanyWorld) -> None:
    away = (("Auto-Submitted", "auto-replied"), ("X-Auto-Response-Suppress", "All"))
    raw = letter(
        "zoe@harbour.example", ANNA, "Automatic reply: Zanzibar", "I am in Zanzibar.", name="away", headers=away
    )
    world.receive("anna", raw)
    world.receive("anna", letter(BORIS, "anna.berg@ours.example", "Zanzibar", "Is Zoe in Zanzibar?", name="inside"))
    world.sync()
    assert {row["reason"] for row in world.rows("message")} == {"auto_reply", "internal"}
    assert b"anzibar" not in world.bytes_on_disk()
    assert b"zoe@" not in world.bytes_on_disk()
    assert all(row.address.startswith("#") and row.domain.startswith("#") for row in world.table(participant))
    assert [row.record for row in world.table(activity)] == [None, None]
