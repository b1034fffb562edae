"""What a person decides: asked once, remembered for good, and written into the CRM with what follows from it."""

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from agent.errors import Rejected
from agent.lessons import schooling
from agent.replay import Difference, replay
from agent.review import Case, give, keep, open_cases
from agent.store import answers
from agent.store.retention import let_go_before
from agent.store.tables import outbox, reading
from agent.sync import settle
from agent.undo import undo
from classifiers import ReaderOptions
from classifiers.house import HouseRule, house_phrases
from tests.flow.company import ANNA, CRM, START, VERA, CompanyWorld, letter, replace, until_delivered
from tests.flow.conftest import Founder

OFFER = "Please find our offer attached."
TOO_DEAR = "Your price is too high: the Danes ask 9,000 less."


def two_deals() -> dict[str, Any]:
    """Harbour Foods have a second deal, of which nothing is known but its name."""
    rows = deepcopy(CRM)
    rows["deals"].append(rows["deals"][0] | {"id": "lift", "name": "Goods lift"})
    return rows


def writes(world: CompanyWorld, text: str, day: int, name: str, **more: Any) -> None:
    sent = more.pop("sent", False)
    people = (ANNA, VERA) if sent else (VERA, ANNA)
    raw = letter(*people, more.pop("subject", "Question"), text, at=START + timedelta(days=day), name=name, **more)
    (world.send if sent else world.receive)("anna", raw)


def cases(world: CompanyWorld) -> list[Case]:
    with world.store.reading() as tx:
        return open_cases(tx, world.config.pipelines)


def says(world: CompanyWorld, key: str, said: str) -> None:
    with world.store.transaction() as tx:
        give(tx, world.config.pipelines, key, said, "anna", world.clock())
    world.clock.turn(1)
    until_delivered(world.flow(), settle, world.clock)


def takes_back(world: CompanyWorld, key: str, *, redo: bool = False) -> None:
    with world.store.transaction() as tx:
        keep(tx, undo(tx, key, redo=redo), "anna", world.clock())
    world.clock.turn(1)
    until_delivered(world.flow(), settle, world.clock)


def key_of(world: CompanyWorld, name: str) -> str:
    return str(world.message(name)["key"])


def move(world: CompanyWorld, stage: str) -> dict[str, Any]:
    (found,) = [r for r in world.rows("stage") if (r["stage"], r["by"]) == (stage, "agent")]
    return found


def thread(world: CompanyWorld) -> CompanyWorld:
    """Three letters of one thread, and nothing says which deal they are about."""
    world.import_crm(two_deals())
    writes(world, "Can you ring me?", 1, "one")
    writes(world, "Still waiting!", 2, "two", answers="one")
    writes(world, "I rang at noon.", 3, "three", answers="two", sent=True)
    world.sync()
    return world


# -- which deal ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "deals"),
    [("lift", ["lift"]), ("both", ["freezer", "lift"]), ("none", []), ("freezer,lift", ["freezer", "lift"])],
)
def test_one_answer_settles_the_whole_thread_and_nobody_is_asked_again(
    said: str, deals: list[str], world: CompanyWorld
) -> None:
    thread(world)
    (case,) = cases(world)
    assert (case.kind, case.letters, case.quote) == ("which_deal", 3, "Can you ring me?")
    assert [(c.deal_id, c.name) for c in case.choices] == [("freezer", "Freezer room"), ("lift", "Goods lift")]
    assert all(c.reasons for c in case.choices)
    says(world, case.key, said)
    writes(world, "And today?", 9, "four", answers="three")
    world.sync()
    assert [world.message(name)["deal_ids"] for name in ("one", "two", "three", "four")] == [deals] * 4
    assert [world.message(name)["ambiguous"] for name in ("one", "two", "three", "four")] == [[]] * 4
    assert cases(world) == []


def test_an_answer_is_not_asked_for_again_while_it_waits_for_its_fold(world: CompanyWorld) -> None:
    thread(world)
    with world.store.transaction() as tx:
        give(tx, world.config.pipelines, cases(world)[0].key, "lift", "anna", world.clock())
    assert cases(world) == []
    assert world.message("two")["deal_ids"] == []
    world.sync()
    assert world.message("two")["deal_ids"] == ["lift"]


def test_a_letter_that_was_linked_wrongly_is_put_right_by_naming_its_deal(world: CompanyWorld) -> None:
    world.import_crm(two_deals())
    writes(world, "The freezer room is cold enough, thank you.", 1, "one")
    world.sync()
    assert world.message("one")["deal_ids"] == ["freezer"]
    says(world, key_of(world, "one"), "lift")
    assert world.message("one")["deal_ids"] == ["lift"]
    with world.store.reading() as tx:
        (row,) = answers.corrections(tx)
    assert row == (key_of(world, "one"), "deal:freezer", "deal:lift", "", "")


@pytest.mark.parametrize(
    ("key", "said", "why"),
    [
        ("nothing", "accept", "Nothing that waits"),
        ("one", "ovens", "ovens: no deal of those whom"),
        ("one", "both, please", "no deal of those whom"),
    ],
)
def test_a_wrong_answer_is_refused_and_changes_nothing(key: str, said: str, why: str, world: CompanyWorld) -> None:
    thread(world)
    before = world.export()
    with pytest.raises(Rejected, match=why):
        says(world, key_of(world, key) if key == "one" else key, said)
    assert world.export() == before


# -- proposals -----------------------------------------------------------------------------------------------------


def proposing(world: CompanyWorld) -> CompanyWorld:
    world.config = replace(world.config, pipelines=tuple(replace(p, mode="propose") for p in world.config.pipelines))
    return world


def test_an_accepted_move_is_written_a_declined_one_is_not_and_neither_is_asked_again(world: CompanyWorld) -> None:
    proposing(world)
    writes(world, OFFER, 1, "offer", sent=True, attachment="offer.pdf")
    writes(world, "We have signed the contract, the copy is attached.", 5, "signed")
    world.sync()
    assert [c.proposal for c in cases(world)] == ["proposal", "payment"]
    says(world, cases(world)[0].key, "accept")
    says(world, cases(world)[0].key, "decline")
    assert cases(world) == []
    assert world.stages() == ["proposal"]
    assert world.deal()["stage"] == "proposal"
    world.sync()
    assert cases(world) == []


def test_a_move_that_a_person_accepts_outweighs_a_later_one_of_ours(world: CompanyWorld) -> None:
    pipelines = tuple(replace(p, terminal="propose") for p in world.config.pipelines)
    world.config = replace(world.config, pipelines=pipelines)
    writes(world, "We have paid your invoice in full today.", 1, "paid")
    writes(world, OFFER, 5, "offer", sent=True, attachment="offer.pdf")
    world.sync()
    assert (world.stages(), world.stages(state="proposed")) == (["proposal"], ["won"])
    assert cases(world)[0].kind == "closing"
    says(world, cases(world)[0].key, "accept")
    assert (world.deal()["stage"], world.deal()["status"]) == ("won", "won")
    assert world.stages(state="undone") == ["proposal"]


def test_a_person_who_makes_the_proposed_move_himself_has_accepted_it(world: CompanyWorld) -> None:
    proposing(world)
    writes(world, OFFER, 1, "offer", sent=True, attachment="offer.pdf")
    world.sync()
    rows = deepcopy(CRM) | {"as_of": (START + timedelta(days=9)).isoformat()}
    rows["deals"][0]["stage"] = "proposal"
    world.import_crm(rows)
    world.sync()
    assert cases(world) == []
    with world.store.reading() as tx:
        (row,) = answers.corrections(tx)
    assert row == (key_of(world, "offer"), "stage:proposal", "accepted", "freezer", "proposal_sent")


# -- undo ----------------------------------------------------------------------------------------------------------


def sale(world: CompanyWorld) -> CompanyWorld:
    """An offer, an objection to it, a contract."""
    writes(world, "Could you send us a quotation for a freezer room?", 0, "ask")
    writes(world, OFFER, 1, "offer", sent=True, attachment="offer.pdf")
    writes(world, TOO_DEAR, 2, "dear")
    writes(world, "Please find the contract for your signature attached.", 9, "contract", sent=True)
    world.sync()
    return world


Takes = Callable[[CompanyWorld], str]


@pytest.mark.parametrize(
    ("takes", "kinds"),
    [
        (lambda w: key_of(w, "offer"), {"message", "stage", "objection"}),
        (lambda w: f"log:{key_of(w, 'offer')}", {"message", "stage", "objection"}),
        (lambda w: str(w.message("offer")["message_id"]), {"message", "stage", "objection"}),
        (lambda w: str(move(w, "contract")["key"]), {"stage", "deal", "objection"}),
        (lambda w: str(w.rows("objection")[0]["key"]), {"objection"}),
    ],
)
def test_undo_takes_back_one_write_with_what_followed_and_redo_brings_all_of_it_back(
    takes: Takes, kinds: set[str], world: CompanyWorld
) -> None:
    sale(world)
    before = set(world.export())
    key = takes(world)
    takes_back(world, key)
    after = set(world.export())
    assert {json.loads(line)["kind"] for line in before ^ after} <= kinds
    assert before != after
    assert {json.loads(line).get("key") for line in before - after if "message" in line.split(",")[0]} <= {
        key_of(world, "offer")
    }
    with pytest.raises(Rejected, match="taken back before"):
        takes_back(world, key)
    world.sync()
    assert set(world.export()) == after, "it is not made again"
    takes_back(world, key, redo=True)
    assert set(world.export()) == before
    with pytest.raises(Rejected, match="has not been taken back"):
        takes_back(world, key, redo=True)


def test_a_letter_that_was_taken_off_its_deal_stays_off_and_its_thread_stays_on(world: CompanyWorld) -> None:
    sale(world)
    writes(world, "Thank you, we shall look at it.", 3, "thanks", answers="offer")
    world.sync()
    takes_back(world, key_of(world, "offer"))
    assert (world.message("offer")["deal_ids"], world.message("offer")["outcome"]) == ([], "logged")
    assert world.message("thanks")["deal_ids"] == ["freezer"]
    assert world.stages() == ["qualified", "contract"]
    with pytest.raises(Rejected, match="taken back before"):
        takes_back(world, key_of(world, "offer"))


@pytest.mark.parametrize("hosted", [False, True])
def test_an_undone_move_takes_the_deal_back_where_it_stood(hosted: bool, found: Founder) -> None:
    world = sale(found(hosted=hosted))
    assert standing(world) == "contract"
    takes_back(world, str(move(world, "contract")["key"]))
    assert standing(world) == "proposal"
    assert world.stages(state="undone") == ["contract"]
    takes_back(world, str(move(world, "contract")["key"]), redo=True)
    assert standing(world) == "contract"


@pytest.mark.parametrize("hosted", [False, True])
def test_a_deal_that_a_person_has_moved_since_stays_where_he_put_it(hosted: bool, found: Founder) -> None:
    world = sale(found(hosted=hosted))
    at = START + timedelta(days=20)
    if world.hosted is not None:
        world.hosted.move_stage("freezer", "negotiation", at)
    else:
        rows = deepcopy(CRM) | {"as_of": at.isoformat()}
        rows["deals"][0]["stage"] = "negotiation"
        world.import_crm(rows)
    world.sync()
    takes_back(world, str(move(world, "contract")["key"]))
    assert standing(world) == "negotiation"


def standing(world: CompanyWorld) -> str:
    """Where the deal stands in the CRM."""
    return world.hosted.deal("freezer").stage if world.hosted is not None else str(world.deal()["stage"])


def test_an_undone_move_is_not_made_by_an_earlier_letter_that_comes_late(world: CompanyWorld) -> None:
    writes(world, OFFER, 5, "offer", sent=True, attachment="offer.pdf")
    world.sync()
    takes_back(world, str(move(world, "proposal")["key"]))
    writes(world, OFFER, 1, "earlier", sent=True, attachment="offer.pdf", subject="Our offer")
    world.sync()
    assert (world.stages(), world.deal()["stage"]) == ([], "lead")
    assert [c.evidence for c in cases(world)] == [key_of(world, "earlier")]
    says(world, cases(world)[0].key, "accept")
    assert world.deal()["stage"] == "proposal"
    assert world.stages() == ["proposal"]


def test_a_late_earlier_proof_brings_the_deal_where_it_would_stand_had_it_come_in_time(world: CompanyWorld) -> None:
    writes(world, OFFER, 5, "offer", sent=True, attachment="offer.pdf")
    world.sync()
    writes(world, OFFER, 1, "earlier", sent=True, attachment="offer.pdf", subject="Our offer")
    writes(world, "Please find the contract for your signature attached.", 4, "contract", sent=True)
    world.sync()
    assert world.stages() == ["proposal", "contract"]
    assert world.deal()["stage"] == "contract"


def test_a_weaker_proof_that_was_written_first_gives_way_to_a_stronger_one_of_an_earlier_day(
    world: CompanyWorld,
) -> None:
    writes(world, OFFER, 5, "offer", sent=True, attachment="offer.pdf")
    world.sync()
    writes(world, "Please find the contract for your signature attached.", 4, "contract", sent=True)
    world.sync()
    assert (world.stages(), world.stages(state="undone")) == (["contract"], ["proposal"])
    assert world.deal()["stage"] == "contract"


def test_what_was_never_written_cannot_be_taken_back(world: CompanyWorld) -> None:
    proposing(world)
    writes(world, OFFER, 1, "offer", sent=True, attachment="offer.pdf")
    world.sync()
    for key, why in ((cases(world)[0].key, "only proposed"), ("stage:freezer:won:7", "Nothing is known of")):
        with pytest.raises(Rejected, match=why):
            takes_back(world, key)
    takes_back(world, key_of(world, "offer"))
    assert cases(world) == []


def test_what_is_undone_stays_undone_after_the_client_is_joined_with_another(world: CompanyWorld) -> None:
    sale(world)
    takes_back(world, str(move(world, "contract")["key"]))
    rows = deepcopy(CRM)
    rows["deals"][1]["contact_ids"] = ["oleg", "vera"]  # a consultant for both: their histories are one now
    world.import_crm(rows)
    world.sync()
    assert world.stages(state="undone") == ["contract"]
    assert "contract" not in world.stages()
    assert world.deal()["stage"] == "proposal"


# -- new records ---------------------------------------------------------------------------------------------------

PIA = "pia.lund@lundboats.example"
ASKS = "Could you send us a quotation for two boat cradles?\n\n-- \nPia Lund\nLund Boats Ltd"


def newcomer(world: CompanyWorld, create_deals: str = "auto") -> CompanyWorld:
    """Somebody whom nobody knows asks for an offer, and Anna answers."""
    pipelines = tuple(replace(p, create_deals=create_deals) for p in world.config.pipelines)
    world.config = replace(world.config, pipelines=pipelines)
    world.receive("anna", letter(PIA, ANNA, "Boat cradles", ASKS, at=START, name="cradles"))
    answer = letter(
        ANNA, PIA, "Re: Boat cradles", "Gladly.", at=START + timedelta(days=1), name="gladly", answers="cradles"
    )
    world.send("anna", answer)
    world.sync()
    return world


def made(world: CompanyWorld) -> dict[str, str]:
    """What we made, by its kind: the key of the change."""
    return {r.kind.removeprefix("create_"): r.key for r in world.table(outbox) if r.kind.startswith("create_")}


def in_crm(world: CompanyWorld) -> set[str]:
    return {kind for kind in ("company", "contact", "deal") for r in world.rows(kind) if r["created_by"] == "agent"}


@pytest.mark.parametrize("hosted", [False, True])
@pytest.mark.parametrize("kind", ["deal", "contact", "company"])
def test_a_record_of_ours_that_is_taken_back_leaves_the_crm_and_is_not_made_again(
    kind: str, hosted: bool, found: Founder
) -> None:
    world = newcomer(found(hosted=hosted))
    assert in_crm(world) == {"company", "contact", "deal"}
    takes_back(world, made(world)[kind])
    world.receive("anna", letter(PIA, ANNA, "Re: Boat cradles", "Any news?", at=START + timedelta(days=3), name="news"))
    world.sync()
    assert in_crm(world) == {"company", "contact", "deal"} - {kind}
    with pytest.raises(Rejected, match="taken back before"):
        takes_back(world, made(world)[kind])
    with pytest.raises(Rejected, match="entered anew"):
        takes_back(world, made(world)[kind], redo=True)


@pytest.mark.parametrize(("said", "there"), [("accept", True), ("decline", False)])
def test_a_new_deal_is_opened_when_a_person_says_so_and_asked_about_once(
    said: str, there: bool, world: CompanyWorld
) -> None:
    newcomer(world, "propose")
    (case,) = cases(world)
    assert (case.kind, case.answers) == ("record", ("accept", "decline"))
    assert "boat cradles" in case.quote
    says(world, case.key, said)
    world.sync()
    assert ("deal" in in_crm(world)) == there
    assert cases(world) == []


# -- doubted senders -----------------------------------------------------------------------------------------------


def forged(world: CompanyWorld) -> Case:
    writes(world, "We have signed the contract, the copy is attached.", 1, "forged", verdict="spf=fail; dmarc=fail")
    world.sync()
    assert world.message("forged")["reason"] == "spoof"
    (case,) = cases(world)
    assert (case.kind, case.quote, case.seen_in) == ("spoof", "", ("anna, INBOX, 1",))
    return case


def test_a_forged_sender_that_a_person_confirms_is_not_asked_about_again(world: CompanyWorld) -> None:
    says(world, forged(world).key, "accept")
    assert cases(world) == []
    assert world.message("forged")["outcome"] == "skipped"


def test_a_sender_whom_a_person_knows_is_taken_in_and_what_he_says_is_asked_about(world: CompanyWorld) -> None:
    says(world, forged(world).key, "decline")
    assert cases(world) == []
    world.sync()
    assert (world.message("forged")["outcome"], world.message("forged")["deal_ids"]) == ("logged", ["freezer"])
    assert (world.stages(), [c.proposal for c in cases(world)]) == ([], ["payment"])


# -- what the reader may learn ------------------------------------------------------------------------------------


def test_accepted_and_undone_moves_teach_the_reader_until_retention_has_taken_their_words(world: CompanyWorld) -> None:
    sale(proposing(world))
    says(world, move(world, "proposal")["key"], "accept")
    says(world, move(world, "contract")["key"], "decline")
    with world.store.reading() as tx:
        school = schooling(tx)
    assert sorted(lesson.labels for lesson in school.lessons) == [
        (("contract_sent", False),),
        (("proposal_sent", True),),
    ]
    assert {lesson.letter.direction for lesson in school.lessons} == {"outbound"}
    with world.store.transaction() as tx:
        assert let_go_before(tx, world.clock(), world.clock()) > 0
        school = schooling(tx)
    assert (school.lessons, school.verdicts, school.wordless) == ((), 2, 2)


# -- replay --------------------------------------------------------------------------------------------------------


def test_replay_tells_and_delivers_what_new_rules_say_otherwise(world: CompanyWorld) -> None:
    sale(proposing(world))
    assert replay(world.flow()) == []
    pipelines = tuple(replace(p, mode="auto") for p in world.config.pipelines)
    world.config = replace(world.config, pipelines=pipelines)
    found = replay(world.flow())
    assert {d.kind for d in found} == {"move", "objection"}
    offer = next(d for d in found if "proposal" in d.key and d.kind == "move")
    assert offer.before == "freezer: proposal, 2026-03-03, proposed"
    assert offer.after == "freezer: proposal, 2026-03-03, written"
    settle(world.flow())
    assert world.deal()["stage"] == "contract"
    assert replay(world.flow()) == []


def test_letters_of_an_older_reader_count_until_replay_reads_them_again(world: CompanyWorld) -> None:
    sale(world)
    before = world.export()
    with world.store.transaction() as tx:
        tx.execute(reading.update().values(version="older"))
    writes(world, "Thank you.", 20, "thanks")
    world.sync()
    assert set(before) < set(world.export())
    count = len({row.content for row in world.table(reading)})
    assert replay(world.flow()) == []
    assert len([row for row in world.table(reading) if row.version != "older"]) == count


def test_a_new_phrase_of_the_admin_is_read_in_old_letters_by_replay_and_in_new_ones_at_once(
    world: CompanyWorld,
) -> None:
    writes(world, "Good morning. Our wax seal sits on the papers.", 3, "seal")
    world.sync()
    before = world.deal()["stage"]
    sealed = HouseRule(language="en", kind="milestone", name="contract_signed", phrases="wax seal .. (sits|is) on")
    world.config = replace(world.config, reader=ReaderOptions(phrases=house_phrases([sealed], {})))
    (found,) = [d for d in replay(world.flow()) if d.kind == "move" and d.after]
    assert "payment" in found.after
    assert found.why == "Our wax seal sits on the papers."
    settle(world.flow())
    assert (before, world.deal()["stage"]) == ("lead", "payment")


def test_a_difference_has_both_sides_and_a_reason(world: CompanyWorld) -> None:
    thread(world)
    rows = two_deals()
    rows["deals"][2]["owner"] = "boris"
    world.import_crm(rows)
    found = replay(world.flow())
    told = {d.key: d for d in found}[key_of(world, "one")]
    assert isinstance(told, Difference)
    assert (told.before, told.after) == ("? freezer, lift", "freezer")
    assert "freezer" in told.why
