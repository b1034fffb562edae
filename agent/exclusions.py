"""Rules of [exclude] that came later: what they cover is taken back from the store and the CRM, no source is asked."""

from collections import defaultdict
from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection

from agent.clients import within
from agent.flow import Flow
from agent.intake import House, Prepared, keyed_hash
from agent.store import ledger, pending, sources

SETTING = "exclude"  # names the rules that hold for all that is stored


def apply_new_rules(flow: Flow, tx: Connection) -> None:
    """Look through the store once after the rules have changed."""
    house = flow.house(tx)
    folders = sorted(name.casefold() for name in flow.config.exclude.folders)
    rules = (sorted(house.exclude_addresses), sorted(house.exclude_domains), folders)
    named = keyed_hash(msgspec.json.encode(rules).decode(), house.hash_key)
    if sources.settings(tx).get(SETTING) == named:
        return
    for source, prepared in _covered(tx, house, folders).items():
        stored = ledger.store(tx, source, prepared, flow.now())
        pending.mark_dirty(tx, stored.forgotten)
    sources.set_setting(tx, SETTING, named)


def _covered(tx: Connection, house: House, folders: list[str]) -> dict[str, list[Prepared]]:
    """Per source: the items that the rules keep out and that are stored."""
    found: dict[str, dict[str, Prepared]] = defaultdict(dict)
    for rule, row in _rows(tx, house, folders):
        found[row.source][row.ref] = Prepared(ref=row.ref, folder=row.folder, uid=row.uid, digest="", excluded=rule)
    return {source: list(of.values()) for source, of in found.items()}


def _rows(tx: Connection, house: House, folders: list[str]) -> Iterator[tuple[str, ledger.Place]]:
    domains = {d for d in ledger.domains(tx) if within(d, house.exclude_domains)} if house.exclude_domains else set()
    for row in ledger.items_of(tx, house.exclude_addresses, domains):
        yield "address" if row.by_address else "domain", row
    for row in ledger.items_in(tx, [name for name in ledger.folders(tx) if name.casefold() in folders]):
        yield "folder", row
