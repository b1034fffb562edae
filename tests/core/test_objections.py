"""An objection's life, told one by one."""

from agent.model import ObjectionLife
from agent.objections import ObjectionBook
from tests.core import builders as b
from tests.core.situation import Situation, situation

GATE = "Your crane cannot pass our gate, it is 2.9 m high."


def told(*happens: dict[str, object], **more: object) -> Situation:
    return situation({"name": "one", "deals": ["kiln"], "happens": list(happens), **more})


def says(on: str, text: str, type_: str, **grounds: str) -> dict[str, object]:
    return {"on": on, "from": "jo", "thread": "t", "text": text, "objects": [{"type": type_, **grounds}]}


def we_write(on: str, text: str, thread: str = "t") -> dict[str, object]:
    return {"on": on, "from": "anna", "to": "jo", "thread": thread, "text": text}


def writes(on: str, text: str, *proves: str) -> dict[str, object]:
    return {"on": on, "from": "jo", "thread": "t", "text": text, "proves": list(proves)}


def lives(this: Situation) -> list[ObjectionLife]:
    return [o for history in this.play().histories for o in history.objections]


def only(this: Situation) -> ObjectionLife:
    (one,) = lives(this)
    return one


RAISED = says("03-01", GATE, "technical", reason="it is 2.9 m high", condition="")


def test_an_objection_keeps_its_letter_its_stage_and_its_words() -> None:
    one = only(told(says("03-01", GATE, "technical", reason="it is 2.9 m high", condition="Your crane")))
    assert (one.message_id, one.stage, one.opened) == ("<no. 1@mail.example>", "lead", b.day("03-01"))
    assert (one.reason, one.condition, one.quote) == ("it is 2.9 m high", "Your crane", GATE)


def test_a_pretext_that_gets_its_reason_keeps_its_first_day_and_its_story() -> None:
    one = only(
        told(says("03-01", "Hm, that gate of ours.", "technical"), says("03-04", GATE, "technical", reason=GATE))
    )
    assert (one.genuine, one.reason, one.quote) == (True, GATE, GATE)
    assert (one.opened, one.activity) == (b.day("03-01"), "no. 1")
    assert [(e.what, e.activity) for e in one.events] == [("opened", "no. 1"), ("explained", "no. 2")]


def test_a_new_condition_takes_the_place_of_the_old_one() -> None:
    first = says("03-01", "44 a brick is too much. Make it 35.", "price", reason="44 a brick", condition="Make it 35")
    second = says("03-08", "44 a brick is still too much, but make it 38.", "price", condition="make it 38")
    assert only(told(first, second)).condition == "make it 38"


def test_what_is_closed_says_when_why_and_in_whose_words() -> None:
    one = only(
        told(
            says("03-01", "With 30 days to pay we cannot order. Give us 60 days.", "budget", condition="60 days"),
            we_write("05-03", "We have thought about it. You have 60 days to pay."),
        )
    )
    assert (one.state, one.cause, one.closed) == ("closed", "met", b.day("05-03"))
    assert (one.closed_by, one.closed_quote) == ("no. 2", "You have 60 days to pay.")


def test_an_objection_that_the_deal_passed_quotes_what_moved_the_deal() -> None:
    one = only(told(RAISED, writes("03-09", "The contract is with our lawyer.", "contract_approval")))
    assert (one.cause, one.closed_by, one.closed_quote) == ("passed", "no. 2", "The contract is with our lawyer.")
    assert one.events[-1].stage == "contract"


def test_a_persons_move_past_the_stage_has_no_letter_to_show() -> None:
    one = only(told(RAISED, but={"kiln": {"moved": [{"on": "03-09", "to": "contract"}]}}))
    assert (one.cause, one.closed, one.closed_by, one.closed_quote) == ("passed", b.day("03-09"), "", "")


def test_its_whole_life_is_told_turn_by_turn() -> None:
    one = only(
        told(
            RAISED,
            we_write("03-02", "The small crane is 2.4 m high and passes every gate."),
            says("03-05", "The gate again: your crane does not pass, 2.9 m.", "technical", reason="2.9 m"),
            writes("03-09", "The gate is no longer a problem, we took it out."),
        )
    )
    assert [e.what for e in one.events] == ["opened", "answered", "reopened", "dropped"]
    assert one.letters == {"no. 1", "no. 3"}


def test_an_objection_that_was_taken_back_by_a_person_is_not_raised_from_the_same_letter() -> None:
    undone = [{"undone": "no. 1, kiln, technical"}]
    assert lives(told(RAISED, answers=undone)) == []
    again = says("03-05", GATE, "technical", reason=GATE)
    assert only(told(RAISED, again, answers=undone)).activity == "no. 2"


def test_a_closing_that_a_person_took_back_does_not_close_again() -> None:
    people = told(RAISED).people
    letter = b.letter("withdrawal", "03-09", "jo@marlowkilns.example", b.ANNA, text="The gate is no longer a problem.")
    settling = told(writes("03-09", "The gate is no longer a problem.")).clients
    read = next(iter(settling.values()))[0].reading
    for undone, state in ((set(), "closed"), ({"objection:kiln:no. 1:technical:dropped:withdrawal"}, "open")):
        book = ObjectionBook(undone)
        book.hear(next(iter(told(RAISED).clients.values()))[0], "kiln", "lead")
        book.hear(b.seen(letter, people, "", read=read), "kiln", "lead")
        assert [o.state for o in book.all()] == [state]


def test_two_reasons_of_one_type_in_one_letter_are_two_objections() -> None:
    text = "44 a brick is too much. Your fitters cost 90 an hour, that is too much as well."
    both = [{"type": "price", "reason": "44 a brick"}, {"type": "price", "reason": "Your fitters cost 90 an hour"}]
    found = lives(told({"on": "03-01", "from": "jo", "text": text, "objects": both}))
    assert [o.reason for o in found] == ["44 a brick", "Your fitters cost 90 an hour"]
    assert len({o.key for o in found}) == 2
