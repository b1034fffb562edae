"""CalDAV against a real Radicale: the terms of every source, and what servers do that differs from one to the next."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from agent.errors import CursorExpired, NeedsHuman, Retry
from connectors.base import Scope
from connectors.calendars import caldav, web
from connectors.calendars.caldav import CaldavCalendar, CaldavOptions, normalized
from tests.connectors.calendar_suite import CalendarSuite, event, items_of, uids
from tests.servers.radicale import PASSWORD, USERS, CalendarServer, radicale
from tests.servers.xandikos import HOME, xandikos

SCOPE = Scope(since=datetime(2026, 1, 1, tzinfo=UTC), exclude_labels=("no-crm",))

NEW_USERS = iter(USERS)
NUMBERS = count(1)
Change = Callable[[bytes], bytes]


class Between:
    """Stands between the source and the server: writes down every method, and can make the server another one."""

    def __init__(self, server: CalendarServer) -> None:
        self.server = server
        self.methods: set[str] = set()
        self.answers: list[tuple[str, int, dict[str, str], bytes]] = []  # method, status, headers, body: instead
        self.change: Change = bytes  # what becomes of the body of each answer
        self.refuse_sync = False
        self.http = httpx.Client(timeout=30)

    def __call__(self, request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        method = request.command
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.methods.add(method)
        for planned in self.answers:
            if planned[0] == method:
                self.answers.remove(planned)
                return planned[1:]
        if self.refuse_sync and b"sync-collection" in body:
            return 501, {}, b""
        headers = {k: v for k, v in request.headers.items() if k in ("Authorization", "Depth", "Content-Type")}
        answer = self.http.request(method, self.server.url + request.path[1:], content=body, headers=headers)
        return answer.status_code, {"Content-Type": "application/xml"}, self.change(answer.content)


@contextmanager
def relay(between: Between) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            status, headers, body = between(self)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Nothing is printed."""

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.handle_any
            raise AttributeError(name)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        thread = Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_address[1]}/"
        finally:
            listening.shutdown()
            thread.join()


class RadicaleWorld:
    batch = 2

    def __init__(self, server: CalendarServer, between: Between, url: str) -> None:
        self.server, self.between, self.url = server, between, url
        self.work = server.make_calendar("work", "Work")
        self.opened: list[CaldavCalendar] = []

    def open(self, **options: Any) -> CaldavCalendar:
        known = {"url": self.url, "user": self.server.user, "password": {"env": "CALENDAR_PASSWORD"}}
        made = CaldavCalendar("caldav", "anna@ours.example", CaldavOptions.model_validate({**known, **options}), SCOPE)
        self.opened.append(made)
        return made

    def put(self, uid: str, text: str) -> None:
        self.server.put(self.work, uid, text)

    def remove(self, uid: str) -> None:
        self.server.remove(self.work, uid)

    def expired(self, cursor: str) -> str:
        states = caldav._load(cursor)
        token = "http://radicale.org/ns/sync/" + "0" * 64  # of the right form, and of no state there ever was
        return caldav._dump({ref: caldav.State(token) for ref in states})

    def content(self) -> object:
        body = b'<propfind xmlns="DAV:"><prop><getetag/><getlastmodified/></prop></propfind>'
        return self.server.http.request("PROPFIND", self.work, headers={"Depth": "1"}, content=body).text

    def close(self) -> None:
        for source in self.opened:
            source.close()


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caldav, "MIN_BATCH", 2)
    monkeypatch.setattr(caldav, "MAX_BATCHES", 100)
    monkeypatch.setattr(caldav, "MULTIGET", 3)
    monkeypatch.setenv("CALENDAR_PASSWORD", PASSWORD)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with radicale(tmp_path_factory.mktemp("radicale")) as url:
        yield url


@pytest.fixture(scope="module")
def xandikos_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with xandikos(tmp_path_factory.mktemp("xandikos")) as url:
        yield url


@pytest.fixture
def server(address: str) -> Iterator[CalendarServer]:
    """The server as a user sees it whom no other test knows."""
    user = next(NEW_USERS)
    made = CalendarServer(address, user, f"/{user}/")
    yield made
    made.close()


@pytest.fixture
def between(server: CalendarServer) -> Iterator[Between]:
    made = Between(server)
    yield made
    made.http.close()
    assert made.methods <= web.READ_ONLY


@pytest.fixture
def world(server: CalendarServer, between: Between) -> Iterator[RadicaleWorld]:
    with relay(between) as url:
        made = RadicaleWorld(server, between, url)
        yield made
        made.close()


class TestRadicale(CalendarSuite):
    """The server keeps a sync token."""


class XandikosWorld(RadicaleWorld):
    """One calendar for each test; the source is given its address."""

    def __init__(self, server: CalendarServer, between: Between, url: str) -> None:
        self.server, self.between = server, between
        self.work = server.make_calendar(f"work{next(NUMBERS)}", "Work")
        self.url = url + self.work[1:]
        self.opened = []

    def expired(self, cursor: str) -> str:
        return caldav._dump({ref: caldav.State("0" * 40) for ref in caldav._load(cursor)})


class TestXandikos(CalendarSuite):
    """A server that answers an invalid token with 412 and encodes its hrefs in another way."""

    @pytest.fixture
    def world(self, xandikos_address: str) -> Iterator[XandikosWorld]:
        server = CalendarServer(xandikos_address, "user", HOME)
        between = Between(server)
        with relay(between) as url:
            made = XandikosWorld(server, between, url)
            yield made
            made.close()
        server.close()
        between.http.close()
        assert between.methods <= web.READ_ONLY

    def test_the_calendar_is_found_from_the_servers_root(self, world: XandikosWorld) -> None:
        root = str(httpx.URL(world.url).join("/"))
        name = world.work.rstrip("/").rpartition("/")[2]
        assert f"calendar {name}" in [finding.text for finding in world.open(url=root).check()]


class PoorWorld(RadicaleWorld):
    def expired(self, cursor: str) -> str:
        return "0" + cursor[1:]


class TestServerWithoutSyncTokens(CalendarSuite):
    """The same server with its sync tokens hidden: the calendar is compared by etags."""

    @pytest.fixture
    def world(self, server: CalendarServer, between: Between) -> Iterator[RadicaleWorld]:
        between.refuse_sync = True
        between.change = lambda body: body.replace(b"sync-token", b"no-such-thing")
        with relay(between) as url:
            made = PoorWorld(server, between, url)
            yield made
            made.close()

    def test_check_says_what_was_found(self, world: RadicaleWorld) -> None:  # type: ignore[override]
        assert "has no sync tokens" in world.open().check()[-1].text


# -- which calendars ----------------------------------------------------------------------------------------------


def test_the_calendars_are_found_from_the_server_the_user_or_one_of_them(world: RadicaleWorld) -> None:
    for path in ("", world.server.home[1:], world.work[1:]):
        assert [finding.text for finding in world.open(url=world.url + path).check()] == ["calendar Work"]


def test_a_list_of_tasks_is_no_calendar(world: RadicaleWorld) -> None:
    world.server.make_calendar("tasks", "Tasks", "VTODO")
    assert [finding.text for finding in world.open().check()] == ["calendar Work"]


def test_a_task_among_events_is_not_handed_over(world: RadicaleWorld) -> None:
    mixed = world.server.make_calendar("mixed", "Mixed", "VEVENT VTODO")
    world.server.put(mixed, "todo", event("todo").replace("VEVENT", "VTODO"))
    world.server.put(mixed, "call", event("call"))
    source = world.open()
    batches = list(source.fetch(None))
    assert uids(batches) == ["call"]
    assert [ref.uid for ref in source.refs()] == ["call.ics"]
    world.server.put(mixed, "todo", event("todo", 2).replace("VEVENT", "VTODO"))
    (empty,) = source.fetch(batches[-1].cursor)
    assert list(source.fetch(empty.cursor)) == []


def test_only_the_chosen_calendars_are_read(world: RadicaleWorld) -> None:
    private = world.server.make_calendar("private", "Private")
    world.server.put(private, "yoga", event("yoga"))
    world.put("call", event("call"))
    for chosen in ("Work", "work", world.work, world.url + world.work.strip("/")):
        assert uids(world.open(calendars=[chosen]).fetch(None)) == ["call"]
    levels = {finding.text: finding.level for finding in world.open(calendars=["Work"]).check()}
    assert levels == {"calendar Work": "ok", "calendar Private is left out": "note"}


def test_a_calendar_that_is_not_there_is_named_with_those_that_are(world: RadicaleWorld) -> None:
    with pytest.raises(NeedsHuman, match=r"no calendar Sales; it has: Work"):
        world.open(calendars=["Sales"]).check()


def test_a_calendar_that_appears_later_is_read_from_its_beginning(world: RadicaleWorld) -> None:
    world.put("call", event("call"))
    cursor = list(world.open().fetch(None))[-1].cursor
    second = world.server.make_calendar("second", "Second")
    world.server.put(second, "demo", event("demo"))
    assert uids(world.open().fetch(cursor)) == ["demo"]


def test_one_calendar_with_a_forgotten_token_is_said_before_another_hands_over(world: RadicaleWorld) -> None:
    second = world.server.make_calendar("second", "Second")
    cursor = list(world.open().fetch(None))[-1].cursor
    states = caldav._load(cursor)
    broken = {**states, normalized(second): caldav._load(world.expired(cursor))[normalized(second)]}
    world.put("call", event("call"))
    with pytest.raises(CursorExpired):
        next(iter(world.open().fetch(caldav._dump(broken))))


# -- what servers answer ------------------------------------------------------------------------------------------


def test_a_wrong_password_needs_a_person(world: RadicaleWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALENDAR_PASSWORD", "wrong")
    with pytest.raises(NeedsHuman, match="user and password"):
        list(world.open().fetch(None))


def test_a_missing_password_names_where_it_should_be(world: RadicaleWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CALENDAR_PASSWORD")
    with pytest.raises(NeedsHuman, match="CALENDAR_PASSWORD"):
        world.open().check()


@pytest.mark.parametrize("status", [403, 412])
def test_a_forgotten_token_is_no_login_failure_whatever_number_it_bears(world: RadicaleWorld, status: int) -> None:
    cursor = list(world.open().fetch(None))[-1].cursor
    body = b'<error xmlns="DAV:"><valid-sync-token/></error>'
    world.between.answers.append(("REPORT", status, {}, body))
    with pytest.raises(CursorExpired):
        list(world.open().fetch(cursor))


def test_a_server_that_takes_no_tokens_after_all_is_compared_by_etags(world: RadicaleWorld) -> None:
    world.between.refuse_sync = True
    world.put("a", event("a", 1))
    first = list(world.open().fetch(None))
    world.put("b", event("b", 2))
    world.remove("a")
    world.between.refuse_sync = False
    (second,) = world.open().fetch(first[-1].cursor)
    assert (uids(first), uids([second]), len(second.vanished)) == (["a"], ["b"], 1)


def test_tokens_that_a_server_has_no_more_are_said(world: RadicaleWorld) -> None:
    cursor = list(world.open().fetch(None))[-1].cursor
    world.between.change = lambda body: body.replace(b"sync-token", b"no-such-thing")
    with pytest.raises(CursorExpired):
        list(world.open().fetch(cursor))


def test_an_event_that_the_server_cannot_give_now_is_not_passed_over(world: RadicaleWorld) -> None:
    world.put("a", event("a", 1))
    world.between.change = lambda body: (
        body.replace(b"propstat>", b"no>").replace(b"</response>", b"<status>HTTP/1.1 500 No</status></response>")
        if b"calendar-data" in body
        else body
    )
    with pytest.raises(Retry, match="cannot give"):
        list(world.open().fetch(None))


def test_a_broken_event_is_handed_over_as_it_is(world: RadicaleWorld) -> None:
    world.put("a", event("a", 1))
    world.between.change = lambda body: body.replace(b"END:VEVENT", b"")
    (item,) = items_of(world.open().fetch(None))
    assert b"BEGIN:VEVENT" in item.raw


def test_a_forbidden_calendar_needs_a_person(world: RadicaleWorld) -> None:
    cursor = list(world.open().fetch(None))[-1].cursor
    world.between.answers.append(("REPORT", 403, {}, b"no"))
    with pytest.raises(NeedsHuman):
        list(world.open().fetch(cursor))


@pytest.mark.parametrize(
    ("status", "headers", "after"),
    [(429, {"Retry-After": "30"}, 30), (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0), (503, {}, None)],
)
def test_a_busy_server_is_asked_again_when_it_says(
    world: RadicaleWorld, status: int, headers: dict[str, str], after: float | None
) -> None:
    world.between.answers.append(("REPORT", status, headers, b""))
    with pytest.raises(Retry) as caught:
        list(world.open().fetch(None))
    assert caught.value.after == after


def test_an_answer_with_entities_is_not_read(world: RadicaleWorld) -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    for text in (bomb, bomb.decode().encode("utf-16")):
        world.between.answers.append(("PROPFIND", 207, {}, text))
        with pytest.raises(Retry, match="no WebDAV"):
            world.open().check()


def test_an_answer_in_pieces_is_followed_to_its_end(world: RadicaleWorld) -> None:
    world.put("a", event("a", 1))
    world.put("b", event("b", 2))
    token = caldav._load(list(world.open().fetch(None))[-1].cursor)[world.work].token
    first_piece = (
        '<multistatus xmlns="DAV:"><response><href>WORKa.ics</href><propstat><prop><getetag>"1"</getetag></prop>'
        "<status>HTTP/1.1 200 OK</status></propstat></response><response><href>WORK</href>"
        f"<status>HTTP/1.1 507 Insufficient Storage</status></response><sync-token>{token}</sync-token></multistatus>"
    )
    world.put("c", event("c", 3))
    world.between.answers.append(("REPORT", 207, {}, first_piece.replace("WORK", world.work).encode()))
    assert uids(world.open().fetch(None)) == ["a", "c"]


def test_a_server_that_sends_us_to_a_stranger_does_not_get_our_password_there(world: RadicaleWorld) -> None:
    world.between.answers.append(("PROPFIND", 301, {"Location": "https://stranger.example/dav/"}, b""))
    with pytest.raises(NeedsHuman, match=r"stranger\.example"):
        world.open().check()


def test_a_redirect_keeps_the_method(world: RadicaleWorld) -> None:
    world.between.answers.append(("PROPFIND", 302, {"Location": world.work}, b""))
    assert world.open(url=world.url + "somewhere").check()[0].text == "calendar Work"
    assert "GET" not in world.between.methods


def test_an_href_is_one_ref_whether_or_not_it_is_percent_encoded(world: RadicaleWorld) -> None:
    world.put("встреча №1", event("meeting-1"))
    plain = [ref.ref for ref in world.open().refs()]
    world.between.change = lambda body: body.replace(b"%D0%B2%D1%81%D1%82%D1%80%D0%B5%D1%87%D0%B0", "встреча".encode())
    assert [ref.ref for ref in world.open().refs()] == plain
    assert [item.ref for item in items_of(world.open().fetch(None))] == plain
    assert normalized("/a%2Fb/%D0%B2 x/") == "/a%2Fb/%D0%B2%20x/"


def test_a_method_that_could_change_the_calendar_is_never_sent() -> None:
    for method in ("PUT", "DELETE", "POST", "PROPPATCH", "MKCALENDAR", "MOVE", "COPY", "LOCK"):
        with pytest.raises(ValueError, match="could change"):
            web.Web().ask(method, "http://127.0.0.1:9/")


def test_a_password_in_the_open_is_refused() -> None:
    with pytest.raises(ValidationError, match="plain secret") as caught:
        CaldavOptions.model_validate({"url": "https://dav.example/", "user": "anna", "password": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_the_home_may_lie_on_a_sibling_of_the_server_but_not_elsewhere() -> None:
    assert web.same_site("https://dav.mail.example/", "https://p12-dav.mail.example/anna/")
    for stranger in ("https://mail.example.evil.example/", "http://dav.mail.example/", "https://example/"):
        with pytest.raises(NeedsHuman):
            web.same_site("https://dav.mail.example/", stranger)
