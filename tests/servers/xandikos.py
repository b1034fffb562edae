"""A real Xandikos: a CalDAV server that keeps calendars in git and differs from Radicale where the standard allows."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import free_port, wait_for_port

HOME = "/user/calendars/"


@contextmanager
def xandikos(folder: Path) -> Iterator[str]:
    """Xandikos on a free port, with its data in `folder`; gives its address. It takes any user and password."""
    port, log = free_port(), folder / "xandikos.log"
    command = [sys.executable, "-m", "xandikos", "serve", "--directory", str(folder / "data"), "--defaults"]
    command += ["--state-dir", str(folder / "state"), "--listen-address", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, cwd=folder) as process:
        try:
            wait_for_port(port, process, log)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            process.wait(timeout=10)
