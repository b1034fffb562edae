"""The proof that nothing was lost: what stands on the server, in the ledger and in the CRM, compared by identity."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from agent import suspicion
from agent.collect import collect_from, take_up
from agent.config import SourceConfig
from agent.errors import NeedsHuman, Retry
from agent.flow import Flow, open_source
from agent.store import ledger, pending, sources
from agent.store.tables import activity, crm_activity, link, outbox
from connectors.base import Ref, Source

EVERY = timedelta(hours=24)  # between two proofs of a source
QUARANTINE = timedelta(days=30)  # how long the bytes of an item that could not be read are kept
ASKED_AGAIN = 5  # times that a hosted CRM is asked for one change before it counts as away


@dataclass(frozen=True)
class Proof:
    """What the comparison of one source found."""

    source: str
    on_server: int  # items that stand there now, within scope
    known: int  # of those, how many have a row
    missing: tuple[Ref, ...]  # those that have none
    vanished: int  # rows whose item the server no longer has
    taken_up: int = 0  # missing ones that --repair fetched
    error: str = ""  # why it could not be compared

    @property
    def holds(self) -> bool:
        return not self.error and len(self.missing) == self.taken_up


@dataclass(frozen=True)
class CrmProof:
    """What the comparison of histories and CRM found."""

    logged: int
    waiting: int  # changes that are not written yet
    rejected: int  # changes that the CRM will never take, and what depends on them
    missing: tuple[str, ...]  # keys of logged activities that the CRM does not have

    @property
    def holds(self) -> bool:
        return not self.missing and not self.rejected


def is_due(state: Any, now: datetime) -> bool:
    """Is it time for a source's next proof? `state`: its row. One that could not be read is not asked again."""
    if state is None or state.last_error:
        return False
    return state.last_proof is None or now - state.last_proof >= EVERY


def prove(flow: Flow, config: SourceConfig, *, repair: bool = False) -> Proof:
    """Compare one source with the ledger. What arrives meanwhile is collected first and is not missing."""
    with flow.store.transaction() as tx:
        state = sources.begin(tx, config.name, config.start(flow.now()))
    try:
        source = open_source(flow.config, config, state.since, flow.now())
        try:
            proof = _compare(flow, config, source, repair)
        finally:
            source.close()
    except (Retry, NeedsHuman) as error:
        return Proof(config.name, 0, 0, (), 0, error=str(error))
    with flow.store.transaction() as tx:
        ledger.empty_quarantine(tx, flow.now() - QUARANTINE)
        sources.save(tx, config.name, proof_missing=len(proof.missing) - proof.taken_up)
        suspicion.settle(tx, config.name, "proof")
        if proof.holds:
            sources.save(tx, config.name, last_proof=flow.now())
    return proof


def _compare(flow: Flow, config: SourceConfig, source: Source, repair: bool) -> Proof:
    standing = {r.ref: r for r in source.refs()}
    with flow.store.reading() as tx:
        rows = ledger.present_refs(tx, config.name)
    if standing.keys() - rows:
        collect_from(flow, config, source)  # new mail, and nothing else, is what a poll takes up
        with flow.store.reading() as tx:
            rows = ledger.present_refs(tx, config.name)
    missing = tuple(standing[ref] for ref in sorted(standing.keys() - rows))
    vanished = rows - standing.keys()
    with flow.store.transaction() as tx:
        doubt = _doubted(tx, config, len(standing), rows, vanished)
    if doubt:  # raised when the suspicion is stored: an error inside the transaction would take it back
        raise Retry(doubt)
    with flow.store.transaction() as tx:
        meetings = ledger.mark_gone(tx, config.name, vanished, flow.now())
        pending.mark_dirty(tx, pending.clients_of_activities(tx, meetings))
    taken_up = 0
    if repair:
        with flow.store.reading() as tx:
            unread = [row.ref for row in ledger.quarantined(tx, config.name)]
        take_up(flow, config, source, unread)  # a newer program may be able to read them
        taken_up = take_up(flow, config, source, [r.ref for r in missing])
    with flow.store.reading() as tx:
        gone = ledger.count_gone(tx, config.name)
    return Proof(config.name, len(standing), len(standing) - len(missing), missing, gone, taken_up)


def _doubted(tx: Connection, config: SourceConfig, standing: int, rows: set[str], vanished: set[str]) -> str:
    """Why this look must be confirmed by a second one; "" when it need not.

    Letters that vanish change nothing, and a mailbox that was numbered anew has lost all its old ones: there only an
    empty answer is odd.
    """
    if config.what == "mailbox" and standing:
        return ""
    believed = suspicion.is_believed(tx, config.name, "proof", vanished, len(rows))
    return "" if believed else suspicion.doubt(len(vanished), len(rows))


def prove_crm(flow: Flow) -> CrmProof:
    """Is every logged activity in the CRM, once? A hosted CRM is asked for each of them."""
    with flow.store.reading() as tx:
        written = _written_logs(tx)
        logged = _logged(tx)
        waiting = _count(tx, ("pending", "sending"))
        rejected = _count(tx, ("rejected",))
        there = set(tx.scalars(select(crm_activity.c.key).where(~crm_activity.c.removed)))
    expected = sorted(logged & set(written))
    if flow.crm.transactional:
        return CrmProof(len(logged), waiting, rejected, tuple(k for k in expected if k not in there))
    missing = tuple(k for k in expected if not _stands_in_crm(flow, written[k]))
    return CrmProof(len(logged), waiting, rejected, missing)


def _stands_in_crm(flow: Flow, change: str) -> bool:
    """Ask a hosted CRM, in the rhythm that it allows. Retry when it does not answer again and again."""
    for _ in range(ASKED_AGAIN):
        try:
            return flow.crm.find(change) is not None
        except Retry as error:
            flow.rest(error.after if error.after is not None else 5.0)
    return flow.crm.find(change) is not None


def _logged(tx: Connection) -> set[str]:
    query = select(activity.c.key).join(link).where(link.c.outcome == "logged")
    return set(tx.scalars(query))


def _written_logs(tx: Connection) -> dict[str, str]:
    """Activity -> key of the change that logged it."""
    query = select(outbox.c.subject, outbox.c.key, outbox.c.needs).where(
        outbox.c.kind == "log_activity", outbox.c.state == "written"
    )
    return {r.subject: r.key for r in tx.execute(query) if not r.needs}


def _count(tx: Connection, states: tuple[str, ...]) -> int:
    return len(list(tx.scalars(select(outbox.c.seq).where(outbox.c.state.in_(states)))))
