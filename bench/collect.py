"""First sync of one account, collect only (fetch, parse, settle, ledger), next to mbsync in the same run."""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench import measure
from bench.letters import letters
from tests.servers.dovecot import PASSWORD, Dovecot, dovecot

GOAL = 1.0  # of mbsync's letters a second
CPU_GOAL = 0.6  # ms of our CPU a letter
FOLDERS = 50
USER = "bench"


def main(arguments: list[str]) -> None:
    options = argparse.ArgumentParser(prog="python -m bench collect", description=__doc__)
    options.add_argument("--letters", type=int, default=20_000)
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args(arguments)
    if shutil.which("mbsync") is None:
        sys.exit("mbsync is missing: apt-get install isync")
    with dovecot() as server, tempfile.TemporaryDirectory(dir="/tmp") as folder:
        size = _fill(server, chosen.letters)
        print(f"{chosen.letters} letters, {size / 1e6:.0f} MB, {FOLDERS} folders; load {os.getloadavg()[0]:.1f}")
        _compare(server, Path(folder), chosen.letters, chosen.runs)


def _compare(server: Dovecot, folder: Path, count: int, runs: int) -> None:
    measure.run(_mbsync(server, folder, "warm"), folder)  # the server's own indexes are made once, and our bytecode
    measure.run(_dealscribe(server, folder, "warm"), Path.cwd())
    peer, ours, ratios = [], [], []
    for number in range(runs):
        peer.append(measure.run(_mbsync(server, folder, f"m{number}"), folder))
        ours.append(measure.run(_dealscribe(server, folder, f"d{number}"), Path.cwd()))
        ratios.append(peer[-1].wall / ours[-1].wall)
        print(f"  run {number + 1}: mbsync {count / peer[-1].wall:.0f}/s, {_told(ours[-1], count)}")
    cpu = median(r.cpu for r in ours) / count * 1e3
    print(
        f"collect only: {median(ratios):.2f}x mbsync (spread {min(ratios):.2f}-{max(ratios):.2f}), "
        f"goal {GOAL:g}x: {measure.verdict(ratios, GOAL)}"
    )
    print(
        f"CPU: {cpu:.2f} ms a letter, goal {CPU_GOAL:g} ms; mbsync {median(r.cpu for r in peer) / count * 1e3:.2f} ms"
    )
    print(f"memory: {max(r.memory for r in ours):.0f} MB (PSS of all our processes), goal 400 MB")


def _told(run: measure.Run, count: int) -> str:
    speed, cpu = count / run.wall, run.cpu / count * 1e3
    return f"dealscribe {speed:.0f}/s, CPU {cpu:.2f} ms a letter, {run.memory:.0f} MB; load {os.getloadavg()[0]:.1f}"


def _fill(server: Dovecot, count: int) -> int:
    """Letters straight into the server's Maildirs, as a delivery agent would put them."""
    with server.user(USER) as client:
        for number in range(FOLDERS - 1):
            client.create_folder(f"Box{number:02}")
    size = 0
    for number, raw in enumerate(letters(count)):
        place = number % FOLDERS
        folder = server.maildir(USER, "INBOX" if place == 0 else f"Box{place - 1:02}")
        path = folder / "cur" / f"{1_772_438_400 + 60 * number}.M{number}P1.bench:2,S"
        path.write_bytes(raw)
        os.utime(path, (1_772_438_400 + 60 * number,) * 2)
        shutil.chown(path, "nobody", "nogroup")
        size += len(raw)
    return size


def _mbsync(server: Dovecot, folder: Path, name: str) -> list[str]:
    """Into an empty Maildir, without fsync and without a compression of its own, which would slow it down."""
    (folder / name).mkdir()
    config = folder / f"{name}.rc"
    config.write_text(
        f"""FSync no

IMAPAccount a
Host 127.0.0.1
Port {server.plain_port}
User {USER}
Pass {PASSWORD}
SSLType None
AuthMechs LOGIN
DisableExtension COMPRESS=DEFLATE

IMAPStore far
Account a

MaildirStore near
SubFolders Verbatim
Path {folder / name}/
Inbox {folder / name}/INBOX

Channel all
Far :far:
Near :near:
Patterns *
Create Near
Sync Pull
SyncState *
""",
        encoding="utf-8",
    )
    return ["mbsync", "-q", "-c", str(config), "-a"]


def _dealscribe(server: Dovecot, folder: Path, name: str) -> list[str]:
    config = folder / f"{name}.toml"
    config.write_text(
        f"""[organization]
domains = ["ours.example"]
authserv_ids = ["mx.ours.example"]
[store]
url = "sqlite:///{folder / name}.db"
[[mailbox]]
name = "anna"
owner = "anna@ours.example"
kind = "imap"
host = "127.0.0.1"
port = {server.plain_port}
tls = "none"
user = "{USER}"
password = {{ file = "{folder / "password"}" }}
since = "2026-01-01"
""",
        encoding="utf-8",
    )
    password = folder / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    return [sys.executable, "-m", "bench.collecting", str(config)]
