"""Prints the story of a deal, a contact, a company, a move or an objection, for `explain`."""

from collections.abc import Mapping
from typing import get_args

from agent.cli.common import local, one_line, tell
from agent.model import ObjectionTurn
from agent.story import Event, Story
from agent.texts import say, word


def print_story(story: Story, names: Mapping[str, str]) -> None:
    """Its facts first, then every event with its reason; `names`: records by id, as they are called."""
    tell(f"{word('story', story.kind)} {story.key}  {one_line(story.name)}")
    for name, value in story.facts.items():
        told = word("report" if story.kind == "objection" else "story", value) if name == "state" else value
        tell(say("story.fact", name=word("story", name), value=one_line(names.get(told, told))), indent=2)
    for event in story.events:
        tell(_line(event), indent=2)


def _line(event: Event) -> str:
    why = f"  {one_line(event.why)}" if event.why else ""
    what = word("story", event.what)
    return f"{local(event.at)}  {what}: {one_line(_said(event))}{why}  [{event.key}]"


_OF_OBJECTIONS = ("objection", *get_args(ObjectionTurn))


def _said(event: Event) -> str:
    if event.what in _OF_OBJECTIONS:
        kind, comma, stage = event.said.partition(", ")
        return f"{word('objection', kind)}{comma}{stage}"
    return word("sent", event.said) if event.what == "sent" else event.said
