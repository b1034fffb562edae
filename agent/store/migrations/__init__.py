"""Brings a store's tables up to date with Alembic; all steps and their record in one transaction."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text

from agent.errors import NeedsHuman

HEAD = "0001"  # the newest revision beside this file; a test compares


def upgrade(engine: Engine) -> None:
    """Run the migrations that this store has not seen. NeedsHuman when it was written by a newer dealscribe."""
    if _revision(engine) == HEAD:
        return  # Alembic is not even imported: every command opens the store
    with engine.begin() as connection:  # another process may have been quicker: look again inside
        _upgrade(connection)


def _revision(engine: Engine) -> str | None:
    with engine.connect().execution_options(reading=True) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return revision


def _upgrade(connection: Connection) -> None:
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
