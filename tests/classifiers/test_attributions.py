"""Lines that introduce old text: each of many programs and languages, with short and long names, wrapped as mail is."""

import textwrap
from pathlib import Path

import pytest

from classifiers.clean import reply_text

LINES = [
    line
    for line in (Path(__file__).parents[1] / "golden" / "attributions.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
SENDERS = [
    ("Ines Amaro", "ines@bakers.example"),
    ("Müller, Dörte (Leeds)", "d.mueller-x@sub.bakers.example"),
    ("Мария Ильина-Заречная", "info_77@a-company-with-a-long-name.example"),
]
OWN = "That is fine with us.\nCan you send the contract?\n"
OLD = "Good day,\n\ntwo rolls or three?\n\n-- \nThe Old Mill"


def letters(line: str) -> list[str]:
    """The introduction over a quotation, under it the answer of a neat writer, and over unmarked history."""
    quoted = textwrap.indent(OLD, "> ", lambda _: True)
    unmarked = [f"{OWN}\n{line}\n\n{OLD}"] if "@" in line else []
    return [f"{OWN}\n{line}\n{quoted}", f"{OWN}{line}\n\n{quoted}", f"{line}\n{quoted}\n\n{OWN}", *unmarked]


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_any_program_introduces_old_text_however_it_is_wrapped(line: str) -> None:
    for name, address in SENDERS:
        whole = line.replace("NAME", name).replace("ADDRESS", address)
        for width in (400, 72, 60):
            for letter in letters("\n".join(textwrap.wrap(whole, width, break_on_hyphens=False))):
                assert reply_text(letter).split() == OWN.split(), letter
