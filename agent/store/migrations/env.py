"""Alembic looks for this file; migrations are run by `upgrade` beside it, on the store's own connection."""
