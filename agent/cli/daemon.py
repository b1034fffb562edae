"""`run`: the daemon."""

import typer

from agent import daemon
from agent.cli.common import ConfigPath, load


def run(config: ConfigPath = None) -> None:
    """Poll all sources for good, as a system service does."""
    if code := daemon.run(load(config)):
        raise typer.Exit(code)
