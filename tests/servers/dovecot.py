"""A Dovecot of our own on loopback, in a temporary folder; any user name is an empty mailbox of its own."""

import grp
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import imapclient
import trustme
from imapclient.imap_utf7 import encode

from tests.servers import free_port, wait_for_port

PASSWORD = "made-up-password"
HOST = "127.0.0.1"

_CONFIG = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
protocols = imap
listen = 127.0.0.1
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
first_valid_uid = 1
mail_location = maildir:{home}/mail/%u
mailbox_idle_check_interval = 1 secs
mail_max_userip_connections = 100
auth_mechanisms = plain
auth_username_chars =
auth_cache_size = 0
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={home}/mail/%u
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {plain_port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
ssl = yes
ssl_cert = <{home}/server.pem
ssl_key = <{home}/server.key
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Отправленные {{
    auto = create
    special_use = \\Sent
  }}
  mailbox Junk {{
    auto = create
    special_use = \\Junk
  }}
  mailbox Черновики {{
    auto = create
  }}
}}
"""


@dataclass(frozen=True)
class Dovecot:
    """The running server, and what others do in its mailboxes."""

    home: Path
    plain_port: int  # also STARTTLS
    tls_port: int
    ca_file: Path

    @contextmanager
    def user(self, name: str) -> Iterator[imapclient.IMAPClient]:
        """This user's own mail program, which may change things."""
        with imapclient.IMAPClient(HOST, self.plain_port, ssl=False, timeout=20) as client:
            client.login(name, PASSWORD)
            yield client

    def deliver(
        self, user: str, raw: bytes, folder: str = "INBOX", at: datetime | None = None, flags: Sequence[str] = ()
    ) -> int:
        """A letter arrives; the folder is made if need be. Gives its UID."""
        with self.user(user) as client:
            if not client.folder_exists(folder):
                client.create_folder(folder)
            answer = client.append(folder, raw, flags, at or datetime.now(UTC))
        return int(answer.split(b"APPENDUID ")[1].split(b"]")[0].split()[1])

    def deliver_many(self, user: str, letters: Sequence[bytes], at: datetime | None = None) -> None:
        """Many letters arrive at once, the way a delivery agent writes them."""
        with self.user(user) as client:
            client.select_folder("INBOX", readonly=True)  # which makes the mailbox
        new = self.maildir(user) / "new"
        for number, raw in enumerate(letters):
            (new / f"{int((at or datetime.now(UTC)).timestamp())}.M{number:06}P1.made").write_bytes(raw)
        _give(new)

    def expunge(self, user: str, folder: str, uid: int) -> None:
        with self.user(user) as client:
            client.select_folder(folder)
            client.delete_messages([uid])
            client.expunge()

    def number_anew(self, user: str, folder: str = "INBOX") -> None:
        """The folder loses its UIDs and gets another UIDVALIDITY, as after a restored backup."""
        place = self.maildir(user, folder)
        time.sleep(1.1)  # UIDVALIDITY is the time in seconds
        for path in [*place.glob("dovecot-uid*"), *place.glob("dovecot.index*"), *place.parent.glob("dovecot-uidv*")]:
            path.unlink(missing_ok=True)
        for path in [*self.maildir(user).glob("dovecot-uidvalidity*"), *self.maildir(user).glob("dovecot.list*")]:
            path.unlink(missing_ok=True)

    def maildir(self, user: str, folder: str = "INBOX") -> Path:
        root = self.home / "mail" / user
        return root if folder == "INBOX" else root / ("." + encode(folder).decode().replace("/", "."))

    def snapshot(self, user: str) -> dict[str, bytes]:
        """All that stands in a mailbox: every letter with its flags, and the folders."""
        state: dict[str, bytes] = {}
        with self.user(user) as client:
            for flags, _, name in client.list_folders():
                lasting = {*flags} - {b"\\Marked", b"\\UnMarked"}  # which are the server's guess of the moment
                state[f"folder {name}"] = b" ".join(sorted(lasting))
                if b"\\Noselect" in flags:
                    continue
                client.select_folder(name, readonly=True)
                for uid, found in client.fetch(client.search("ALL"), ["FLAGS", "BODY.PEEK[]"]).items():
                    kept = sorted(flag for flag in found[b"FLAGS"] if flag != b"\\Recent")
                    state[f"{name} {uid}"] = b" ".join(kept) + b"\n" + found[b"BODY[]"]
        return state


def _runs_as() -> tuple[str, str]:
    """User and group of the server: nobody when root runs the tests, else who runs them."""
    if os.geteuid() == 0:
        return "nobody", "nogroup"
    return pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", ":".join(_runs_as()), str(path)], check=True)


@contextmanager
def dovecot() -> Iterator[Dovecot]:
    """Start Dovecot as an unprivileged user."""
    program = shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/sbin")
    if program is None:
        raise RuntimeError("Dovecot is missing: apt-get install dovecot-imapd")
    home = Path(tempfile.mkdtemp(prefix="dovecot-", dir="/tmp"))
    home.chmod(0o755)
    authority = trustme.CA()
    certificate = authority.issue_cert(HOST, "localhost")
    authority.cert_pem.write_to_path(str(home / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(home / "server.key"))
    for number, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(str(home / "server.pem"), append=number > 0)
    server = Dovecot(home, free_port(), free_port(), home / "ca.pem")
    user, group = _runs_as()
    ports = {"plain_port": server.plain_port, "tls_port": server.tls_port}
    config = _CONFIG.format(home=home, password=PASSWORD, user=user, group=group, **ports)
    (home / "dovecot.conf").write_text(config, encoding="utf-8")
    for name in ("run", "state", "mail"):
        (home / name).mkdir()
    _give(home)
    command = ["setpriv", "--reuid", user, "--regid", group, "--clear-groups"] if os.geteuid() == 0 else []
    process = subprocess.Popen([*command, program, "-F", "-c", str(home / "dovecot.conf")], cwd=home)
    try:
        wait_for_port(server.plain_port, process, home / "log")
        wait_for_port(server.tls_port, process, home / "log")
        yield server
    finally:
        process.terminate()
        process.wait(timeout=20)
        shutil.rmtree(home, ignore_errors=True)
