"""Prints the story of a deal, a contact, a company, a move or an objection, for `explain`."""

from collections.abc import Mapping

from agent.cli.common import local, one_line, tell
from agent.story import Event, Story
from agent.texts import say, word


def print_story(story: Story, names: Mapping[str, str]) -> None:
    """Its facts first, then every event with its reason; `names`: records by id, as they are called."""
    tell(f"{word('story', story.kind)} {story.key}  {one_line(story.name)}")
    for name, value in story.facts.items():
        tell(say("story.fact", name=word("story", name), value=one_line(names.get(value, value))), indent=2)
    for event in story.events:
        tell(_line(event), indent=2)


def _line(event: Event) -> str:
    why = f"  {one_line(event.why)}" if event.why else ""
    what = word("story", event.what)
    said = word("sent", event.said) if event.what == "sent" else one_line(event.said)
    return f"{local(event.at)}  {what}: {said}{why}  [{event.key}]"
