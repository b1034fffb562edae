"""`run`: the daemon."""

import typer

from agent.cli.common import ConfigPath, load


def run(config: ConfigPath = None) -> None:
    """Poll all sources for good, as a system service does."""
    from agent.daemon import service  # with its scheduler: no other command waits for them to load

    if code := service.run(load(config)):
        raise typer.Exit(code)
