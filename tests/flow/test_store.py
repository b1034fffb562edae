"""The store: its tables are those of its migrations, only we may read it, and a look leaves it as it was."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, select, text

from agent.errors import NeedsHuman
from agent.flow import Withheld, never_written, open_crm
from agent.store import Store
from agent.store.copies import throwaway_copy
from agent.store.migrations import HEAD, migrate
from agent.store.tables import metadata, outbox
from agent.sync import sync
from tests.flow.company import CompanyWorld, until_delivered
from tests.flow.conftest import Founder
from tests.flow.story import story


@pytest.fixture
def migrated(tmp_path: Path) -> Iterator[Engine]:
    """A store that has come all the way through the migrations."""
    engine = create_engine(f"sqlite:///{tmp_path}/migrated.db")
    with engine.begin() as tx:
        migrate(tx)
    yield engine
    engine.dispose()


def tables(engine: Engine) -> dict[str, object]:
    """Name -> columns, and whether it is kept in one tree; and the names of all indexes."""
    with engine.connect() as tx:
        made = {row.name: row for row in tx.execute(text("SELECT type, name, sql FROM sqlite_master"))}
        return {
            name: (
                list(tx.execute(text(f"PRAGMA table_xinfo({name})"))),
                (row.sql or "").rstrip().endswith("WITHOUT ROWID"),
            )
            for name, row in made.items()
        }


def test_the_migrations_make_exactly_the_tables_that_the_program_uses(migrated: Engine) -> None:
    with migrated.connect() as tx:
        assert compare_metadata(MigrationContext.configure(tx, opts={"compare_type": True}), metadata) == []


def test_a_new_store_is_one_that_came_through_all_migrations(migrated: Engine, tmp_path: Path) -> None:
    new = Store(f"sqlite:///{tmp_path}/new.db")
    try:
        assert tables(new.engine) == tables(migrated)
        with new.reading() as one, migrated.connect() as other:
            version = text("SELECT version_num FROM alembic_version")
            assert one.scalar(version) == other.scalar(version) == HEAD
    finally:
        new.close()


def test_nobody_else_can_read_the_store(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/new/folder/store.db")
    with store.transaction():
        files = sorted((tmp_path / "new" / "folder").iterdir())
        assert [file.name for file in files] == ["store.db", "store.db-shm", "store.db-wal"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "new" / "folder").stat().st_mode) == 0o700
    store.close()


def test_a_store_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.touch(mode=0o644)
    Store(f"sqlite:///{path}").close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_store_of_a_newer_version_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    Store(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
        raw.commit()
    with pytest.raises(NeedsHuman, match="newer dealscribe: update the program"):
        Store(f"sqlite:///{path}")


def test_a_store_in_a_place_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NeedsHuman, match="cannot be opened for writing"):
        Store(f"sqlite:///{tmp_path}/file/store.db")


def test_an_interrupted_transaction_leaves_nothing_behind(world: CompanyWorld) -> None:
    before = world.dump()

    def interrupted() -> None:
        with world.store.transaction() as tx:
            tx.execute(metadata.tables["company"].delete())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert world.dump() == before


def test_a_reader_sees_one_moment_while_others_write(world: CompanyWorld) -> None:
    with world.store.reading() as view:
        before = list(view.execute(metadata.tables["company"].select()))
        with world.store.transaction() as tx:
            tx.execute(metadata.tables["company"].delete())
        assert list(view.execute(metadata.tables["company"].select())) == before
    assert world.table(metadata.tables["company"]) == []


@pytest.mark.parametrize("hosted", [False, True])
def test_a_dry_run_tells_what_would_be_written_and_changes_nothing(
    found: Founder, tmp_path: Path, hosted: bool
) -> None:
    world = found(hosted=hosted)
    for post in story()[:6]:
        post.arrive(world)
    world.sync()
    for post in story()[6:]:
        post.arrive(world)
    before, records = world.dump(), dict(world.hosted.records) if world.hosted else {}
    copy = throwaway_copy(world.store, tmp_path)
    crm = Withheld(world.hosted) if world.hosted else never_written(world.config, copy)
    dry = world.flow(store=copy, crm=crm)
    until_delivered(dry, lambda flow: sync(flow, world.config.sources).written, world.clock)
    with copy.reading() as tx:
        told = set(tx.scalars(select(outbox.c.key)))
    copy.close()
    assert len(told) > len(world.table(outbox))
    assert world.dump() == before
    assert world.hosted is None or world.hosted.records == records
    world.sync()
    assert {row.key for row in world.table(outbox)} == told


def test_two_stores_of_one_file_see_each_others_work(world: CompanyWorld) -> None:
    other = Store(world.store.url)
    with other.transaction() as tx:
        tx.execute(metadata.tables["company"].delete())
    assert world.table(metadata.tables["company"]) == []
    assert open_crm(world.config, other).find("nothing") is None
    other.close()
