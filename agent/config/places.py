"""Where things are: the file that is read, and the folder for what the program itself keeps."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from agent.errors import ConfigError


def find(path: Path | None, env: Mapping[str, str]) -> Path:
    """Where the configuration is: what was named, else the first of the usual places that has one."""
    named = path or (Path(env["DEALSCRIBE_CONFIG"]) if env.get("DEALSCRIBE_CONFIG") else None)
    if named:
        return named.expanduser().absolute()
    home = Path(env["HOME"]) if env.get("HOME") else Path.home()
    xdg = Path(env["XDG_CONFIG_HOME"]) if env.get("XDG_CONFIG_HOME") else home / ".config"
    usual = [Path("config.toml").absolute(), xdg / "dealscribe/config.toml", Path("/etc/dealscribe/config.toml")]
    for place in usual:
        if place.is_file():
            return place
    looked = ", ".join(str(p) for p in usual)
    raise ConfigError(
        [f"there is no config.toml in any of {looked}; write one (the project's own is a manual) or use --config"]
    )


def read(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError([f"{path} cannot be read: {error.strerror}; name another file with --config"]) from None
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}:{line}: is not UTF-8; save the file as UTF-8"]) from None


def syntax(path: Path, error: tomllib.TOMLDecodeError) -> str:
    what = str(error)
    at = re.search(r"\(at (?:line (\d+), column \d+|end of document)\)", what)
    line = f"{path}:{at[1]}" if at and at[1] else f"{path}: at the end"
    return f"{line}: is not TOML: {what[: at.start()].strip() if at else what}; texts stand in quotes, lists in [ ]"


def state_folder(config_folder: Path, env: Mapping[str, str]) -> Path:
    """systemd's StateDirectory=, else beside the configuration if we may write there, else the user's state folder."""
    if env.get("STATE_DIRECTORY"):
        return Path(env["STATE_DIRECTORY"].partition(":")[0])
    if os.access(config_folder, os.W_OK):
        return config_folder
    return Path(env["XDG_STATE_HOME"] if env.get("XDG_STATE_HOME") else _home(env) / ".local/state") / "dealscribe"


def placed_store(url: str, state: Path) -> str:
    """A relative SQLite file is one in the state folder."""
    scheme, slashes, rest = url.partition(":///")
    if not scheme.startswith("sqlite") or rest.startswith(("/", ":memory:")) or not rest:
        return url
    return f"{scheme}{slashes}{state / rest}"


def _home(env: Mapping[str, str]) -> Path:
    return Path(env["HOME"]) if env.get("HOME") else Path.home()
