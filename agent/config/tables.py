"""The tables of config.toml as models; a connector's own keys stand in its Options."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from agent.config.values import (
    Domain,
    Duration,
    Email,
    Kind,
    Name,
    Owner,
    Since,
    dkim_key,
    milestone,
    objection_type,
    parse_retention,
    some,
    store_url,
    web_address,
)
from connectors.secrets import SecretRef

Writes = Literal["activities", "objections", "stages", "records", "handoffs"]


class Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Organization(Table):
    """[organization]"""

    domains: Annotated[tuple[Domain, ...], AfterValidator(some)] = Field(
        default=(), validate_default=True, description="our own mail domains"
    )
    authserv_ids: tuple[str, ...] = Field(default=(), description="our servers' names in Authentication-Results")
    dkim_keys: tuple[Annotated[str, AfterValidator(dkim_key)], ...] = Field(
        default=(), description="keys of clients' domains, where our server does not check signatures"
    )


class Store(Table):
    """[store]"""

    url: Annotated[str, AfterValidator(store_url)] = Field(
        default="sqlite:///dealscribe.db", description="the database"
    )


class Exclude(Table):
    """[exclude]: what is never stored."""

    addresses: tuple[Email, ...] = Field(default=(), description="addresses whose letters and meetings are left out")
    domains: tuple[Domain, ...] = Field(default=(), description="domains whose letters and meetings are left out")
    folders: tuple[str, ...] = Field(default=(), description="folders that are not read")
    labels: tuple[str, ...] = Field(
        default=("no-crm",), description="labels, keywords and categories that keep an item out"
    )
    private_events: bool = Field(default=True, description="leave out what is marked private in a calendar")


class Retention(Table):
    """[retention]"""

    text: Annotated[timedelta | None, BeforeValidator(parse_retention)] = Field(
        default=timedelta(days=3 * 365), description="how long texts and quotes are kept"
    )


class Reader(Table):
    """[reader]"""

    model: str = Field(default="reader-model", description="the folder of the heads that learn from people's answers")
    phrases: Path | None = Field(default=None, description="a file or a folder with phrases of your own")


class CrmTable(Table):
    kind: str = Field(default="local", description="which CRM")
    write: tuple[Writes, ...] = Field(default=get_args(Writes), description="what may be written into the CRM")
    records_per_hour: int = Field(default=100, ge=1, description="how many contacts, companies and deals an hour")


class SourceTable(Table):
    name: Name = Field(description="the source's own name, for commands and reports")
    owner: Owner = Field(description="the rep: his address, or his id in the CRM")
    kind: str = Field(default="", description="which connector reads it")  # a missing one is told with the known kinds
    since: Since = Field(default=timedelta(days=90), description="how far back the first import goes")
    poll: Duration | None = Field(default=None, description="how often it is asked for news")


class TakesTable(Table):
    owners: tuple[Owner, ...] = Field(default=(), description="reps whose new deals belong here")
    words: tuple[str, ...] = Field(default=(), description="words in a client's letters that speak for this pipeline")
    sources: tuple[str, ...] = Field(default=(), description="mailboxes and calendars whose new deals belong here")


class StageTable(Table):
    name: Name = Field(description="the stage's name in the CRM")
    result: str = Field(default="", description="what has been reached when a deal is here")
    reached_by: tuple[Annotated[str, AfterValidator(milestone)], ...] = Field(
        default=(), description="milestones, any of which brings a deal here"
    )
    kind: Kind | None = Field(
        default=None, description="open, won, lost or hold, where name and milestones do not tell"
    )


class PipelineTable(Table):
    name: Name = Field(description="the pipeline's name in the CRM")
    mode: Literal["auto", "propose"] = Field(default="propose", description="move deals, or only propose it")
    terminal: Literal["auto", "propose"] = Field(default="propose", description="the same for won, lost and paid")
    create_deals: Literal["off", "propose", "auto"] = Field(
        default="propose", description="open a deal for a new request"
    )
    takes: TakesTable = Field(default=TakesTable(), description="which new deals belong to this pipeline")
    stage: tuple[StageTable, ...] = Field(default=(), description="the stages in order")


class HandoffTable(Table):
    name: Name = Field(description="the rule's own name, for reports")
    pipeline: tuple[Name, ...] = Field(default=(), description="in which pipelines")
    stage: tuple[Name, ...] = Field(default=(), description="at which stages")
    objection: tuple[Annotated[str, AfterValidator(objection_type)], ...] = Field(
        default=(), description="with an open objection of these types"
    )
    sort: Literal["genuine", "stalling"] | None = Field(default=None, description="a real objection, or a pretext")
    days: int | None = Field(default=None, ge=1, le=3650, description="days without an answer")
    waiting_for: Literal["client", "us", "anybody"] = Field(default="client", description="whose answer is missing")
    owner: Owner | None = Field(default=None, description="the colleague who takes the deal over")
    tag: str = Field(default="", max_length=100, description="a tag for the deal in the CRM")
    webhook: Annotated[str, AfterValidator(web_address)] | SecretRef | None = Field(
        default=None, description="an address that is sent JSON"
    )
    file: Path | None = Field(default=None, description="a folder whose handoffs.jsonl gets a line")


TABLES: dict[str, type[Table]] = {
    "organization": Organization,
    "store": Store,
    "crm": CrmTable,
    "mailbox": SourceTable,
    "calendar": SourceTable,
    "pipeline": PipelineTable,
    "handoff": HandoffTable,
    "exclude": Exclude,
    "retention": Retention,
    "reader": Reader,
}
