"""Only the difference to what was written becomes a change, and twice is the same as once."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.changes import EXCERPT, difference, merged
from agent.clients import Directory
from agent.known import Seen
from agent.model import Candidate, Change, History, Link, ObjectionLife, Reason, StageMove
from agent.sent import Sent
from tests.core import builders as b

EVERYTHING = ("activities", "stages", "objections", "records")
NOBODY = Directory.of((), (), ())
LETTER = b.seen(b.letter("letter", "03-02", "jo@marlowkilns.example", b.ANNA, text="Yes.  " * 500), NOBODY, "kiln")
SILENCE = History(client="kiln")


def link(*deals: str, outcome: str = "logged", reason: str = "", company: str | None = "marlow") -> Link:
    return Link(
        activity="letter",
        outcome=outcome,  # type: ignore[arg-type]
        reason=reason,
        company_id=company,
        deal_ids=deals,
        candidates=tuple(
            Candidate(deal_id=i, score=2.0, reasons=(Reason(name="number", weight=4.0, detail="2291"),)) for i in deals
        ),
    )


def move(stage: str, on: str, state: str = "written", evidence: str = "letter") -> StageMove:
    return StageMove(
        key=f"stage:kiln:{stage}:1",
        deal_id="kiln",
        stage=stage,
        date=b.day(on),
        state=state,  # type: ignore[arg-type]
        evidence=evidence,
        quote="our offer",
        milestone="proposal_sent",
    )


def price(closed: str = "") -> ObjectionLife:
    return ObjectionLife(
        key="objection:kiln:letter:price",
        deal_id="kiln",
        activity="letter",
        message_id=None,
        stage="proposal",
        type="price",
        genuine=True,
        reason="44 a brick",
        condition=None,
        quote="44 a brick",
        state="closed" if closed else "open",
        opened=b.day("03-02"),
        closed=b.day(closed) if closed else None,
        cause="passed" if closed else "",
        closed_by="later letter" if closed else "",
    )


def sent(changes: Sequence[Change]) -> list[Sent]:
    return [Sent(key=c.key, kind=c.kind, subject=c.subject, body=c.body) for c in changes]


def of_link(one: Link | None, before: Sequence[Sent] = (), seen: Sequence[Seen] = (LETTER,)) -> list[Change]:
    return difference(SILENCE, {"letter": one}, seen, before, EVERYTHING)


def test_a_new_letter_is_logged_with_its_deal_its_reasons_and_a_short_excerpt() -> None:
    (change,) = of_link(link("kiln"))
    assert (change.kind, change.key) == ("log_activity", "log:letter")
    assert change.body["deal_ids"] == ["kiln"]
    assert change.body["reasons"] == ["number: 2291"]
    assert len(str(change.body["excerpt"])) == EXCERPT


@pytest.mark.parametrize("one", [link(outcome="skipped", reason="spoof"), link(outcome="waiting"), None])
def test_what_is_not_logged_is_not_written(one: Link | None) -> None:
    assert of_link(one) == []


def test_a_letter_that_was_logged_and_is_nobodys_now_is_taken_off() -> None:
    (change,) = of_link(None, sent(of_link(link("kiln"))))
    assert (change.kind, change.body["stays"]) == ("unlink", False)


def test_a_letter_that_is_about_fewer_deals_is_taken_off_the_others_only() -> None:
    (change,) = of_link(link("silo"), sent(of_link(link("sifter", "silo"))))
    assert (change.kind, change.body["deal_ids"], change.body["stays"]) == ("unlink", ["silo"], True)


def test_a_letter_that_turns_out_to_be_about_another_deal_is_taken_off_and_logged_there() -> None:
    off, on = of_link(link("sifter"), sent(of_link(link("silo"))))
    assert (off.kind, off.body["deal_ids"]) == ("unlink", [])
    assert (on.kind, on.body["deal_ids"], on.needs) == ("log_activity", ["sifter"], ("log:letter",))


def test_a_letter_that_only_another_client_holds_now_is_left_to_his_fold() -> None:
    assert of_link(link("silo"), sent(of_link(link("kiln"))), seen=()) == []


def test_the_moves_of_one_deal_go_in_order_and_after_their_letter() -> None:
    said = History(client="kiln", moves=(move("proposal", "03-02"), move("contract", "03-09", evidence="notice")))
    log, first, second = difference(said, {"letter": link("kiln")}, [LETTER], [], EVERYTHING)
    assert first.needs == (log.key,)
    assert second.needs == (first.key,)


def test_a_proposed_move_is_not_written() -> None:
    said = History(client="kiln", moves=(move("won", "03-02", "proposed"),))
    assert difference(said, {}, [], [], EVERYTHING) == []


def test_an_objection_is_opened_and_closed_once_each() -> None:
    opened = difference(History(client="kiln", objections=(price(),)), {}, [], [], EVERYTHING)
    assert [c.kind for c in opened] == ["open_objection"]
    (closed,) = difference(History(client="kiln", objections=(price("03-09"),)), {}, [], sent(opened), EVERYTHING)
    assert (closed.kind, closed.needs) == ("close_objection", (opened[0].key,))
    assert (closed.body["cause"], closed.body["closed_by"]) == ("passed", "later letter")


def test_earlier_evidence_that_comes_late_corrects_our_own_move() -> None:
    before = sent(difference(History(client="kiln", moves=(move("proposal", "03-09"),)), {}, [], [], EVERYTHING))
    earlier = History(client="kiln", moves=(move("proposal", "03-02", evidence="earlier letter"),))
    (correction,) = difference(earlier, {}, [], before, EVERYTHING)
    assert (correction.kind, correction.needs) == ("correct_move", ("stage:kiln:proposal:1",))
    assert correction.body["at"] == b.day("03-02").isoformat()
    assert difference(earlier, {}, [], [*before, *sent([correction])], EVERYTHING) == []


def test_a_move_on_which_a_person_has_spoken_is_left_as_he_saw_it() -> None:
    before = sent(difference(History(client="kiln", moves=(move("proposal", "03-09"),)), {}, [], [], EVERYTHING))
    earlier = History(client="kiln", moves=(move("proposal", "03-02"),))
    assert difference(earlier, {}, [], before, EVERYTHING, touched={"stage:kiln:proposal:1"}) == []


def test_a_quote_that_was_let_go_is_not_written_again() -> None:
    before = sent(difference(History(client="kiln", moves=(move("proposal", "03-09"),)), {}, [], [], EVERYTHING))
    wordless = [Sent(key=s.key, kind=s.kind, subject=s.subject, body={**s.body, "quote": ""}) for s in before]
    said = History(client="kiln", moves=(move("proposal", "03-09"),))
    assert difference(said, {}, [], wordless, EVERYTHING) == []


@pytest.mark.parametrize("allowed", EVERYTHING)
def test_only_what_the_crm_may_be_told_is_told(allowed: str) -> None:
    said = History(client="kiln", moves=(move("proposal", "03-02"),), objections=(price(),))
    told = {c.kind for c in difference(said, {"letter": link("kiln")}, [LETTER], [], (allowed,))}
    what = {
        "activities": {"log_activity"},
        "stages": {"move_stage"},
        "objections": {"open_objection"},
        "records": set(),
    }
    assert told == what[allowed]


# -- what several clients say of one letter -------------------------------------------------------------------------

_DEALS = st.lists(st.sampled_from(["kiln", "silo", "sifter"]), unique=True, max_size=3).map(tuple)
_LOGGED = st.builds(
    lambda deals, company: link(*deals, company=company), _DEALS, st.sampled_from(["marlow", "harbour"])
)
_LINK = _LOGGED | st.sampled_from(
    [link(outcome="skipped", reason="spoof"), link(outcome="skipped", reason="vendor"), link(outcome="waiting")]
)


@given(st.lists(_LINK, max_size=3))
def test_it_does_not_matter_which_client_is_asked_first(links: list[Link]) -> None:
    assert len({repr(merged(some)) for some in permutations(links)}) == 1


@given(st.lists(_LINK, min_size=1, max_size=3))
def test_what_is_merged_stays_as_it_is(links: list[Link]) -> None:
    one = merged(links)
    assert one is not None
    assert merged([one]) == merged([one, one]) == one


def test_a_letter_that_is_logged_for_one_client_is_logged() -> None:
    one = merged([link(outcome="skipped", reason="spoof"), link("kiln")])
    assert one is not None
    assert (one.outcome, one.deal_ids) == ("logged", ("kiln",))


def test_a_letter_that_waits_for_one_client_is_not_let_go_for_another() -> None:
    one = merged([link(outcome="skipped", reason="vendor"), link(outcome="waiting", reason="no_client")])
    assert one is not None
    assert one.outcome == "waiting"


# -- a letter's whole life in the CRM -------------------------------------------------------------------------------


def after(standing: tuple[str, ...] | None, changes: Sequence[Change]) -> tuple[str, ...] | None:
    """What a CRM shows of the letter once these are written; None when it does not show it."""
    for change in changes:
        body: dict[str, Any] = change.body
        if change.kind == "unlink":
            taken_off = set(standing or ()) - set(body["deal_ids"])
            assert taken_off or not body["stays"], "an unlink that takes nothing off"
            standing = tuple(body["deal_ids"]) if body["stays"] else None
        else:
            standing = tuple(body["deal_ids"])
    return standing


@given(st.lists(st.none() | _LINK, max_size=6))
def test_whatever_was_said_before_the_crm_shows_what_is_said_now(told: list[Link | None]) -> None:
    before: list[Sent] = []
    standing: tuple[str, ...] | None = None
    for one in told:
        one = one and merged([one])
        changes = of_link(one, before)
        for change in changes:
            if change.kind == "unlink" and one is not None and one.outcome == "logged":  # no deal that stays is named
                assert set(one.deal_ids) & set(standing or ()) <= set(change.body["deal_ids"])  # type: ignore[call-overload]
        standing = after(standing, changes)
        assert standing == (one.deal_ids if one is not None and one.outcome == "logged" else None)
        assert {c.key for c in changes}.isdisjoint(s.key for s in before)
        before += sent(changes)
        assert of_link(one, before) == []
