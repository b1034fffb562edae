"""The command line: `dealscribe COMMAND`; every command is one function in a room of this folder.

Only the room of the command that was given is imported: all of them take longer than most commands do.

Exit codes: 0 done; 1 the answer is no (not green, something is missing, a change was refused); 2 wrong usage;
3 a person must act (configuration, password, rights); 4 try again later; 5 another dealscribe is at work.
"""

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module, metadata
from typing import Annotated

import typer
from sqlalchemy.exc import DBAPIError

from agent.cli.common import PERSON, REFUSED, RETRY, complain
from agent.errors import ConfigError, NeedsHuman, Rejected, Retry
from agent.store import explain_database_error
from agent.texts import say

COMMANDS = {  # name -> "room:function"
    "sync": "sync:sync",
    "status": "ask:status",
    "review": "answers:review",
    "report": "report:report",
    "explain": "ask:explain",
    "undo": "answers:undo",
    "replay": "answers:replay",
    "reconcile": "reconcile:reconcile",
    "check": "setup:check",
    "import": "setup:import_",
    "export": "setup:export",
    "classify": "reader:classify",
    "run": "daemon:run",
    "train": "reader:train",
    "evaluate": "reader:evaluate",
}


def app(names: Iterable[str] = tuple(COMMANDS)) -> typer.Typer:
    """The command line with these commands."""
    made = typer.Typer(
        name="dealscribe",
        help="Logs e-mail and calendars into the CRM by itself.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    made.callback(invoke_without_command=True)(_options)
    for name in names:
        room, _, function = COMMANDS[name].partition(":")
        made.command(name)(getattr(import_module(f"agent.cli.{room}"), function))
    return made


def _options(
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Show the version and exit.")] = False,
) -> None:
    if version:
        print(metadata.version("dealscribe"))
        raise typer.Exit


def _given(arguments: Sequence[str]) -> Iterable[str]:
    """The command that was given; all when none was, or none that we have: help then tells of all."""
    first = next(iter(arguments), "")
    return [first] if first in COMMANDS else COMMANDS


def main() -> None:
    """The entry point; what a person must do is said in a sentence, never in a traceback."""
    try:
        app(_given(sys.argv[1:]))()
    except ConfigError as error:
        complain(say("error.config"), *error.problems)
        sys.exit(PERSON)
    except NeedsHuman as error:
        complain(say("error.person", error=error))
        sys.exit(PERSON)
    except Retry as error:
        complain(say("error.retry", error=error))
        sys.exit(RETRY)
    except Rejected as error:
        complain(error)
        sys.exit(REFUSED)
    except DBAPIError as error:
        complain(explain_database_error(error))
        sys.exit(PERSON)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has seen enough
        sys.exit(0)


if __name__ == "__main__":
    main()
