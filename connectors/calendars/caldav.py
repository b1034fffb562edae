"""A calendar on a CalDAV server (RFC 4791), followed by sync-collection (RFC 6578) (kind = "caldav").

Spoken over plain HTTP, not through a library: every request passes the one gate that lets only reading methods through,
and an invalid sync token, which servers answer with 403 or 412, is told from a login failure by its body.

    gather   what changed in each calendar since its token, before anything is handed over
    fetch    the changed objects, in batches; the cursor names those that are still to come
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import quote, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape
from zlib import compress, decompressobj
from zlib import error as zlib_error

import httpx
import msgspec
from pydantic import ConfigDict, field_validator

from agent.errors import CursorExpired, NeedsHuman, Retry
from connectors.base import Batch, Finding, Item, Options, Ref, Scope
from connectors.calendars import ical, web
from connectors.calendars.ics import excluded_by
from connectors.secrets import Secret

MULTIGET = 100  # objects asked for at once
MIN_BATCH = 200
MAX_BATCHES = 20  # each bears the whole cursor, so their number must not grow with the calendar
MAX_ROUNDS = 1_000  # answers that say "there is more"
MAX_CURSOR = 256 * 1024 * 1024
_DAV, _CAL = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}"
_NS = 'xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"'
_LOOK = (
    f"<propfind {_NS}><prop><resourcetype/><displayname/><sync-token/><current-user-principal/>"
    "<c:calendar-home-set/><c:supported-calendar-component-set/></prop></propfind>"
)
_LIST = (
    f'<c:calendar-query {_NS}><prop><getetag/></prop><c:filter><c:comp-filter name="VCALENDAR">'
    '<c:comp-filter name="VEVENT"/></c:comp-filter></c:filter></c:calendar-query>'
)


class CaldavOptions(Options):
    """Where the calendars are and who may read them."""

    model_config = ConfigDict(hide_input_in_errors=True)

    url: str  # of the server, the user or one calendar
    user: str
    password: Secret
    calendars: tuple[str, ...] = ()  # names or addresses; all that hold events if empty
    ca_file: Path | None = None  # trust this authority, for a server with its own

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        return web.checked(value)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One calendar on the server."""

    url: str
    ref: str  # its path, normalized
    name: str
    syncs: bool  # it has sync tokens


class State(msgspec.Struct, frozen=True, array_like=True):
    """What the cursor says of one calendar."""

    token: str  # all before it is known, but for `todo`
    todo: tuple[str, ...] = ()  # refs still to be handed over
    etags: dict[str, str] | None = None  # instead of a token, where the server has none


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What one calendar has to hand over."""

    found: Found
    state: State  # once all of `todo` is handed over, and until then but for it
    todo: tuple[str, ...]
    gone: tuple[str, ...]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One <response> of a multi-status."""

    ref: str
    href: str
    status: int  # of the whole response: 404 for what is gone
    props: dict[str, ElementTree.Element]


class CaldavCalendar:
    """Constructed as every source: name, owner, options, scope. Old events are handed over too; the reader cuts."""

    what: ClassVar[Literal["mailbox", "calendar"]] = "calendar"
    Options: ClassVar[type[Options]] = CaldavOptions

    def __init__(self, name: str, owner: str, options: CaldavOptions, scope: Scope) -> None:
        self.name = name
        self.owner = owner
        self._options = options
        self._scope = scope
        self._opened: web.Web | None = None

    def check(self) -> list[Finding]:
        everything = self._discover()
        chosen = self._chosen(everything)
        findings = [Finding(level="ok", text=f"calendar {one.name}") for one in chosen]
        findings += [
            Finding(level="note", text=f"calendar {one.name} is left out") for one in everything if one not in chosen
        ]
        findings += [
            Finding(level="note", text=f"calendar {one.name} has no sync tokens: it is compared as a whole each time")
            for one in chosen
            if not one.syncs
        ]
        return findings

    def fetch(self, cursor: str | None) -> Iterator[Batch]:
        states = {} if cursor is None else _load(cursor)
        news = [self._news(found, states.get(found.ref)) for found in self._chosen(self._discover())]
        total = sum(len(one.todo) for one in news)
        states = {one.found.ref: msgspec.structs.replace(one.state, todo=one.todo) for one in news}
        gone = tuple(ref for one in news for ref in one.gone)
        last, done = cursor, 0
        for one in news:
            for items, todo in self._items(one):
                states[one.found.ref] = msgspec.structs.replace(one.state, todo=todo)
                done, last = done + len(items), _dump(states)
                yield Batch(items=items, cursor=last, done=done, total=total, vanished=gone)
                gone = ()
            states[one.found.ref] = one.state  # what is still to come may all be tasks, or gone by now
        if gone or _dump(states) != last:
            yield Batch(items=(), cursor=_dump(states), done=done, total=total, vanished=gone)

    def refs(self) -> Iterator[Ref]:
        for found in self._chosen(self._discover()):
            for ref in self._etags(found):
                yield Ref(ref=ref, folder=found.name, uid=_last(ref))

    def get(self, refs: Sequence[str]) -> Iterator[Item]:
        for found in self._chosen(self._discover()):
            mine = [ref for ref in refs if ref.startswith(found.ref)]
            for begin in range(0, len(mine), MULTIGET):
                yield from (item for _, item in self._multiget(found, mine[begin : begin + MULTIGET]))

    def close(self) -> None:
        if self._opened:
            self._opened.close()
            self._opened = None

    # -- which calendars ------------------------------------------------------------------------------------------

    def _discover(self) -> list[Found]:
        """The calendars at the address, else in the home of the user whom the address or the server names."""
        url, seen = self._options.url, set[str]()
        for _ in range(4):
            seen.add(url)
            answers: list[Answer] = []
            for depth in ("0", "1"):  # a calendar's own address first: then its events need not be listed
                answers += self._propfind(url, depth)
                if found := [one for answer in answers if (one := _calendar(url, answer))]:
                    return found
            following = [urljoined(url, href) for answer in answers for href in _onward(answer)]
            following += [urljoined(url, "/.well-known/caldav")] if _is_root(url) else []
            new = [one for one in following if one not in seen]
            if not new:
                break
            url = web.same_site(url, new[0])
        raise NeedsHuman(f"no calendar is found at {web.host(self._options.url)}: give the calendar's own address")

    def _propfind(self, url: str, depth: str) -> list[Answer]:
        response = self._web().ask("PROPFIND", url, {"Depth": depth, **_XML}, _LOOK.encode())
        if response.status_code in (403, 404, 405) and (depth == "1" or _is_root(url)):
            return []  # some servers list nothing but calendars
        return _answers(response)

    def _chosen(self, everything: Sequence[Found]) -> list[Found]:
        wanted = self._options.calendars
        if not wanted:
            return list(everything)
        chosen = [one for one in everything if any(_is(one, want) for want in wanted)]
        if missing := [want for want in wanted if not any(_is(one, want) for one in everything)]:
            there = ", ".join(one.name for one in everything)
            raise NeedsHuman(f"the server has no calendar {', '.join(missing)}; it has: {there}")
        return chosen

    # -- what changed ---------------------------------------------------------------------------------------------

    def _news(self, found: Found, state: State | None) -> News:
        if state and state.etags is None and not found.syncs:
            raise CursorExpired(f"calendar {found.name} has no sync tokens any more")
        if found.syncs and (state is None or state.etags is None) and (news := self._synced(found, state)):
            return news
        return self._compared(found, state)

    def _synced(self, found: Found, state: State | None) -> News | None:
        """What changed since the token; None if the server has tokens but takes none."""
        token = state.token if state else ""
        changed: dict[str, None] = dict.fromkeys(state.todo if state else ())
        gone: dict[str, None] = {}
        for _ in range(MAX_ROUNDS):
            response = self._sync(found, token)
            if not token and response.status_code in (400, 405, 415, 501):
                return None
            answers, new_token = _answers(response), _tree(response).findtext(f"{_DAV}sync-token", "")
            if not new_token:
                raise Retry(f"{web.host(found.url)} answers without a sync token")
            for answer in (one for one in answers if one.ref != found.ref):
                here, there = (gone, changed) if answer.status == 404 else (changed, gone)
                there.pop(answer.ref, None)
                here[answer.ref] = None
            if new_token == token or not any(answer.status == 507 for answer in answers):
                break  # 507: there is more
            token = new_token
        return News(found=found, state=State(new_token), todo=tuple(changed), gone=tuple(gone) if state else ())

    def _sync(self, found: Found, token: str) -> httpx.Response:
        """One sync-collection. A forgotten token may be answered with 403: only the body tells it from a refusal."""
        body = (
            f"<sync-collection {_NS}><sync-token>{escape(token)}</sync-token><sync-level>1</sync-level>"
            "<prop><getetag/></prop></sync-collection>"
        )
        response = self._web().ask("REPORT", found.url, {"Depth": "0", **_XML}, body.encode())
        if token and response.status_code in (403, 409, 410, 412) and b"valid-sync-token" in response.content:
            raise CursorExpired(f"the server has forgotten where we were in calendar {found.name}")
        return response

    def _compared(self, found: Found, state: State | None) -> News:
        etags = self._etags(found)
        old = (state.etags if state else None) or {}
        changed = dict.fromkeys(ref for ref in (state.todo if state else ()) if ref in etags)
        changed |= dict.fromkeys(ref for ref, etag in etags.items() if old.get(ref) != etag)
        gone = tuple(ref for ref in old if ref not in etags)
        return News(found=found, state=State("", etags=etags), todo=tuple(changed), gone=gone)

    def _etags(self, found: Found) -> dict[str, str]:
        response = self._web().ask("REPORT", found.url, {"Depth": "1", **_XML}, _LIST.encode())
        return {answer.ref: _text(answer, f"{_DAV}getetag") for answer in _answers(response) if answer.status == 200}

    # -- the objects ----------------------------------------------------------------------------------------------

    def _items(self, news: News) -> Iterator[tuple[tuple[Item, ...], tuple[str, ...]]]:
        """Batches, oldest first, each with the refs that are still to come."""
        dated: list[tuple[str, Item]] = []
        for begin in range(0, len(news.todo), MULTIGET):
            dated += self._multiget(news.found, news.todo[begin : begin + MULTIGET])
        items = [item for _, item in sorted(dated, key=lambda pair: (pair[0], pair[1].ref))]
        size = max(MIN_BATCH, -(-len(items) // MAX_BATCHES))
        for begin in range(0, len(items), size):
            rest = tuple(item.ref for item in items[begin + size :])
            yield tuple(items[begin : begin + size]), rest

    def _multiget(self, found: Found, refs: Sequence[str]) -> Iterator[tuple[str, Item]]:
        """Each object with its start; what is gone meanwhile, or is a task, is left out; a broken event is not."""
        hrefs = "".join(f"<href>{escape(ref)}</href>" for ref in refs)
        body = f"<c:calendar-multiget {_NS}><prop><getetag/><c:calendar-data/></prop>{hrefs}</c:calendar-multiget>"
        response = self._web().ask("REPORT", found.url, {"Depth": "1", **_XML}, body.encode())
        for answer in _answers(response):
            if answer.status >= 500:
                raise Retry(f"{web.host(found.url)} cannot give {answer.ref} now")
            raw = _text(answer, f"{_CAL}calendar-data").encode()
            objects = ical.objects(raw).objects
            if not objects and b"BEGIN:VEVENT" not in raw.upper():
                continue
            rule = excluded_by([name for one in objects for name in one.categories], self._scope)
            yield (
                min((one.start for one in objects), default=""),
                Item(
                    ref=answer.ref,
                    folder=found.name,
                    uid=_last(answer.ref),
                    raw=b"" if rule else raw,
                    excluded=rule,
                    size=len(raw),
                ),
            )

    def _web(self) -> web.Web:
        if self._opened is None:
            self._opened = web.Web(self._options.ca_file, (self._options.user, self._options.password.resolve()))
        return self._opened


_XML = {"Content-Type": "application/xml; charset=utf-8"}


def normalized(href: str) -> str:
    """The path of an href with one spelling: one server percent-encodes what another writes plainly."""
    return "/".join(quote(unquote(part), safe="@:+,;=~!$&'()*") for part in urlsplit(href).path.split("/"))


def urljoined(url: str, href: str) -> str:
    return str(httpx.URL(url).join(href))


def _is_root(url: str) -> bool:
    return urlsplit(url).path in ("", "/")


def _is(found: Found, wanted: str) -> bool:
    return found.name.casefold() == wanted.casefold() or found.ref.rstrip("/") == normalized(wanted).rstrip("/")


def _calendar(url: str, answer: Answer) -> Found | None:
    """The calendar that an answer describes, if it is one that holds events."""
    kinds, components = (
        answer.props.get(f"{_DAV}resourcetype"),
        answer.props.get(f"{_CAL}supported-calendar-component-set"),
    )
    if kinds is None or kinds.find(f"{_CAL}calendar") is None:
        return None
    if components is not None and "VEVENT" not in [one.get("name", "").upper() for one in components]:
        return None
    return Found(
        url=web.same_site(url, urljoined(url, answer.href)),
        ref=answer.ref,
        name=_text(answer, f"{_DAV}displayname").strip() or _last(answer.ref),
        syncs=bool(_text(answer, f"{_DAV}sync-token").strip()),
    )


def _onward(answer: Answer) -> Iterator[str]:
    """Where an answer says that the calendars are: the home first, then the user."""
    for name in (f"{_CAL}calendar-home-set", f"{_DAV}current-user-principal"):
        element = answer.props.get(name)
        if element is not None and (href := element.findtext(f"{_DAV}href")):
            yield href.strip()


def _answers(response: httpx.Response) -> list[Answer]:
    if response.status_code != 207:
        raise web.refused(response)
    return [_answer(element) for element in _tree(response).iterfind(f"{_DAV}response")]


def _answer(element: ElementTree.Element) -> Answer:
    href = element.findtext(f"{_DAV}href", "").strip()
    props = {
        prop.tag: prop
        for propstat in element.iterfind(f"{_DAV}propstat")
        if _status(propstat.findtext(f"{_DAV}status", "")) == 200
        for prop in propstat.iterfind(f"{_DAV}prop/*")
    }
    status = _status(element.findtext(f"{_DAV}status", "HTTP/1.1 200 OK"))
    return Answer(ref=normalized(href), href=href, status=status, props=props)


def _status(line: str) -> int:
    """ "HTTP/1.1 404 Not Found" -> 404."""
    words = line.split(maxsplit=2)
    return int(words[1]) if len(words) > 1 and words[1].isascii() and words[1].isdigit() else 0


def _tree(response: httpx.Response) -> ElementTree.Element:
    """The XML of an answer. One that declares entities could grow without end when read; no server needs them."""
    try:
        text = response.content.decode("utf-8-sig")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise ValueError("a document type")
        return ElementTree.fromstring(text)  # noqa: S314 - without a document type there is nothing to expand
    except (ValueError, ElementTree.ParseError):
        raise Retry(f"{web.host(str(response.request.url))} answers with something that is no WebDAV") from None


def _text(answer: Answer, name: str) -> str:
    element = answer.props.get(name)
    return (element.text or "") if element is not None else ""


def _last(ref: str) -> str:
    return unquote(ref.rstrip("/").rpartition("/")[2])


def _dump(states: dict[str, State]) -> str:
    return "1:" + b64encode(compress(msgspec.json.encode(states), 6)).decode()


def _load(cursor: str) -> dict[str, State]:
    version, _, text = cursor.partition(":")
    try:
        if version != "1":
            raise ValueError("written by another version")
        return msgspec.json.decode(decompressobj().decompress(b64decode(text), MAX_CURSOR), type=dict[str, State])
    except (ValueError, zlib_error) as error:
        raise CursorExpired(f"the cursor cannot be read: {error}") from None
