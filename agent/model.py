"""The records that pass between the steps of the flow; frozen, plain, named by their role.

Times are aware datetimes. Addresses are lower-cased. Texts are already decoded and free of control characters.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec

Direction = Literal["inbound", "outbound", "internal"]
Outcome = Literal["logged", "skipped", "waiting", "quarantined", "excluded"]
ItemKind = Literal["message", "meeting"]

MILESTONES = (
    "contact_established",
    "meeting_scheduled",
    "meeting_held",
    "needs_identified",
    "proposal_requested",
    "proposal_sent",
    "proposal_received",
    "negotiation",
    "contract_sent",
    "contract_approval",
    "contract_signed",
    "invoice_sent",
    "payment_confirmed",
    "postponed",
    "lost",
)
OBJECTION_TYPES = (
    "price",
    "budget",
    "timing",
    "authority",
    "competitor",
    "need",
    "feature_gap",
    "trust",
    "legal",
    "technical",
    "other",
)


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all records share: frozen, told apart by value, JSON by msgspec."""


# -- what a source holds ------------------------------------------------------------------------------------------


class Address(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One mailbox of an address header (RFC 5322, 3.4)."""

    email: str = ""  # lower case; "" when the header names nobody that can be reached
    name: str = ""  # decoded display name


CutKind = Literal["quoted", "forwarded", "signature", "disclaimer", "footer", "hidden"]


class Cut(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A stretch of `text` that is not what the letter says now: text[start:end]."""

    start: int
    end: int
    kind: CutKind


class Attachment(Record, frozen=True, kw_only=True, omit_defaults=True):
    """An attachment's label; its content is never kept."""

    name: str
    content_type: str
    size: int  # bytes after decoding, or as announced by the server
    sha256: str = ""  # "" when the content was not fetched


class Message(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What one letter says; made by `connectors.mail.mime.parse`."""

    key: str  # ours: see `mime.message_key`
    message_id: str | None  # as in the header, with <>
    date: datetime  # the Date header, or when the server received it if that is absent or off by more than two days
    subject: str
    from_: tuple[Address, ...]
    sender: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    delivered_to: tuple[str, ...] = ()  # Delivered-To, X-Original-To: for whom the server took it
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    text: str = ""
    cuts: tuple[Cut, ...] = ()  # what the HTML itself marks: quotations, text that a reader cannot see
    attachments: tuple[Attachment, ...] = ()
    invitations: tuple[str, ...] = ()  # text/calendar parts, as text
    signals: dict[str, str] = {}  # lower-case names of the headers that tell machines and lists from people
    authentication_results: tuple[tuple[str, ...], ...] = ()  # topmost first, together those with no hop between
    size: int = 0  # bytes of the whole letter
    problems: tuple[str, ...] = ()  # what was odd, in words for an admin


Answered = Literal["accepted", "declined", "tentative", "needs-action", "delegated"]


class Attendee(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One attendee or the organizer of a meeting (RFC 5545, 3.8.4)."""

    email: str
    name: str = ""
    answer: Answered = "needs-action"


class Meeting(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One meeting, or one instance of a recurring one; made by `connectors.calendars.ical.parse`."""

    key: str  # ours: iCalendar UID + RECURRENCE-ID
    uid: str
    recurrence_id: str | None  # RFC 3339 of the instance's original start, None for a single meeting
    sequence: int
    title: str
    start: datetime
    end: datetime
    tz: str = "UTC"  # the zone in which the meeting was entered
    all_day: bool = False
    status: Literal["confirmed", "tentative", "cancelled"] = "confirmed"
    private: bool = False  # CLASS:PRIVATE or CONFIDENTIAL
    description: str = ""
    location: str = ""
    organizer: Attendee | None = None
    attendees: tuple[Attendee, ...] = ()
    modified: datetime | None = None  # LAST-MODIFIED, else DTSTAMP
    problems: tuple[str, ...] = ()


# -- what the classifiers say of one content ----------------------------------------------------------------------


class Letter(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What the classifiers are given: one content, apart from its mailbox, thread and deal."""

    direction: Direction
    subject: str
    body: str
    cuts: tuple[Cut, ...] = ()
    attachments: tuple[str, ...] = ()  # names
    signals: dict[str, str] = {}
    kind: ItemKind = "message"
    stage: str | None = None
    earlier: tuple[str, ...] = ()  # milestones proven before, when known


class Span(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A quote and where it stands: body[start:end] == quote."""

    quote: str
    start: int
    end: int


class MilestoneRead(Record, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    confidence: float  # 0..1
    evidence: Span
    by: str = ""  # the rule or model that says so


class ObjectionRead(Record, frozen=True, kw_only=True, omit_defaults=True):
    type: str
    genuine: bool
    confidence: float
    evidence: Span
    reason: Span | None = None
    condition: Span | None = None
    by: str = ""


class SettlingRead(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A sentence that may settle an objection of an earlier letter; which one, only the history can tell.

    granted: something is agreed to, or has come about. withdrawn: the client no longer holds something against us.
    goes_ahead: he orders. tells: our letter says something besides thanks, questions and promises to come back.
    """

    kind: Literal["granted", "withdrawn", "goes_ahead", "tells"]
    evidence: Span
    about: tuple[str, ...] = ()  # types of objections of which it speaks


NotBusiness = Literal["", "private", "newsletter", "vendor", "recruit"]


class Reading(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What one content says by itself. Nothing is a normal answer."""

    version: str  # of rules and model
    language: Literal["en", "ru", "other"]
    cuts: tuple[Cut, ...] = ()  # all that is not new text, those of the HTML included
    milestones: tuple[MilestoneRead, ...] = ()
    objections: tuple[ObjectionRead, ...] = ()
    settling: tuple[SettlingRead, ...] = ()
    automated: Literal["", "auto_reply", "bounce", "calendar_notification", "newsletter", "notice", "machine"] = ""
    business: bool = True
    matter: NotBusiness = ""  # why it is not a client's business, when the text shows it


# -- the CRM's facts ----------------------------------------------------------------------------------------------


class Rep(Record, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    name: str
    email: str
    tz: str = "UTC"


class Stage(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One stage of a pipeline, as the admin describes it."""

    name: str
    result: str = ""
    reached_by: tuple[str, ...] = ()  # milestones
    kind: Literal["open", "won", "lost", "hold"] = "open"


class Takes(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Which new deals belong to a pipeline; an empty list says nothing."""

    owners: tuple[str, ...] = ()  # reps, by address or id, lower case
    words: tuple[str, ...] = ()  # words of the client's first letters
    sources: tuple[str, ...] = ()  # names of mailboxes and calendars


class Pipeline(Record, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    stages: tuple[Stage, ...]
    mode: Literal["auto", "propose"] = "propose"
    terminal: Literal["auto", "propose"] = "propose"
    create_deals: Literal["off", "propose", "auto"] = "propose"
    takes: Takes = Takes()


class HandoffRule(Record, frozen=True, kw_only=True, omit_defaults=True):
    """When a deal is handed to somebody else; all conditions that are given must hold."""

    name: str
    pipelines: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    objections: tuple[str, ...] = ()  # types
    genuine: bool | None = None  # of the objection: a real one, or a pretext
    days: int | None = None  # without an answer
    waiting_for: Literal["client", "us", "anybody"] = "client"  # whose answer
    owner: str = ""  # who takes it over
    tag: str = ""
    webhook: bool = False
    file: bool = False
    since: datetime | None = None  # what fell due before is the past's


class Company(Record, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    name: str
    domains: tuple[str, ...] = ()
    language: str = ""
    created_by: str = "import"


class Contact(Record, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    name: str
    emails: tuple[str, ...] = ()
    company_id: str | None = None
    title: str = ""
    phone: str = ""  # E.164
    created_by: str = "import"


class StageEvent(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A stage that a person, an import or another program gave a deal; never our own move."""

    stage: str
    date: datetime
    by: str  # human | import


class Deal(Record, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    name: str
    company_id: str | None
    contact_ids: tuple[str, ...]
    owner: str  # rep id
    pipeline: str
    stage: str  # as last known to the CRM
    status: Literal["open", "won", "lost"]
    created_at: datetime | None
    closed_at: datetime | None = None
    amount: float | None = None
    currency: str | None = None
    external_numbers: tuple[str, ...] = ()
    events: tuple[StageEvent, ...] = ()
    created_by: str = "import"


# -- what is decided ----------------------------------------------------------------------------------------------


class Reason(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One named piece of evidence for or against a candidate."""

    name: str
    weight: float
    detail: str = ""


class Candidate(Record, frozen=True, kw_only=True, omit_defaults=True):
    deal_id: str
    score: float
    reasons: tuple[Reason, ...]


def title(record: Message | Meeting) -> str:
    """What it is called: a letter's subject, a meeting's title."""
    return record.subject if isinstance(record, Message) else record.title


class Link(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Where one activity of a client belongs."""

    activity: str  # key
    outcome: Literal["logged", "skipped", "waiting"]
    reason: str = ""  # of skipped and waiting
    company_id: str | None = None
    contact_ids: tuple[str, ...] = ()
    deal_ids: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()  # deal ids between which nobody can tell
    candidates: tuple[Candidate, ...] = ()
    verified: str = "unknown"  # authenticated | failed | unknown | sent
    settled: Literal["", "answer", "undone"] = ""  # by a person: he named the deals of its thread, or took it off them


ChangeState = Literal["written", "proposed", "undone"]


class StageMove(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A deal entered a stage, because of something that can be quoted."""

    key: str
    deal_id: str
    stage: str
    date: datetime
    state: ChangeState
    evidence: str  # key of the activity
    quote: str
    milestone: str
    before: str = ""  # the stage that the deal left
    why: str = ""  # why it is only proposed
    by: str = ""  # the rule or model


class Judged(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A person moved a deal in the CRM, and so said what he thinks of a move of ours, without being asked."""

    move: StageMove  # as it was written or proposed
    verdict: Literal["accepted", "overruled"]
    stage: str  # where he put the deal
    at: datetime


ObjectionTurn = Literal["opened", "repeated", "explained", "answered", "met", "dropped", "passed", "reopened"]
Cause = Literal["", "met", "dropped", "passed"]


class ObjectionEvent(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One turn in the life of an objection, with the words that show it."""

    what: ObjectionTurn  # explained: a pretext was given its reason
    at: datetime
    stage: str  # of the deal, then
    activity: str = ""  # key; "" when a person moved the deal
    quote: str = ""


class ObjectionLife(Record, frozen=True, kw_only=True, omit_defaults=True):
    """An objection of the client, on the stage where it arose."""

    key: str
    deal_id: str
    activity: str
    message_id: str | None
    stage: str
    type: str
    genuine: bool
    reason: str | None
    condition: str | None
    quote: str
    state: Literal["open", "answered", "closed"]
    opened: datetime
    closed: datetime | None = None
    cause: Cause = ""  # met: its condition was granted; dropped by the client; passed: the deal went on
    closed_by: str = ""  # key of the activity that shows it; "" when a person moved the deal
    closed_quote: str = ""
    events: tuple[ObjectionEvent, ...] = ()  # its whole life, first to last

    @property
    def letters(self) -> frozenset[str]:
        """Keys of the activities in which it was said."""
        said = ("opened", "repeated", "explained", "reopened")
        return frozenset((self.activity, *(e.activity for e in self.events if e.what in said)))

    why: str = ""  # why it is only proposed; "" when it may stand in the CRM


RecordKind = Literal["company", "contact", "deal"]


class NewRecord(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody, or some business, that the CRM does not know yet and the letters show."""

    key: str  # its id, until the CRM gives it one
    kind: RecordKind
    state: ChangeState
    name: str
    date: datetime  # of the letter that settled it
    evidence: str  # key of the activity
    quote: str  # its signature; of a deal, the request
    body: dict[str, Any]  # what is to be created: a Company, Contact or Deal
    needs: tuple[str, ...] = ()  # keys of the new records to which it refers
    why: str = ""  # why it is only proposed
    choices: tuple[str, ...] = ()  # of a deal: the pipelines between which a person has to choose


class Handoff(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A deal was handed to somebody else, by a rule of the admin's."""

    key: str
    rule: str
    deal_id: str
    stage: str
    at: datetime  # when it fell due
    evidence: str = ""  # the activity that nobody answered, or that bears the objection
    ended: datetime | None = None
    ended_why: Literal["", "client", "passed"] = ""  # the client wrote, or the conditions hold no more
    ended_by: str = ""  # key of the activity


class History(Record, frozen=True, kw_only=True, omit_defaults=True):
    """All that we say of one client; the result of the fold."""

    client: str
    links: tuple[Link, ...] = ()
    moves: tuple[StageMove, ...] = ()
    objections: tuple[ObjectionLife, ...] = ()
    judged: tuple[Judged, ...] = ()
    records: tuple[NewRecord, ...] = ()
    answered: int = 0  # number of the last answer that it knows
    handoffs: tuple[Handoff, ...] = ()
    due: datetime | None = None  # when time alone changes the answer


ChangeKind = Literal[
    "log_activity",
    "create_contact",
    "create_company",
    "create_deal",
    "remove_record",
    "hand_off",
    "take_back",
    "notify",
    "move_stage",
    "withdraw_stage",
    "correct_move",
    "open_objection",
    "update_objection",
    "close_objection",
    "remove_objection",
    "unlink",
]


CREATES: dict[RecordKind, ChangeKind] = {
    "company": "create_company",
    "contact": "create_contact",
    "deal": "create_deal",
}


class Change(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One thing to write into the CRM; its key makes twice the same as once."""

    key: str
    kind: ChangeKind
    subject: str  # key or id of what it is about
    body: dict[str, object]
    needs: tuple[str, ...] = ()  # keys of changes that must be written first
