"""Brings a store's tables up to date with Alembic; all steps and their record in one transaction."""

from pathlib import Path
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, inspect

from agent.errors import NeedsHuman

SCRIPTS = ScriptDirectory(str(Path(__file__).parent))


def upgrade(engine: Engine) -> None:
    """Run the migrations that this store has not seen. NeedsHuman when it was written by a newer dealscribe."""
    if _revision(engine) == SCRIPTS.get_current_head():
        return
    with engine.begin() as connection:  # another process may have been quicker: look again inside
        _upgrade(connection)


def _revision(engine: Engine) -> str | None:
    with engine.connect().execution_options(reading=True) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> None:
    def steps(revision: Any, _context: Any) -> Any:
        return SCRIPTS._upgrade_revs("head", revision)

    context = MigrationContext.configure(connection, opts={"fn": steps})
    try:
        with Operations.context(context):
            context.run_migrations()
    except (RevisionError, CommandError):
        raise NeedsHuman("this store was written by a newer dealscribe: update the program") from None
