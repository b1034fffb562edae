"""Golden readings of the rules: a letter and what it should give, one readable file each in tests/golden/readings.

python -m tests.classifiers.golden            says which files no longer hold
python -m tests.classifiers.golden --write    writes today's readings into them; read the difference first
"""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from agent.model import Letter
from classifiers import PROPOSE
from classifiers.reader import read_by_rules

ROOM = Path(__file__).parents[1] / "golden" / "readings"


def cases() -> list[Path]:
    return sorted(ROOM.glob("*.toml"))


def load(path: Path) -> tuple[Letter, dict[str, Any]]:
    table = tomllib.loads(path.read_text("utf-8"))
    given = table["letter"]
    letter = Letter(
        direction=given["direction"],
        subject=given["subject"],
        body=given["body"],
        attachments=tuple(given.get("attachments", ())),
    )
    return letter, table["expected"]


def reading(letter: Letter) -> dict[str, Any]:
    """What a sales manager would be shown of this letter by the rules alone: heads change with each training."""
    (one,) = read_by_rules([letter])
    return {
        "automated": bool(one.automated),
        "business": one.business,
        "milestones": [f"{each.name}: {each.evidence.quote}" for each in one.milestones if each.confidence >= PROPOSE],
        "objections": [
            {
                "type": each.type,
                "genuine": each.genuine,
                "reason": each.reason.quote if each.reason else "",
                "condition": each.condition.quote if each.condition else "",
            }
            for each in one.objections
            if each.confidence >= PROPOSE
        ],
    }


def dump(letter: Letter, expected: dict[str, Any]) -> str:
    """The file of a case, as a person would write it."""
    lines = ["[letter]", f'direction = "{letter.direction}"', f"subject = {_text(letter.subject)}"]
    if letter.attachments:
        lines.append(f"attachments = [{', '.join(map(_text, letter.attachments))}]")
    lines += [f"body = '''\n{letter.body}'''", "", "[expected]"]
    lines += [f"automated = {str(expected['automated']).lower()}", f"business = {str(expected['business']).lower()}"]
    lines += ["milestones = ["] + [f"    {_text(one)}," for one in expected["milestones"]] + ["]"]
    if not expected["objections"]:
        lines.append("objections = []")
    for one in expected["objections"]:
        lines += ["", "[[expected.objections]]", f'type = "{one["type"]}"', f"genuine = {str(one['genuine']).lower()}"]
        lines += [f"reason = {_text(one['reason'])}", f"condition = {_text(one['condition'])}"]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def main(write: bool) -> int:
    differing = 0
    for path in cases():
        letter, expected = load(path)
        found = reading(letter)
        if found == expected:
            continue
        differing += 1
        print(f"{path.name}\n  expected {expected}\n  found    {found}")
        if write:
            path.write_text(dump(letter, found), "utf-8")
    return 0 if write else differing


if __name__ == "__main__":
    sys.exit(main("--write" in sys.argv))
