"""A calendar as a file, a folder of files or an address: the terms of every source, and their own quirks."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme
from pydantic import ValidationError

from agent.errors import NeedsHuman, Retry
from connectors.base import Scope
from connectors.calendars import ics
from connectors.calendars.ics import IcsCalendar, IcsOptions
from tests.connectors.calendar_suite import CalendarSuite, event, items_of, uid_of, uids

SCOPE = Scope(since=datetime(2026, 1, 1, tzinfo=UTC), exclude_labels=("no-crm",))
LONG_AGO = 1_770_000_000


def joined(texts: list[str]) -> str:
    """One calendar of several."""
    inner = "".join(
        text.partition("BEGIN:VEVENT")[2].rpartition("END:VCALENDAR")[0].join(["BEGIN:VEVENT", ""]) for text in texts
    )
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Invented Calendar//EN\r\n{inner}END:VCALENDAR\r\n"


class Page:
    """A web page that a calendar program publishes, and what a web server may do to it."""

    def __init__(self) -> None:
        self.text = joined([])
        self.status = 200
        self.headers: dict[str, str] = {}
        self.etags = True
        self.asked: list[tuple[str, int]] = []  # method and status of each answer

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body, etag = self.text.encode(), f'"{hash(self.text):x}"'
        status = 304 if self.etags and request.headers.get("If-None-Match") == etag else self.status
        self.asked.append((request.command, status))
        request.send_response(status)
        for name, value in {**self.headers, **({"ETag": etag} if self.etags else {})}.items():
            request.send_header(name, value)
        body = b"" if status == 304 else body
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


@contextmanager
def web_server(page: Page, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A real HTTP server on loopback; gives the page's address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            page.answer(self)

        def log_message(self, *args: Any) -> None:
            """Nothing is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/private-7f3a/basic.ics"
        finally:
            server.shutdown()
            thread.join()


class Texts:
    """Events by UID, written somewhere as a whole."""

    batch = 2

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.opened: list[IcsCalendar] = []

    def options(self) -> IcsOptions:
        raise NotImplementedError

    def write(self) -> None:
        raise NotImplementedError

    def open(self) -> IcsCalendar:
        self.opened.append(IcsCalendar("ics", "anna@ours.example", self.options(), SCOPE))
        return self.opened[-1]

    def put(self, uid: str, text: str) -> None:
        self.texts[uid] = text
        self.write()

    def remove(self, uid: str) -> None:
        del self.texts[uid]
        self.write()

    def expired(self, cursor: str) -> str:
        return "0" + cursor[1:]  # as another version of the program wrote it

    def close(self) -> None:
        for source in self.opened:
            source.close()


class FileWorld(Texts):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "anna.ics"
        self.write()

    def options(self) -> IcsOptions:
        return IcsOptions(path=self.path)

    def write(self) -> None:
        self.path.write_text(joined(list(self.texts.values())))

    def content(self) -> object:
        return self.path.read_bytes(), os.stat(self.path).st_mtime_ns, os.listdir(self.path.parent)


class FolderWorld(Texts):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "anna"
        self.path.mkdir()

    def options(self) -> IcsOptions:
        return IcsOptions(path=self.path)

    def write(self) -> None:
        for path in self.path.iterdir():
            path.unlink()
        for uid, text in self.texts.items():
            (self.path / f"{uid}.ics").write_text(text)

    def content(self) -> object:
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in self.path.iterdir()}


class UrlWorld(Texts):
    def __init__(self, page: Page, url: str) -> None:
        super().__init__()
        self.page, self.url = page, url

    def options(self) -> IcsOptions:
        return IcsOptions(url=self.url)

    def write(self) -> None:
        self.page.text = joined(list(self.texts.values()))

    def content(self) -> object:
        return self.page.text, {method for method, _ in self.page.asked} | {"GET"}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ics, "MIN_BATCH", 2)
    monkeypatch.setattr(ics, "MAX_BATCHES", 100)


class TestIcsFile(CalendarSuite):
    @pytest.fixture
    def world(self, tmp_path: Path) -> FileWorld:
        return FileWorld(tmp_path)


class TestIcsFolder(CalendarSuite):
    @pytest.fixture
    def world(self, tmp_path: Path) -> FolderWorld:
        return FolderWorld(tmp_path)


class TestIcsUrl(CalendarSuite):
    @pytest.fixture
    def world(self) -> Iterator[UrlWorld]:
        page = Page()
        with web_server(page) as url:
            world = UrlWorld(page, url)
            yield world
            world.close()


# -- files --------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> FileWorld:
    return FileWorld(tmp_path)


def test_a_half_written_file_is_tried_again_and_nothing_is_taken_for_deleted(file: FileWorld) -> None:
    file.put("a", event("a"))
    file.put("b", event("b"))
    cursor = list(file.open().fetch(None))[-1].cursor
    whole = file.path.read_text()
    file.path.write_text(whole[: whole.index("UID:b")])
    with pytest.raises(Retry, match="cut off"):
        list(file.open().fetch(cursor))
    file.path.write_text(whole)
    assert items_of(file.open().fetch(cursor)) == []


@pytest.mark.parametrize("text", ["", "\r\n"])
def test_a_file_of_nothing_is_tried_again(file: FileWorld, text: str) -> None:
    file.path.write_text(text)
    with pytest.raises(Retry):
        list(file.open().fetch(None))


def test_a_file_that_is_no_calendar_needs_a_person(file: FileWorld) -> None:
    file.path.write_text("name,date\r\ncall,1 May\r\n")
    with pytest.raises(NeedsHuman, match="no calendar"):
        file.open().check()


def test_a_file_that_is_not_there_needs_a_person(file: FileWorld) -> None:
    file.path.unlink()
    with pytest.raises(NeedsHuman, match="is not there"):
        list(file.open().fetch(None))


def test_a_file_that_is_far_too_large_needs_a_person(file: FileWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ics.web, "MAX_BYTES", 1_000)
    file.put("a", event("a", 1, "x" * 2_000))
    with pytest.raises(NeedsHuman, match="larger than"):
        file.open().check()


def test_a_file_that_may_not_be_read_needs_a_person(file: FileWorld) -> None:
    file.path.unlink()
    file.path.symlink_to(file.path.name)  # nobody, not even root, can read a link to itself
    with pytest.raises((NeedsHuman, Retry)):
        file.open().check()


def test_a_file_that_was_emptied_names_all_its_meetings_as_gone(file: FileWorld) -> None:
    file.put("a", event("a"))
    file.put("b", event("b"))
    cursor = list(file.open().fetch(None))[-1].cursor
    file.path.write_text(joined([]))
    (batch,) = file.open().fetch(cursor)
    assert sorted(batch.vanished) == ["a", "b"]


def test_an_old_file_that_did_not_change_is_not_even_read(file: FileWorld) -> None:
    file.put("a", event("a"))
    os.utime(file.path, (LONG_AGO, LONG_AGO))
    cursor = list(file.open().fetch(None))[-1].cursor
    size = file.path.stat().st_size
    with file.path.open("r+b") as handle:  # other content of the same size and time, which only reading would show
        handle.write(b"x" * size)
    os.utime(file.path, (LONG_AGO, LONG_AGO))
    assert list(file.open().fetch(cursor)) == []


def test_a_second_change_within_the_same_tick_is_seen(file: FileWorld) -> None:
    file.put("a", event("a", 1, "One"))
    cursor = list(file.open().fetch(None))[-1].cursor
    stat = file.path.stat()
    file.put("a", event("a", 1, "Two"))
    os.utime(file.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert uids(file.open().fetch(cursor)) == ["a"]


def test_an_export_that_only_sets_its_time_stamps_anew_is_no_change(file: FileWorld) -> None:
    file.put("a", event("a"))
    cursor = list(file.open().fetch(None))[-1].cursor
    file.put("a", event("a").replace("DTSTAMP:20260101T000000Z", "DTSTAMP:20260722T101112Z"))
    assert items_of(file.open().fetch(cursor)) == []


def test_an_event_without_a_uid_keeps_its_ref(file: FileWorld) -> None:
    file.put("a", event("a").replace("UID:a\r\n", ""))
    batches = list(file.open().fetch(None))
    (item,) = items_of(batches)
    assert item.ref.startswith("no-uid-")
    assert uid_of(item) == item.ref
    assert items_of(file.open().fetch(batches[-1].cursor)) == []


def test_one_broken_file_of_a_folder_holds_back_no_other(tmp_path: Path) -> None:
    world = FolderWorld(tmp_path)
    world.put("a", event("a"))
    world.put("b", event("b"))
    cursor = list(world.open().fetch(None))[-1].cursor
    (world.path / "a.ics").write_text("BEGIN:VCALENDAR\r\nBEGIN:VEV")
    (world.path / "c.ics").write_text(event("c"))
    run = world.open().fetch(cursor)
    batch = next(run)
    assert (uids([batch]), batch.vanished) == (["c"], ())
    with pytest.raises(Retry, match=r"a\.ics"):
        next(run)


# -- addresses ----------------------------------------------------------------------------------------------------


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def address(page: Page) -> Iterator[UrlWorld]:
    with web_server(page) as url:
        world = UrlWorld(page, url)
        yield world
        world.close()


def test_a_page_that_did_not_change_is_not_sent_again(address: UrlWorld) -> None:
    address.put("a", event("a"))
    cursor = list(address.open().fetch(None))[-1].cursor
    assert list(address.open().fetch(cursor)) == []
    assert [status for _, status in address.page.asked] == [200, 304]


def test_a_page_without_an_etag_is_compared_by_its_content(address: UrlWorld) -> None:
    address.page.etags = False
    address.put("a", event("a"))
    cursor = list(address.open().fetch(None))[-1].cursor
    assert items_of(address.open().fetch(cursor)) == []


@pytest.mark.parametrize(("status", "error"), [(401, NeedsHuman), (404, NeedsHuman), (410, NeedsHuman), (500, Retry)])
def test_a_refusal_says_what_happens_next_and_never_the_secret_address(
    address: UrlWorld, status: int, error: type[Exception]
) -> None:
    address.page.status = status
    with pytest.raises(error) as caught:
        list(address.open().fetch(None))
    assert "private-7f3a" not in str(caught.value)


def test_a_busy_server_is_asked_again_when_it_says(address: UrlWorld) -> None:
    address.page.status, address.page.headers = 429, {"Retry-After": "120"}
    with pytest.raises(Retry) as caught:
        list(address.open().fetch(None))
    assert caught.value.after == 120


def test_a_sign_in_page_is_not_taken_for_an_empty_calendar(address: UrlWorld) -> None:
    address.page.text = "<html>Please sign in</html>"
    with pytest.raises(NeedsHuman, match="no calendar"):
        list(address.open().fetch(None))


def test_a_page_that_moves_to_a_stranger_is_not_followed(address: UrlWorld) -> None:
    address.page.status, address.page.headers = 302, {"Location": "https://stranger.example/basic.ics"}
    with pytest.raises(NeedsHuman, match=r"stranger\.example"):
        list(address.open().fetch(None))


def test_a_page_that_moves_in_circles_is_given_up(address: UrlWorld) -> None:
    address.page.status, address.page.headers = 301, {"Location": "/private-7f3a/basic.ics"}
    with pytest.raises(NeedsHuman, match="circles"):
        list(address.open().fetch(None))


def test_a_page_without_end_is_cut_off(address: UrlWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ics.web, "MAX_BYTES", 1_000)
    address.page.text = "x" * 10_000
    with pytest.raises(NeedsHuman, match="sends more"):
        list(address.open().fetch(None))


def test_a_server_that_is_away_is_tried_again(page: Page) -> None:
    with web_server(page) as url:
        pass
    source = IcsCalendar("ics", "anna@ours.example", IcsOptions(url=url), SCOPE)
    with pytest.raises(Retry, match=r"127\.0\.0\.1 cannot be reached"):
        list(source.fetch(None))
    source.close()


def test_a_certificate_of_ones_own_authority_is_trusted_when_told_so(page: Page, tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with web_server(page, context) as url:
        plain = IcsCalendar("ics", "", IcsOptions(url=url), SCOPE)
        with pytest.raises(NeedsHuman, match="set ca_file"):
            plain.check()
        told = IcsCalendar("ics", "", IcsOptions(url=url, ca_file=tmp_path / "ca.pem"), SCOPE)
        assert told.check()[0].level == "ok"
        plain.close()
        told.close()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "either path or url"),
        ({"path": "/a.ics", "url": "https://calendar.example/a.ics"}, "either path or url"),
        ({"url": "http://calendar.example/a.ics"}, "in the clear"),
        ({"url": "https://anna:secret@calendar.example/a.ics"}, "must not hold a password"),
        ({"url": "file:///etc/passwd"}, "https://"),
        ({"url": "https://calendar.example:port/"}, "no address"),
    ],
)
def test_options_that_cannot_work_are_refused_with_the_reason(options: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        IcsOptions.model_validate(options)


def test_a_refused_option_does_not_repeat_the_secret_address() -> None:
    with pytest.raises(ValidationError) as caught:
        IcsOptions.model_validate({"url": "http://calendar.example/private-7f3a/basic.ics"})
    assert "private-7f3a" not in str(caught.value)


def test_a_webcal_address_is_an_https_address() -> None:
    assert IcsOptions(url="webcal://calendar.example/a.ics").url == "https://calendar.example/a.ics"
