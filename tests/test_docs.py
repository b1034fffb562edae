"""What the documents say is so: every command, option and exit code is told, every sentence is used and translated."""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

import click
import pytest
import typer

from agent import config
from agent.cli import COMMANDS, app
from agent.cli import common as codes
from agent.cli.report import Report
from agent.model import MILESTONES, OBJECTION_TYPES
from agent.texts import LANGUAGES, catalogue

ROOT = Path(__file__).parent.parent
CODE = ("agent", "connectors", "classifiers")
FOLDERS = (*CODE, "tests", "examples", "packaging", "bench", "requirements")
README = (ROOT / "README.md").read_text(encoding="utf-8")
MANUALS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "packaging/README.md", "examples/demo.sh")


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (p for p in (ROOT / folder).rglob("*.py") if not {"node_modules", "__pycache__"} & set(p.parts))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


# -- the command line -------------------------------------------------------------------------------------------------


def commands() -> Mapping[str, Any]:
    found: Mapping[str, Any] = typer.main.get_command(app()).commands  # type: ignore[attr-defined]
    return found


def test_every_command_has_a_row_in_the_readme() -> None:
    rows = re.findall(r"(?m)^\| `([a-z]+)", README)
    assert set(rows) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_in_the_readme_and_has_a_word_of_help(name: str) -> None:
    for parameter in commands()[name].params:
        if parameter.name != "help":
            assert parameter.help, f"{name} {parameter.name}"
            if parameter.param_type_name == "option":
                assert max(parameter.opts, key=len) in README, f"{name} {parameter.opts}"


def test_every_report_is_in_the_readme() -> None:
    assert set(re.findall(r"(?m)^\| `report ([a-z]+)", README)) == {r.value for r in Report}


def test_every_exit_code_is_in_the_readme() -> None:
    told = re.search(r"(?s)Exit codes: (.*?)\.\s", README)
    assert told is not None
    documented = {int(n) for n in re.findall(r"(?:^|;\s+)(\d)\s", told[1])}
    used = {value for value in vars(codes).values() if isinstance(value, int) and not isinstance(value, bool)}
    assert documented == used | {0, click.UsageError.exit_code}


@pytest.mark.parametrize("name", MANUALS)
def test_no_manual_names_a_command_that_does_not_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    named = re.findall(r"(?m)(?:`|^\$? ?|run |/bin/)dealscribe ([a-z]+)", text)
    assert set(named) <= set(COMMANDS)


def test_the_readme_says_how_well_and_how_fast_it_works() -> None:
    assert not re.search(r"@[A-Z]+@", README)
    heading = re.search(r"(?mi)^## .*(numbers|measured).*$", README)
    assert heading is not None
    assert re.search(r"\d", README[heading.end() :].partition("\n## ")[0])


# -- sentences --------------------------------------------------------------------------------------------------------


def places(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def test_both_languages_have_the_same_sentences_with_the_same_places() -> None:
    english, *others = (catalogue(code) for code in LANGUAGES)
    for other in others:
        assert english.keys() == other.keys()
        for name in english:
            assert places(english[name]) == places(other[name]), name


def test_a_sentence_is_not_left_untranslated() -> None:
    english, russian = (catalogue(code) for code in LANGUAGES)
    same = [name for name in english if english[name] == russian[name]]
    assert [name for name in same if re.search(r"[a-z]{3}", re.sub(r"\{.*?\}", "", english[name]))] == []


@cache
def asked_for() -> tuple[set[str], set[str], set[str]]:
    """Names of sentences in the code, rooms whose names are put together there, and what may complete them."""
    names, rooms, texts = set(), set(), set()
    for path in sources(*CODE):
        for node in ast.walk(tree(path)):
            texts.update(_texts(node))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("say", "word"):
                asked = node.args[0]
                if isinstance(asked, ast.JoinedStr):
                    rooms.update(text.rstrip(".") for part in asked.values for text in _texts(part))
                elif node.func.id == "word":
                    rooms.update(_texts(asked))
                else:
                    names.update(text for part in ast.walk(asked) for text in _texts(part) if "." in text)
    return names, rooms, texts


def _texts(node: ast.AST) -> tuple[str, ...]:
    return (node.value,) if isinstance(node, ast.Constant) and isinstance(node.value, str) else ()


def test_every_sentence_that_the_code_asks_for_exists() -> None:
    names, rooms, _ = asked_for()
    known = catalogue("en")
    assert names <= known.keys()
    assert rooms <= {name.partition(".")[0] for name in known}


def test_every_sentence_is_used_somewhere() -> None:
    _, rooms, texts = asked_for()
    for name in catalogue("en"):
        room, _, rest = name.partition(".")
        assert name in texts or (room in rooms and rest in texts), name


def test_every_kind_of_objection_has_a_word_and_every_milestone_is_in_the_config() -> None:
    assert {f"objection.{t}" for t in OBJECTION_TYPES} <= catalogue("en").keys()
    manual = (ROOT / "config.toml").read_text(encoding="utf-8")
    assert all(milestone in manual for milestone in MILESTONES)


# -- the code and its documents as a whole ----------------------------------------------------------------------------


def test_every_module_opens_with_a_sentence_on_what_it_is() -> None:
    for path in sources(*CODE, "tests", "bench"):
        if tree(path).body:
            said = ast.get_docstring(tree(path))
            assert said, path
            assert re.search(r"[.:?]", said.partition("\n\n")[0]), path


def test_nothing_tells_of_the_machine_it_was_written_on() -> None:
    own = Path(__file__)
    for path in everything():
        text = path.read_text(encoding="utf-8", errors="replace")
        found = re.search(r"(?<![\w.])/(?:work|root|home/[a-z]+)/|\bTODO\b|\bFIXME\b", text)
        assert path == own or found is None, f"{path}: {found}"


def everything() -> Iterator[Path]:
    """All text files of the project."""
    yield from (p for p in ROOT.iterdir() if p.suffix in (".md", ".toml") or p.name in ("Makefile", "NOTICE"))
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and not {"node_modules", "__pycache__"} & set(path.parts):
                yield path


def test_every_link_of_the_manuals_leads_to_a_file() -> None:
    for name in (p.name for p in ROOT.glob("*.md")):
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            assert (ROOT / target).exists(), f"{name}: {target}"


def test_the_readmes_first_config_is_a_valid_one(tmp_path: Path) -> None:
    (example,) = re.findall(r"(?s)```toml\n(.*?)```", README)
    assert tomllib.loads(example)["mailbox"][0]["kind"] == "imap"
    file = tmp_path / "config.toml"
    file.write_text(example, encoding="utf-8")
    assert [m.name for m in config.load(file).mailboxes] == ["anna"]
