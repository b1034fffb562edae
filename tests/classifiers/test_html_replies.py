"""New text apart from old in HTML letters of many mail programs, from the bytes to the words."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from classifiers.clean import find_cuts, new_text, reply_text
from connectors.mail import mime

GOLDEN = Path(__file__).parents[1] / "golden" / "html_replies"
SECTION = "---8<--- "


def golden() -> dict[str, dict[str, str]]:
    """Every case: SUBJECT, HTML and REPLY."""
    cases = {}
    for path in sorted(GOLDEN.glob("*.txt")):
        head, *sections = path.read_text("utf-8").split(SECTION)
        case = {name: body for name, _, body in (part.partition("\n") for part in sections)}
        cases[path.stem] = {"SUBJECT": head.removeprefix("SUBJECT").strip()} | case
    return cases


CASES = golden()


@pytest.mark.parametrize("name", CASES)
def test_an_html_letter_is_shown_without_what_its_program_quotes(name: str) -> None:
    case = CASES[name]
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "a@bakers.example", "b@looms.example", case["SUBJECT"]
    letter.set_content(case["HTML"], subtype="html")
    message = mime.parse(letter.as_bytes())
    shown = reply_text(message.text, message.cuts, message.subject)
    assert shown.split() == case["REPLY"].split()
    read = new_text(message.text, find_cuts(message.text, message.cuts, message.subject))
    assert set(read.split()) <= set(shown.split())


def test_html_letters_of_many_programs_are_kept() -> None:
    assert len(CASES) >= 50
