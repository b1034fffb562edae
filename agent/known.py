"""What the fold is given: activities as they were seen, the CRM's facts on one client, what people answered."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from agent.model import (
    Company,
    Contact,
    Deal,
    Direction,
    HandoffRule,
    Link,
    Meeting,
    Message,
    ObjectionLife,
    Pipeline,
    Reading,
    Record,
    StageMove,
)

NO_READING = Reading(version="", language="other")


class Stood(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What was said of an activity when its words were let go; it stands from then on, for nobody can read it again."""

    until: datetime  # when they were let go: what had been written by then was known then
    link: Link
    reading: Reading  # kinds, places and versions, without a word
    moves: tuple[StageMove, ...] = ()  # of which it is the evidence
    objections: tuple[ObjectionLife, ...] = ()  # in which it has a part


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One activity as the fold sees it: the record, who saw it, and what the classifiers say."""

    key: str
    record: Message | Meeting
    direction: Direction
    verified: str  # sent, authenticated, unknown, failed
    thread: int
    owners: frozenset[str]  # rep ids whose mailbox or calendar holds it
    sources: frozenset[str] = frozenset()  # names of those mailboxes and calendars
    outside: frozenset[str]  # addresses of the participants that are not ours
    contact_ids: frozenset[str]  # of those that the CRM knows
    company_ids: frozenset[str]  # of those, by contact or by domain
    claims_client: bool  # its From is an address of this client
    new_text: str
    reading: Reading = NO_READING
    gone: bool = False  # a meeting that its calendar dropped before it was over
    stood: Stood | None = None  # its words were let go
    link: Link | None = None  # what was last said of it, where the words of others were let go

    @property
    def at(self) -> datetime:
        """When it happened; a meeting counts when it is over: until then it proves nothing."""
        return self.record.end if isinstance(self.record, Meeting) else self.record.date


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decided; it wins over every rule."""

    kind: str  # linked, accepted, declined, undone, restored, vouched
    subject: str  # key of an activity, a move, an objection or a record
    deal_ids: tuple[str, ...] = ()  # linked: those that were named; of a move: its one deal
    stage: str = ""  # of a move
    evidence: str = ""  # of a move: key of the activity
    milestone: str = ""  # of a move
    before: str = ""  # of a move: the stage that the deal would leave, or left
    pipeline: str = ""  # of a new deal, where it was not clear
    number: int = 0  # later answers have higher ones


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """An address of this client's letters that belongs to no contact, and to no other client's domain."""

    company_id: str | None = None  # whose domain it bears
    elsewhere: datetime | None = None  # the first time that it took part in another client's letters


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """The CRM's facts on one client."""

    key: str
    companies: tuple[Company, ...] = ()
    contacts: tuple[Contact, ...] = ()
    deals: tuple[Deal, ...] = ()
    pipelines: Mapping[str, Pipeline] = {}
    handoffs: tuple[HandoffRule, ...] = ()
    own: frozenset[str] = frozenset()  # addresses of the reps
    products: frozenset[str] = frozenset()  # see `Directory.products`
    reps: Mapping[str, str] = {}  # their addresses -> rep ids
    unknown: Mapping[str, Unknown] = {}  # by address
    nameless: Mapping[str, str] = {}  # name -> id of the companies that no domain tells
