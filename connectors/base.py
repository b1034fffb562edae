"""The contracts of sources and CRMs, and their terms.

Source    one connected mailbox or calendar. It is only ever read.
Item      what a source hands over: the bytes of one letter, or of one calendar object with all its overrides.
Ref       a source's own identity of an item, e.g. "INBOX|1700000000|42"; never reused for another item.
Cursor    text that only the source understands: all that came before it has been handed over. The engine saves it in
          the transaction that stores the batch, so that neither is ever without the other.
Batch     some items and the cursor that is true once they are stored.
Scope     what the admin asked for: folders and labels, and `since`. Outside the scope nothing is fetched.
Change    one thing to write into the CRM, with a key: writing it twice is the same as writing it once.

A source promises:
- the whole list: with no cursor, every item in scope, oldest first;
- resume: with a cursor that it gave, every item after it and none before it;
- what arrives later is seen later, also what arrives while a batch is being handed over;
- an expired cursor is `CursorExpired`, raised before the first batch; the engine then starts without one, and what it
  has stored already it recognizes by `ref`;
- a wrong password is `NeedsHuman`, a broken connection is `Retry`; neither is the fault of an item.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal, Protocol

import msgspec
from pydantic import BaseModel, ConfigDict

from agent.model import Change, Company, Contact, Deal, Pipeline, Rep
from connectors.items import Item as Item


class Options(BaseModel):
    """The keys of one table in config.toml; each connector declares its own beside itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What may be fetched from a source. The exclusions are the admin's, the same for all sources."""

    since: datetime
    until: datetime | None = None  # calendars: how far ahead to look
    exclude_folders: tuple[str, ...] = ()  # names, compared without case
    exclude_labels: tuple[str, ...] = ()  # Gmail labels, IMAP keywords, calendar categories


class Ref(msgspec.Struct, frozen=True, kw_only=True):
    """Where one item stands in its source."""

    ref: str
    folder: str
    uid: str


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Some items, and the cursor that is true once they are stored."""

    items: tuple[Item, ...]
    cursor: str
    done: int = 0  # items of this run so far, this batch included
    total: int | None = None  # items that this run expects, when the source can tell
    vanished: tuple[str, ...] = ()  # refs that the source says are gone; this deletes nothing


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that `check` found out about a source or CRM."""

    level: Literal["ok", "note", "problem"]
    text: str
    suggest: str = ""  # a line of config.toml that changes it


class Source(Protocol):
    """One connected mailbox or calendar; constructed as `Class(name, owner, options, scope)`."""

    what: ClassVar[Literal["mailbox", "calendar"]]
    Options: ClassVar[type[Options]]
    name: str
    owner: str

    def check(self) -> list[Finding]:
        """Connect, look at folders and rights, and say what was found. Raises Retry or NeedsHuman."""

    def fetch(self, cursor: str | None) -> Iterator[Batch]:
        """Everything after `cursor`, in batches. Raises CursorExpired, Retry or NeedsHuman."""

    def refs(self) -> Iterator[Ref]:
        """Everything that stands in scope now, by identity, without fetching it: for the proof."""

    def get(self, refs: Sequence[str]) -> Iterator[Item]:
        """These items again; one that is gone is left out."""

    def close(self) -> None:
        """Let go of connections; may be called twice."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a CRM told of itself since a cursor. Deals bear the stages that people gave them."""

    cursor: str
    reps: tuple[Rep, ...] = ()
    pipelines: tuple[Pipeline, ...] = ()
    companies: tuple[Company, ...] = ()
    contacts: tuple[Contact, ...] = ()
    deals: tuple[Deal, ...] = ()


class Crm(Protocol):
    """A CRM that is written to.

    What a change's body holds, by its kind; times are RFC 3339 text:

    log_activity     activity, kind (message | meeting), at, subject, direction, owners, company_id, contact_ids,
                     deal_ids, excerpt, reasons. When it needs an earlier log_activity, it takes that record's place.
    unlink           activity, deal_ids (those that stay), stays (False: it leaves the CRM's history altogether);
                     needs its log_activity.
    create_company, create_contact, create_deal    the record of this name (agent.model), with evidence (the activity's
                     key) and quote; its id is the change's key.
    remove_record    record (the key of the change that made it), kind (company | contact | deal), why; needs that one.
                     Whatever names it goes on without it.
    move_stage       deal_id, stage, at, milestone, quote, evidence (the activity's key), by. One that is older than
                     what the deal went through since is noted, and the deal stays where it is.
    withdraw_stage   deal_id, move (the key of the change that is taken back), from (its stage), stage (where the deal
                     stands without it; None: a person has moved it since, and it stays there), why; needs its move.
    correct_move     change (the key of a move_stage, which it needs), and its at, evidence, quote anew: earlier
                     evidence came late. The deal stands where the latest of all its moves, ours and people's, puts
                     it then, as if it had been so from the beginning.
    open_objection   objection (its key), deal_id, activity, stage, type, genuine, reason, condition, quote, at,
                     state (open | answered). The three below need it.
    update_objection the same; closed, cause, closed_by, closed_quote are null when the client has come back to it.
    close_objection  objection, state (closed), closed, cause (met | dropped | passed), closed_by (the activity's key;
                     "" for a person's move), closed_quote.
    remove_objection objection: nothing is said of it any more.

    hand_off         deal_id, rule, owner, tag, stage, at, evidence, handoff: a colleague takes the deal over, or it
                     bears a tag, until its take_back: the same, and why (client: he wrote; passed); needs its hand_off.

    An id in a body that is the key of a change stands for the record which that change made: `remote` has its id.
    """

    Options: ClassVar[type[Options]]
    transactional: ClassVar[bool]  # True: `write` happens inside the engine's own transaction

    def check(self) -> list[Finding]:
        """Connect and say what was found."""

    def capabilities(self) -> frozenset[str]:
        """Of activities, objections, stages, records, handoffs: what it can take."""

    def pull(self, cursor: str | None) -> Iterator[Facts]:
        """Its facts since `cursor`, in parts. Raises CursorExpired, Retry or NeedsHuman."""

    def write(self, change: Change, remote: Mapping[str, str]) -> str:
        """Apply `change`; `remote` gives the CRM's own ids of the changes it needs.

        Returns the CRM's id of what was written. Raises Retry (not applied), OutcomeUnknown (perhaps applied),
        Rejected (never), NeedsHuman.
        """

    def find(self, key: str) -> str | None:
        """The CRM's id of the change with this key, if it was applied; for an unknown outcome and for the proof."""


def translated(body: Mapping[str, Any], remote: Mapping[str, str]) -> dict[str, Any]:
    """A change's body with the CRM's own ids in place of the keys of the changes that made those records."""
    news: dict[str, Any] = {}
    for name in ("company_id", "deal_id"):
        if body.get(name) in remote:
            news[name] = remote[body[name]]
    for name in ("contact_ids", "deal_ids"):
        if name in body:
            news[name] = [remote.get(each, each) for each in body[name]]
    return {**body, **news}
