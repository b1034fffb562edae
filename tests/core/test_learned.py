"""What letters teach about deals: other letters profit, the letter itself does not."""

import time
from dataclasses import replace

from agent.learned import Heard, Learned, Said, learn
from tests.core.builders import day

LADDER = Said("The galvanised ladder of the tower must reach the hatch.")


def heard(key: str, said: Said, *deal_ids: str, thread: int = 1, topic: str = "") -> Heard:
    return Heard(key, day("03-02"), thread, topic, said, deal_ids)


def test_a_letter_does_not_teach_about_itself() -> None:
    learned = learn([heard("a", LADDER, "silo")], frozenset())
    assert learned.own_word("a", LADDER, "silo", ["silo", "sifter"]) == ""
    assert learned.led_to(1, "a") == ()
    assert learned.led_to(1, "b") == ("silo",)


def test_a_word_of_several_letters_about_one_deal_is_its_own() -> None:
    letters = [heard(key, LADDER, "silo") for key in "abc"]
    assert learn(letters, frozenset()).own_word("d", LADDER, "silo", ["silo", "sifter"]) == "galva"
    both = [*letters, heard("e", LADDER, "sifter")]
    assert learn(both, frozenset()).own_word("d", LADDER, "silo", ["silo", "sifter"]) == ""


def test_the_names_of_people_teach_nothing() -> None:
    letters = [heard(key, Said("Ottoline greets you."), "silo") for key in "abcd"]
    assert learn(letters, frozenset(["ottol", "greet"])).stems == {}


def test_a_number_in_the_letters_about_two_deals_belongs_to_neither() -> None:
    one, other = Said("Contract K-77/2026"), Said("As in K-77/2026")
    assert learn([heard("a", one, "silo")], frozenset()).papers == {"k772026": "silo"}
    assert learn([heard("a", one, "silo"), heard("b", other, "sifter")], frozenset()).papers == {}


def test_a_subject_of_threads_about_two_deals_tells_nothing() -> None:
    both = [heard("a", LADDER, "silo", topic="our talk"), heard("b", LADDER, "sifter", topic="our talk")]
    assert learn(both[:1], frozenset()).topics == {"our talk": "silo"}
    assert learn(both, frozenset()).topics == {}


def test_a_meeting_was_arranged_by_a_letter_of_the_weeks_before_only() -> None:
    letter = heard("a", Said("Tuesday the 10th at 10:00 suits us."), "silo")
    learned = learn([letter], frozenset())
    assert learned.arranged_for((10, 10, 0), day("03-10")) == {"silo"}
    assert learned.arranged_for((10, 10, 0), day("06-10")) == frozenset()
    assert learned.arranged_for((11, 10, 0), day("03-11")) == frozenset()


def test_nothing_is_known_the_first_time() -> None:
    assert Learned().closeness("a", LADDER, "silo", ["silo", "sifter"]) == (0.0, "")


def test_many_letters_cost_little_each() -> None:
    long = Said(" ".join(f"galvanised{chr(1072 + i % 30)}{i}" for i in range(4_000)))
    letters = [replace(heard(str(i), long, "silo"), thread=i) for i in range(200)]
    started = time.perf_counter()
    learned = learn(letters, frozenset())
    learned.own_word("x", long, "silo", ["silo", "sifter"])
    assert time.perf_counter() - started < 2
