"""What a signature says of its writer: golden letters, each with the fields that a person reads in it."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model import Cut, Letter
from classifiers import read, signature
from classifiers.clean import find_cuts
from classifiers.signature_fields import Field

EACH = sorted((Path(__file__).parents[1] / "golden" / "signatures").glob("*.toml"))


@pytest.mark.parametrize("path", EACH, ids=lambda path: path.stem)
def test_the_fields_of_a_signature_are_what_a_person_reads_in_it(path: Path) -> None:
    case = tomllib.loads(path.read_text("utf-8"))
    body = case["body"]
    found = signature(body, find_cuts(body), case["sender"], case["sender_name"])
    assert {f"{field.name} {field.value}" for field in found} == set(case["expected"])
    assert all(body[field.start : field.end] == field.quote for field in found)


def test_there_are_signatures_in_both_languages() -> None:
    assert sum(path.stem.startswith("en-") for path in EACH) >= 14
    assert sum(path.stem.startswith("ru-") for path in EACH) >= 14


def test_the_cuts_of_a_reading_lead_to_the_signature() -> None:
    body = "We take it.\n\nBest regards\nVera Pole\nHead of Purchasing"
    (reading,) = read([Letter(direction="inbound", subject="Room", body=body)])
    names = {field.name: field.value for field in signature(body, reading.cuts)}
    assert names == {"name": "Vera Pole", "title": "Head of Purchasing"}


def test_the_names_in_a_quotation_are_not_the_writers() -> None:
    assert signature("Yes.\n\n> Best regards\n> Anna Berg\n> Director", [Cut(start=6, end=42, kind="quoted")]) == ()


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300), st.integers(0, 300), st.integers(0, 400), st.text(max_size=40))
def test_any_text_can_be_a_signature(text: str, start: int, end: int, sender: str) -> None:
    found: tuple[Field, ...] = signature(text, [Cut(start=start, end=end, kind="signature")], sender, sender)
    for field in found:
        assert text[field.start : field.end] == field.quote
        assert field.value
