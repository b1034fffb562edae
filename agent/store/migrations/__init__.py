"""A store's tables: those of a new one are made as they are, others brought up to date with Alembic, in one go."""

from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, insert, inspect, text

from agent.errors import NeedsHuman
from agent.store.tables import metadata

VERSION = "alembic_version"  # Alembic's own table
HEAD = "0001"  # the newest revision beside this file; a test compares


def upgrade(engine: Engine) -> None:
    """Run the migrations that this store has not seen. NeedsHuman when it was written by a newer dealscribe."""
    if _revision(engine) == HEAD:
        return  # Alembic is not even imported: every command opens the store
    with engine.begin() as connection:  # another process may have been quicker: look again inside
        if inspect(connection).get_table_names():
            migrate(connection)
        else:
            make(connection)


def make(connection: Connection) -> None:
    """All tables of a new store; what took Alembic longer than a small mailbox takes. A test compares both ways."""
    metadata.create_all(connection)
    version = Table(VERSION, MetaData(), Column("version_num", String(32), primary_key=True))
    version.create(connection)
    connection.execute(insert(version).values(version_num=HEAD))


def _revision(engine: Engine) -> str | None:
    with engine.connect().execution_options(reading=True) as connection:
        if not inspect(connection).has_table(VERSION):
            return None
        revision: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION}"))  # noqa: S608 - a constant
        return revision


def migrate(connection: Connection) -> None:
    """The steps that this store has not seen."""
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from alembic.script.revision import RevisionError
    from alembic.util import CommandError

    scripts = ScriptDirectory(str(Path(__file__).parent))

    def steps(revision: Any, _context: Any) -> Any:
        return scripts._upgrade_revs("head", revision)

    context = MigrationContext.configure(connection, opts={"fn": steps})
    try:
        with Operations.context(context):
            context.run_migrations()
    except (RevisionError, CommandError):
        raise NeedsHuman("this store was written by a newer dealscribe: update the program") from None
