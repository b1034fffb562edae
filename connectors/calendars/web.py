"""How calendars on a server are asked: only ever reading, within limits, each refusal named for what helps."""

import logging
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import httpx

from agent.errors import NeedsHuman, Retry

READ_ONLY = frozenset({"GET", "OPTIONS", "PROPFIND", "REPORT"})
MAX_BYTES = 64 * 1024 * 1024
MAX_HOPS = 5
_TIMEOUT = httpx.Timeout(30, connect=10)
_REDIRECTS = (301, 302, 303, 307, 308)

# httpx writes every address it asks into its log, and a calendar's private address is as good as a password.
logging.getLogger("httpx").setLevel(logging.WARNING)


class Web:
    """One server. Every request goes through `ask`, which refuses a method that could change anything."""

    def __init__(self, ca_file: Path | None = None, auth: tuple[str, str] | None = None) -> None:
        self._ca_file = ca_file
        self._auth = auth
        self._client: httpx.Client | None = None

    def ask(
        self, method: str, url: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> httpx.Response:
        """The answer, read whole, after redirects. Raises Retry or NeedsHuman when there is none to be had."""
        if method not in READ_ONLY:
            raise ValueError(f"{method} could change the calendar")
        try:
            for _ in range(MAX_HOPS):
                response = self._once(method, url, headers or {}, body)
                if response.status_code not in _REDIRECTS or "location" not in response.headers:
                    return response
                url = same_site(url, str(response.url.join(response.headers["location"])))
        except httpx.HTTPError as error:
            raise _no_answer(url, error) from None
        except httpx.InvalidURL:
            raise NeedsHuman(f"{host(url)} redirects to an address that is none") from None
        raise NeedsHuman(f"{host(url)} redirects in circles")

    def close(self) -> None:
        if self._client:
            self._client.close()
            self._client = None

    def _once(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> httpx.Response:
        client = self._open()
        with client.stream(method, url, headers=headers, content=body) as response:
            got = bytearray()
            for chunk in response.iter_bytes():
                got += chunk
                if len(got) > MAX_BYTES:
                    raise NeedsHuman(f"{host(url)} sends more than {MAX_BYTES >> 20} MB: this is no calendar to import")
        headers_kept = [(k, v) for k, v in response.headers.items() if k not in ("content-encoding", "content-length")]
        return httpx.Response(response.status_code, headers=headers_kept, content=bytes(got), request=response.request)

    def _open(self) -> httpx.Client:
        if self._client is None:
            try:
                context = _trust(self._ca_file)
            except OSError as error:
                raise NeedsHuman(f"ca_file {self._ca_file} cannot be used: {error.strerror or error}") from None
            self._client = httpx.Client(timeout=_TIMEOUT, verify=context, auth=self._auth, follow_redirects=False)
        return self._client


@cache
def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """Reading the authorities takes longer than a poll, so all calendars share them."""
    return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)


def checked(url: str) -> str:
    """`url` if it may be asked: https, or http on this machine; for the options."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise ValueError("url is no address, e.g. https://calendar.example/anna/") from None
    if not parsed.host or parsed.scheme not in ("https", "http"):
        raise ValueError("url must begin with https://")
    if parsed.scheme == "http" and not _loopback(parsed.host):
        raise ValueError("url must begin with https://; http:// sends the calendar in the clear")
    if parsed.userinfo:
        raise ValueError("url must not hold a password; give user and password as keys of their own")
    return url


def same_site(before: str, url: str) -> str:
    """`url` if a server may send us there from `before`: the password goes along."""
    old, new = httpx.URL(before), httpx.URL(url)
    parent = old.host.partition(".")[2]
    sibling = "." in parent and not _loopback(old.host) and new.host.endswith("." + parent)
    if (new.scheme == "https" or new.scheme == old.scheme) and (new.host == old.host or sibling):
        return url
    raise NeedsHuman(f"{old.host} sends us to {new.host}: if that is right, use that address as url")


def refused(response: httpx.Response) -> Exception:
    """The error for an answer that is none: what happens next."""
    status, where = response.status_code, host(str(response.request.url))
    if status == 401:
        return NeedsHuman(f"{where} does not take the user and password: check them")
    if status in (403, 404, 410):
        return NeedsHuman(f"{where} answers {status}: the address is wrong, or the user may not read this calendar")
    if status in (408, 425, 429) or status >= 500:
        return Retry(f"{where} answers {status}", retry_after(response))
    return NeedsHuman(f"{where} answers {status}: is this the address of a calendar?")


def retry_after(response: httpx.Response, now: datetime | None = None) -> float | None:
    """Seconds until the server wants to be asked again (RFC 9110, 10.2.3), at most a day."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), 86_400.0)
    try:
        moment = parsedate_to_datetime(text)
        seconds = (moment - (now or datetime.now(UTC))).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), 86_400.0)


def host(url: str) -> str:
    """All of an address that may be told: the rest of it can be a secret."""
    return httpx.URL(url).host


def _no_answer(url: str, error: httpx.HTTPError) -> Exception:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return NeedsHuman(f"the certificate of {host(url)} is not trusted: set ca_file if it is your own authority's")
    return Retry(f"{host(url)} cannot be reached: {type(error).__name__}")


def _loopback(name: str) -> bool:
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
