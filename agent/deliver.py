"""Deliver the outbox to the CRM: each change once, whatever dies when and whatever the CRM answers."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from agent.errors import NeedsHuman, OutcomeUnknown, Rejected, Retry
from agent.flow import Flow, Progress
from agent.notify import notify
from agent.store import crm, memberships, mirror, outbox
from agent.store.outbox import Waiting

BATCH = 200
PAUSE = timedelta(seconds=2)  # before a change that failed is tried again, doubled each time
LONGEST_PAUSE = timedelta(minutes=10)


class CrmUnreachable(Retry):
    """The CRM takes nothing now; the changes wait where they are."""


def deliver(flow: Flow) -> int:
    """Write what waits; returns how many changes were written. Raises CrmUnreachable or NeedsHuman.

    New records come first: whoever is folded again because of them is told of after that.
    """
    written = notify(flow)  # the CRM does not hold it back
    while not flow.stopping():
        with flow.store.reading() as tx:
            batch = outbox.creations(tx, flow.now(), min(_room(flow, tx), BATCH)) or outbox.ready(tx, flow.now(), BATCH)
        if not batch:
            break
        written += _together(flow, batch) if flow.crm.transactional else _one_by_one(flow, batch)
        flow.tell(Progress("deliver", done=written))
    return written


def _room(flow: Flow, tx: Connection) -> int:
    """How many records may be made now: what is above the cap waits for its hour."""
    return flow.config.crm.records_per_hour - outbox.created_since(tx, flow.now() - outbox.AN_HOUR)


def _together(flow: Flow, batch: Sequence[Waiting]) -> int:
    """The built-in CRM: change and outbox row in one transaction, so that neither is ever without the other.

    A change that is rejected has touched nothing: it is refused before the first of its statements.
    """
    written: dict[str, str] = {}
    with flow.store.transaction() as tx:
        before = flow.people(tx)
        for waiting in batch:
            try:
                written[waiting.change.key] = flow.crm.write(waiting.change, waiting.remote)
            except Rejected as error:
                outbox.rejected(tx, waiting.change.key, str(error))
        outbox.written(tx, written, flow.now())
        if any(waiting.change.kind in (*outbox.CREATIONS, "remove_record") for waiting in batch):
            memberships.regroup(tx, before, mirror.directory(tx), flow.house(tx))
    return len(written)


def _one_by_one(flow: Flow, batch: Sequence[Waiting]) -> int:
    """A hosted CRM: say before each write that its outcome is unknown, and ask it when it stayed so."""
    written = 0
    for waiting in batch:
        key = waiting.change.key
        if flow.stopping():
            break
        try:
            remote_id = flow.crm.find(key) if waiting.unknown else None
            if remote_id is None:
                with flow.store.transaction() as tx:
                    outbox.sending(tx, key)
                remote_id = flow.crm.write(waiting.change, waiting.remote)
        except Rejected as error:
            with flow.store.transaction() as tx:
                outbox.rejected(tx, key, str(error))
        except Retry as error:
            with flow.store.transaction() as tx:
                _put_off(tx, waiting, error, flow.now())
            raise CrmUnreachable(str(error), error.after) from error
        except NeedsHuman:
            with flow.store.transaction() as tx:
                outbox.later(tx, key, flow.now() + LONGEST_PAUSE, "waits for a person", unknown=waiting.unknown)
            raise
        else:
            with flow.store.transaction() as tx:
                outbox.written(tx, {key: remote_id}, flow.now())
                if waiting.change.kind in (*outbox.CREATIONS, "remove_record"):
                    _make_known(flow, tx, waiting, remote_id)
            written += 1
            flow.tell(Progress("deliver", done=written))
    return written


def _make_known(flow: Flow, tx: Connection, waiting: Waiting, remote_id: str) -> None:
    """Whose letters are they now? The next pull will tell the same of the record."""
    before = flow.people(tx)
    if waiting.change.kind == "remove_record":
        crm.remove_created(tx, waiting.change, waiting.remote)
    else:
        crm.put_created(tx, waiting.change, remote_id, waiting.remote)
    memberships.regroup(tx, before, mirror.directory(tx), flow.house(tx))


def _put_off(tx: Connection, waiting: Waiting, error: Retry, now: datetime) -> None:
    pause = timedelta(seconds=error.after) if error.after is not None else _pause(tx, waiting)
    unknown = waiting.unknown or isinstance(error, OutcomeUnknown)
    outbox.later(tx, waiting.change.key, now + pause, str(error), unknown=unknown)


def _pause(tx: Connection, waiting: Waiting) -> timedelta:
    doubled: timedelta = PAUSE * 2 ** min(outbox.tries(tx, waiting.change.key), 20)
    return min(doubled, LONGEST_PAUSE)
