"""Imports point down: cli, daemon -> sync, reports, ... -> history, match, store -> model, errors."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("agent", "connectors", "classifiers")

CONTRACTS = {"agent.model", "agent.errors"}
PURE = {
    f"agent.{name}"
    for name in (
        *("intake", "words", "clients", "whose", "known", "business", "wordless"),
        *(
            "learned",
            "conversations",
            "match",
            "proof",
            "stages",
            "prices",
            "terms",
            "settling",
            "objections",
            "newcomers",
            "new_deals",
            "handoffs",
            "history",
        ),
        *("sent", "objection_changes", "handoff_changes", "changes", "answers", "takeback", "trust"),
    )
}
TOP = ("agent.cli", "agent.daemon")
PARSERS = {
    "connectors.mail.mime",
    "connectors.mail.authentication",
    "connectors.mail.signatures",
    "connectors.calendars.ical",
}  # bytes -> record; pure
SHARED = {"connectors", "connectors.base", "connectors.items", "connectors.secrets", "connectors.domains"}
TEXT = "connectors.text"  # bytes and markup to plain text; pure


@cache
def modules() -> dict[str, ast.Module]:
    found = {}
    for package in OURS:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(name: str, *, lazy: bool = True) -> Iterator[str]:
    """Every module that this one imports; `lazy`: also those that its functions import when they are called."""
    tree = modules()[name]
    for node in ast.walk(tree) if lazy else _at_import(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in modules() else node.module or ""


def _at_import(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
            yield from _at_import(node)


def ours(name: str) -> set[str]:
    return {one for one in imports(name) if one.partition(".")[0] in OURS}


def belongs(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def inside(package: str) -> list[str]:
    return sorted(name for name in modules() if belongs(name, package))


def test_the_package_itself_is_empty() -> None:
    assert (ROOT / "agent" / "__init__.py").read_text() == ""


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_the_contracts_know_nobody(name: str) -> None:
    assert ours(name) == set()


@pytest.mark.parametrize("package", ["connectors", "classifiers"])
def test_connectors_and_classifiers_know_the_contracts_only_and_not_each_other(package: str) -> None:
    for name in inside(package):
        foreign = {one for one in ours(name) if not belongs(one, package)}
        assert foreign <= CONTRACTS, name


def test_a_connector_of_one_kind_knows_none_of_another() -> None:
    for kind in ("mail", "calendars", "crm"):
        for name in inside(f"connectors.{kind}"):
            others = {one for one in ours(name) if one.startswith("connectors.") and one not in SHARED}
            assert all(belongs(one, f"connectors.{kind}", TEXT) for one in others), name


@pytest.mark.parametrize("name", sorted(PURE))
def test_the_core_knows_no_store_no_network_and_no_clock(name: str) -> None:
    allowed = (
        CONTRACTS
        | PURE
        | PARSERS
        | {"connectors.base", "connectors.items", "classifiers", "classifiers.automated", "connectors.mail"}
    )
    allowed |= {"connectors.calendars", "connectors.domains"}
    assert ours(name) <= allowed
    assert not {one.partition(".")[0] for one in imports(name)} & {"sqlalchemy", "httpx", "time", "os", "pathlib"}
    called = {
        n.func.attr for n in ast.walk(modules()[name]) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
    }
    assert not called & {"now", "utcnow", "today"}  # `now` is an argument


def test_the_core_never_imports_upwards_and_the_store_only_the_core() -> None:
    for name in inside("agent.store"):
        agents = {one for one in ours(name) if belongs(one, "agent") and not belongs(one, "agent.store")}
        assert agents <= CONTRACTS | PURE, name
        assert {one for one in ours(name) if belongs(one, "connectors")} <= {"connectors.base"}, name


def test_only_the_core_knows_concrete_parsers_and_nobody_a_concrete_connector() -> None:
    for name in inside("agent"):
        concrete = {one for one in ours(name) if one.startswith("connectors.")} - SHARED
        concrete -= {"connectors.mail", "connectors.calendars"}
        assert concrete <= PARSERS, name


def test_the_config_knows_the_contracts_and_what_connectors_and_the_reader_declare() -> None:
    for name in inside("agent.config"):
        others = {one for one in ours(name) if not belongs(one, "agent.config")}
        assert others <= CONTRACTS | SHARED | {"classifiers.house"}, name


def test_nobody_below_knows_the_command_line_or_the_daemon() -> None:
    for name in inside("agent"):
        if not belongs(name, *TOP):
            assert not any(belongs(one, *TOP) for one in ours(name)), name
        if not belongs(name, "agent.cli"):
            assert not any(belongs(one, "agent.cli") for one in ours(name)), name


def test_no_two_modules_import_each_other() -> None:
    graph = {
        name: {one for one in imports(name, lazy=False) if one in modules() and not name.startswith(one + ".")}
        for name in modules()
    }
    assert list(TopologicalSorter(graph).static_order())
