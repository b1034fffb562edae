"""A letter that is odd is read as a person would read it."""

from datetime import datetime
from typing import Any

import pytest

from agent.model import Address
from classifiers.automated import automated, bounced_address
from connectors.mail.mime import UNSURE_SENDER, parse
from tests.mail.odd_letters import ODD


def people(addresses: tuple[Address, ...]) -> list[tuple[str, str]]:
    return [(address.name, address.email) for address in addresses]


def given(raw: bytes, expected: dict[str, Any]) -> dict[str, Any]:
    """What the letter gives, in the words of the expectation."""
    arrived = datetime.fromisoformat(expected["received"]) if "received" in expected else None
    message = parse(raw, arrived)
    forwarded = [message.text[cut.start : cut.end] for cut in message.cuts if cut.kind == "forwarded"]
    sender = message.from_[0].email if message.from_ else ""
    is_bounce = automated(message.signals, message.subject, message.text, sender) == "bounce"
    return {
        "received": expected.get("received"),
        "subject": message.subject,
        "sender": people(message.from_),
        "to": people(message.to),
        "date": message.date.isoformat(),
        "text": message.text,
        "has": [words for words in expected.get("has", ()) if words in message.text],
        "lacks": [words for words in expected.get("lacks", ()) if words not in message.text],
        "forwarded": [words for words in expected.get("forwarded", ()) if any(words in each for each in forwarded)],
        "names": [each.name for each in message.attachments],
        "invitations": len(message.invitations),
        "bounce": bounced_address(message.text, message.signals) if is_bounce else "",
        "unsure": any(problem.startswith(UNSURE_SENDER) for problem in message.problems),
    }


@pytest.mark.parametrize("name", ODD)
def test_a_person_and_the_agent_read_the_same_in(name: str) -> None:
    raw, expected = ODD[name]
    found = given(raw, expected)
    assert {key: found[key] for key in expected} == expected
