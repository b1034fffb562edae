"""The phrase language, and the phrase files that come with the product."""

import pytest

from agent.errors import Rejected
from agent.model import MILESTONES, OBJECTION_TYPES
from classifiers.phrases import Vocabulary, forms, group, words
from classifiers.rules import LANGUAGES, book, compile_book

WORDS = '[words]\noffer = "offer, quote, price list"\n'


def phrases(*lines: str, **fields: str) -> str:
    extra = "".join(f"{name} = {value}\n" for name, value in fields.items())
    return (
        f'[[rule]]\nkind = "milestone"\nname = "proposal_sent"\n{extra}phrases = """\n' + "\n".join(lines) + '\n"""\n'
    )


def readings(line: str, language: str = "en") -> list[str]:
    """Each reading as its slots' first words."""
    return [
        " ".join(sorted(slot.exact | slot.begins)[0] if not slot.gap else ".." for slot in one)
        for one in Vocabulary(language, {"offer": "offer, quote, price list"}).parse(line)
    ]


def test_a_phrase_may_leave_words_out_and_choose_between_words() -> None:
    assert readings("[please] see (the|our) offer") == ["see our offer"]
    assert readings("(see|look at) it") == ["see it", "look at it"]


def test_a_named_list_stands_for_its_entries() -> None:
    assert readings("our {offer}") == ["our offer", "our price list"]


def test_a_gap_at_the_end_says_nothing() -> None:
    assert readings("sent .. ") == ["sent"]


def test_a_word_with_a_tilde_has_all_its_forms() -> None:
    assert {"sent", "sends", "sending"} <= forms("send", "en")
    assert {"договора", "договору", "договором", "договоре", "договоры"} <= forms("договор", "ru")
    assert {"счет", "счета"} <= forms("счёт", "ru")


@pytest.mark.parametrize("line", ["(see", "see)", "[see", "{unknown} offer", "#", "..", "[maybe]", "a (b|c"])
def test_a_mistake_in_a_phrase_is_named(line: str) -> None:
    with pytest.raises(Rejected):
        Vocabulary("en", {}).parse(line)


def test_a_mistake_in_a_phrase_file_names_its_rule() -> None:
    with pytest.raises(Rejected, match="en/milestone/proposal_sent/1"):
        compile_book("en", [WORDS, phrases("see (the offer")])
    with pytest.raises(Rejected, match="not valid"):
        compile_book("en", [phrases("see it", colour='"red"')])


def test_words_keep_their_place_in_the_text() -> None:
    text = "Мы’ve  paid 1 200,50 — it's “ёлка”!"
    assert [text[start:end] for _, start, end in words(text)] == [
        "Мы", "’ve", "paid", "1", "200,50", "—", "it", "'s", "“", "ёлка", "”", "!",
    ]  # fmt: skip
    assert [word for word, _, _ in words("Ёлка don’t")] == ["елка", "don't"]


def test_phrases_wait_under_their_rarest_word() -> None:
    known = compile_book("en", [WORDS, phrases("attached {offer}", "sent {offer}", "sent it")])
    anchors = {word for one in group(known.lines) for word in one.anchor.exact}
    assert "attached" in anchors
    assert sum(len(one.lines) for one in group(known.lines)) == len(known.lines)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_products_phrases_cover_every_milestone_and_objection(language: str) -> None:
    rules = book(language).rules
    assert {rule.name for rule in rules if rule.kind == "milestone"} == set(MILESTONES)
    assert {rule.name for rule in rules if rule.kind == "objection"} == set(OBJECTION_TYPES)
    assert {rule.name for rule in rules if rule.kind == "topic"} == set(OBJECTION_TYPES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_rule_names_only_cues_that_exist(language: str) -> None:
    rules = book(language).rules
    known = {rule.name for rule in rules if rule.kind == "cue"} | {"question", "conditional"}
    assert {cue for rule in rules for cue in (*rule.not_when, *rule.only_when)} <= known


@pytest.mark.parametrize("language", LANGUAGES)
def test_signed_paid_and_lost_are_never_read_from_negation_doubt_or_questions(language: str) -> None:
    wanted = {"negated", "hypothetical", "question"}
    for rule in book(language).rules:
        if rule.name in ("contract_signed", "payment_confirmed", "lost"):
            assert wanted <= set(rule.not_when), rule.id
