"""What the CRM shows of an objection is what is said of it now, whatever was said before."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.model import Change, ObjectionEvent, ObjectionLife
from agent.objection_changes import CLOSING, objection_changes
from agent.sent import Sent
from tests.core.builders import day


def life(
    activity: str = "letter 1",
    *,
    type_: str = "price",
    reason: str | None = "44 a brick",
    state: str = "open",
    cause: str = "",
    also_in: Sequence[str] = (),
) -> ObjectionLife:
    again = (ObjectionEvent(what="repeated", at=day("03-05"), stage="proposal", activity=key) for key in also_in)
    return ObjectionLife(
        key=f"objection:kiln:{activity}:{type_}",
        deal_id="kiln",
        activity=activity,
        message_id=None,
        stage="proposal",
        type=type_,
        genuine=reason is not None,
        reason=reason,
        condition=None,
        quote="44 a brick is too much",
        state="closed" if cause else state,  # type: ignore[arg-type]
        cause=cause,  # type: ignore[arg-type]
        opened=day(f"03-0{activity[-1]}"),
        closed=day("03-09") if cause else None,
        closed_by="letter 9" if cause else "",
        closed_quote="it is settled" if cause else "",
        events=tuple(again),
    )


def written(*told: Sequence[ObjectionLife]) -> list[Change]:
    """All changes, when this was said one after the other."""
    changes: list[Change] = []
    for objections in told:
        news = objection_changes(objections, as_sent(changes), ())
        assert {c.key for c in news}.isdisjoint(c.key for c in changes)
        changes += news
        assert objection_changes(objections, as_sent(changes), ()) == []
    return changes


def as_sent(changes: Sequence[Change]) -> list[Sent]:
    return [Sent(key=c.key, kind=c.kind, subject=c.subject, body=c.body) for c in changes]


def shown(changes: Sequence[Change]) -> dict[str, dict[str, Any]]:
    """What a CRM shows that does as it is told."""
    records: dict[str, dict[str, Any]] = {}
    for change in changes:
        if change.kind == "remove_objection":
            del records[change.subject]
        elif change.kind == "open_objection":
            assert change.subject not in records
            records[change.subject] = dict.fromkeys(CLOSING) | dict(change.body)
        else:
            records[change.subject].update(change.body)
    return records


def kinds(changes: Sequence[Change]) -> list[str]:
    return [c.kind for c in changes]


def test_an_answer_reaches_the_crm() -> None:
    changes = written([life()], [life(state="answered")])
    assert kinds(changes) == ["open_objection", "update_objection"]
    assert shown(changes)[life().key]["state"] == "answered"


def test_a_pretext_that_gets_its_reason_is_corrected_in_the_crm() -> None:
    changes = written([life(reason=None)], [life(reason="44 a brick")])
    (record,) = shown(changes).values()
    assert (record["genuine"], record["reason"]) == (True, "44 a brick")


def test_what_was_met_is_closed_with_the_words_that_met_it_and_opened_again_when_the_client_returns_to_it() -> None:
    closed = written([life()], [life(cause="met")])
    assert kinds(closed) == ["open_objection", "close_objection"]
    (record,) = shown(closed).values()
    assert [record[name] for name in ("state", "cause", "closed_by", "closed_quote")] == [
        *("closed", "met", "letter 9", "it is settled")
    ]
    (record,) = shown(written([life()], [life(cause="met")], [life()])).values()
    assert [record[name] for name in ("state", "closed", "cause")] == ["open", None, None]


def test_an_objection_that_was_said_earlier_in_a_letter_that_came_late_stays_one_record() -> None:
    changes = written([life("letter 4")], [life("letter 1", also_in=["letter 4"])])
    assert kinds(changes) == ["open_objection", "update_objection"]
    ((key, record),) = shown(changes).items()
    assert key == "objection:kiln:letter 4:price"
    assert record["at"] == day("03-01").isoformat()


def test_an_objection_that_is_read_as_another_type_now_is_corrected() -> None:
    changes = written([life(type_="other")], [life(type_="budget")])
    assert kinds(changes) == ["open_objection", "update_objection"]


def test_an_objection_of_which_nothing_is_said_any_more_is_taken_off_and_may_come_back() -> None:
    assert shown(written([life()], [])) == {}
    assert list(shown(written([life()], [], [life()]))) == [life().key]


def test_words_that_were_let_go_are_not_written_again() -> None:
    wordless = [
        Sent(key=c.key, kind=c.kind, subject=c.subject, body={**c.body, "quote": "", "reason": None})
        for c in written([life()])
    ]
    assert objection_changes([life()], wordless, ()) == []


def test_it_waits_for_its_letter_where_that_is_logged() -> None:
    (change,) = objection_changes([life()], [], {"letter 1"})
    assert change.needs == ("log:letter 1",)


_LIVES = st.builds(
    life,
    st.sampled_from(["letter 1", "letter 2", "letter 3"]),
    type_=st.sampled_from(["price", "budget"]),
    reason=st.sampled_from([None, "44 a brick", "over the ceiling"]),
    state=st.sampled_from(["open", "answered"]),
    cause=st.sampled_from(["", "", "met", "dropped", "passed"]),
    also_in=st.lists(st.sampled_from(["letter 2", "letter 3"]), unique=True, max_size=2),
)
_HISTORY = st.lists(_LIVES, unique_by=lambda o: o.key, max_size=3)


@given(st.lists(_HISTORY, max_size=5))
def test_the_crm_shows_what_is_said_now_whatever_was_said_before(told: list[list[ObjectionLife]]) -> None:
    records = shown(written(*told))
    said = {(o.activity, o.type, o.genuine, o.reason, o.state, o.cause or None) for o in (told[-1] if told else [])}
    assert {
        (r["activity"], r["type"], r["genuine"], r["reason"], r["state"], r["cause"]) for r in records.values()
    } == said
    assert len(records) == len(said)
