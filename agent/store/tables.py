"""The tables of the store, in the order in which the flow fills them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


# SQLite: rows that are little more than their key are kept in its index alone, which is one tree less to write
KEY_ONLY: Any = {"sqlite_with_rowid": False}


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as UTC; SQLite and PostgreSQL then sort it alike."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


# -- ledger: one row for every item ever seen ---------------------------------------------------------------------

ledger = Table(
    "ledger",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # numbered by the one writer
    Column("source", String(200), nullable=False),
    Column("ref", String(1000), nullable=False),
    Column("folder", String(500), nullable=False),
    Column("uid", String(500), nullable=False),
    Column("digest", String(64), nullable=False),  # of the bytes; "" for an excluded item
    Column("outcome", String(20)),  # excluded or quarantined; NULL: its activities tell
    Column("reason", Text, nullable=False),  # the rule or the error
    Column("sent", Boolean, nullable=False),
    Column("seen_at", Instant),  # NULL for an excluded item
    Column("expanded_until", Instant),  # a calendar object whose instances after this have not been looked at
    Column("gone_at", Instant),  # when the source no longer had it
    UniqueConstraint("source", "ref"),
    Index(None, "outcome"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("ledger_id", ForeignKey("ledger.id", ondelete="CASCADE"), primary_key=True),
    Column("raw", LargeBinary, nullable=False),
    Column("error", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

again = Table(
    "again",
    metadata,
    Column("ledger_id", ForeignKey("ledger.id", ondelete="CASCADE"), primary_key=True),  # to be fetched once more
)

source_state = Table(
    "source_state",
    metadata,
    Column("source", String(200), primary_key=True),
    Column("cursor", Text),
    Column("since", Instant, nullable=False),  # where this source began; fixed at its first poll
    Column("phase", String(20), nullable=False),  # new, importing, following, waiting for a person
    Column("done", Integer, nullable=False, default=0),
    Column("total", Integer),
    Column("rate", Float),  # items a second in the last run
    Column("last_poll", Instant),
    Column("last_success", Instant),
    Column("last_proof", Instant),
    Column("proof_missing", Integer),  # what the last proof found missing and could not take up
    Column("last_error", Text),
    Column("next_try", Instant),
    Column("suspicion", Text),  # a mass change that waits for a second look
)

# -- activities: one row for every letter and meeting, however many sources saw it --------------------------------

activity = Table(
    "activity",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # numbered by the one writer
    Column("key", String(80), nullable=False, unique=True),
    Column("kind", String(10), nullable=False),
    Column("identity", Text),  # Message-ID, or iCalendar UID
    Column("recurrence_id", String(40)),
    Column("date", Instant, nullable=False),
    Column("direction", String(10), nullable=False),
    Column("skipped", String(40), nullable=False),  # the reason that the item alone proves, or ""
    Column("verified", String(20), nullable=False),
    Column("thread", Integer, nullable=False, index=True),
    Column("content", String(64), nullable=False),  # names the content that is read; "" when there is none
    Column("rank", String(100), nullable=False),  # which of several copies gives the record: the lowest
    Column("gone_at", Instant),  # meetings: when one was last seen in its calendar, which has it no more
    Column(
        "record", Text
    ),  # Message or Meeting as JSON; NULL when skipped. Last, since what is behind it is read slowly
    Index(None, "date"),
    Index(None, "content"),
    Index(None, "identity"),
)

sighting = Table(
    "sighting",
    metadata,
    Column("activity_id", ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("ledger_id", ForeignKey("ledger.id", ondelete="CASCADE"), primary_key=True, index=True),
    **KEY_ONLY,
)

participant = Table(
    "participant",
    metadata,
    Column("activity_id", ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("role", String(12), primary_key=True),
    Column("address", String(320), primary_key=True),  # or its keyed hash when the activity is skipped
    Column("domain", String(255), nullable=False),  # or its keyed hash
    Index(None, "address"),
    Index(None, "domain"),
    **KEY_ONLY,
)

thread_member = Table(
    "thread_member",
    metadata,
    Column("mention", String(1000), primary_key=True),  # a Message-ID, or "uid:" + an iCalendar UID
    Column("thread", Integer, nullable=False, index=True),
    **KEY_ONLY,
)

membership = Table(
    "membership",
    metadata,
    Column("client", String(400), primary_key=True),
    Column("activity_id", ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True, index=True),
    **KEY_ONLY,
)

reading = Table(
    "reading",
    metadata,
    Column("content", String(64), primary_key=True),
    Column("version", String(100), primary_key=True),
    Column("body", Text, nullable=False),
)

to_read = Table(
    "to_read",
    metadata,
    Column("activity_id", ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("fresh", Boolean, nullable=False),  # new mail goes before backfill
)

stood = Table(
    "stood",
    metadata,
    Column("activity_id", ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("body", Text, nullable=False),  # Stood as JSON: what was said of an activity when its words were let go
)

# -- histories: what the fold says --------------------------------------------------------------------------------

dirty = Table(
    "dirty",
    metadata,
    Column("client", String(400), primary_key=True),
    Column("fresh", Boolean, nullable=False),
)

history = Table(
    "history",
    metadata,
    Column("client", String(400), primary_key=True),
    Column("body", Text, nullable=False),  # History as JSON, without its links
    Column("due_at", Instant, index=True),
)

link = Table(
    "link",
    metadata,
    Column("client", String(400), primary_key=True),
    Column("activity_id", ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("outcome", String(20), nullable=False),
    Column("reason", String(60), nullable=False),
    Column("body", Text, nullable=False),  # Link as JSON
)

answer = Table(
    "answer",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("about", String(220), nullable=False, index=True),  # whose fold asks for it: an activity, or "deal:" + id
    Column("kind", String(20), nullable=False),  # linked, accepted, declined, undone, restored, vouched
    Column("subject", String(500), nullable=False),  # key of the activity, the move, the objection or the record
    Column("value", JSON, nullable=False),  # the deals that were named; of a move: stage, evidence, milestone, before
    Column("said", JSON, nullable=False),  # what we had said: of a letter its deals, else nothing
    Column("by", String(200), nullable=False),
    Column("at", Instant, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("key", String(300), nullable=False, unique=True),
    Column("kind", String(20), nullable=False),
    Column("subject", String(200), nullable=False, index=True),
    Column("client", String(400), nullable=False, index=True),
    Column("body", JSON, nullable=False),
    Column("needs", JSON, nullable=False),
    Column("state", String(12), nullable=False, index=True),  # pending, sending, written, rejected
    Column("remote_id", Text),
    Column("tries", Integer, nullable=False, default=0),
    Column("next_try", Instant),
    Column("error", Text),
    Column("written_at", Instant),
)

# -- mirror: the CRM's facts; with the built-in CRM these tables are the CRM --------------------------------------

rep = Table(
    "rep",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", String(320), nullable=False),
    Column("tz", String(60), nullable=False),
)

pipeline = Table(
    "pipeline",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("stages", JSON, nullable=False),  # names in order
)

company = Table(
    "company",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("name", Text, nullable=False),
    Column("domains", JSON, nullable=False),
    Column("language", String(10), nullable=False),
    Column("created_by", String(20), nullable=False, index=True),
)

contact = Table(
    "contact",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("name", Text, nullable=False),
    Column("emails", JSON, nullable=False),
    Column("company_id", String(200)),
    Column("title", Text, nullable=False),
    Column("phone", String(40), nullable=False),
    Column("created_by", String(20), nullable=False, index=True),
)

deal = Table(
    "deal",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("name", Text, nullable=False),
    Column("company_id", String(200), index=True),
    Column("contact_ids", JSON, nullable=False),
    Column("owner", String(200), nullable=False),
    Column("pipeline", String(200), nullable=False),
    Column("stage", String(200), nullable=False),
    Column("status", String(10), nullable=False),
    Column("created_at", Instant),
    Column("closed_at", Instant),
    Column("closed_by", String(10)),  # import, human, agent
    Column("amount", Float),
    Column("currency", String(10)),
    Column("external_numbers", JSON, nullable=False),
    Column("created_by", String(20), nullable=False),
)

stage_event = Table(
    "stage_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("deal_id", String(200), nullable=False, index=True),
    Column("stage", String(200), nullable=False),
    Column("date", Instant, nullable=False),
    Column("by", String(10), nullable=False),  # import, human, agent
    Column("change", String(300), unique=True),  # key of the agent's change
    Column("evidence", String(80)),
    Column("quote", Text),
)

crm_activity = Table(
    "crm_activity",
    metadata,
    Column("key", String(80), primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("at", Instant, nullable=False, index=True),
    Column("subject", Text, nullable=False),
    Column("direction", String(10), nullable=False),
    Column("owners", JSON, nullable=False),
    Column("company_id", String(200)),
    Column("contact_ids", JSON, nullable=False),
    Column("deal_ids", JSON, nullable=False),
    Column("excerpt", Text, nullable=False),
    Column("removed", Boolean, nullable=False),  # taken back: it is no client's history any more
)

crm_objection = Table(
    "crm_objection",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("deal_id", String(200), nullable=False, index=True),
    Column("activity", String(80), nullable=False),
    Column("stage", String(200), nullable=False),
    Column("type", String(20), nullable=False),
    Column("genuine", Boolean, nullable=False),
    Column("reason", Text),
    Column("condition", Text),
    Column("quote", Text, nullable=False),
    Column("state", String(10), nullable=False),  # open, answered, closed
    Column("opened", Instant, nullable=False),
    Column("closed", Instant),
    Column("cause", String(10)),  # met, dropped, passed
    Column("closed_by", String(80)),  # key of the activity that shows it; "" for a person's move
    Column("closed_quote", Text),
)

twin = Table(
    "twin",
    metadata,
    Column("id", String(200), primary_key=True),  # of a company or contact that we had made
    Column("now", String(200), nullable=False),  # of the one that a person entered in its place
)

import_row = Table(
    "import_row",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("id", String(200), primary_key=True),
    Column("body", JSON, nullable=False),  # the row as it stood in the last import
)

# -- who runs the flow --------------------------------------------------------------------------------------------

lease = Table(
    "lease",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("host", String(255), nullable=False),
    Column("heartbeat", Instant, nullable=False),
)

sync_request = Table(
    "sync_request",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", String(200)),  # NULL: all
    Column("asked_at", Instant, nullable=False),
    Column("taken_at", Instant),
    Column("done_at", Instant),
    Column("error", Text),
)

setting = Table(
    "setting",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("value", Text, nullable=False),
)
