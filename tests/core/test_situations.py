"""Every situation of situations/*.toml: which deal, which stage, which objections."""

from typing import Any

import pytest

from agent.changes import Sent, difference, log_key
from agent.model import Change
from tests.core.situation import situation, situations

ALL = list(situations())
each = pytest.mark.parametrize("told", [told for _, told in ALL], ids=[name for name, _ in ALL])


def test_every_situation_has_a_name_of_its_own() -> None:
    names = [name for name, _ in ALL]
    assert len(names) == len(set(names))
    assert len(names) >= 120


@each
def test_the_agent_does_what_a_sales_manager_expects(told: dict[str, Any]) -> None:
    this = situation(told)
    played = this.play()
    found = [played.links[f"no. {n}"] for n in range(1, len(this.happens) + 1)]
    said = [
        ("logged" if one.outcome == "logged" else one.reason, sorted(one.deal_ids), sorted(one.ambiguous))
        for one in found
    ]
    assert said == [this.expected_link(n) for n in range(len(found))]
    assert played.moves == told.get("stages", [])
    assert played.proposed == told.get("proposed", [])
    assert played.objections == told.get("objections", [])
    assert played.new == told.get("new", [])
    assert played.handed_off == told.get("handed_off", [])
    assert played.lives == told.get("lives", played.lives)


UNDONE = [(name, told) for name, told in ALL if "undoes" in told]


@pytest.mark.parametrize("told", [told for _, told in UNDONE], ids=[name for name, _ in UNDONE])
def test_what_a_person_takes_back_goes_with_its_consequences_and_with_nothing_else(told: dict[str, Any]) -> None:
    assert situation(told).taken_back() == told["undoes"]


@each
def test_the_order_of_arrival_does_not_matter(told: dict[str, Any]) -> None:
    this = situation(told)
    assert this.play(backwards=True) == this.play()


@each
def test_what_was_written_once_is_not_written_again(told: dict[str, Any]) -> None:
    this = situation(told)
    played = this.play()
    for history in played.histories:
        links = {link.activity: played.links[link.activity] for link in history.links}
        seen = this.clients[history.client]
        everything = ("activities", "stages", "objections", "records")
        changes = difference(history, links, seen, [], everything)
        assert {c.subject for c in changes if c.kind == "log_activity"} == {
            key for key, link in links.items() if link.outcome == "logged"
        }
        assert _waits_only_for_what_is_written(changes)
        sent = [Sent(key=c.key, kind=c.kind, subject=c.subject, body=c.body) for c in changes]
        assert difference(history, links, seen, sent, everything) == []


def _waits_only_for_what_is_written(changes: list[Change]) -> bool:
    """No change needs one that comes after it, or that nobody makes."""
    made: set[str] = set()
    for change in changes:
        if not made.issuperset(change.needs):
            return False
        made.add(change.key)
    return all(change.kind != "log_activity" or change.key == log_key(change.subject, 0) for change in changes)
