"""The mailbox of one Gmail user, through Google's API and with its read-only scope.

Gmail has labels in place of folders, so a letter has one id wherever it lies: that id is the `ref`. "SENT", "INBOX", a
label of the user's own or "ARCHIVE", the first that holds, stands for the folder. The first list walks the ids from
the oldest letter on; afterwards the mailbox's own history says what came. The history's id is taken before the list,
so that nothing falls between the two. Spam, trash, drafts and chats are left out.
"""

import base64
import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, NamedTuple
from urllib.parse import urlsplit

import google_auth_httplib2  # type: ignore[import-untyped]
import httplib2  # type: ignore[import-untyped]
import msgspec
from google.auth.exceptions import GoogleAuthError, RefreshError
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build  # type: ignore[import-untyped]
from googleapiclient.errors import HttpError  # type: ignore[import-untyped]
from pydantic import field_validator

from agent.errors import CursorExpired, DealscribeError, NeedsHuman, Retry
from connectors import base
from connectors.base import Batch, Finding, Item, Ref, Scope
from connectors.secrets import Secret

READ_ONLY = "https://www.googleapis.com/auth/gmail.readonly"
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - where tokens are asked for, not a token
TIMEOUT = 60.0  # seconds of silence; a letter of 35 MB, Gmail's largest, keeps talking
PAGE = 500  # ids a list request; the most that Gmail gives
BATCH_ITEMS = 50
BATCH_BYTES = 8_000_000
LEFT_OUT = frozenset({"SPAM", "TRASH", "DRAFT", "CHAT"})
BACK_BY_LOSING = frozenset({"SPAM", "TRASH", "DRAFT"})  # a letter that loses one of these labels comes into scope
GONE_BY_GETTING = frozenset({"SPAM", "TRASH"})
TOO_FAST = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
USED_UP = frozenset({"dailyLimitExceeded", "quotaExceeded"})
AN_HOUR = 3600.0
ARCHIVE = "ARCHIVE"
NO_SUCH_THING = frozenset({http.client.NOT_FOUND})
NO_SUCH_LETTER = frozenset({http.client.NOT_FOUND, http.client.BAD_REQUEST})  # 400: that cannot be an id of Gmail's
TOO_MANY_REQUESTS = 429


class GmailOptions(base.Options):
    """`kind = "gmail"` in config.toml."""

    user: str  # the address of the mailbox
    credentials: Secret  # JSON: client_id, client_secret, refresh_token, token_uri
    labels: tuple[str, ...] = ()  # only letters with one of these labels; empty means all
    endpoint: str = ""  # a proxy's address in place of Google's

    @field_validator("endpoint")
    @classmethod
    def _safe(cls, value: str) -> str:
        if value and not _is_safe(value):
            raise ValueError("must begin with https:// (http:// only for this machine itself)")
        return value


class _Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a run stands. History ids are text: they may outgrow any integer that JSON readers keep whole."""

    history: str  # what came after it has not been handed over (but for what the list has)
    since: int  # the earliest that was asked for, in milliseconds: going further back means listing again
    listing: bool = False  # the first list is not through
    last: str = ""  # the id that the list handed over last
    at: int = 0  # when Gmail took that one, in milliseconds; for when it is deleted meanwhile


class _Rules(msgspec.Struct, frozen=True):
    """What is taken, with names already turned into Gmail's label ids."""

    names: dict[str, str]  # label id -> name, of all labels of the mailbox
    own: frozenset[str]  # the ids of those that the user made
    barred: dict[str, str]  # label id -> name of an excluded "folder": what lies there is as good as not there
    excluded: dict[str, str]  # label id -> the rule: what bears it is handed over without content
    wanted: frozenset[str]  # a letter needs one of them; empty: none
    since: int  # milliseconds


class _Touch(NamedTuple):
    """What one record of the history says."""

    history: str
    look: tuple[str, ...]  # ids that may have come into scope, or under a rule
    gone: tuple[str, ...]


class _Load:
    """A batch that is being filled."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.gone: list[str] = []
        self.bytes = 0

    def add(self, item: Item) -> None:
        self.items.append(item)
        self.bytes += len(item.raw)

    @property
    def full(self) -> bool:
        return len(self.items) >= BATCH_ITEMS or self.bytes >= BATCH_BYTES

    def batch(self, cursor: _Cursor, done: int, total: int | None = None) -> Batch:
        text = msgspec.json.encode(cursor).decode()
        return Batch(items=tuple(self.items), cursor=text, done=done, total=total, vanished=tuple(self.gone))


class GmailMailbox:
    """One Gmail user's letters; only ever read."""

    what: ClassVar[Literal["mailbox", "calendar"]] = "mailbox"
    Options: ClassVar[type[base.Options]] = GmailOptions

    def __init__(self, name: str, owner: str, options: GmailOptions, scope: Scope) -> None:
        self.name = name
        self.owner = owner
        self._options = options
        self._scope = scope
        self._service: Any = None

    # -- the contract ---------------------------------------------------------------------------------------------

    def check(self) -> list[Finding]:
        rules = self._rules()
        profile = self._call(self._users().getProfile(userId="me")) or {}
        taken = [rules.names[label] for label in sorted(rules.wanted)] or ["INBOX", "SENT", "all that is archived"]
        return [
            Finding(level="ok", text=f"Gmail lets us read {self._options.user}: {', '.join(taken)}; read-only"),
            *_not_theirs(profile, self._options.user),
            *_left_out(rules, self._scope),
        ]

    def fetch(self, cursor: str | None) -> Iterator[Batch]:
        rules = self._rules()
        place = None if cursor is None else _read_cursor(cursor, rules.since)
        handed: dict[str, str] = {}  # id -> the rule it was handed over with
        if place is not None and not place.listing:
            yield from self._changes(place, rules, handed)
            return
        place = place or _Cursor(history=self._history_id(), since=rules.since, listing=True)
        yield from self._first_list(place, rules, handed)
        try:
            yield from self._changes(_Cursor(history=place.history, since=place.since), rules, handed)
        except CursorExpired:  # the list took longer than Gmail remembers: the next run begins with that
            return

    def refs(self) -> Iterator[Ref]:
        rules = self._rules()
        ids = self._in_scope(rules)
        folders = self._folders(frozenset(ids), rules)
        for found in ids:
            yield Ref(ref=found, folder=folders.get(found, ARCHIVE), uid=found)

    def get(self, refs: Sequence[str]) -> Iterator[Item]:
        rules = msgspec.structs.replace(self._rules(), since=0)
        for ref in refs:
            item = self._letter(ref, rules, look_first=bool(rules.excluded or rules.barred)) if ref else None
            if item is not None:
                yield item

    def close(self) -> None:
        service, self._service = self._service, None
        if service is not None:
            service.close()

    def recent_headers(self, count: int) -> list[bytes]:
        """The headers of the newest letters of the inbox: they show under which name Gmail verifies senders."""
        rules = self._rules()
        answer = self._call(self._messages().list(userId="me", labelIds=["INBOX"], maxResults=count)) or {}
        found = (self._letter(each["id"], rules, look_first=True) for each in answer.get("messages", ()))
        return [_header(item.raw) for item in found if item is not None and item.raw]

    # -- the first list, and what came after it -------------------------------------------------------------------

    def _first_list(self, place: _Cursor, rules: _Rules, handed: dict[str, str]) -> Iterator[Batch]:
        ids = self._after(place, rules)
        hidden = {found for label in rules.excluded for found in self._ids(rules.since, label)}
        load = _Load()
        for position, found in enumerate(ids, 1):
            item = self._letter(found, rules, look_first=found in hidden)
            if item is not None:
                load.add(item)
                handed[found] = item.excluded
                place = msgspec.structs.replace(place, last=found, at=_milliseconds(item.received, place.at))
            if load.full and position < len(ids):
                yield load.batch(place, done=position, total=len(ids))
                load = _Load()
        yield load.batch(_Cursor(history=place.history, since=place.since), done=len(ids), total=len(ids))

    def _after(self, place: _Cursor, rules: _Rules) -> list[str]:
        """The ids that the first list has not handed over yet, oldest first."""
        ids = self._in_scope(rules)
        if place.last in ids:
            return ids[ids.index(place.last) + 1 :]
        if place.last:  # deleted meanwhile: go on from its time; what shares its second is seen again
            return self._in_scope(msgspec.structs.replace(rules, since=max(rules.since, place.at)))
        return ids

    def _changes(self, place: _Cursor, rules: _Rules, handed: dict[str, str]) -> Iterator[Batch]:
        """What the history tells since `place`, record by record, in the order in which it happened."""
        load, done = _Load(), len(handed)
        start = place
        for touch in self._touches(place.history, rules):
            load.gone.extend(touch.gone)
            for gone in touch.gone:
                handed.pop(gone, None)
            for found in touch.look:
                item = self._letter(found, rules, look_first=True)
                if item is not None and handed.get(found) != item.excluded:
                    load.add(item)
                    handed[found] = item.excluded
                    done += 1
            place = msgspec.structs.replace(place, history=touch.history)
            if load.full:
                yield load.batch(place, done)
                load, start = _Load(), place
        if load.items or load.gone or place != start:
            yield load.batch(place, done)

    def _touches(self, since: str, rules: _Rules) -> Iterator[_Touch]:
        """The history after `since`, and at its end a touch of nothing that bears the newest id."""
        page: str | None = None
        newest = last = since
        while True:
            request = self._users().history().list(userId="me", startHistoryId=since, pageToken=page, maxResults=PAGE)
            answer = self._call(request)
            if answer is None:
                raise CursorExpired("Gmail no longer remembers what came since the last poll")
            if page is None:
                newest = str(answer.get("historyId", since))
            for record in answer.get("history", ()):
                touch = _touch(record, rules)
                last = touch.history
                yield touch
            page = answer.get("nextPageToken")
            if not page:
                break
        # The first page's id is known to be covered, as is the last record's; a later page's may lie beyond both.
        yield _Touch(history=_later(newest, last), look=(), gone=())

    # -- requests -------------------------------------------------------------------------------------------------

    def _letter(self, message_id: str, rules: _Rules, *, look_first: bool) -> Item | None:
        """One letter; `look_first` asks for its labels and date before its content is fetched. None: not for us."""
        item = None
        for form in ("minimal", "raw") if look_first else ("raw",):
            request = self._messages().get(userId="me", id=message_id, format=form)
            message = self._call(request, missing=NO_SUCH_LETTER)
            item = None if message is None else _item(message, rules)
            if item is None or item.excluded:
                return item
        if item is not None and not item.raw:
            return msgspec.structs.replace(item, problem="Gmail gave no content that can be decoded")
        return item

    def _in_scope(self, rules: _Rules) -> list[str]:
        """The ids of all letters in scope, oldest first."""
        ids = self._ids(rules.since)[::-1]
        empty = (LEFT_OUT & rules.names.keys()) | rules.barred.keys()
        out = {found for label in sorted(empty) for found in self._ids(rules.since, label)}
        if rules.wanted:
            some = {found for label in sorted(rules.wanted) for found in self._ids(rules.since, label)}
            out |= set(ids) - some
        return self._without_too_old([found for found in ids if found not in out], rules.since)

    def _folders(self, ids: frozenset[str], rules: _Rules) -> dict[str, str]:
        """Which of these letters lie where; no further labels are asked for once every letter has its place."""
        folders: dict[str, str] = {}
        for label in ("SENT", "INBOX", *sorted(rules.own, key=lambda each: rules.names[each])):
            if len(folders) == len(ids):
                break
            for found in ids.intersection(self._ids(rules.since, label)):
                folders.setdefault(found, rules.names.get(label, label))
        return folders

    def _without_too_old(self, ids: list[str], since: int) -> list[str]:
        """`after:` counts in whole seconds and asks one too early: look at the oldest few one by one."""
        for position, found in enumerate(ids):
            message = self._call(self._messages().get(userId="me", id=found, format="minimal"))
            if message is not None and _internal_date(message) >= since:
                return ids[position:]
        return []

    def _ids(self, since: int, label: str = "") -> list[str]:
        """Message ids, newest first; spam and trash only when asked for by label."""
        query: dict[str, Any] = {"q": f"after:{max(since // 1000 - 1, 0)}", "maxResults": PAGE}
        if label:
            query["labelIds"] = [label]
        ids: list[str] = []
        page: str | None = None
        while True:
            answer = self._call(self._messages().list(userId="me", pageToken=page, **query)) or {}
            ids.extend(each["id"] for each in answer.get("messages", ()))
            page = answer.get("nextPageToken")
            if not page:
                return ids

    def _history_id(self) -> str:
        """The id of now. A server without profiles tells it beside the history of its newest letter."""
        profile = self._call(self._users().getProfile(userId="me"))
        if profile is not None:
            for wrong in _not_theirs(profile, self._options.user):
                raise NeedsHuman(f"{wrong.text}: set {wrong.suggest}, or connect {self.name} again")
            return str(profile["historyId"])
        newest = (self._call(self._messages().list(userId="me", maxResults=1)) or {}).get("messages")
        start = "1"
        if newest:
            message = self._call(self._messages().get(userId="me", id=newest[0]["id"], format="minimal"))
            start = str((message or {}).get("historyId", start))
        answer = self._call(self._users().history().list(userId="me", startHistoryId=start, maxResults=1))
        return str((answer or {}).get("historyId", start))

    def _rules(self) -> _Rules:
        labels = (self._call(self._users().labels().list(userId="me")) or {}).get("labels", ())
        names = {label["id"]: label["name"] for label in labels}
        ids = {name.casefold(): label for label, name in names.items()}
        missing = [name for name in self._options.labels if name.casefold() not in ids]
        if missing:
            raise NeedsHuman(f"{self._options.user} has no label {missing[0]!r}: correct `labels` of {self.name}")
        excluded = _under(self._scope.exclude_labels, names)
        return _Rules(
            names=names,
            own=frozenset(label["id"] for label in labels if label.get("type") == "user"),
            barred=_under(self._scope.exclude_folders, names),
            excluded={label: f"label {name}" for label, name in excluded.items()},
            wanted=frozenset(ids[name.casefold()] for name in self._options.labels),
            since=_milliseconds(self._scope.since, 0),
        )

    def _messages(self) -> Any:
        return self._users().messages()

    def _users(self) -> Any:
        if self._service is None:
            grant = _grant(self._options)
            line = httplib2.Http(timeout=TIMEOUT)
            line.follow_redirects = False  # the token is for Gmail and for nobody whom it might name
            channel = google_auth_httplib2.AuthorizedHttp(grant, http=line)
            where = {"api_endpoint": self._options.endpoint} if self._options.endpoint else None
            self._service = build(
                "gmail", "v1", http=channel, client_options=where, static_discovery=True, cache_discovery=False
            )
        return self._service.users()

    def _call(self, request: Any, missing: frozenset[int] = NO_SUCH_THING) -> dict[str, Any] | None:
        """The answer, or None when Gmail says that there is no such thing."""
        try:
            return dict(request.execute())
        except HttpError as error:
            if error.resp.status in missing:
                return None
            raise _meaning(error, self._options.user) from None
        except RefreshError as error:
            if error.retryable:
                raise Retry(f"Google gives no token at the moment for {self._options.user}") from None
            why = f"Google refuses the grant of {self._options.user}: store a new refresh token for gmail.readonly"
            raise NeedsHuman(why) from None
        except (GoogleAuthError, httplib2.HttpLib2Error, http.client.HTTPException, OSError, ValueError) as error:
            raise Retry(f"Gmail cannot be reached: {type(error).__name__}: {error}") from None


# -- decisions, pure ----------------------------------------------------------------------------------------------


def _item(message: Mapping[str, Any], rules: _Rules) -> Item | None:
    """The letter as an item; None when it is none of ours. Without `raw` in the answer its content is empty."""
    labels = frozenset(message.get("labelIds", ()))
    if labels & LEFT_OUT or not labels.isdisjoint(rules.barred) or (rules.wanted and not labels & rules.wanted):
        return None
    if _internal_date(message) < rules.since:
        return None
    rule = min((rules.excluded[label] for label in labels if label in rules.excluded), default="")
    raw = b"" if rule else _decoded(message.get("raw", ""))
    return Item(
        ref=message["id"],
        folder=_folder(labels, rules),
        uid=message["id"],
        raw=raw,
        received=_moment(_internal_date(message)),
        sent="SENT" in labels,
        excluded=rule,
        size=0 if rule else len(raw),
    )


def _touch(record: Mapping[str, Any], rules: _Rules) -> _Touch:
    """What of one history record may concern us; marks such as "read" or "starred" do not."""
    arrived = [each["message"]["id"] for each in record.get("messagesAdded", ())]
    deleted = [each["message"]["id"] for each in record.get("messagesDeleted", ())]
    got, lost = record.get("labelsAdded", ()), record.get("labelsRemoved", ())
    look = _labelled(got, rules.wanted.union(rules.excluded))
    look += _labelled(lost, BACK_BY_LOSING.union(rules.excluded, rules.barred))
    gone = _labelled(got, GONE_BY_GETTING.union(rules.barred)) + _labelled(lost, rules.wanted)
    return _Touch(str(record["id"]), tuple(dict.fromkeys(arrived + look)), tuple(dict.fromkeys(deleted + gone)))


def _labelled(changes: Sequence[Mapping[str, Any]], labels: frozenset[str]) -> list[str]:
    return [each["message"]["id"] for each in changes if labels.intersection(each.get("labelIds", ()))]


def _folder(labels: frozenset[str], rules: _Rules) -> str:
    """Where the letter lies, as a person would say it."""
    for place in ("SENT", "INBOX"):
        if place in labels:
            return rules.names.get(place, place)
    return min((rules.names[label] for label in labels & rules.own), default=ARCHIVE)


def _meaning(error: HttpError, user: str) -> DealscribeError:
    """What happens next after this answer."""
    status, reason = int(error.resp.status), _reason(error.content)
    waits = str(error.resp.get("retry-after", ""))
    after = float(waits) if waits.isdecimal() else None
    if reason in USED_UP:
        return Retry(f"Gmail's daily quota is used up ({reason})", after or AN_HOUR)
    if reason in TOO_FAST or status == TOO_MANY_REQUESTS:
        return Retry("Gmail asks us to go slower", after)
    if status >= http.client.INTERNAL_SERVER_ERROR:
        return Retry(f"Gmail answers {status}", after)
    if status == http.client.UNAUTHORIZED:
        return NeedsHuman(f"Gmail no longer takes the grant of {user}: connect it again")
    if status == http.client.FORBIDDEN:
        return NeedsHuman(f"Gmail does not let us read {user} ({reason}): allow the Gmail API and connect it again")
    return NeedsHuman(f"Gmail refuses a request for {user}: {status} {reason}")


def _reason(content: bytes) -> str:
    """Google's word for what is wrong, e.g. rateLimitExceeded."""
    try:
        error = json.loads(content)["error"]
        return str(error["errors"][0]["reason"] if error.get("errors") else error.get("status", ""))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return ""


def _under(barred: Sequence[str], names: Mapping[str, str]) -> dict[str, str]:
    """Label id -> which of the `barred` names covers it; one covers what is below it too ("Private/Family")."""
    wanted = {name.casefold(): name for name in barred}
    found: dict[str, str] = {}
    for label, name in names.items():
        parts = name.casefold().split("/")
        upward = ("/".join(parts[:depth]) for depth in range(len(parts), 0, -1))
        rule = next((wanted[above] for above in upward if above in wanted), None)
        if rule is not None:
            found[label] = rule
    return found


def _not_theirs(profile: Mapping[str, Any], user: str) -> list[Finding]:
    """A problem if this is another user's mailbox: its letters would be booked to the wrong rep."""
    theirs = str(profile.get("emailAddress", user))
    if theirs.casefold() == user.casefold():
        return []
    text = f"the credentials open the mailbox of {theirs}, not of {user}"
    return [Finding(level="problem", text=text, suggest=f'user = "{theirs}"')]


def _left_out(rules: _Rules, scope: Scope) -> list[Finding]:
    """What is not read, and what was to be left out and is not there."""
    folders = [f"folder {rules.names[label]} is left out: excluded in config.toml" for label in sorted(rules.barred)]
    there = {name.casefold() for name in rules.names.values()}
    unknown = [name for name in (*scope.exclude_folders, *scope.exclude_labels) if name.casefold() not in there]
    absent = [f"no label {name!r} is there yet: nothing is left out until somebody makes it" for name in unknown]
    usual = "spam, trash, drafts and chats are left out"
    return [Finding(level="note", text=text) for text in (usual, *folders, *absent)]


def _read_cursor(text: str, since: int) -> _Cursor:
    try:
        cursor = msgspec.json.decode(text, type=_Cursor)
    except msgspec.MsgspecError:
        raise CursorExpired("the saved position is not one of Gmail's") from None
    if not cursor.history.isdecimal():
        raise CursorExpired("the saved position bears no history id")
    if since < cursor.since:
        raise CursorExpired("mail from further back is wanted than the saved position covers")
    return cursor


def _later(one: str, other: str) -> str:
    """The later of two history ids: decimal numbers of any length."""
    return max(one, other, key=lambda each: (len(each), each))


def _grant(options: GmailOptions) -> Credentials:
    """The user's grant. No part of it appears in a message."""
    try:
        info = json.loads(options.credentials.resolve())
        client, secret, token = (str(info[key]) for key in ("client_id", "client_secret", "refresh_token"))
        uri = str(info.get("token_uri", TOKEN_URI))
    except (ValueError, KeyError, TypeError, AttributeError):
        why = f"the credentials of {options.user} must be JSON with client_id, client_secret and refresh_token"
        raise NeedsHuman(why) from None
    if not _is_safe(uri):
        raise NeedsHuman(f"the token_uri in the credentials of {options.user} must begin with https://")
    return Credentials(  # type: ignore[no-untyped-call]
        None, refresh_token=token, token_uri=uri, client_id=client, client_secret=secret, scopes=[READ_ONLY]
    )


def _is_safe(address: str) -> bool:
    parts = urlsplit(address)
    here = parts.hostname in ("127.0.0.1", "::1", "localhost")
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and here))


def _internal_date(message: Mapping[str, Any]) -> int:
    return int(message.get("internalDate", 0))


def _milliseconds(moment: datetime | None, otherwise: int) -> int:
    return otherwise if moment is None else int(moment.timestamp() * 1000)


def _moment(milliseconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "==")
    except ValueError:
        return b""


def _header(raw: bytes) -> bytes:
    """Everything up to the first empty line."""
    ends = [end for end in (raw.find(b"\r\n\r\n"), raw.find(b"\n\n")) if end >= 0]
    return raw[: min(ends, default=len(raw))]
