"""The fold: one client's history from all that is known of him, whatever arrived first."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.answers import Verdicts
from agent.clients import Directory
from agent.history import fold
from agent.known import Answer, Client, Seen
from agent.model import Deal, History, Meeting, Message
from tests.core import builders as b

JO = "jo@marlowkilns.example"
MARLOW = b.company("marlow", "Marlow Kilns", "marlowkilns.example")
KILN = b.deal("kiln", "Tunnel kiln", "jo", of="marlow", number="Q-1805")
DRYER = b.deal("dryer", "Chamber dryer", "jo", of="marlow", number="Q-1830")
NOW = b.day("12-31")


def town(*deals: Deal) -> Directory:
    return Directory.of((MARLOW,), (b.contact("jo", JO, of="marlow"),), deals)


def client(*deals: Deal) -> Client:
    return b.client_of("company:marlow", town(*deals))


def letter(key: str, on: str, text: str, *proves: str, from_: str = JO, thread: int = 0, sender: str = "") -> Seen:
    to = b.ANNA if from_ != b.ANNA else JO
    return seen(
        b.letter(key, on, from_, to, text=text),
        *proves,
        thread=thread or 1 + sum(map(ord, key)),
        sender=sender,
    )


def seen(record: Message | Meeting, *proves: str, thread: int = 1, sender: str = "") -> Seen:
    text = record.text if isinstance(record, Message) else record.description
    read = b.reading([b.milestone(name, text) for name in proves])
    return b.seen(record, town(), "company:marlow", thread=thread, sender=sender, read=read)


def told(*happened: Seen, deals: Sequence[Deal] = (KILN,), answers: Sequence[Answer] = (), now: str = "") -> History:
    return fold(client(*deals), happened, answers, b.day(now) if now else NOW)


def test_a_move_quotes_its_evidence() -> None:
    (move,) = told(letter("a", "02-16", "Take off five per cent and we order.", "negotiation")).moves
    assert (move.evidence, move.quote, move.milestone, move.by) == (
        "a",
        "Take off five per cent and we order.",
        "negotiation",
        "rule",
    )
    assert move.date == b.day("02-16")


def test_a_meetings_evidence_is_its_title() -> None:
    (move,) = told(seen(b.meeting("m", "02-10 10:00", "Visit to the works", JO))).moves
    assert (move.quote, move.by, move.date) == ("Visit to the works", "calendar", b.day("02-10 11:00"))


def test_why_a_move_is_only_proposed_is_said() -> None:
    (move,) = told(letter("a", "02-16", "Five per cent off.", "negotiation", sender="unknown")).moves
    assert (move.state, move.why) == ("proposed", "the sender could not be verified")


def test_a_letter_without_a_deal_stays_with_its_person_and_company() -> None:
    (link,) = told(letter("a", "02-16", "Happy Easter!"), deals=()).links
    assert (link.outcome, link.company_id, link.contact_ids, link.deal_ids) == ("logged", "marlow", ("jo",), ())


def test_an_unknown_address_in_a_clients_thread_is_logged_with_the_clients_company() -> None:
    first = letter("a", "02-16", "Our planner will write to you.", thread=7)
    second = letter("b", "02-17", "Here I am.", from_="planner@elsewhere.example", thread=7)
    assert [link.company_id for link in told(first, second, deals=()).links] == ["marlow", "marlow"]


def test_a_letter_shows_how_its_sender_was_verified() -> None:
    history = told(letter("a", "02-16", "Hello"), letter("b", "02-17", "Hello", sender="unknown"))
    assert [link.verified for link in history.links] == ["authenticated", "unknown"]


def test_the_fold_asks_to_be_called_again_when_a_meeting_ends() -> None:
    first, second = (
        seen(b.meeting("m", "02-10 10:00", "Visit", JO)),
        seen(b.meeting("n", "02-12 10:00", "Second visit", JO), thread=2),
    )
    assert told(first, second, now="02-09").due == b.day("02-10 11:00")
    assert told(first, second, now="02-11").due == b.day("02-12 11:00")
    assert told(first, second, now="02-13").due is None


def test_a_persons_move_of_tomorrow_is_not_known_today() -> None:
    deal = b.deal("kiln", "Tunnel kiln", "jo", of="marlow", events=[("03-02", "contract")])
    offer = letter("a", "02-16", "Our offer.", "proposal_sent", from_=b.ANNA)
    terms = letter("b", "03-05", "Five per cent off.", "negotiation")
    assert [m.stage for m in told(offer, terms, deals=[deal], now="03-01").moves] == ["proposal", "negotiation"]
    assert [m.stage for m in told(offer, terms, deals=[deal]).moves] == ["proposal"]


def test_a_deal_of_a_pipeline_that_nobody_described_is_linked_and_never_moved() -> None:
    facts = Client(key="company:marlow", companies=(MARLOW,), deals=(KILN,), own=frozenset(b.REPS))
    history = fold(facts, [letter("a", "02-16", "The tunnel kiln is signed.", "contract_signed")], [], NOW)
    assert history.links[0].deal_ids == ("kiln",)
    assert history.moves == ()


def test_what_comes_late_is_told_under_its_own_time() -> None:
    offer = letter("b", "02-16", "Our offer.", "proposal_sent", from_=b.ANNA)
    late = letter("a", "02-02", "Yes, tell me more.", "contact_established")
    before, after = told(offer), told(offer, late)
    assert [(m.stage, m.date) for m in after.moves] == [
        ("contact", b.day("02-02")),
        ("proposal", b.day("02-16")),
    ]
    assert {m.key for m in before.moves} < {m.key for m in after.moves}


def test_a_new_deal_of_today_changes_what_is_said_of_a_letter_that_names_it() -> None:
    question = letter("a", "02-16", "How long is the chamber dryer?")
    assert told(question, deals=[KILN]).links[0].deal_ids == ()
    assert told(question, deals=[KILN, DRYER]).links[0].deal_ids == ("dryer",)


@pytest.mark.parametrize("kind", ["accepted", "declined", "undone", "linked"])
def test_an_answer_about_something_that_is_not_there_changes_nothing(kind: str) -> None:
    one = letter("a", "02-16", "Our offer.", "proposal_sent", from_=b.ANNA)
    assert told(one, answers=[Answer(kind=kind, subject="something else")]) == told(one)


# -- whatever happens ---------------------------------------------------------------------------------------------

_WORDS = st.sampled_from(
    ["Our kiln is cold.", "The chamber dryer is late.", "Q-1805 and Q-1830.", "Can you ring me?", "Dryer or kiln?", ""]
)
_PROVES = st.lists(
    st.sampled_from(
        [
            "contact_established",
            "proposal_sent",
            "negotiation",
            "contract_signed",
            "payment_confirmed",
            "postponed",
            "lost",
        ]
    ),
    max_size=2,
)


@st.composite
def _happened(draw: st.DrawFn) -> list[Seen]:
    found: list[Seen] = []
    for number in range(draw(st.integers(0, 6))):
        key, on = f"letter {number}", f"0{draw(st.integers(1, 6))}-1{draw(st.integers(0, 3))}"
        if draw(st.booleans()):
            text, proves = draw(_WORDS), draw(_PROVES)
            objections = [b.objection("price", text, reason=text)] if text and draw(st.booleans()) else []
            record = b.letter(key, on, draw(st.sampled_from([JO, b.ANNA])), JO, b.ANNA, text=text)
            read = b.reading([b.milestone(name, text) for name in proves], objections)
            found.append(
                b.seen(
                    record,
                    town(),
                    "company:marlow",
                    thread=draw(st.integers(1, 3)),
                    sender=draw(st.sampled_from(["", "unknown", "failed"])),
                    read=read,
                )
            )
        else:
            status = draw(st.sampled_from(["confirmed", "cancelled"]))
            found.append(seen(b.meeting(key, on, draw(_WORDS), JO, status=status), thread=number + 10))
    return found


_ANSWERS = st.lists(
    st.builds(
        Answer,
        kind=st.just("linked"),
        subject=st.sampled_from(["letter 0", "letter 1"]),
        deal_ids=st.sampled_from([(), ("kiln",), ("dryer",), ("dryer", "kiln"), ("gone",)]),
    )
    | st.builds(
        Answer,
        kind=st.sampled_from(["accepted", "declined", "undone", "restored"]),
        subject=st.just("a move"),
        deal_ids=st.sampled_from([("kiln",), ("dryer",)]),
        stage=st.sampled_from(["won", "negotiation", "lost", "proposal"]),
        evidence=st.sampled_from(["letter 0", "letter 1", "letter 2"]),
    ),
    max_size=3,
)
_MOVED = st.lists(
    st.tuples(st.sampled_from(["02-01", "03-11", "05-20"]), st.sampled_from(["proposal", "won", "lost", "on_hold"])),
    max_size=2,
)


@given(_happened(), _ANSWERS, _MOVED, st.randoms(use_true_random=False))
def test_the_same_knowledge_gives_the_same_history_in_any_order(
    happened: list[Seen], answers: list[Answer], moved: list[tuple[str, str]], random: object
) -> None:
    deals = [b.deal("kiln", "Tunnel kiln", "jo", of="marlow", number="Q-1805", events=moved), DRYER]
    said = told(*happened, deals=deals, answers=answers)
    assert told(*happened, deals=deals, answers=answers) == said
    shuffled = list(happened)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert told(*shuffled, deals=deals, answers=answers) == said


@given(_happened(), _ANSWERS)
def test_whatever_happened_the_history_is_in_order(happened: list[Seen], answers: list[Answer]) -> None:
    said = told(*happened, deals=[KILN, DRYER], answers=answers)
    assert sorted(link.activity for link in said.links) == sorted(one.key for one in happened)
    assert [m.date for m in said.moves] == sorted(m.date for m in said.moves)
    assert len({m.key for m in said.moves}) == len(said.moves)
    verdicts = Verdicts.of(answers)
    assert not any(verdicts.refuses(m.deal_id, m.stage, m.evidence) for m in said.moves)
    for objection in said.objections:
        assert (objection.state == "closed") == (objection.closed is not None)
        assert objection.closed is None or objection.opened < objection.closed


@pytest.mark.parametrize(
    ("earlier", "milestone", "state"),
    [
        ("needs_identified", "negotiation", "proposed"),
        ("proposal_sent", "negotiation", "written"),
        ("proposal_sent", "contract_approval", "proposed"),
        ("negotiation", "contract_approval", "written"),
    ],
)
def test_a_reading_that_skips_what_comes_before_must_be_surer(earlier: str, milestone: str, state: str) -> None:
    before = letter("a", "02-16", "What there was.", earlier, from_=b.ANNA if earlier == "proposal_sent" else JO)
    text = "What came next."
    record = b.letter("b", "02-23", JO, b.ANNA, text=text)
    unsure = b.seen(record, town(), "company:marlow", thread=2, read=b.reading([b.milestone(milestone, text, 0.88)]))
    assert [m.state for m in told(before, unsure).moves if m.evidence == "b"] == [state]
