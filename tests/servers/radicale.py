"""A real Radicale: a CalDAV server in a process of its own, with many users who share a password."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx

from tests.servers import free_port, wait_for_port

PASSWORD = "made-up-password"
USERS = tuple(f"anna{i}" for i in range(200))


class CalendarServer:
    """What a person with a calendar program can do; `url` is the server's root."""

    def __init__(self, url: str, user: str, home: str) -> None:
        self.url = url
        self.user = user
        self.home = home  # path of the user's calendars
        self.http = httpx.Client(base_url=url, auth=(user, PASSWORD), timeout=30)

    def make_calendar(self, path: str, name: str, components: str = "VEVENT") -> str:
        """A new calendar; its path."""
        comps = "".join(f'<C:comp name="{component}"/>' for component in components.split())
        body = (
            '<C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop>'
            f"<displayname>{name}</displayname>"
            f"<C:supported-calendar-component-set>{comps}</C:supported-calendar-component-set>"
            "</prop></set></C:mkcalendar>"
        )
        where = f"{self.home}{path}/"
        self._done(self.http.request("MKCALENDAR", where, content=body.encode()))
        return where

    def put(self, calendar: str, name: str, text: str) -> None:
        """Saves one event under `name`.ics."""
        headers = {"Content-Type": "text/calendar; charset=utf-8"}
        self._done(self.http.put(calendar + quote(f"{name}.ics"), content=text.encode(), headers=headers))

    def remove(self, calendar: str, name: str) -> None:
        self._done(self.http.delete(calendar + quote(f"{name}.ics")))

    def close(self) -> None:
        self.http.close()

    @staticmethod
    def _done(response: httpx.Response) -> None:
        if response.status_code not in (200, 201, 204):
            raise RuntimeError(f"{response.request.method} {response.request.url}: {response.status_code}")


@contextmanager
def radicale(folder: Path) -> Iterator[str]:
    """Radicale on a free port, with its data in `folder`; gives its address."""
    port, log = free_port(), folder / "radicale.log"
    (folder / "users").write_text("".join(f"{user}:{PASSWORD}\n" for user in USERS))
    options = [
        ("server-hosts", f"127.0.0.1:{port}"),
        ("auth-type", "htpasswd"),
        ("auth-htpasswd-filename", str(folder / "users")),
        ("auth-htpasswd-encryption", "plain"),
        ("auth-delay", "0"),
        ("storage-filesystem-folder", str(folder / "data")),
        ("storage-hook", ""),
    ]
    command = [sys.executable, "-m", "radicale", "--config", "", *[f"--{name}={value}" for name, value in options]]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, cwd=folder) as process:
        try:
            wait_for_port(port, process, log)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            process.wait(timeout=10)
