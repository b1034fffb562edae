"""Who is it: from an address or a title to the client whose history it belongs to."""

import time

import pytest

from agent.clients import (
    Directory,
    changed_nodes,
    domain_of,
    name_words,
    registrable,
    stranger,
    within,
    without_tag,
)
from agent.whose import clients_of_people
from tests.core.builders import company, contact, deal

HARBOUR = company("harbour", "Harbour Mills Ltd", "harbourmills.example")
PRICHAL = company("prichal", "ООО «Северный причал»", "prichal.example")
BAKERY = company("bakery", "Corner Bakery", "gmail.com")
NAMELESS = company("nameless", "The Old Forge")
PEOPLE = (
    contact("tom", "tom@harbourmills.example", "tom.reed.angler@gmail.com", of="harbour"),
    contact("petr", "petr@prichal.example", of="prichal"),
    contact("smith", "smith@oldforge.example", of="nameless"),
    contact("maja", "maja@lindqvist.example"),
    contact("nell", "nell.crumb.baker@gmail.com"),
)
TOWN = Directory.of((HARBOUR, PRICHAL, BAKERY, NAMELESS), PEOPLE, ())


@pytest.mark.parametrize(
    ("email", "who"),
    [
        ("tom@harbourmills.example", ("tom",)),
        ("tom.reed.angler@gmail.com", ("tom",)),
        ("tom+offers@harbourmills.example", ("tom",)),
        ("nell.crumb.baker+oven@gmail.com", ("nell",)),
    ],
)
def test_a_person_is_known_by_each_of_his_addresses(email: str, who: tuple[str, ...]) -> None:
    assert TOWN.identify(email).contact_ids == who


@pytest.mark.parametrize(
    ("email", "companies"),
    [
        ("info@harbourmills.example", ("harbour",)),
        ("gate@stores.works.harbourmills.example", ("harbour",)),
        ("buh@prichal.example", ("prichal",)),
        ("apprentice@oldforge.example", ("nameless",)),
        ("x@notharbourmills.example", ()),
        ("x@harbourmills.example.evil.example", ()),
        ("anybody@gmail.com", ()),
        ("", ()),
        ("no-at-sign", ()),
    ],
)
def test_a_colleague_is_known_by_the_companys_domain(email: str, companies: tuple[str, ...]) -> None:
    assert TOWN.identify(email).company_ids == companies


def test_a_free_mail_domain_is_no_companys_even_if_the_crm_says_so() -> None:
    assert TOWN.clients_of("somebody@gmail.com") == set()


def test_a_domain_that_two_companies_share_leads_to_both() -> None:
    town = Directory.of((company("a", "A", "estate.example"), company("b", "B", "estate.example")), (), ())
    assert town.identify("x@estate.example").company_ids == ("a", "b")


def test_a_domain_used_by_people_of_two_companies_proves_neither() -> None:
    people = (contact("one", "one@hub.example", of="a"), contact("two", "two@hub.example", of="b"))
    town = Directory.of((company("a", "A"), company("b", "B")), people, ())
    assert town.identify("three@hub.example").company_ids == ()
    assert town.identify("one@hub.example").company_ids == ("a",)


def test_a_person_without_a_company_is_a_client_of_his_own() -> None:
    assert TOWN.clients_of("maja@lindqvist.example") == {"contact:maja"}


def test_a_consultant_on_the_deals_of_two_companies_makes_them_one_client() -> None:
    deals = (deal("silo", "Silo", "maja", of="harbour"), deal("kran", "Кран", "maja", of="prichal"))
    town = Directory.of((HARBOUR, PRICHAL, NAMELESS), PEOPLE, deals)
    assert town.clients_of("tom@harbourmills.example") == town.clients_of("petr@prichal.example")
    companies, contacts, members = town.members(*town.clients_of("maja@lindqvist.example"))
    assert [c.id for c in companies] == ["harbour", "prichal"]
    assert [c.id for c in contacts] == ["maja", "petr", "tom"]
    assert [d.id for d in members] == ["kran", "silo"]
    assert town.clients_of("smith@oldforge.example") == {"company:nameless"}


def test_a_deal_of_a_person_the_crm_does_not_hold_still_has_a_client() -> None:
    town = Directory.of((), (), (deal("silo", "Silo", "nobody"),))
    assert town.client_of("deal:silo") == "deal:silo"


@pytest.mark.parametrize(
    ("title", "client"),
    [
        ("Site walk at Harbour Mills", {"company:harbour"}),
        ("HARBOUR MILLS: offer", {"company:harbour"}),
        ("Северный причал, выезд", {"company:prichal"}),
        ("Harbour walk with the children", set()),
        ("Mills of Harbour", set()),
        ("", set()),
    ],
)
def test_a_client_is_found_by_his_name_in_a_title(title: str, client: set[str]) -> None:
    assert TOWN.clients_named(title) == client


def test_the_legal_form_is_no_part_of_a_name() -> None:
    assert name_words("ООО «Северный причал»") == name_words("Северный Причал, АО") == "северный причал"


@pytest.mark.parametrize(
    ("email", "key"),
    [
        ("ida@newpottery.example", "new:newpottery.example"),
        ("ida@mail.newpottery.co.uk", "new:newpottery.co.uk"),
        ("ida.potter.clay+x@gmail.com", "new:ida.potter.clay@gmail.com"),
    ],
)
def test_a_stranger_is_named_by_his_company_or_by_himself(email: str, key: str) -> None:
    assert stranger(email) == key


def test_known_people_and_strangers_of_a_letter_are_told_apart() -> None:
    known, strangers = clients_of_people(TOWN, ["tom@harbourmills.example", "ida@newpottery.example"])
    assert known == {"company:harbour"}
    assert strangers == {"new:newpottery.example"}


def test_what_changed_in_the_crm_is_named() -> None:
    moved = (*PEOPLE[:1], contact("petr", "petr@harbourmills.example", of="harbour"), *PEOPLE[2:])
    after = Directory.of((HARBOUR, PRICHAL, BAKERY), moved, ())
    assert changed_nodes(TOWN, after) == {"contact:petr", "company:nameless"}
    assert changed_nodes(TOWN, TOWN) == set()


def test_addresses_are_taken_apart() -> None:
    assert domain_of("a@b@mill.example") == "mill.example"
    assert without_tag("+only@mill.example") == "+only@mill.example"
    assert registrable("mail.clinic.co.uk") == "clinic.co.uk"
    assert registrable("mail.лавка.орг.срб") == "лавка.орг.срб"
    assert registrable("mail.mill.xn--c1avg.xn--90a3ac") == "mill.xn--c1avg.xn--90a3ac"
    assert within("shop.mill.example", ["mill.example"])
    assert not within("windmill.example", ["mill.example"])


def test_an_address_made_to_hurt_costs_little() -> None:
    started = time.perf_counter()
    assert TOWN.identify("x@" + "a." * 30_000 + "example").how == ""
    assert TOWN.clients_named("harbour " * 10_000) == set()
    assert time.perf_counter() - started < 2
