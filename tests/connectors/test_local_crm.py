"""The built-in CRM with the store that it writes to."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from agent.model import Change
from agent.store import Store, crm, mirror, outbox
from agent.store.tables import crm_activity, crm_objection, deal, stage_event
from connectors import load
from connectors.crm.local import LocalCrm, LocalCrmOptions
from tests.connectors.crm_suite import COMPANY, CONTACT, DEALS, PIPELINE, REP, START, CrmSuite, log, write

KINDS = {(PIPELINE.name, stage.name): str(stage.kind) for stage in PIPELINE.stages}


class LocalDesk:
    """The connector, with the store's functions inside one transaction, as the engine hands them over."""

    def __init__(self, tx: Connection) -> None:
        self.tx = tx
        self.crm = LocalCrm(LocalCrmOptions(), apply=self._apply, find=lambda key: crm.find(tx, key))
        mirror.put_reps(tx, [REP])
        mirror.put_pipelines(tx, [(PIPELINE.name, [stage.name for stage in PIPELINE.stages])])
        mirror.put_companies(tx, [COMPANY])
        mirror.put_contacts(tx, [CONTACT])
        for each in DEALS:
            mirror.put_deal(tx, each)

    def _apply(self, change: Change, remote: Mapping[str, str]) -> str:
        """What the engine does with a row of its outbox."""
        outbox.add(self.tx, "c-1", [change])
        written = crm.apply(self.tx, change, KINDS, remote)
        outbox.written(self.tx, {change.key: written}, START)
        return written

    def activities(self) -> list[tuple[str, tuple[str, ...]]]:
        query = select(crm_activity).where(crm_activity.c.removed.is_(False)).order_by(crm_activity.c.key)
        return [(row.subject, tuple(row.deal_ids)) for row in self.tx.execute(query)]

    def stage(self, deal_id: str) -> tuple[str, str]:
        row = self.tx.execute(select(deal).where(deal.c.id == deal_id)).one()
        return row.stage, row.status

    def objections(self) -> list[tuple[str, str]]:
        return [(row.quote, row.cause or row.state) for row in self.tx.execute(select(crm_objection))]

    def moved(self) -> list[tuple[str, str, str]]:
        query = select(stage_event).where(stage_event.c.by == "agent").order_by(stage_event.c.id)
        return [(row.stage, row.date.isoformat(), row.quote) for row in self.tx.execute(query)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path}/store.db")
    yield opened
    opened.close()


class TestLocalCrm(CrmSuite):
    @pytest.fixture
    def desk(self, store: Store) -> Iterator[LocalDesk]:
        with store.transaction() as tx:
            yield LocalDesk(tx)

    def test_it_takes_everything_and_has_nothing_to_pull(self, desk: LocalDesk) -> None:
        assert desk.crm.capabilities() == {"activities", "objections", "stages", "records", "handoffs"}
        assert list(desk.crm.pull(None)) == []

    def test_twice_is_the_same_as_once(self, desk: LocalDesk) -> None:
        write(desk.crm, log("a-1"))
        write(desk.crm, log("a-1"))
        assert desk.activities() == [("About a-1", ("d-1",))]


def test_what_is_not_committed_was_never_written(store: Store) -> None:
    def cut_short() -> None:
        with store.transaction() as tx:
            write(LocalDesk(tx).crm, log("a-1"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_short()
    with store.transaction() as tx:
        desk = LocalDesk(tx)
        assert desk.activities() == []
        assert desk.crm.find("log:a-1") is None


def test_the_connector_is_found_by_its_kind_and_writes_in_the_engines_transaction() -> None:
    assert load("crm", "local") is LocalCrm
    assert LocalCrm.transactional
