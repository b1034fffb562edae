"""Reads config.toml: every problem is told at once, each with its line, its key and its fix.

find     the file: --config, $DEALSCRIBE_CONFIG, ./config.toml, $XDG_CONFIG_HOME/dealscribe/, /etc/dealscribe/
parse    TOML, and the line of each key
check    each table by its model, each connector's keys by its own Options, then what only shows when seen together
place    relative paths count from the file's folder, a relative SQLite store from the state folder
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

import connectors
from agent.config import options as connector_options
from agent.config.check import Check, model_in, own_name
from agent.config.handoffs import HandoffConfig, handoff_rules
from agent.config.lines import KeyPath, key_lines
from agent.config.places import find, placed_store, read, state_folder, syntax
from agent.config.reader import reader_options
from agent.config.tables import (
    TABLES,
    CrmTable,
    Exclude,
    Organization,
    PipelineTable,
    Reader,
    Retention,
    SourceTable,
    StageTable,
    Store,
    Table,
)
from agent.config.values import is_email, parse_duration, parse_since, suggest
from agent.errors import ConfigError
from agent.model import HandoffRule, Pipeline, Record, Stage, Takes
from classifiers.house import ReaderOptions
from connectors.base import Options

__all__ = [
    "Config",
    "CrmConfig",
    "Exclude",
    "HandoffConfig",
    "Organization",
    "Retention",
    "SourceConfig",
    "Store",
    "describe_keys",
    "find",
    "load",
    "parse_duration",
    "parse_since",
]

Place = Literal["mailbox", "calendar"]
PLACES: tuple[Place, ...] = ("mailbox", "calendar")

DEFAULT_POLL = {"mailbox": timedelta(seconds=60), "calendar": timedelta(minutes=5)}
WON_NAMES = frozenset({"won", "closed won", "выиграна", "выиграно", "выигран", "успешно реализовано"})
LOST_NAMES = frozenset({"lost", "closed lost", "проиграна", "проиграно", "проигран", "отказ"})
HOLD_NAMES = frozenset({"on hold", "hold", "postponed", "отложена", "отложено", "отложен", "на паузе"})


class SourceConfig(Record, frozen=True, kw_only=True):
    """One mailbox or calendar to read."""

    what: Place
    name: str
    owner: str  # the rep's address in lower case, or his id
    kind: str
    options: Options  # the connector's own keys; paths are absolute
    since: timedelta | datetime
    poll: timedelta

    def start(self, now: datetime) -> datetime:
        """What is older is not fetched."""
        return now - self.since if isinstance(self.since, timedelta) else self.since


class CrmConfig(Record, frozen=True, kw_only=True):
    """The CRM to write to."""

    kind: str
    options: Options
    write: frozenset[str]  # of activities, objections, stages, records
    records_per_hour: int = 100  # what is to be created beyond that waits


class Config(Record, frozen=True, kw_only=True):
    """All of config.toml, checked."""

    path: Path
    state: Path  # the folder for what the program itself keeps
    organization: Organization
    store: Store
    crm: CrmConfig
    mailboxes: tuple[SourceConfig, ...]
    calendars: tuple[SourceConfig, ...]
    pipelines: tuple[Pipeline, ...]
    exclude: Exclude
    retention: Retention
    reader: ReaderOptions = ReaderOptions()  # the house's own model and phrases
    handoffs_with_targets: tuple[HandoffConfig, ...] = ()
    warnings: tuple[str, ...] = ()  # notes; nothing that keeps the program from running

    @property
    def handoffs(self) -> tuple[HandoffRule, ...]:
        return tuple(each.rule for each in self.handoffs_with_targets)

    @property
    def folder(self) -> Path:
        """Relative paths count from here."""
        return self.path.parent

    @property
    def sources(self) -> tuple[SourceConfig, ...]:
        """Mailboxes, then calendars."""
        return self.mailboxes + self.calendars


def load(path: Path | None = None, env: Mapping[str, str] = os.environ, now: datetime | None = None) -> Config:
    """The configuration at `path`, or where it is looked for; ConfigError holds every problem."""
    found = find(path, env)
    text = read(found)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([syntax(found, error)]) from None
    check = Check(found, raw, key_lines(text), env)
    config = _config(check, now or datetime.now(UTC))
    if check.problems or check.elsewhere or config is None:
        raise ConfigError((*check.told(check.problems), *check.elsewhere))
    return config


def describe_keys() -> dict[str, str]:
    """Every key that config.toml may hold -> one line about it; a connector's keys are named "mailbox(imap).host"."""
    keys: dict[str, str] = {}
    for table, model in TABLES.items():
        keys |= _described(table, model)
        for kind in connector_options.kinds(table):
            keys |= _described(f"{table}({kind})", connectors.load(table, kind).Options)
    return keys


def _described(prefix: str, model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    for key, field in model.model_fields.items():
        yield f"{prefix}.{key}", field.description or ""
        nested = model_in(field.annotation)
        if nested and issubclass(nested, Table):
            yield from _described(f"{prefix}.{key}", nested)


# -- the tables, then what shows only when they are seen together ---------------------------------------------------


def _config(check: Check, now: datetime) -> Config | None:
    for key in check.raw:
        if key not in TABLES:
            check.problem((key,), f"unknown table; {suggest(key, list(TABLES))}")
    organization = check.table(("organization",), Organization, check.raw.get("organization", {}))
    store = check.table(("store",), Store, check.raw.get("store", {}))
    exclude = check.table(("exclude",), Exclude, check.raw.get("exclude", {}))
    retention = check.table(("retention",), Retention, check.raw.get("retention", {}))
    state = state_folder(check.path.parent, check.env)
    table = check.table(("reader",), Reader, check.raw.get("reader", {}))
    reader = reader_options(check, table, state) if table else None
    crm = _crm(check)
    mailboxes = _sources(check, "mailbox", now)
    calendars = _calendars_apart(check, mailboxes, _sources(check, "calendar", now))
    pipelines = _pipelines(check)
    handoffs = handoff_rules(check, pipelines)
    _known_sources(check)
    if not (organization and store and exclude and retention and reader and crm):
        return None
    _notes(check, organization, pipelines)
    return Config(
        path=check.path,
        state=state,
        organization=organization,
        store=Store(url=placed_store(store.url, state)),
        crm=crm,
        mailboxes=mailboxes,
        calendars=calendars,
        pipelines=pipelines,
        exclude=exclude,
        retention=retention,
        reader=reader,
        handoffs_with_targets=handoffs,
        warnings=check.told(check.notes),
    )


def _crm(check: Check) -> CrmConfig | None:
    values = check.raw.get("crm", {})
    if not isinstance(values, dict):
        check.problem(("crm",), "must be one table; write [crm] with single brackets")
        return None
    common = check.table(("crm",), CrmTable, _common(values, CrmTable))
    kind = values.get("kind", "local")
    options = connector_options.checked(check, ("crm",), kind, values, frozenset(CrmTable.model_fields))
    if not (common and options):
        return None
    return CrmConfig(
        kind=common.kind,
        options=options,
        write=frozenset(common.write),
        records_per_hour=common.records_per_hour,
    )


def _sources(check: Check, what: Place, now: datetime) -> tuple[SourceConfig, ...]:
    sources: list[SourceConfig] = []
    taken: dict[str, KeyPath] = {}
    for at, values in check.tables(what):
        own_name(check, at, values, taken)
        common = check.table(at, SourceTable, _common(values, SourceTable))
        kind = values.get("kind")
        options = connector_options.checked(check, at, kind, values, frozenset(SourceTable.model_fields))
        if not common:
            continue
        if isinstance(common.since, datetime) and common.since > now:
            check.problem((*at, "since"), 'is in the future; write e.g. "90d"')
        if options:
            sources.append(_source(what, common, options))
    return tuple(sources)


def _source(what: Place, common: SourceTable, options: Options) -> SourceConfig:
    return SourceConfig(
        what=what,
        name=common.name,
        owner=common.owner,
        kind=common.kind,
        options=options,
        since=common.since,
        poll=common.poll or DEFAULT_POLL[what],
    )


def _common(values: dict[str, Any], model: type[Table]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key in model.model_fields}


def _calendars_apart(
    check: Check, mailboxes: tuple[SourceConfig, ...], calendars: tuple[SourceConfig, ...]
) -> tuple[SourceConfig, ...]:
    """Commands and the ledger know a source by its name alone: a calendar named like a mailbox gets a longer one."""
    taken = {source.name for source in mailboxes}
    free = {calendar.name for calendar in calendars} | taken
    apart: list[SourceConfig] = []
    for calendar in calendars:
        name = calendar.name
        if name in taken:
            name = f"{name}-calendar"
            if name in free:
                check.problem(("calendar",), f'"{calendar.name}" is the name of a mailbox too; choose another name')
            check.note(
                ("calendar",), f'"{calendar.name}" is the name of a mailbox too; the calendar is called "{name}"'
            )
        apart.append(SourceConfig(**{f: getattr(calendar, f) for f in calendar.__struct_fields__} | {"name": name}))
    return tuple(apart)


def _pipelines(check: Check) -> tuple[Pipeline, ...]:
    pipelines: list[Pipeline] = []
    taken: dict[str, KeyPath] = {}
    for at, values in check.tables("pipeline"):
        own_name(check, at, values, taken)
        table = check.table(at, PipelineTable, values)
        if not table:
            continue
        if not table.stage:
            check.problem(at, "has no stages; add a [[pipeline.stage]] with a name for each")
        stages: dict[str, KeyPath] = {}
        for n, stage in enumerate(values.get("stage", ())):
            own_name(check, (*at, "stage", n), stage, stages)
        pipelines.append(_pipeline(table))
    return tuple(pipelines)


def _pipeline(table: PipelineTable) -> Pipeline:
    won_by_name = any(_said(stage.name) in WON_NAMES or stage.kind == "won" for stage in table.stage)
    return Pipeline(
        name=table.name,
        stages=tuple(_stage(stage, won_by_name) for stage in table.stage),
        mode=table.mode,
        terminal=table.terminal,
        create_deals=table.create_deals,
        takes=Takes(
            owners=tuple(owner.lower() for owner in table.takes.owners),
            words=table.takes.words,
            sources=table.takes.sources,
        ),
    )


def _stage(table: StageTable, won_by_name: bool) -> Stage:
    return Stage(
        name=table.name,
        result=table.result,
        reached_by=table.reached_by,
        kind=table.kind or _derived_kind(_said(table.name), table.reached_by, won_by_name),
    )


def _derived_kind(name: str, reached_by: tuple[str, ...], won_by_name: bool) -> Literal["open", "won", "lost", "hold"]:
    """What the name or the milestones tell; a paid deal is won, unless the pipeline has another stage for that."""
    if name in WON_NAMES:
        return "won"
    if name in LOST_NAMES or "lost" in reached_by:
        return "lost"
    if name in HOLD_NAMES or "postponed" in reached_by:
        return "hold"
    return "won" if "payment_confirmed" in reached_by and not won_by_name else "open"


def _said(name: str) -> str:
    return name.casefold().replace("_", " ").replace("-", " ").strip()


def _known_sources(check: Check) -> None:
    named = [values.get("name") for what in PLACES for _, values in check.tables(what)]
    known = [name for name in named if isinstance(name, str)]
    for at, values in check.tables("pipeline"):
        for n, source in enumerate(_taken_sources(values)):
            if source not in known:
                here = (*at, "takes", "sources", n)
                check.problem(here, f"is no mailbox or calendar of this file; {suggest(source, known)}")


def _taken_sources(values: dict[str, Any]) -> list[str]:
    takes = values.get("takes", {})
    sources = takes.get("sources", []) if isinstance(takes, dict) else []
    return [source for source in sources if isinstance(source, str)] if isinstance(sources, list) else []


def _notes(check: Check, organization: Organization, pipelines: tuple[Pipeline, ...]) -> None:
    """What is allowed and yet probably not meant."""
    sources = [each for what in PLACES for each in check.tables(what)]
    if not sources:
        check.note((), "nothing is read yet; add a [[mailbox]] or a [[calendar]]")
    if not pipelines:
        check.note((), "no deal is ever moved; add a [[pipeline]] with its stages")
    for at, values in sources:
        if not _ours(str(values.get("owner", "")).lower(), organization.domains):
            check.note((*at, "owner"), "is in none of our domains; add the domain to [organization] domains")
    for n, pipeline in enumerate(pipelines):
        for m, stage in enumerate(pipeline.stages):
            if not stage.result:
                here = ("pipeline", n, "stage", m)
                check.note(here, 'has no result; say what has been reached, e.g. result = "They have our offer."')


def _ours(owner: str, domains: tuple[str, ...]) -> bool:
    domain = owner.rpartition("@")[2]
    return not is_email(owner) or any(domain == ours or domain.endswith(f".{ours}") for ours in domains)
