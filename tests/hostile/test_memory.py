"""A huge letter is not held in memory: what is taken of it are its texts and the labels of its files."""

import binascii
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.base import Scope
from connectors.mail.imap import ImapMailbox
from connectors.mail.maildir import MaildirMailbox, MaildirOptions
from connectors.mail.mime import parse
from tests.flow.company import ANNA
from tests.servers.dovecot import PASSWORD, Dovecot, dovecot

HUGE = 200 << 20  # bytes
MOST = 24 << 20  # bytes that may be held at the worst moment
SCOPE = Scope(since=datetime(2026, 1, 1, tzinfo=UTC))
HEAD = (
    b"From: Vera Pole <vera@harbour.example>\nTo: anna@ours.example\nSubject: Drawings\n"
    b"Message-ID: <huge@harbour.example>\nDate: Mon, 2 Mar 2026 10:00:00 +0000\n"
)
WITH_FILE = HEAD + (
    b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nHere they are.\n--b\n"
    b"Content-Type: application/pdf; name=drawings.pdf\nContent-Transfer-Encoding: base64\n\n"
)
PLAIN = HEAD + b"Content-Type: text/plain\n\n"


BASE64 = b"QUJD" * 19 + b"\n"
WORDS = "Согласовано; ждём договор.\n".encode()
LETTERS = {  # what stands before the endless line, and the line
    "a file": (WITH_FILE, BASE64),
    "a file in quoted-printable": (WITH_FILE.replace(b"base64", b"quoted-printable"), binascii.b2a_qp(WORDS)),
    "a file as it is": (WITH_FILE.replace(b"base64", b"binary"), WORDS.rstrip()),
    "a text": (PLAIN, WORDS),
    "a text in base64": (HEAD + b"Content-Transfer-Encoding: base64\n\n", BASE64),
    "a page": (HEAD + b"Content-Type: text/html; charset=utf-8\n\n", b"<p>" + WORDS),
    "a signed shell": (HEAD + b"Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\n", BASE64),
}


def write(path: Path, head: bytes, line: bytes = BASE64) -> None:
    with path.open("wb") as file:
        file.write(head)
        for _ in range(HUGE // (len(line) * 1_000)):
            file.write(line * 1_000)
    at = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
    os.utime(path, (at, at))


@contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] <= MOST
    finally:
        tracemalloc.stop()


def read(fetch: Callable[[], Iterator[bytes]]) -> list[str]:
    with little_memory():
        return [parse(raw).text for raw in fetch()]


@pytest.mark.parametrize("head", [PLAIN, WITH_FILE], ids=["text", "file"])
def test_a_huge_letter_in_a_maildir_takes_little_memory(tmp_path: Path, head: bytes) -> None:
    for part in ("cur", "new", "tmp"):
        (tmp_path / part).mkdir()
    write(tmp_path / "cur" / "1772445600.M1P1.made:2,S", head)
    box = MaildirMailbox("anna", ANNA, MaildirOptions(path=tmp_path), SCOPE)
    (text,) = read(lambda: (item.raw for batch in box.fetch(None) for item in batch.items))
    assert text.startswith("QUJD" if head is PLAIN else "Here they are.")


@pytest.mark.parametrize("name", LETTERS)
def test_no_letter_of_200_mb_costs_60_mb_in_the_agent_or_in_its_worker(tmp_path: Path, name: str) -> None:
    for part in ("cur", "new", "tmp"):
        (tmp_path / part).mkdir()
    write(tmp_path / "cur" / "1772445600.M1P1.made:2,S", *LETTERS[name])
    command = [sys.executable, "-m", "tests.hostile.growth", str(tmp_path)]
    ran = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=True)
    assert max(map(int, ran.stdout.split())) <= 60


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot() as running:
        yield running


@pytest.mark.parametrize("head", [PLAIN, WITH_FILE], ids=["text", "file"])
def test_a_huge_letter_on_an_imap_server_takes_little_memory(server: Dovecot, tmp_path: Path, head: bytes) -> None:
    user = f"huge{len(head)}"
    server.deliver_many(user, [HEAD + b"\nsmall"])
    new = server.maildir(user) / "new"
    write(tmp_path / "letter", head)
    (new / "1772445601.M2P1.made").write_bytes((tmp_path / "letter").read_bytes())
    (new / "1772445601.M2P1.made").chmod(0o644)
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    options = {"host": "127.0.0.1", "port": server.plain_port, "tls": "none", "user": user}
    box = ImapMailbox(
        "anna", ANNA, ImapMailbox.Options.model_validate(options | {"password": {"file": str(secret)}}), SCOPE
    )
    try:
        texts = read(lambda: (item.raw for batch in box.fetch(None) for item in batch.items))
    finally:
        box.close()
    assert len(texts) == 2
    assert any(text.startswith("QUJD" if head is PLAIN else "Here they are.") for text in texts)
