"""Errors, named for what happens next; everything that dealscribe raises on purpose is one of these.

DealscribeError
├── Retry             try again later; nothing is lost by waiting
│   └── OutcomeUnknown    the answer was lost: ask `find(key)` before writing again
├── NeedsHuman        waiting does not help: a person must do what the message says
│   └── ConfigError       ... in config.toml; carries every problem at once
├── Rejected          this one item or change is refused; the rest goes on
└── CursorExpired     the source no longer knows our cursor: list again, within bounds
"""

from collections.abc import Sequence


class DealscribeError(Exception):
    """The base of all errors that dealscribe raises on purpose."""


class Retry(DealscribeError):
    """Try again later, after `after` seconds if the other side named a time."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


class OutcomeUnknown(Retry):
    """A write was sent and its answer was lost: it may or may not have been applied."""


class NeedsHuman(DealscribeError):
    """A person must act; the message is a sentence that says what to do."""


class ConfigError(NeedsHuman):
    """The configuration cannot be used; `problems` holds every reason, each with its fix."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Rejected(DealscribeError):
    """This item or change is refused for good; the message says why."""


class CursorExpired(DealscribeError):
    """The source cannot resume from this cursor: a bounded re-list is needed."""
