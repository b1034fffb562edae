"""The sentences that users read, one catalogue per language; the language follows the user's locale."""

import os
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "ru")


def language(env: Mapping[str, str] = os.environ) -> str:
    """$DEALSCRIBE_LANGUAGE, else the locale's language, else English."""
    for name in ("DEALSCRIBE_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := env.get(name):
            return value[:2].lower() if value[:2].lower() in LANGUAGES else "en"
    return "en"


@cache
def catalogue(code: str) -> Mapping[str, str]:
    """All sentences of one language, by their names."""
    text = files("agent").joinpath(f"data/texts/{code}.toml").read_text(encoding="utf-8")
    return {f"{room}.{name}": said for room, of in tomllib.loads(text).items() for name, said in of.items()}


def say(name: str, /, **values: object) -> str:
    """One sentence in the user's language, with its values in place."""
    return catalogue(language())[name].format(**values)


def word(room: str, code: str) -> str:
    """The user's word for one of our codes; a code that has none stands for itself."""
    return catalogue(language()).get(f"{room}.{code}", code)


def span(length: timedelta) -> str:
    """A length of time, in its largest unit."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size in (("days", 2 * 86_400), ("hours", 2 * 3_600), ("minutes", 2 * 60)):
        if seconds >= size:
            return say(f"span.{unit}", n=seconds // (size // 2))
    return say("span.seconds", n=seconds)
