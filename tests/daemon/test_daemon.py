"""`dealscribe run`, as a real process over mailboxes on disk, and its parts over mailboxes in memory."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agent import config as configuration
from agent import importing
from agent.daemon.asking import ask_daemon
from agent.daemon.clerk import Clerk, LeaseLost
from agent.daemon.crm_turn import FIRST_REST, LONGEST_REST, CrmTurn
from agent.daemon.polling import Poller, Polls
from agent.daemon.pulse import HOPELESS, MAIN, MAIN_LIMIT, POLL_LIMIT, Pulse
from agent.daemon.systemd import Notifier
from agent.exporting import export
from agent.flow import Flow, Progress, open_crm, utc_now
from agent.model import Change
from agent.store import Store, outbox, pending, sources
from agent.sync import digest
from agent.workers import InProcess
from connectors.base import Scope
from connectors.crm.memory import MemoryCrm, MemoryCrmOptions
from connectors.mail.memory import MemoryMailbox, MemoryOptions
from tests.daemon.test_systemd import Listener

ROOT = Path(__file__).parents[2]
HEAD = (
    '[organization]\ndomains = ["ours.example"]\nauthserv_ids = ["mx.ours.example"]\n[store]\nurl = "sqlite:///d.db"\n'
)
PEOPLE = {
    "reps": [{"id": "r1", "name": "Anna Berg", "email": "anna@ours.example", "tz": "UTC"}],
    "companies": [{"id": "c1", "name": "Lind Bakeries", "domains": ["client.example"]}],
    "contacts": [{"id": "p1", "name": "Vera Lind", "emails": ["vera@client.example"], "company_id": "c1"}],
}


def letter(subject: str, *, at: datetime | None = None) -> bytes:
    at = at or datetime.now(UTC)
    message = EmailMessage()
    message["Authentication-Results"] = "mx.ours.example; dmarc=pass header.from=client.example"
    message["From"] = "Vera Lind <vera@client.example>"
    message["To"] = "Anna Berg <anna@ours.example>"
    message["Subject"] = subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{at.timestamp()}.{subject.replace(' ', '-')}@client.example>"
    message.set_content("Please send us your offer for the second oven line.\n")
    return message.as_bytes()


def until(true: Callable[[], Any], seconds: float = 25.0) -> Any:
    """What `true` gives, as soon as it is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError(f"did not happen within {seconds:g} s")


class Process:
    """One running dealscribe."""

    def __init__(self, command: list[str], place: Path, env: Mapping[str, str]) -> None:
        self._out, self._err = place / f"out{time.monotonic_ns()}", place / f"err{time.monotonic_ns()}"
        with self._out.open("w") as out, self._err.open("w") as err:
            whole = {**os.environ, "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1", **env}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "agent.cli", *command], cwd=ROOT, env=whole, stdout=out, stderr=err
            )
        self.pid = self._process.pid

    @property
    def text(self) -> str:
        return self._out.read_text() + self._err.read_text()

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._out.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def said(self, name: str, count: int = 1) -> dict[str, Any]:
        """The event with this name, waited for."""
        try:
            found: list[dict[str, Any]] = until(lambda: (e := self.events(name)) and len(e) >= count and e)
        except AssertionError:
            raise AssertionError(f"never said {name!r}:\n{self.text}") from None
        return found[-1]

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def ended(self, seconds: float = 25.0) -> int:
        return self._process.wait(seconds)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


class Firm:
    """A firm with mailboxes on disk, a filled CRM, and whatever dealscribe it starts."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.config = place / "config.toml"
        self._tables = HEAD
        self._running: list[Process] = []
        self._delivered = 0

    def mailbox(self, name: str, poll: str = "1s") -> None:
        for folder in ("cur", "new", "tmp"):
            (self.place / name / folder).mkdir(parents=True)
        self.table(f'[[mailbox]]\nname = "{name}"\nkind = "maildir"\npath = "{name}"\npoll = "{poll}"\n')

    def table(self, text: str) -> None:
        self._tables += text + 'owner = "anna@ours.example"\n'
        self.config.write_text(self._tables)

    def deliver(self, name: str, raw: bytes) -> None:
        self._delivered += 1
        file = f"{int(time.time())}.M{self._delivered}P1.host"
        (self.place / name / "tmp" / file).write_bytes(raw)
        (self.place / name / "tmp" / file).rename(self.place / name / "new" / file)

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        store = Store(configuration.load(self.config, {}).store.url)
        yield store
        store.close()

    def fill_crm(self) -> None:
        (self.place / "people.json").write_text(json.dumps({"as_of": "2026-01-01T00:00:00Z", **PEOPLE}))
        with self.store() as store, store.transaction() as tx:
            importing.apply(tx, importing.parse([self.place / "people.json"]), utc_now())

    def logged(self) -> list[str]:
        with self.store() as store, store.reading() as tx:
            rows = [json.loads(line) for line in export(tx)]
        return [r["message_id"] for r in rows if r["kind"] == "message" and r["outcome"] == "logged"]

    def run(self, env: Mapping[str, str] | None = None) -> Process:
        return self.command("run", env=env)

    def command(self, *command: str, env: Mapping[str, str] | None = None) -> Process:
        process = Process([*command, "--config", str(self.config)], self.place, env or {})
        self._running.append(process)
        return process

    def close(self) -> None:
        for process in self._running:
            process.end()


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Firm]:
    firm = Firm(tmp_path)
    yield firm
    firm.close()


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def silent_calendar(port: int, name: str = "silent") -> str:
    return f'[[calendar]]\nname = "{name}"\nkind = "ics"\nurl = "http://127.0.0.1:{port}/c.ics"\npoll = "1s"\n'


# -- the whole process --------------------------------------------------------------------------------------------


def test_a_letter_that_comes_while_it_runs_is_logged_and_the_log_says_nothing_of_it(firm: Firm) -> None:
    firm.mailbox("anna")
    firm.fill_crm()
    running = firm.run()
    running.said("polled")
    firm.deliver("anna", letter("Second oven line"))
    assert until(lambda: firm.logged()), running.text
    running.said("understood")
    running.send(signal.SIGTERM)
    began = time.monotonic()
    assert running.ended() == 0, running.text
    assert time.monotonic() - began < 10
    assert running.events("stopped")
    assert running.events("understood")[0]["written"] == 1
    for word in ("client.example", "vera", "Vera", "oven", "offer", "Lind"):
        assert word not in running.text
    with firm.store() as store, store.reading() as tx:
        assert sources.lease_holder(tx) is None
        assert sources.state(tx, "anna").last_proof is not None


def test_a_second_one_says_who_is_at_work_already(firm: Firm) -> None:
    firm.mailbox("anna")
    first = firm.run()
    first.said("started")
    second = firm.run()
    assert second.ended() == 5, second.text
    assert f"pid {first.pid}" in second.said("not started")["why"]
    first.send(signal.SIGINT)
    assert first.ended() == 0, first.text


def test_after_a_sudden_death_the_next_one_takes_over_and_serves_whom_the_first_left_waiting(firm: Firm) -> None:
    firm.mailbox("anna", poll="1h")
    first = firm.run()
    first.said("polled")
    first.send(signal.SIGKILL)
    first.ended()
    with firm.store() as store:
        with store.transaction() as tx:
            request = sources.ask(tx, None, utc_now())
            sources.take_requests(tx, utc_now())
        second = firm.run()
        second.said("polled", 2)

        def served() -> Any:
            with store.reading() as tx:
                return sources.request(tx, request).done_at

        assert until(served)
    second.send(signal.SIGTERM)
    assert second.ended() == 0, second.text


def test_systemd_hears_ready_status_signs_of_life_and_the_end(firm: Firm) -> None:
    firm.mailbox("anna")
    listener = Listener(str(firm.place / "notify"))
    running = firm.run({"NOTIFY_SOCKET": str(firm.place / "notify"), "WATCHDOG_USEC": "3000000"})
    heard: list[str] = []
    until(lambda: heard.extend(listener.heard()) or heard.count("WATCHDOG=1") >= 3)
    assert heard[0] == "READY=1"
    assert any(line.startswith("STATUS=") for line in heard)
    running.send(signal.SIGTERM)
    assert running.ended() == 0, running.text
    assert listener.heard()[-1] == "STOPPING=1"
    listener.close()


def test_sync_beside_it_has_it_polled_now(firm: Firm) -> None:
    firm.mailbox("anna", poll="1h")
    firm.mailbox("boris", poll="1h")
    firm.fill_crm()
    running = firm.run()
    running.said("polled", 2)
    firm.deliver("boris", letter("Second oven line"))
    asking = firm.command("sync", "--source", "boris")
    assert asking.ended() == 0, asking.text
    assert len(firm.logged()) == 1
    assert [e["source"] for e in running.events("polled")].count("anna") == 1


def test_sync_beside_it_is_told_what_a_source_lacks(firm: Firm) -> None:
    firm.mailbox("anna", poll="1h")
    firm.mailbox("boris", poll="1h")
    running = firm.run()
    running.said("polled", 2)
    (firm.place / "boris").rename(firm.place / "moved")
    asking = firm.command("sync")
    assert asking.ended() == 4, asking.text
    assert "boris: " in asking.text


def test_a_broken_source_does_not_stop_another(firm: Firm) -> None:
    firm.table('[[mailbox]]\nname = "lost"\nkind = "maildir"\npath = "nowhere"\npoll = "1s"\n')
    firm.mailbox("anna")
    with silent_server() as port:
        firm.table(silent_calendar(port))
        firm.fill_crm()
        running = firm.run()
        assert running.said("poll failed")["source"] == "lost"
        firm.deliver("anna", letter("Second oven line"))
        assert until(lambda: firm.logged()), running.text


def test_it_ends_within_ten_seconds_even_when_a_server_does_not_answer(firm: Firm) -> None:
    with silent_server() as port:
        firm.table(silent_calendar(port))
        running = firm.run()
        running.said("started")
        time.sleep(1)
        running.send(signal.SIGTERM)
        began = time.monotonic()
        assert running.ended() == 0
        assert time.monotonic() - began < 10


def test_a_second_signal_ends_it_at_once(firm: Firm) -> None:
    with silent_server() as port:
        firm.table(silent_calendar(port))
        running = firm.run()
        running.said("started")
        time.sleep(1)
        running.send(signal.SIGTERM)
        time.sleep(1)
        began = time.monotonic()
        running.send(signal.SIGTERM)
        assert running.ended() == 128 + signal.SIGTERM
        assert time.monotonic() - began < 2


def test_a_defect_ends_it_with_a_traceback_that_quotes_nothing(firm: Firm) -> None:
    firm.mailbox("anna")
    firm.fill_crm()
    running = firm.run()
    running.said("polled")
    with contextlib.closing(sqlite3.connect(firm.place / "d.db")) as damage, damage:
        damage.execute("DROP TABLE to_read")
    firm.deliver("anna", letter("Second oven line"))
    assert running.ended() == 1, running.text
    (told,) = running.events("a defect ends the program")
    assert told["exception"][0] == "OperationalError"
    assert told["traceback"]
    assert "client.example" not in running.text


def test_without_any_password_it_says_what_to_do_and_does_not_start(firm: Firm) -> None:
    firm.table(
        '[[mailbox]]\nname = "anna"\nkind = "imap"\nhost = "imap.ours.example"\nuser = "anna"\n'
        'password = { env = "ANNA_PASSWORD" }\n'
    )
    refused = firm.run()
    assert refused.ended() == 3, refused.text
    assert "anna: set the environment variable ANNA_PASSWORD" in refused.text


def test_a_store_that_cannot_be_opened_is_said_in_a_sentence(firm: Firm) -> None:
    firm.mailbox("anna")
    (firm.place / "d.db").mkdir()
    refused = firm.run()
    assert refused.ended() == 3, refused.text
    assert "d.db cannot be opened for writing" in refused.said("not started")["why"]
    assert "Traceback" not in refused.text


# -- polling ------------------------------------------------------------------------------------------------------


class Office:
    """Mailboxes in memory, and a flow over them whose clock can be moved."""

    def __init__(self, place: Path, *names: str, crm: MemoryCrm | None = None) -> None:
        tables = [
            f'[[mailbox]]\nname = "{n}"\nowner = "anna@ours.example"\nkind = "memory"\npoll = "1s"\n' for n in names
        ]
        (place / "config.toml").write_text(HEAD + "".join(tables))
        self.config = configuration.load(place / "config.toml", {})
        self.store = Store(self.config.store.url)
        self.moved = timedelta()
        self.pulse = Pulse()
        self.woken = threading.Event()
        self.stopping = False
        self.flow = Flow(
            self.config,
            self.store,
            crm or open_crm(self.config, self.store),
            InProcess(),
            InProcess(),
            now=lambda: datetime.now(UTC) + self.moved,
            stopping=lambda: self.stopping,
        )

    def box(self, name: str) -> MemoryMailbox:
        (options,) = [s.options for s in self.config.sources if s.name == name]
        assert isinstance(options, MemoryOptions)
        return MemoryMailbox(name, "", options, Scope(since=datetime.min.replace(tzinfo=UTC)))

    def poller(self, name: str) -> Poller:
        (source,) = [s for s in self.config.sources if s.name == name]
        return Poller(self.flow, source, self.pulse, self.woken.set)

    def state(self, name: str) -> Any:
        with self.store.reading() as tx:
            return sources.state(tx, name)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path, "anna", "boris")
    yield office
    office.store.close()


@contextlib.contextmanager
def polls_of(office: Office) -> Iterator[Polls]:
    polls = Polls(office.flow, office.pulse, office.woken.set)
    polls.start(lambda: None)
    try:
        yield polls
    finally:
        office.stopping = True
        polls.stop()


def test_every_source_is_polled_in_its_rhythm(office: Office) -> None:
    with polls_of(office):
        first = until(lambda: (s := office.state("boris")) and s.last_success)
        until(lambda: office.state("boris").last_success > first)
        assert office.state("anna").last_success


def test_a_source_that_failed_is_tried_again_when_its_pause_is_over(office: Office) -> None:
    office.box("anna").wrong_password()
    with polls_of(office) as polls:
        failed = until(lambda: (s := office.state("anna")) and s.last_error and s)
        assert failed.phase == "needs a person"
        time.sleep(2.5)
        assert office.state("anna").last_poll == failed.last_poll
        office.box("anna").wrong_password(False)
        for future in polls.poll_now(["anna"]):  # a person who has corrected it asks
            future.result(10)
        repaired = office.state("anna").last_success
        assert repaired is not None
        assert until(lambda: office.state("anna").last_success > repaired)


def test_a_defect_in_one_poll_is_noted_at_its_source_and_tried_again(
    office: Office, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    office.box("anna").box.folders = None  # type: ignore[assignment]
    assert office.poller("anna").poll(wait=False)
    state = office.state("anna")
    assert state.last_error.startswith("a defect of dealscribe: TypeError in connectors/mail/")
    assert state.next_try > state.last_poll
    assert "a defect ended a poll" in capsys.readouterr().out
    office.box("anna").box.folders = {"INBOX": {}}
    assert office.poller("anna").poll(wait=False)
    assert office.state("anna").last_error is None


def test_a_source_is_proven_once_a_day(office: Office) -> None:
    poller = office.poller("anna")
    poller.poll(wait=False)
    first = office.state("anna").last_proof
    poller.poll(wait=False)
    assert office.state("anna").last_proof == first
    office.moved = timedelta(hours=25)
    poller.poll(wait=False)
    assert office.state("anna").last_proof > first


def test_what_a_proof_finds_missing_is_taken_up(office: Office) -> None:
    office.box("anna").deliver(letter("First"))
    poller = office.poller("anna")
    poller.poll(wait=False)
    with office.store.transaction() as tx:  # as if a cursor had once run ahead of its letters
        tx.exec_driver_sql("DELETE FROM sighting")
        tx.exec_driver_sql("DELETE FROM ledger")
    office.moved = timedelta(hours=25)
    office.woken.clear()
    poller.poll(wait=False)
    assert office.woken.is_set()
    with office.store.reading() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM ledger").scalar() == 1


def test_new_mail_wakes_the_main_thread_and_no_news_does_not(office: Office) -> None:
    poller = office.poller("anna")
    poller.poll(wait=False)
    office.woken.clear()
    poller.poll(wait=False)
    assert not office.woken.is_set()
    office.box("anna").deliver(letter("First"))
    poller.poll(wait=False)
    assert office.woken.is_set()


# -- requests and the lease ---------------------------------------------------------------------------------------


class Desk:
    """A clerk at work, whose lease may be lost."""

    def __init__(self, office: Office, polls: Polls) -> None:
        self.office = office
        with office.store.transaction() as tx:
            token = sources.take_lease(tx, utc_now())
        assert token is not None
        self.failure: list[BaseException] = []
        self.asked = threading.Event()
        self.clerk = Clerk(office.store, token, polls, office.pulse, Notifier({}), self.asked.set, self.failure.append)
        self.clerk.start()

    def finish(self, crm_error: str = "") -> None:
        until(lambda: (r := self.clerk.polled()) and (self.clerk.finish(r, crm_error) or True))


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with polls_of(office) as polls:
        desk = Desk(office, polls)
        yield desk
        desk.clerk.stop()


def asking(office: Office, names: list[str] | None) -> tuple[threading.Thread, list[Any], list[Progress]]:
    answers: list[Any] = []
    told: list[Progress] = []
    thread = threading.Thread(target=lambda: answers.append(ask_daemon(office.store, names, told.append)))
    thread.start()
    return thread, answers, told


def test_a_request_is_taken_within_two_seconds_and_ends_with_its_delivery(desk: Desk) -> None:
    until(lambda: (s := desk.office.state("anna")) and s.last_success)
    thread, answers, told = asking(desk.office, ["anna"])
    assert desk.asked.wait(3)
    desk.office.box("anna").deliver(letter("First"))
    desk.finish()
    thread.join(5)
    assert answers == [(True, ())]
    assert all(p.source == "anna" for p in told)


def test_a_request_hears_of_a_source_that_fails_and_of_a_crm_that_is_away(desk: Desk) -> None:
    desk.office.box("boris").wrong_password()
    thread, answers, _ = asking(desk.office, None)
    desk.finish("the CRM answers 503")
    thread.join(5)
    ((done, (error,)),) = answers
    assert done
    assert error.startswith("boris: the mailbox refused the login")
    assert error.endswith("the CRM answers 503")


def test_a_request_for_a_source_that_the_running_one_does_not_know_says_so(desk: Desk) -> None:
    thread, answers, _ = asking(desk.office, ["carla"])
    desk.finish()
    thread.join(5)
    assert answers == [(True, ("the running dealscribe has no source carla",))]


def test_whoever_asks_one_that_has_died_is_told_and_leaves_no_request_behind(office: Office) -> None:
    assert ask_daemon(office.store, None, lambda _: None) == (False, ())
    with office.store.reading() as tx:
        assert not sources.has_requests(tx)


def test_one_whose_lease_was_taken_over_writes_nothing_more(desk: Desk) -> None:
    with desk.office.store.transaction() as tx:
        tx.exec_driver_sql("UPDATE lease SET holder = 'another'")
    desk.clerk._next_beat = 0.0
    until(lambda: desk.failure)
    assert isinstance(desk.failure[0], LeaseLost)


def test_a_process_that_only_has_the_number_of_a_dead_holder_does_not_hold_the_lease(office: Office) -> None:
    with office.store.transaction() as tx:
        assert sources.take_lease(tx, utc_now())
        assert sources.take_lease(tx, utc_now()) is None
        host, pid, _, rest = sources.lease_holder(tx).holder.rsplit(":", 3)
        tx.exec_driver_sql("UPDATE lease SET holder = ?", (f"{host}:{pid}:1:{rest}",))  # it began soon after boot
        assert sources.take_lease(tx, utc_now())


def test_a_holder_elsewhere_is_believed_for_as_long_as_its_heart_beats(office: Office) -> None:
    with office.store.transaction() as tx:
        assert sources.take_lease(tx, utc_now())
        tx.exec_driver_sql("UPDATE lease SET host = 'elsewhere'")
        assert sources.take_lease(tx, utc_now() + timedelta(seconds=40)) is None
        assert sources.take_lease(tx, utc_now() + timedelta(seconds=50))


def test_what_has_been_read_is_not_held_up_by_what_is_still_to_be_read(office: Office) -> None:
    office.box("anna").deliver(letter("First"))
    office.poller("anna").poll(wait=False)
    assert digest(office.flow, patience=0.0) == (0, 0, 0, True)
    with office.store.transaction() as tx:
        pending.mark_dirty(tx, ["contact:p1"])
    assert digest(office.flow, patience=0.0)[:2] == (0, 1)
    done = digest(office.flow)
    assert (done.read, done.more) == (1, False)


# -- is it alive? -------------------------------------------------------------------------------------------------


class Watched:
    """A pulse whose clock a test moves; each name is a thread of its own, which stays at work until the end."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pulse = Pulse(lambda: self.now)
        self._over = threading.Event()
        self._steps: dict[str, tuple[threading.Event, threading.Event]] = {}
        self._threads: list[threading.Thread] = []

    def starts(self, name: str) -> None:
        go, done = self._steps[name] = (threading.Event(), threading.Event())

        def work() -> None:
            with self.pulse.at_work(name):
                done.set()
                while not self._over.is_set():
                    if go.wait(0.01):
                        go.clear()
                        self.pulse.step()
                        done.set()

        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()
        assert done.wait(5)

    def steps(self, *names: str) -> None:
        for name in names:
            go, done = self._steps[name]
            done.clear()
            go.set()
            assert done.wait(5)

    def close(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def watched() -> Iterator[Watched]:
    watched = Watched()
    yield watched
    watched.close()


def test_an_idle_one_is_alive(watched: Watched) -> None:
    watched.starts(MAIN)
    for _ in range(100):
        watched.now += MAIN_LIMIT / 2
        watched.steps(MAIN)
        assert watched.pulse.is_alive()


def test_one_whose_main_loop_hangs_is_not_alive(watched: Watched) -> None:
    assert not watched.pulse.is_alive()  # it has not begun
    watched.starts(MAIN)
    watched.starts("anna")
    watched.now = MAIN_LIMIT + 1
    watched.steps("anna")
    assert not watched.pulse.is_alive()


def test_one_poll_that_hangs_beside_others_is_told_and_all_of_them_hanging_is_no_life(watched: Watched) -> None:
    for name in (MAIN, "anna", "boris"):
        watched.starts(name)
    watched.now = POLL_LIMIT + 1
    watched.steps(MAIN, "boris")
    assert watched.pulse.hanging() == ["anna"]
    assert watched.pulse.is_alive()
    watched.now += POLL_LIMIT + 1
    watched.steps(MAIN)
    assert watched.pulse.hanging() == ["anna", "boris"]
    assert not watched.pulse.is_alive()


def test_a_poll_that_hangs_for_good_calls_for_a_restart(watched: Watched) -> None:
    for name in (MAIN, "anna", "boris"):
        watched.starts(name)
    watched.now = HOPELESS + 1
    watched.steps(MAIN, "boris")
    assert not watched.pulse.is_alive()


# -- a CRM that is away -------------------------------------------------------------------------------------------


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[tuple[Office, MemoryCrm]]:
    crm = MemoryCrm(MemoryCrmOptions(requests_per_second=1000))
    office = Office(tmp_path, "anna", crm=crm)
    change = Change(
        key="company:1", kind="create_company", subject="company:1", body={"id": "company:1", "name": "Lind"}
    )
    with office.store.transaction() as tx:
        outbox.add(tx, "c1", [change])
    yield office, crm
    office.store.close()


def test_a_crm_that_is_away_is_left_alone_until_it_is_time_and_then_gets_everything(
    hosted: tuple[Office, MemoryCrm],
) -> None:
    office, crm = hosted
    turn = CrmTurn(office.flow)
    crm.fail_next("busy", 30)
    assert turn.deliver() == 0
    assert turn.error == "the CRM answers 429: too many requests"
    with office.store.reading() as tx:
        waiting = outbox.next_try(tx)
        assert sources.settings(tx)["crm_error"] == turn.error
    moment = turn.next_try(waiting)
    assert moment is not None
    assert timedelta(seconds=25) < moment - office.flow.now() <= timedelta(seconds=30)
    assert turn.deliver() == 0
    office.moved = timedelta(seconds=31)
    assert turn.deliver() == 1
    assert turn.error == ""
    with office.store.reading() as tx:
        assert sources.settings(tx)["crm_error"] == ""


def test_a_crm_that_needs_a_person_does_not_stop_the_rest_and_is_tried_when_somebody_asks(
    hosted: tuple[Office, MemoryCrm],
) -> None:
    office, crm = hosted
    turn = CrmTurn(office.flow)
    crm.fail_next("locked")
    assert turn.deliver() == 0
    moment = turn.next_try(None)
    assert moment is not None
    assert moment - office.flow.now() > LONGEST_REST / 2
    turn.try_now()
    turn.pull()
    assert turn.error == ""
    assert turn.next_try(None) is None


def test_a_crm_that_stays_away_is_asked_less_and_less_often(hosted: tuple[Office, MemoryCrm]) -> None:
    office, crm = hosted
    turn = CrmTurn(office.flow)
    rests = []
    for _ in range(12):
        crm.fail_next("broken")
        turn.deliver()
        moment = turn.next_try(None)
        assert moment is not None
        rests.append(moment - office.flow.now())
        office.moved += timedelta(hours=1)
    assert timedelta() < rests[0] <= FIRST_REST
    assert all(earlier <= later + timedelta(seconds=1) for earlier, later in pairwise(rests))
    assert rests[-1] > LONGEST_REST / 2
