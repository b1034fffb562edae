"""What systemd is told."""

import os
import socket
from pathlib import Path

import pytest

from agent.daemon.systemd import Notifier


class Listener:
    """The end at which systemd listens."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(0.2)

    def heard(self) -> list[str]:
        messages = []
        try:
            while True:
                messages.append(self._socket.recv(4096).decode())
        except TimeoutError:
            return messages

    def close(self) -> None:
        self._socket.close()


@pytest.mark.parametrize("place", ["a file", "the abstract namespace"])
def test_systemd_hears_that_the_service_is_ready_busy_alive_and_stopping(tmp_path: Path, place: str) -> None:
    named = str(tmp_path / "notify") if place == "a file" else f"@dealscribe-test-{os.getpid()}"
    listener = Listener(named.replace("@", "\0"))
    notifier = Notifier({"NOTIFY_SOCKET": named, "WATCHDOG_USEC": "30000000"})
    notifier.ready()
    notifier.status("polling anna")
    notifier.alive()
    notifier.stopping()
    assert listener.heard() == ["READY=1", "STATUS=polling anna", "WATCHDOG=1", "STOPPING=1"]
    listener.close()


def test_a_status_is_one_line_and_the_same_one_is_told_once(tmp_path: Path) -> None:
    listener = Listener(str(tmp_path / "notify"))
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    for text in ("polling\nREADY=1", "polling READY=1", "waiting"):
        notifier.status(text)
    assert listener.heard() == ["STATUS=polling READY=1", "STATUS=waiting"]
    listener.close()


def test_a_service_without_a_watchdog_sends_no_signs_of_life(tmp_path: Path) -> None:
    listener = Listener(str(tmp_path / "notify"))
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    notifier.alive()
    assert notifier.watchdog_seconds is None
    assert listener.heard() == []
    listener.close()


@pytest.mark.parametrize(
    "env", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}, {"NOTIFY_SOCKET": "/nobody/listens"}]
)
def test_started_by_hand_nothing_is_told_and_nothing_fails(env: dict[str, str]) -> None:
    notifier = Notifier(env)
    notifier.ready()
    notifier.status("polling anna")
    notifier.stopping()


def test_the_watchdog_of_another_process_is_not_ours() -> None:
    assert Notifier({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}).watchdog_seconds is None
    assert Notifier({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}).watchdog_seconds == 30
    assert Notifier({"WATCHDOG_USEC": "often"}).watchdog_seconds is None
