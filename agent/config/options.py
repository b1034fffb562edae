"""A connector's own keys: checked by its Options, their paths made absolute, their secrets seen to be private."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import connectors
from agent.config.check import Check
from agent.config.lines import KeyPath
from agent.config.values import suggest
from connectors.base import Options
from connectors.secrets import SecretRef

PATH_KEYS = ("path", "ca_file")  # also where a connector declares them as text


def kinds(what: str) -> list[str]:
    """The kinds that an admin may choose; memory is there for tests of the engine."""
    return [kind for kind in connectors.KINDS.get(what, ()) if kind != "memory"]


def checked(check: Check, at: KeyPath, kind: object, values: dict[str, Any], common: frozenset[str]) -> Options | None:
    """The keys of a table that are the connector's own; None when there are problems."""
    what = str(at[0])
    if kind is None:
        check.problem((*at, "kind"), f"is missing; known are: {', '.join(kinds(what))}")
    if not isinstance(kind, str):
        return None  # told with the table's other keys
    if kind not in connectors.KINDS[what]:
        check.problem((*at, "kind"), f"unknown kind; {suggest(kind, kinds(what))}")
        return None
    model: type[Options] = connectors.load(what, kind).Options
    own = {key: value for key, value in values.items() if key not in common}
    options = check.table(at, model, own, sorted(common))
    if options is None:
        return None
    placed = _placed(options, check.path.parent)
    for key, secret in _secrets(placed):
        _private(check, (*at, key), secret)
    return placed


def _placed(options: Options, folder: Path) -> Options:
    """Relative paths count from the configuration's folder, wherever the program is started."""
    changed: dict[str, object] = {}
    for key, value in _values(options):
        if isinstance(value, Path) or (isinstance(value, str) and value and key in PATH_KEYS):
            changed[key] = type(value)(folder / Path(value).expanduser())
        elif isinstance(value, SecretRef) and value.file is not None:
            changed[key] = value.model_copy(update={"file": str(folder / Path(value.file).expanduser())})
    return options.model_copy(update=changed) if changed else options


def _values(options: BaseModel) -> Iterator[tuple[str, Any]]:
    return ((key, getattr(options, key)) for key in type(options).model_fields)


def _secrets(options: BaseModel) -> Iterator[tuple[str, SecretRef]]:
    return ((key, value) for key, value in _values(options) if isinstance(value, SecretRef))


def _private(check: Check, at: KeyPath, secret: SecretRef) -> None:
    """A secret that others can read is refused now; one that is missing is told when it is needed."""
    if secret.file is not None:
        _private_file(check, at, Path(secret.file))
    folder = check.env.get("CREDENTIALS_DIRECTORY")
    if secret.credential is not None and folder and not (Path(folder) / secret.credential).is_file():
        check.note(at, f"the service has no such credential; add LoadCredential={secret.credential}:FILE to its unit")


def _private_file(check: Check, at: KeyPath, path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        check.note(at, f"the secret file {path} cannot be read: {error.strerror}")
        return
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        check.problem(at, f"others can read the secret file; chmod 600 {path}")
