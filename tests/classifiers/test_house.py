"""The admin's own phrases and synonyms: they are read in both languages, and no head overrules them."""

import pytest

from agent.model import Letter, Reading
from classifiers import WRITE, ReaderOptions, read, version
from classifiers.house import HouseRule, house_phrases, problems
from classifiers.reader import ruled_all, with_model
from tests.classifiers.test_heads import untrained


def rule(**fields: object) -> HouseRule:
    plain = {"language": "en", "kind": "milestone", "name": "contract_signed", "phrases": "our seal is on it"}
    return HouseRule(**{**plain, **fields})  # type: ignore[arg-type]


SEAL = rule()
SEAL_RU = rule(language="ru", phrases="(наша|наши) печать~ .. стоит~")
HAULAGE = rule(
    kind="objection", name="haulage", counts_as="price", phrases="haulage .. (eats|eating) .. margin", language="en"
)
HAULAGE_RU = rule(
    kind="objection", name="перевозка", counts_as="price", phrases="доставка .. съедает .. маржу", language="ru"
)
ALL = house_phrases([SEAL, SEAL_RU, HAULAGE, HAULAGE_RU], {})


def letter(body: str, direction: str = "inbound") -> Letter:
    return Letter(direction=direction, subject="", body=body)  # type: ignore[arg-type]


def by_house(one: Letter, lean: float = -9.0) -> Reading:
    """With the house's phrases, beside heads that rule everything out (or, leaning up, see everything)."""
    (found,) = with_model(ruled_all([one], ALL), untrained(lean))
    return found


@pytest.mark.parametrize(
    ("body", "quote"),
    [
        ("Good morning. Our seal is on it since Tuesday.", "Our seal is on it since Tuesday."),
        ("Добрый день. Наша печать уже стоит, второй экземпляр у курьера.", None),
    ],
)
def test_a_phrase_of_the_admin_proves_its_milestone_whatever_the_heads_say(body: str, quote: str | None) -> None:
    found = by_house(letter(body))
    (proven,) = found.milestones
    assert (proven.name, proven.by.partition("+")[0].split("/")[0]) == ("contract_signed", "house")
    assert proven.confidence >= WRITE
    assert quote is None or proven.evidence.quote == quote
    (without,) = with_model(ruled_all([letter(body)]), untrained(-9.0))
    assert without.milestones == ()


@pytest.mark.parametrize(
    ("body", "own"),
    [
        ("The haulage to our island eats all of the margin.", "haulage"),
        ("Ваша доставка на остров съедает всю маржу.", "перевозка"),
    ],
)
def test_an_objection_of_the_admins_own_counts_as_a_known_type_and_keeps_its_name_as_the_reason(
    body: str, own: str
) -> None:
    for lean in (-9.0, 9.0):
        held = by_house(letter(body), lean).objections
        assert [one.type for one in held] == ["price"]
        assert held[0].genuine
        assert held[0].confidence >= WRITE
        assert f"/objection/{own}/" in held[0].by


@pytest.mark.parametrize(
    "body",
    [
        "Our seal is not on it yet.",
        "If our seal is on it, will you start in May?",
        "Наша печать ещё не стоит.",
        "On Monday Anna wrote:\n> Our seal is on it.",
    ],
)
def test_what_is_denied_asked_or_quoted_proves_nothing_in_the_admins_phrases_either(body: str) -> None:
    assert "contract_signed" not in {one.name for one in by_house(letter(body)).milestones}


def test_our_own_letters_do_not_object_by_a_phrase_of_the_admin() -> None:
    assert by_house(letter("The haulage to our island eats all of the margin.", "outbound")).objections == ()


@pytest.mark.parametrize(
    ("language", "words", "body"),
    [
        ("en", "cost sheet", "Please find attached our cost sheet."),
        ("ru", "выкладка~", "Направляю вам выкладку на 12 позиций."),
    ],
)
def test_a_synonym_of_the_admin_is_known_to_all_phrases_of_the_product(language: str, words: str, body: str) -> None:
    sent = letter(body, "outbound")
    synonyms = house_phrases([], {language: {"offer": words}})
    (one,) = ruled_all([sent], synonyms)
    assert "proposal_sent" in {read.name for read in one.milestones}
    (one,) = ruled_all([sent])
    assert "proposal_sent" not in {read.name for read in one.milestones}


def test_other_phrases_are_another_version_so_that_letters_are_read_again() -> None:
    options = ReaderOptions(phrases=ALL)
    changed = ReaderOptions(phrases=house_phrases([rule(phrases="our seal is upon it")], {}))
    assert len({version(), version(options), version(changed)}) == 3
    (found,) = read([letter("Our seal is on it.")], options)
    assert found.version == version(options)


def test_a_dollar_in_a_phrase_is_a_dollar() -> None:
    house = house_phrases([rule(phrases="${offer} is sealed")], {})
    (one,) = ruled_all([letter("The $offer is sealed.")], house)
    assert one.milestones == ()


@pytest.mark.parametrize(
    ("wrong", "key", "said"),
    [
        (rule(name="contract_sined"), "name", 'is no milestone; did you mean "contract_signed"?'),
        (rule(kind="objection", name="haulage"), "name", 'a type of your own needs counts_as = "..."'),
        (rule(kind="objection", name="haulage", counts_as="prize"), "counts_as", 'did you mean "price"?'),
        (rule(counts_as="price"), "counts_as", "only an objection can count as another"),
        (rule(name="proposal_sent", direction="inbound"), "direction", 'write "outbound" or leave it out'),
        (rule(not_when=("denied",)), "not_when", "denied is no cue; known are: "),
        (rule(phrases="\n // nothing yet\n"), "phrases", "holds no phrase; write one a line"),
        (rule(phrases="our seal\n(our stamp"), "phrases", "a bracket stays open"),
        (rule(phrases="our {offre}"), "phrases", "there is no word list called 'offre'"),
    ],
)
def test_a_mistake_in_a_rule_is_told_with_its_key_and_its_fix(wrong: HouseRule, key: str, said: str) -> None:
    (problem,) = problems(wrong, {})
    assert problem.key == key
    assert said in problem.text
    assert [*problems(SEAL, {}), *problems(HAULAGE_RU, {})] == []
