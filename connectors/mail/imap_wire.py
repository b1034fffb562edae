"""The one place that sends IMAP commands, and it cannot send one that changes a mailbox.

Whatever goes out passes `_Guard.send`, below every library: one whole line, a verb of the list, no BODY without PEEK,
and no line break, NUL or literal inside an argument, which would be a second command on the wire.
"""

import imaplib
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from typing import Any, Literal

import imapclient
import msgspec
from imapclient import imap4
from imapclient import tls as imapclient_tls
from imapclient.exceptions import CapabilityError, LoginError
from imapclient.response_parser import parse_response

from agent.errors import NeedsHuman, Rejected, Retry
from connectors.mail.folders import Folder, decode_name
from connectors.mail.imap_answers import fetched

VERBS = frozenset(
    {"CAPABILITY", "STARTTLS", "LOGIN", "AUTHENTICATE", "LIST", "STATUS", "EXAMINE", "UNSELECT", "NOOP", "LOGOUT"}
    | {"FETCH", "UID FETCH", "UID SEARCH"}
)
Tls = Literal["implicit", "starttls", "none"]
LAST_UID = 0xFFFFFFFF
MANY = 50_000  # a SEARCH answer is one line, and a line of more than 1 MB is refused

_CONNECT_TIMEOUT, _READ_TIMEOUT, _GOODBYE_TIMEOUT = 20.0, 90.0, 3.0
_FORBIDDEN = re.compile(rb"[\r\n\0]")
_SETS_SEEN = re.compile(rb"\bBODY\[|\bRFC822(?!\.SIZE|\.HEADER)|\bBINARY\[")
_LITERAL_AT_END = re.compile(rb"\{\d+\+?\}\Z")
_TEMPORARY = re.compile(
    r"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG|OVERQUOTA|THROTTLED)\]"
    r"|temporar|try again|try later|too many|rate limit|unavailable|internal error|server busy|timed? ?out",
    re.IGNORECASE,
)
_NUMBER = re.compile(rb"\d+")


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder says of itself."""

    uidvalidity: int
    uidnext: int  # 0 when the server does not tell
    messages: int


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the folder list."""

    folder: Folder
    status: Status | None = None


class _Guard:
    """Mixed into imaplib's connections: looks at every line before it leaves."""

    state: str
    _verb = b""

    def send(self, data: bytes) -> None:
        if self._verb == b"AUTHENTICATE" and self.state == "NONAUTH":
            if _FORBIDDEN.search(data.removesuffix(b"\r\n")):
                raise Rejected("a line break inside an answer to the server")
        elif not data.endswith(b"\r\n"):
            raise Rejected("half an IMAP command")
        else:
            self._verb = checked(data[:-2])
        super().send(data)  # type: ignore[misc]


def checked(line: bytes) -> bytes:
    """The verb of one command line; Rejected when the line may not be sent."""
    words = line.split(b" ", 3)
    verb = words[1].upper() if len(words) > 1 else b""
    if verb == b"UID" and len(words) > 2:
        verb += b" " + words[2].upper()
    if verb.decode("ascii", "replace") not in VERBS:
        raise Rejected(f"the IMAP command {verb.decode('ascii', 'replace')[:40]!r} is not one that only reads")
    if _FORBIDDEN.search(line) or _LITERAL_AT_END.search(line):
        raise Rejected(f"a line break inside the IMAP command {verb.decode()}")
    if verb.endswith(b"FETCH") and _SETS_SEEN.search(line.upper()):
        raise Rejected("a FETCH that would mark letters as read")
    return verb


class _GuardedTls(_Guard, imapclient_tls.IMAP4_TLS):  # type: ignore[misc]
    pass


class _GuardedPlain(_Guard, imap4.IMAP4WithTimeout):  # type: ignore[misc]
    pass


class _Client(imapclient.IMAPClient):  # type: ignore[misc]
    def _create_IMAP4(self) -> imaplib.IMAP4:
        timeout = self._timeout.connect
        if self.ssl:
            return _GuardedTls(self.host, self.port, self.ssl_context, timeout)
        return _GuardedPlain(self.host, self.port, timeout)


def quiet(client: imapclient.IMAPClient) -> imaplib.IMAP4:
    """The library's own connection, with the protocol trace off: it formats every letter for a log nobody reads."""
    connection: imaplib.IMAP4 = client._imap
    connection.debug = 0
    return connection


class Wire:
    """One connection. It reads and does nothing else."""

    def __init__(self, host: str, port: int, tls: Tls, ca_file: str) -> None:
        self._host, self._ca_file = host, ca_file
        self.selected: bytes | None = None
        context = None if tls == "none" else _context(ca_file)
        with self._translated():
            self._client = _Client(
                host,
                port=port,
                ssl=tls == "implicit",
                ssl_context=context,
                timeout=imapclient.SocketTimeout(_CONNECT_TIMEOUT, _READ_TIMEOUT),
            )
        self._imap = quiet(self._client)
        try:
            with self._translated():
                if tls == "starttls":
                    self._client.starttls(context)
        except BaseException:
            self.close()
            raise

    def login(self, user: str, password: str) -> None:
        """Log in; NeedsHuman when the server refuses this user, Retry when it only cannot say now."""
        if _FORBIDDEN.search((user + password).encode()):
            raise NeedsHuman("the IMAP user or password contains a line break: correct it")
        with self._translated():
            if b"AUTH=PLAIN" in self._client.capabilities():
                self._client.plain_login(user, password)  # LOGIN knows neither Cyrillic nor quotes
            elif b"LOGINDISABLED" in self._client.capabilities():
                raise NeedsHuman(f"{self._host} takes no password on this connection: use tls, or another kind")
            elif not (user + password).isascii():
                raise NeedsHuman(f"{self._host} takes only ASCII users and passwords: set an app password")
            else:
                self._client.login(quoted(user.encode()).decode(), password)

    @property
    def capabilities(self) -> frozenset[str]:
        with self._translated():
            return frozenset(name.decode("ascii", "replace") for name in self._client.capabilities())

    def folders(self) -> list[Listed]:
        """All folders; with their status in the same round trip where the server can (RFC 5819)."""
        can = self.capabilities
        returned = ["STATUS (MESSAGES UIDNEXT UIDVALIDITY)"] if "LIST-STATUS" in can else []
        if returned and "SPECIAL-USE" in can:
            returned.append("SPECIAL-USE")
        arguments = ['""', '"*"', *([f"RETURN ({' '.join(returned)})"] if returned else [])]
        self._imap.untagged_responses.clear()  # what another command left there is not of this list
        with self._translated():
            typ, data = self._imap._simple_command("LIST", *arguments)
            self._checkok("LIST", typ, data)
            lines = self._imap.response("LIST")[1]
            states = dict(filter(None, map(_parsed_status, _records(self._imap.response("STATUS")[1]))))
        folders = {folder.name: folder for folder in filter(None, map(_parsed_folder, _records(lines)))}
        return [Listed(folder=folder, status=states.get(folder.wire)) for folder in folders.values()]

    def status(self, folder: bytes) -> Status | None:
        """The status of one folder; None when the server will not tell."""
        with self._translated():
            self._imap.response("STATUS")
            typ, _ = self._imap._simple_command("STATUS", quoted(folder), "(MESSAGES UIDNEXT UIDVALIDITY)")
            found = list(filter(None, map(_parsed_status, _records(self._imap.response("STATUS")[1]))))
        return found[-1][1] if typ == "OK" and found else None

    def examine(self, folder: bytes) -> Status | None:
        """Open a folder for reading only; None when it cannot be opened (any more)."""
        self.selected = None
        with self._translated():
            typ, data = self._imap.select(quoted(folder), readonly=True)  # type: ignore[arg-type]
            if typ != "OK":
                _raise_if_temporary(data)
                return None
            self.selected = folder
            return Status(
                uidvalidity=self._last_number("UIDVALIDITY"),
                uidnext=self._last_number("UIDNEXT"),
                messages=self._last_number("EXISTS"),
            )

    def unselect(self) -> None:
        """Leave the folder, so that the next LIST tells the truth about it too."""
        if self.selected is not None and "UNSELECT" in self.capabilities:
            with self._translated():
                self._client.unselect_folder()
            self.selected = None

    def search(self, first: int, last: int, since: date | None = None) -> list[int]:
        """The UIDs from `first` to `last`, ascending, of letters that came on this day or later."""
        days = ["SINCE", imapclient.imapclient.format_criteria_date(since).decode()] if since else []
        with self._translated():
            self._imap.response("SEARCH")
            typ, data = self._imap.uid("SEARCH", "UID", f"{first}:{last}", *days)
            self._checkok("SEARCH", typ, data)
        found = {int(number) for line in data if line for number in line.split() if number.isdigit()}
        return sorted(uid for uid in found if first <= uid <= last)

    def borders(self, messages: int) -> list[int]:
        """UIDs between which no more than MANY letters stand."""
        numbers = range(MANY, messages, MANY)
        return sorted(
            int(one[b"UID"]) for one in self.fetch_numbers(numbers, "UID") if isinstance(one.get(b"UID"), int)
        )

    def fetch(self, uids: Sequence[int], items: str) -> dict[int, dict[bytes, Any]]:
        """What the server says of these letters. A letter that is missing in the answer may still be there."""
        if not uids:
            return {}
        with self._translated():
            self._imap.response("FETCH")
            typ, data = self._imap.uid("FETCH", ranges(uids), f"({items})")
            self._checkok("FETCH", typ, data)
            answer = fetched(data, uid_is_key=True)
        wanted = set(uids)
        return {uid: found for uid, found in answer.items() if uid in wanted}

    def fetch_numbers(self, numbers: Sequence[int], items: str) -> list[dict[bytes, Any]]:
        """The same by place in the folder; an answer keeps the place as SEQ."""
        if not numbers:
            return []
        with self._translated():
            self._imap.response("FETCH")
            typ, data = self._imap.fetch(ranges(numbers), f"({items})")
            self._checkok("FETCH", typ, data)
            answer = fetched(data, uid_is_key=False)
        return [answer[number] for number in sorted(answer)]

    def close(self) -> None:
        with suppress(Exception):  # a connection that cannot be closed politely is closed all the same
            self._client.socket().settimeout(_GOODBYE_TIMEOUT)
            self._client.logout()
        with suppress(Exception):
            self._client.shutdown()

    def _last_number(self, name: str) -> int:
        found = [_NUMBER.search(line) for line in self._imap.response(name)[1] if isinstance(line, bytes)]
        return next((int(match[0]) for match in reversed(found) if match), 0)

    def _checkok(self, command: str, typ: str, data: Sequence[Any]) -> None:
        if typ != "OK":
            _raise_if_temporary(data)
            raise Rejected(f"{self._host} refused {command}: {_text(data)}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of the library, of TLS and of the network, named for what happens next."""
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            hint = f"check that ca_file {self._ca_file} is the right one" if self._ca_file else "name its CA in ca_file"
            raise NeedsHuman(
                f"the certificate of {self._host} is not trusted ({error.verify_message}): {hint}"
            ) from None
        except LoginError as error:
            if _TEMPORARY.search(str(error)) or isinstance(error.__context__, imaplib.IMAP4.abort):
                raise Retry(f"{self._host} cannot check the password now: {_short(error)}") from None
            raise NeedsHuman(f"{self._host} refused the login: correct user or password ({_short(error)})") from None
        except CapabilityError:
            raise NeedsHuman(f'{self._host} offers no STARTTLS: set tls = "implicit" and its port') from None
        except (imaplib.IMAP4.abort, OSError) as error:
            raise Retry(f"the connection to {self._host} broke: {_short(error)}") from None
        except imaplib.IMAP4.error as error:
            if _TEMPORARY.search(str(error)):
                raise Retry(f"{self._host} is not ready: {_short(error)}") from None
            raise Rejected(f"{self._host} refused: {_short(error)}") from None
        except (ValueError, AssertionError, TypeError, IndexError, RecursionError) as error:
            raise Rejected(f"{self._host} gave an answer that cannot be read: {_short(error)}") from None


def quoted(text: bytes) -> bytes:
    """One argument in quotes. Rejected when it would end the line."""
    if _FORBIDDEN.search(text):
        raise Rejected("a line break inside a folder's name")
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers as an IMAP set: 1:3,7."""
    parts: list[str] = []
    start = previous = numbers[0]
    for number in [*numbers[1:], -1]:
        if number != previous + 1:
            parts.append(f"{start}:{previous}" if start != previous else str(start))
            start = number
        previous = number
    return ",".join(parts)


def _context(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:  # SSLError is one
            raise NeedsHuman(f"ca_file {ca_file} cannot be used: {error.strerror or error}") from None
    return context


def _records(lines: Sequence[Any]) -> Iterator[list[Any]]:
    """Responses one by one, so that an odd one spoils no other. imaplib cuts a line in two behind a literal."""
    record: list[Any] = []
    for line in lines:
        if line is None:
            continue
        record.append(line)
        if isinstance(line, bytes):
            yield record
            record = []


def _parsed_folder(record: list[Any]) -> Folder | None:
    try:
        flags, delimiter, name = parse_response([part for part in record if part])[:3]
        wire = _bytes(name)
        if not wire or _FORBIDDEN.search(wire):
            return None
        return Folder(
            name="INBOX" if wire.upper() == b"INBOX" else decode_name(wire),
            wire=wire,
            delimiter=_bytes(delimiter).decode("ascii"),
            flags=frozenset(_bytes(flag).decode("ascii", "replace").lower() for flag in flags),
        )
    except (imaplib.IMAP4.error, ValueError, AssertionError, TypeError, RecursionError):
        return None


def _parsed_status(record: list[Any]) -> tuple[bytes, Status] | None:
    try:
        name, pairs = parse_response([part for part in record if part])[:2]
        values = {_bytes(key).upper(): int(value) for key, value in zip(pairs[::2], pairs[1::2], strict=True)}
        status = Status(
            uidvalidity=values.get(b"UIDVALIDITY", 0),
            uidnext=values.get(b"UIDNEXT", 0),
            messages=values.get(b"MESSAGES", 0),
        )
        return _bytes(name), status
    except (imaplib.IMAP4.error, ValueError, AssertionError, TypeError, RecursionError):
        return None


def _bytes(value: Any) -> bytes:
    """An atom as bytes; a name of digits alone comes as a number."""
    return b"" if value is None else value if isinstance(value, bytes) else str(value).encode("ascii")


def _raise_if_temporary(data: Sequence[Any]) -> None:
    if _TEMPORARY.search(_text(data)):
        raise Retry(f"the server is not ready: {_text(data)}")


def _text(data: Sequence[Any]) -> str:
    return " ".join(part.decode("utf-8", "replace") for part in data if isinstance(part, bytes))[:200]


def _short(error: BaseException) -> str:
    return str(error)[:200] or type(error).__name__
