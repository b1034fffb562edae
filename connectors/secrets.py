"""Secrets by reference only: an environment variable, a file, a systemd credential or the system's keyring."""

import os
import stat
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from agent.errors import NeedsHuman


class SecretRef(BaseModel):
    """Where a secret lies; never the secret. Exactly one key is set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: str | None = None
    file: str | None = None
    credential: str | None = None  # systemd: LoadCredential=NAME, read from $CREDENTIALS_DIRECTORY
    keyring: str | None = None  # "service/user"

    @model_validator(mode="after")
    def _exactly_one(self) -> "SecretRef":
        if sum(v is not None for v in (self.env, self.file, self.credential, self.keyring)) != 1:
            raise ValueError('needs exactly one of env, file, credential, keyring, e.g. { env = "ANNA_PASSWORD" }')
        return self

    def resolve(self, folder: Path | None = None) -> str:
        """The secret itself. NeedsHuman says what is missing; the value appears in no message."""
        if self.env is not None:
            return _needed(os.environ.get(self.env), f"set the environment variable {self.env}")
        if self.keyring is not None:
            return _needed(_from_keyring(self.keyring), f"store the secret {self.keyring} in the keyring")
        if self.credential is not None:
            where = os.environ.get("CREDENTIALS_DIRECTORY")
            if not where:
                raise NeedsHuman(f"credential {self.credential} is only there under systemd (LoadCredential=)")
            return _from_file(Path(where) / self.credential, private=False)
        return _from_file((folder or Path()) / Path(self.file or "").expanduser(), private=True)


def _needed(value: str | None, todo: str) -> str:
    if not value:
        raise NeedsHuman(todo)
    return value


def _from_file(path: Path, *, private: bool) -> str:
    try:
        mode = path.stat().st_mode
        if private and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise NeedsHuman(f"others can read the secret file {path}: chmod 600 {path}")
        return _needed(path.read_text(encoding="utf-8").strip("\r\n"), f"the secret file {path} is empty")
    except OSError as error:
        raise NeedsHuman(f"the secret file {path} cannot be read: {error.strerror}") from None


def _from_keyring(name: str) -> str | None:
    import keyring
    import keyring.errors

    service, _, user = name.partition("/")
    try:
        return keyring.get_password(service, user)
    except keyring.errors.KeyringError as error:
        raise NeedsHuman(f"the keyring cannot be opened: {error}") from None


def _reject_plain(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError(  # the value itself must not be repeated here
            "a plain secret is refused; give a reference: "
            '{ env = "NAME" }, { file = "path" }, { credential = "NAME" } or { keyring = "service/user" }'
        )
    return value


Secret = Annotated[SecretRef, BeforeValidator(_reject_plain)]
