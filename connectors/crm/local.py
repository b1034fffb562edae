"""The built-in CRM: dealscribe's own tables. A change is applied in the transaction that takes it off the outbox."""

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from agent.model import Change
from connectors import base
from connectors.base import Facts, Finding

Apply = Callable[[Change, Mapping[str, str]], str]
Find = Callable[[str], str | None]


class LocalCrmOptions(base.Options):
    """`kind = "local"` in config.toml; it needs no settings."""


class LocalCrm:
    """Hands every change to the engine's store, which gives it the two functions that do the work."""

    Options: ClassVar[type[base.Options]] = LocalCrmOptions
    transactional: ClassVar[bool] = True

    def __init__(self, options: LocalCrmOptions, apply: Apply, find: Find) -> None:
        self._apply = apply
        self._find = find

    def check(self) -> list[Finding]:
        return [Finding(level="ok", text="the built-in CRM is used: nothing has to be connected")]

    def capabilities(self) -> frozenset[str]:
        return frozenset({"activities", "objections", "stages", "records", "handoffs"})

    def pull(self, cursor: str | None) -> Iterator[Facts]:
        """Nothing: its facts are the engine's own tables."""
        return iter(())

    def write(self, change: Change, remote: Mapping[str, str]) -> str:
        return self._apply(change, remote)

    def find(self, key: str) -> str | None:
        return self._find(key)
