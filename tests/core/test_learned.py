"""What letters teach about deals: other talks profit, a talk does not teach about itself."""

import time
from dataclasses import replace

from agent.learned import Heard, Learned, Said, learn, shares
from tests.core.builders import day

LADDER = Said("The galvanised ladder of the tower must reach the hatch.")
NOBODY: frozenset[str] = frozenset()


def heard(key: str, said: Said, *deal_ids: str, thread: int = 1, topic: str = "", ours: bool = False) -> Heard:
    return Heard(key, day("03-02"), thread, topic, said, deal_ids, ours)


def taught(*letters: Heard, products: frozenset[str] = NOBODY) -> Learned:
    return learn(letters, NOBODY, products)


def strength(learned: Learned, said: Said, deal_id: str, *, talk: str = "9") -> float:
    own = learned.own_words(said, ["silo", "sifter"], talk, ours=False)
    return own[deal_id].strength if deal_id in own else 0.0


THEY = heard("a", LADDER, "silo", thread=1)
WE = heard("b", LADDER, "silo", thread=2, ours=True)


def test_a_talk_does_not_teach_about_itself() -> None:
    assert strength(taught(THEY, WE), LADDER, "silo", talk="9") > strength(taught(THEY, WE), LADDER, "silo", talk="1")
    assert strength(taught(replace(WE, thread=1)), LADDER, "silo", talk="1") == 0


def test_a_word_that_both_sides_say_of_one_deal_is_its_own() -> None:
    learned = taught(THEY, WE)
    assert learned.own_words(LADDER, ["silo", "sifter"], "9", ours=False)["silo"].strength > 0.6
    assert strength(learned, LADDER, "sifter") == 0


def test_a_word_that_only_they_say_is_how_they_write() -> None:
    assert strength(taught(THEY, replace(THEY, key="c", thread=3)), LADDER, "silo") == 0


def test_a_word_of_what_we_sell_needs_no_second_side() -> None:
    sold = frozenset(["ladde"])
    assert strength(taught(THEY, products=sold), Said("The ladder again."), "silo") > 0
    assert taught(THEY, products=sold).products_of("silo") == sold


def test_a_word_that_is_said_of_both_deals_tells_them_not_apart() -> None:
    of_both = [replace(one, key=f"{one.key}2", thread=one.thread + 4, deal_ids=("sifter",)) for one in (THEY, WE)]
    assert strength(taught(THEY, WE, *of_both), LADDER, "silo") == 0


def test_the_names_of_people_teach_nothing() -> None:
    letters = [heard(key, Said("Ottoline greets you."), "silo") for key in "abcd"]
    assert learn(letters, frozenset(["ottol", "greet"]), NOBODY).stems == {}


def test_our_name_in_the_other_script_teaches_nothing() -> None:
    letters = [heard(key, Said("«Квейсайд» поставит."), "silo") for key in "ab"]
    assert "квейс" not in learn(letters, frozenset(["kveys"]), NOBODY).stems


def test_a_subject_that_is_only_answered_is_not_the_letters_own_word() -> None:
    assert "galva" in Said("", "Galvanised ladder").stems
    assert "galva" not in Said("", "Re: Galvanised ladder").stems


def test_a_number_in_the_letters_about_two_deals_belongs_to_neither() -> None:
    one, other = heard("a", Said("Contract K-77/2026"), "silo"), heard("b", Said("As in K-77/2026"), "sifter", thread=2)
    assert taught(one).deal_of_paper("k772026", talk="9") == "silo"
    assert taught(one).deal_of_paper("k772026", talk="1") == ""
    assert taught(one, other).deal_of_paper("k772026", talk="9") == ""


def test_a_subject_of_threads_about_two_deals_tells_nothing() -> None:
    both = [heard("a", LADDER, "silo", topic="our talk"), heard("b", LADDER, "sifter", topic="our talk")]
    assert taught(*both[:1]).topics == {"our talk": "silo"}
    assert taught(*both).topics == {}


def test_a_meeting_was_arranged_by_a_letter_of_the_weeks_before_only() -> None:
    learned = taught(heard("a", Said("Tuesday the 10th at 10:00 suits us."), "silo"))
    assert learned.arranged_for((10, 10, 0), day("03-10")) == {"silo"}
    assert learned.arranged_for((10, 10, 0), day("06-10")) == frozenset()
    assert learned.arranged_for((11, 10, 0), day("03-11")) == frozenset()


def test_a_thread_is_what_most_of_its_letters_are_about() -> None:
    silo = [heard(key, LADDER, "silo") for key in "abcd"]
    sifter = heard("e", LADDER, "sifter")
    assert shares(silo, [], "d") == {"silo": 1.0}
    told = shares([*silo, sifter], [], "e")
    assert told["silo"] > told["sifter"]


def test_the_letter_that_is_answered_counts_for_more_than_one_other() -> None:
    told = shares([heard("a", LADDER, "silo"), heard("b", LADDER, "sifter")], [], "b")
    assert told["sifter"] > told["silo"]


def test_nothing_is_known_the_first_time() -> None:
    assert Learned().own_words(LADDER, ["silo", "sifter"], "1", ours=False) == {}


def test_many_letters_cost_little_each() -> None:
    long = Said(" ".join(f"galvanised{chr(1072 + i % 30)}{i}" for i in range(4_000)))
    letters = [replace(heard(str(i), long, "silo"), thread=i) for i in range(200)]
    started = time.perf_counter()
    taught(*letters).own_words(long, ["silo", "sifter"], "x", ours=True)
    assert time.perf_counter() - started < 2
