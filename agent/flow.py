"""What the steps of the flow share: the store, the sources, the CRM, the workers, the clock, and who we are."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Connection

import connectors
import connectors.base
from agent.clients import Directory
from agent.config import Config, SourceConfig
from agent.intake import House
from agent.model import Change, Pipeline
from agent.store import Store, crm, mirror, sources
from agent.workers import Workers
from connectors.base import Crm, Facts, Finding, Scope, Source

CALENDAR_AHEAD = timedelta(days=400)  # how far ahead the instances of a series are looked at


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Progress:
    """What a step tells whoever watches."""

    step: str  # pull, collect, read, fold, deliver
    source: str = ""
    done: int = 0
    total: int | None = None
    rate: float | None = None  # a second


@dataclass
class Flow:
    """One running flow; whoever holds the lease has one."""

    config: Config
    store: Store
    crm: Crm
    parsers: Workers
    readers: Workers
    now: Callable[[], datetime] = utc_now
    tell: Callable[[Progress], None] = lambda _: None
    stopping: Callable[[], bool] = lambda: False
    outward: bool = True  # a dry run tells nobody outside
    rest: Callable[[float], None] = time.sleep  # seconds; for a CRM that asks for patience
    _people: tuple[str, Directory] | None = field(default=None, repr=False)

    @cached_property
    def pipelines(self) -> Mapping[str, Pipeline]:
        """Nobody is asked about a deal that could not be written."""
        may = self.config.crm.write & self.crm.capabilities()
        off: dict[str, Any] = {} if "records" in may else {"create_deals": "off"}
        return {p.name: msgspec.structs.replace(p, **off) for p in self.config.pipelines}

    def people(self, tx: Connection) -> Directory:
        """Everybody in the CRM; loaded again only when the mirror has changed."""
        revision = mirror.revision(tx)
        if self._people is None or self._people[0] != revision:
            self._people = (revision, mirror.directory(tx))
        return self._people[1]

    def house(self, tx: Connection) -> House:
        return house_of(self.config, tx)

    def owners(self, tx: Connection) -> dict[str, str]:
        return owners_of(self.config, tx)

    def reps(self, tx: Connection) -> dict[str, str]:
        """The reps' addresses -> their ids; an owner that the CRM does not list stands for himself."""
        owners = {s.owner: s.owner for s in self.config.sources if "@" in s.owner}
        return owners | {r.email: r.id for r in mirror.reps(tx)}

    def zone_of(self, tx: Connection, source: SourceConfig) -> str:
        """The time zone of a source's owner: floating and all-day events are his."""
        return next((r.tz for r in mirror.reps(tx) if source.owner in (r.id, r.email)), "UTC")

    def email_of(self, tx: Connection, source: SourceConfig) -> str:
        return next((r.email for r in mirror.reps(tx) if r.id == source.owner), source.owner)


def owners_of(config: Config, tx: Connection) -> dict[str, str]:
    """Source -> rep id; an owner that the CRM does not list stands for himself."""
    by_email = {r.email: r.id for r in mirror.reps(tx)}
    return {s.name: by_email.get(s.owner, s.owner) for s in config.sources}


def house_of(config: Config, tx: Connection) -> House:
    """Who we are: domains, the reps' addresses, what is kept out."""
    owners = [s.owner for s in config.sources if "@" in s.owner]
    return House(
        domains=tuple(config.organization.domains),
        addresses=frozenset(owners) | {r.email for r in mirror.reps(tx)},
        authserv_ids=tuple(config.organization.authserv_ids),
        dkim_keys=tuple(config.organization.dkim_keys),
        exclude_addresses=frozenset(config.exclude.addresses),
        exclude_domains=tuple(config.exclude.domains),
        private_events=config.exclude.private_events,
        hash_key=sources.hash_key(tx),
    )


def open_source(config: Config, source: SourceConfig, since: datetime, now: datetime) -> Source:
    """The connector of one source, with its scope."""
    scope = Scope(
        since=since,
        until=now + CALENDAR_AHEAD if source.what == "calendar" else None,
        exclude_folders=tuple(config.exclude.folders),
        exclude_labels=tuple(config.exclude.labels),
    )
    made: Source = connectors.load(source.what, source.kind)(source.name, source.owner, source.options, scope)
    return made


def open_crm(config: Config, store: Store) -> Crm:
    """The configured CRM; the built-in one is handed the functions that work on the store's own tables."""
    kind = connectors.load("crm", config.crm.kind)
    if not kind.transactional:
        made: Crm = kind(config.crm.options)
        return made
    kinds = {(p.name, s.name): s.kind for p in config.pipelines for s in p.stages}

    def apply(change: Change, remote: Mapping[str, str]) -> str:
        with store.transaction() as tx:
            return crm.apply(tx, change, kinds, remote)

    def find(key: str) -> str | None:
        with store.reading() as tx:
            return crm.find(tx, key)

    built_in: Crm = kind(config.crm.options, apply, find)
    return built_in


class Withheld:
    """A hosted CRM that is read and never written; each change is taken as written."""

    Options: ClassVar[type[connectors.base.Options]] = connectors.base.Options
    transactional: ClassVar[bool] = False

    def __init__(self, crm: Crm) -> None:
        self._crm = crm

    def check(self) -> list[Finding]:
        return self._crm.check()

    def capabilities(self) -> frozenset[str]:
        return self._crm.capabilities()

    def pull(self, cursor: str | None) -> Iterator[Facts]:
        return self._crm.pull(cursor)

    def write(self, change: Change, remote: Mapping[str, str]) -> str:
        return f"withheld:{change.key}"

    def find(self, key: str) -> str | None:
        return None


def never_written(config: Config, copy: Store) -> Crm:
    """The CRM of a dry run: the built-in one works on the throw-away copy, a hosted one is only read."""
    crm = open_crm(config, copy)
    return crm if crm.transactional else Withheld(crm)


def named(all_sources: Sequence[SourceConfig], names: Sequence[str]) -> list[SourceConfig]:
    """The sources of these names; all when none is named. KeyError for one that is not configured."""
    known: dict[str, Any] = {s.name: s for s in all_sources}
    return [known[n] for n in names] if names else list(all_sources)
