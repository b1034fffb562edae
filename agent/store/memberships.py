"""The memberships' room: which activities belong to which client, settled anew when the people in the CRM change."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from agent.clients import STRANGER, Directory, called, changed_nodes, domain_of, free_mail_domains
from agent.intake import House, keyed_hash
from agent.store.activities import Fresh
from agent.store.forget import want_again
from agent.store.pending import clients_with_history, mark_dirty
from agent.store.rows import chunks, insert_rows, record_of
from agent.store.tables import activity, membership, participant
from agent.whose import clients_by_record, clients_of_people, names_shown, whose


class _Told(NamedTuple):
    """What an activity says of its people besides their addresses."""

    id: int
    kind: str
    record: str | None
    verified: str


def assign(
    tx: Connection, people: Directory, house: House, threads: Collection[int], fresh: Sequence[Fresh] = ()
) -> set[int]:
    """Give every activity of these threads its clients; returns the activities whose clients changed.

    How that is settled: `agent.whose`. Of `fresh` all is at hand.
    """
    changed = _assign_fresh(tx, people, house, [f for f in fresh if not f.entry.skipped])
    for part in chunks(sorted(threads)):
        query = select(activity.c.id, activity.c.thread).where(activity.c.thread.in_(part), activity.c.skipped == "")
        thread_of = {row.id: row.thread for row in tx.execute(query)}
        outside = outside_of(tx, list(thread_of), house)
        changed |= _write_membership(tx, _clients(thread_of, outside, people, house, lambda ids: _told(tx, ids)))
    return changed


def _assign_fresh(tx: Connection, people: Directory, house: House, fresh: Sequence[Fresh]) -> set[int]:
    entries = {f.id: f.entry for f in fresh}
    outside = {f.id: [email for _, email in f.entry.participants if not house.is_ours(email)] for f in fresh}

    def told(ids: Sequence[int]) -> Iterator[_Told]:
        return (_Told(i, (e := entries[i]).kind, e.record, e.verified) for i in ids)

    wanted = _clients({f.id: f.thread for f in fresh}, outside, people, house, told)
    insert_rows(tx, membership, [(client, i) for i, clients in wanted.items() for client in sorted(clients)])
    return set(wanted)


def _told(tx: Connection, activity_ids: Sequence[int]) -> Iterator[_Told]:
    for part in chunks(activity_ids):
        query = select(activity.c.id, activity.c.kind, activity.c.record, activity.c.verified)
        yield from (_Told(*row) for row in tx.execute(query.where(activity.c.id.in_(part))))


def outside_of(tx: Connection, activity_ids: Sequence[int], house: House) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for part in chunks(activity_ids):
        query = select(participant.c.activity_id, participant.c.address).where(participant.c.activity_id.in_(part))
        for row in tx.execute(query):
            if not house.is_ours(row.address):
                found[row.activity_id].append(row.address)
    return found


def _clients(
    thread_of: Mapping[int, int],
    outside: Mapping[int, list[str]],
    people: Directory,
    house: House,
    told: Callable[[Sequence[int]], Iterable[_Told]],
) -> dict[int, set[str]]:
    """Activity -> its clients; `told` gives what those say whose addresses nobody knows."""
    known: dict[int, set[str]] = {}
    strangers: dict[int, set[str]] = {}
    for i in thread_of:
        known[i], strangers[i] = clients_of_people(people, outside.get(i, []))
    for one in told([i for i, clients in known.items() if not clients]):
        if one.record:
            record = record_of(one.kind, one.record)
            known[one.id] = clients_by_record(people, record, one.verified, house.is_ours)
    of_thread: dict[int, set[str]] = defaultdict(set)
    for i, thread in thread_of.items():
        of_thread[thread] |= known[i]
    return {
        i: whose(known[i], of_thread[thread], strangers[i]) or {f"{STRANGER}{i}"} for i, thread in thread_of.items()
    }


def _write_membership(tx: Connection, wanted: Mapping[int, set[str]]) -> set[int]:
    changed: set[int] = set()
    for part in chunks(wanted):
        standing: dict[int, set[str]] = defaultdict(set)
        for row in tx.execute(select(membership).where(membership.c.activity_id.in_(part))):
            standing[row.activity_id].add(row.client)
        for activity_id in part:
            for client in standing[activity_id] - wanted[activity_id]:
                tx.execute(
                    delete(membership).where(membership.c.activity_id == activity_id, membership.c.client == client)
                )
                mark_dirty(tx, [client])
        fresh = [{"activity_id": i, "client": c} for i in part for c in sorted(wanted[i] - standing[i])]
        if fresh:
            tx.execute(insert(membership), fresh)
        changed |= {i for i in part if wanted[i] != standing[i]}
    return changed


def regroup(tx: Connection, before: Directory, after: Directory, house: House) -> None:
    """People, companies or deals have changed: settle again whose the activities are, and fold who is concerned."""
    nodes = changed_nodes(before, after)
    if not nodes:
        return
    clients = {c for d in (before, after) for node in nodes if (c := d.client_of(node))}
    addresses, domains = _addresses(before, nodes) | _addresses(after, nodes), set[str]()
    for d in (before, after):
        domains |= {x for i, c in d.companies.items() if f"company:{i}" in nodes for x in c.domains}
    domains |= {domain_of(a) for a in addresses} - free_mail_domains()
    names = _names(before, nodes) | _names(after, nodes)
    clients |= {c for d in (before, after) for c in d.clients_called(names)}
    threads = _threads_of_clients(tx, clients) | threads_touched_by(tx, addresses, domains)
    threads |= _threads_showing(tx, names, house)
    if any(node.startswith("company:") for node in nodes):
        threads |= _threads_of_unknown_meetings(tx)
    assign(tx, after, house, threads)
    concerned = {c for c in clients if c in _known(after, clients)} | _clients_of_threads(tx, threads)
    told_of = clients_with_history(tx)  # whoever was never folded is in no hurry: his mailboxes may be half imported
    mark_dirty(tx, concerned & told_of)
    mark_dirty(tx, concerned - told_of, fresh=False)
    if before.products != after.products:  # what we sell tells the deals of whoever has several apart
        mark_dirty(tx, after.with_several_deals(), fresh=False)
    hashed = [{keyed_hash(x, house.hash_key) for x in values} for values in (addresses, domains)]
    want_again(tx, hashed[0], hashed[1])


def _known(people: Directory, clients: Collection[str]) -> set[str]:
    return {c for c in clients if people.client_of(c) == c}


def _addresses(people: Directory, nodes: Collection[str]) -> set[str]:
    return {email for i, c in people.contacts.items() if f"contact:{i}" in nodes for email in c.emails}


def _names(people: Directory, nodes: Collection[str]) -> set[str]:
    """What those of them are called who are people."""
    return {called(c.name) for i, c in people.contacts.items() if f"contact:{i}" in nodes} - {""}


def _threads_of_clients(tx: Connection, clients: Collection[str]) -> set[int]:
    found: set[int] = set()
    for part in chunks(sorted(clients)):
        found |= set(tx.scalars(select(activity.c.thread).join(membership).where(membership.c.client.in_(part))))
    return found


def _threads_of_unknown_meetings(tx: Connection) -> set[int]:
    query = (
        select(activity.c.thread)
        .join(membership)
        .where(activity.c.kind == "meeting", membership.c.client.startswith(STRANGER, autoescape=True))
    )
    return set(tx.scalars(query))


def _threads_showing(tx: Connection, names: Set[str], house: House) -> set[int]:
    """Threads of strangers who show one of these names: what they wrote from an address that the CRM does not know."""
    if not names:
        return set()
    query = (
        select(activity.c.thread, activity.c.kind, activity.c.record, activity.c.verified)
        .join(membership)
        .where(membership.c.client.startswith(STRANGER, autoescape=True), activity.c.record.is_not(None))
    )
    found: set[int] = set()
    for row in tx.execute(query):
        shown = names_shown(record_of(row.kind, row.record), row.verified, house.is_ours)
        if not names.isdisjoint(map(called, shown.values())):
            found.add(row.thread)
    return found


def _clients_of_threads(tx: Connection, threads: Collection[int]) -> set[str]:
    found: set[str] = set()
    for part in chunks(sorted(threads)):
        found |= set(tx.scalars(select(membership.c.client).join(activity).where(activity.c.thread.in_(part))))
    return found


def threads_touched_by(tx: Connection, addresses: Collection[str], domains: Collection[str]) -> set[int]:
    """Threads in which one of these addresses, or somebody of these domains, takes part."""
    found: set[int] = set()
    for column, values in ((participant.c.address, addresses), (participant.c.domain, domains)):
        for part in chunks(sorted(values)):
            query = select(activity.c.thread).join(participant).where(column.in_(part)).distinct()
            found |= set(tx.scalars(query))
    return found
