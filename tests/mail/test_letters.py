"""Letters of many mail programs, each beside what it should give.

`python -m tests.mail.test_letters` writes what they give now; look at every difference before it is committed.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.mail.mime import parse

LETTERS = Path(__file__).parent.parent / "golden" / "letters"
EACH = sorted(LETTERS.glob("*.eml"))


def given(letter: Path) -> str:
    """What a letter gives, as text that a person can check: cuts are shown by their words."""
    message = parse(letter.read_bytes())
    record: dict[str, Any] = msgspec.to_builtins(message)
    if message.cuts:
        record["cuts"] = [{"kind": cut.kind, "words": message.text[cut.start : cut.end]} for cut in message.cuts]
    return json.dumps(record, ensure_ascii=False, indent=1) + "\n"


@pytest.mark.parametrize("letter", EACH, ids=lambda letter: letter.stem)
def test_a_letter_of_any_mail_program_gives_what_a_person_reads_in_it(letter: Path) -> None:
    assert given(letter) == letter.with_suffix(".json").read_text("utf-8")


def test_there_are_letters_of_many_programs_and_none_is_forgotten() -> None:
    assert len(EACH) >= 40
    assert {each.stem for each in EACH} == {each.stem for each in LETTERS.glob("*.json")}


if __name__ == "__main__":
    for each in EACH:
        each.with_suffix(".json").write_text(given(each), "utf-8")
