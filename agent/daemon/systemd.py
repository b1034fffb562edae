"""Tells systemd how the service is: ready, what it is doing, alive, stopping (sd_notify(3), without its library)."""

import contextlib
import os
import socket
from collections.abc import Mapping


class Notifier:
    """Says nothing when nobody listens; a lost message harms nobody, so none is waited for."""

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        self._address = _address(env.get("NOTIFY_SOCKET", ""))
        self._said = ""
        self.watchdog_seconds = _watchdog_seconds(env)  # None: nobody waits for signs of life

    def ready(self) -> None:
        self._send("READY=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def alive(self) -> None:
        if self.watchdog_seconds is not None:
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line about what is being done; the same line is not sent twice."""
        line = " ".join(text.split())
        if line != self._said:
            self._said = line
            self._send(f"STATUS={line}")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(message.encode(), self._address)


def _address(named: str) -> str | None:
    if named.startswith("@"):
        return "\0" + named[1:]  # the abstract namespace
    return named if named.startswith("/") else None


def _watchdog_seconds(env: Mapping[str, str]) -> float | None:
    """How long systemd waits for a sign of life of this very process."""
    if env.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = env.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() and int(microseconds) else None
