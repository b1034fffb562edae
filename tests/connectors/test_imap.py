"""IMAP against a real Dovecot; a proxy before it plays what a good server never does."""

import email
import email.policy
import inspect
import re
import tracemalloc
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from agent.errors import CursorExpired, NeedsHuman, Rejected, Retry
from connectors.base import Item, Scope
from connectors.mail import imap, imap_wire
from connectors.mail.imap import ImapMailbox, ImapOptions
from connectors.mail.imap_wire import Wire, checked
from tests.connectors.mailbox_suite import NOW, MailboxSuite, items, letter, letters, refs, run, scope
from tests.servers.dovecot import HOST, PASSWORD, Dovecot
from tests.servers.imap_proxy import Cut, Proxy, imap_proxy

_users = count(1)


class OnServer:
    """One user's mailbox on the server."""

    def __init__(self, server: Dovecot, tls: str = "none", port: int | None = None) -> None:
        self.server, self.user = server, f"anna{next(_users)}@ours.example"
        self.opened: list[ImapMailbox] = []
        self.connection = {"tls": tls, "port": port or (server.tls_port if tls == "implicit" else server.plain_port)}

    def deliver(
        self, raws: Sequence[bytes], folder: str = "INBOX", at: datetime | None = None, labels: Sequence[str] = ()
    ) -> None:
        with self.server.user(self.user) as client:
            if not client.folder_exists(folder):
                client.create_folder(folder)
            client.multiappend(folder, [{"msg": raw, "flags": labels, "date": at or NOW} for raw in raws])

    def remove(self, item: Item) -> None:
        self.server.expunge(self.user, item.folder, int(item.uid))

    def remove_folder(self, folder: str) -> None:
        with self.server.user(self.user) as client:
            client.delete_folder(folder)

    def open(self, scope: Scope, **options: Any) -> ImapMailbox:
        given = {"host": HOST, "user": self.user, "password": {"env": "ANNA_PASSWORD"}, **self.connection}
        given["ca_file"] = "" if given["tls"] == "none" else str(self.server.ca_file)
        source = ImapMailbox("anna", self.user, ImapOptions(**{**given, **options}), scope)
        self.opened.append(source)
        return source

    def __enter__(self) -> "OnServer":
        return self

    def __exit__(self, *error: object) -> None:
        for source in self.opened:
            source.close()

    def snapshot(self) -> object:
        return self.server.snapshot(self.user)


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNA_PASSWORD", PASSWORD)


class TestImapWithoutEncryption(MailboxSuite):
    sent_folder = "Отправленные"

    @pytest.fixture
    def mailbox(self, mail_server: Dovecot) -> Iterator[OnServer]:
        with OnServer(mail_server) as box:
            yield box


class TestImapOverTls(TestImapWithoutEncryption):
    @pytest.fixture
    def mailbox(self, mail_server: Dovecot) -> Iterator[OnServer]:
        with OnServer(mail_server, "implicit") as box:
            yield box


@pytest.fixture
def box(mail_server: Dovecot) -> Iterator[OnServer]:
    with OnServer(mail_server) as box:
        yield box


@pytest.fixture
def proxy(mail_server: Dovecot) -> Iterator[Proxy]:
    with imap_proxy(mail_server.plain_port) as proxy:
        yield proxy


def without(*capabilities: str) -> Any:
    """An edit: the server does not have these."""
    pattern = re.compile(rb" (?:" + "|".join(map(re.escape, capabilities)).encode() + rb")(?=[ \]\r])")

    def edit(answer: bytes) -> bytes:
        return pattern.sub(b"", answer) if b"CAPABILITY" in answer[:200] else answer

    return edit


# -- nothing is ever changed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b'A1 SELECT "INBOX"',
        b"A1 STORE 1 +FLAGS (\\Seen)",
        b"A1 UID STORE 1 +FLAGS (\\Seen)",
        b"A1 EXPUNGE",
        b"A1 UID EXPUNGE 1",
        b"A1 CLOSE",
        b"A1 UID MOVE 1 Trash",
        b"A1 UID COPY 1 Trash",
        b"A1 APPEND INBOX {3}",
        b"A1 CREATE x",
        b"A1 DELETE x",
        b"A1 RENAME x y",
        b"A1 SUBSCRIBE x",
        b"A1 SETACL x y z",
        b"A1 UID FETCH 1 (BODY[])",
        b"A1 FETCH 1 (BODY[TEXT])",
        b"A1 UID FETCH 1 (RFC822)",
        b"A1 UID FETCH 1 (RFC822.TEXT)",
        b"A1 UID FETCH 1 (BINARY[1])",
        b'A1 EXAMINE "a\r\nA2 DELETE b"',
        b'A1 EXAMINE "a\nb"',
        b'A1 EXAMINE "a\0b"',
        b"A1 LIST {5}",
        b"A1 LIST {5+}",
        b"garbage",
        b"",
    ],
)
def test_a_command_that_could_change_a_mailbox_never_leaves(line: bytes) -> None:
    with pytest.raises(Rejected):
        checked(line)


def test_the_library_itself_cannot_change_a_mailbox_through_our_connection(box: OnServer) -> None:
    box.deliver(letters("kept", 2))
    before = box.snapshot()
    source = box.open(scope())
    source.check()
    assert source._wire is not None
    client = source._wire._client
    source._wire.examine(b"INBOX")
    for attempt in (
        lambda: client.delete_folder("INBOX"),
        lambda: client.create_folder("x"),
        lambda: client.rename_folder("INBOX", "x"),
        lambda: client.select_folder("INBOX"),
        lambda: client.append("INBOX", b"x"),
        lambda: client.delete_messages([1]),
        lambda: client.expunge(),
        lambda: client.move([1], "Junk"),
        lambda: client.copy([1], "Junk"),
        lambda: client.fetch([1], "BODY[]"),
        lambda: client.fetch([1], "RFC822"),
        lambda: client.close_folder(),
        lambda: client.search(["SUBJECT", "a\r\nA1 DELETE INBOX"]),
        lambda: client.search(["SUBJECT", "Ю"], "UTF-8"),
        lambda: client._imap.xatom("SETACL", "INBOX", "anyone", "d"),
    ):
        with pytest.raises(Rejected):
            attempt()
    source.close()
    assert box.snapshot() == before


def test_our_connection_offers_no_verb_that_changes_anything() -> None:
    public = {name for name, _ in inspect.getmembers(Wire) if not name.startswith("_")}
    assert public == {
        "borders",
        "capabilities",
        "close",
        "examine",
        "fetch",
        "fetch_numbers",
        "folders",
        "login",
        "search",
        "status",
        "unselect",
    }
    source = inspect.getsource(imap_wire)
    for verb in ("STORE", "EXPUNGE", "APPEND", "DELETE", "RENAME", "CREATE", "MOVE", "COPY", '"SELECT', "CLOSE"):
        assert verb not in source


def test_a_whole_run_sends_only_commands_that_read(box: OnServer, proxy: Proxy) -> None:
    box.deliver([letter("small"), big_letter(), letter("labelled")], labels=["urgent"])
    source = box.open(scope(exclude_labels=("x",)), port=proxy.port)
    found = run(source)
    list(source.get(refs(found)))
    list(source.refs())
    source.recent_headers(2)
    source.close()
    verbs = {re.sub(r"^(UID )?(\w+).*", r"\1\2", command) for command in proxy.commands() if command}
    assert verbs == {"CAPABILITY", "AUTHENTICATE", "LIST", "EXAMINE", "UID SEARCH", "UID FETCH", "FETCH"} | {
        "UNSELECT",
        "LOGOUT",
    }


@pytest.mark.parametrize("name", ["INBOX\r\nA1 DELETE Junk", "a\nb", "a\0b"])
def test_a_folder_whose_name_holds_a_line_break_is_refused(box: OnServer, name: str) -> None:
    source = box.open(scope())
    source.check()
    assert source._wire is not None
    for call in (source._wire.examine, source._wire.status):
        with pytest.raises(Rejected):
            call(name.encode())


# -- connection and login ---------------------------------------------------------------------------------------------


def test_starttls_is_used_and_the_certificate_checked(mail_server: Dovecot) -> None:
    with OnServer(mail_server, "starttls") as box:
        box.deliver(letters("secret", 1))
        assert [item.raw for item in items(run(box.open(scope())))] == letters("secret", 1)


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_certificate_of_an_unknown_authority_needs_a_human_and_names_the_key(mail_server: Dovecot, tls: str) -> None:
    with pytest.raises(NeedsHuman, match="ca_file"):
        OnServer(mail_server, tls).open(scope(), ca_file="").check()


def test_a_ca_file_that_is_missing_needs_a_human(mail_server: Dovecot, tmp_path: Path) -> None:
    with pytest.raises(NeedsHuman, match=r"ca_file .*nowhere\.pem"):
        OnServer(mail_server, "implicit").open(scope(), ca_file=str(tmp_path / "nowhere.pem")).check()


def test_no_password_is_sent_when_somebody_takes_starttls_away(box: OnServer, proxy: Proxy) -> None:
    proxy.edit = without("STARTTLS")
    with pytest.raises(NeedsHuman, match="STARTTLS"):
        box.open(scope(), tls="starttls", port=proxy.port).check()
    assert not [line for line in proxy.commands() if "LOGIN" in line or "AUTHENTICATE" in line]


@pytest.mark.parametrize("host", ["imap.ours.example", "10.0.0.5", "127.0.0.1.ours.example"])
def test_mail_without_encryption_is_only_allowed_on_this_machine(host: str) -> None:
    with pytest.raises(ValidationError, match="in the clear"):
        ImapOptions(host=host, tls="none", user="anna", password={"env": "ANNA_PASSWORD"})
    for here in ("localhost", "127.0.0.1", "::1"):
        assert ImapOptions(host=here, tls="none", user="anna", password={"env": "ANNA_PASSWORD"})


def test_a_wrong_password_needs_a_human_and_is_not_repeated(box: OnServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNA_PASSWORD", "wrong-made-up")
    with pytest.raises(NeedsHuman, match="correct user or password") as caught:
        box.open(scope()).check()
    assert "wrong-made-up" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"NO [AUTHENTICATIONFAILED] Authentication failed.", NeedsHuman),
        (b"NO [ALERT] Please log in with your web browser", NeedsHuman),
        (b"NO [UNAVAILABLE] Temporary authentication failure.", Retry),
        (b"NO [ALERT] Too many simultaneous connections.", Retry),
        (b"NO [LIMIT] Later.", Retry),
        (b"BAD internal error", Retry),
    ],
)
def test_a_refused_login_is_told_from_one_that_only_fails_now(
    box: OnServer, proxy: Proxy, answer: bytes, error: type[Exception]
) -> None:
    proxy.edit = lambda line: line.partition(b" ")[0] + b" " + answer + b"\r\n" if b"Logged in" in line else line
    with pytest.raises(error):
        box.open(scope(), port=proxy.port).check()


def test_a_connection_that_breaks_during_the_login_is_tried_again_later(box: OnServer, proxy: Proxy) -> None:
    def edit(line: bytes) -> bytes:
        if b"Logged in" in line:
            raise Cut
        return line

    for proxy.edit in (edit, lambda line: edit(without("AUTH=PLAIN")(line))):
        with pytest.raises(Retry):
            box.open(scope(), port=proxy.port).check()


def test_a_server_that_is_away_is_tried_again_later(box: OnServer, proxy: Proxy) -> None:
    source = box.open(scope(), port=1)
    for call in (source.check, lambda: run(source), lambda: list(source.refs()), lambda: list(source.get(["a|1|1"]))):
        with pytest.raises(Retry):
            call()
    proxy.edit = lambda line: b"* BYE try later\r\n"
    with pytest.raises(Retry):
        box.open(scope(), port=proxy.port).check()


@pytest.mark.parametrize("user", ['o"brien \\x', "анна", "two words"])
def test_a_user_may_have_quotes_blanks_and_cyrillic_letters_in_the_name(mail_server: Dovecot, user: str) -> None:
    with OnServer(mail_server) as box:
        assert box.open(scope(), user=user).check()


def test_a_server_without_sasl_is_logged_into_plainly(box: OnServer, proxy: Proxy) -> None:
    proxy.edit = without("AUTH=PLAIN")
    box.open(scope(), user='o"brien \\x', port=proxy.port).check()
    assert any(command.startswith("LOGIN") for command in proxy.commands())
    with pytest.raises(NeedsHuman, match="ASCII"):
        box.open(scope(), user="анна", port=proxy.port).check()
    with pytest.raises(NeedsHuman, match="line break"):
        box.open(scope(), user="a\r\nA1 DELETE b", port=proxy.port).check()


def test_a_server_that_takes_no_password_says_so(box: OnServer, proxy: Proxy) -> None:
    proxy.edit = lambda line: line.replace(b" AUTH=PLAIN", b" LOGINDISABLED")
    with pytest.raises(NeedsHuman, match="takes no password"):
        box.open(scope(), port=proxy.port).check()


def test_the_library_does_not_format_letters_for_a_log(box: OnServer) -> None:
    source = box.open(scope())
    source.check()
    assert source._wire is not None
    assert source._wire._client._imap.debug == 0
    assert isinstance(source._wire._client._imap, imap_wire._Guard)


# -- a connection that breaks -----------------------------------------------------------------------------------------


def test_an_import_over_a_breaking_line_gets_every_letter_once(box: OnServer, proxy: Proxy) -> None:
    box.deliver(letters("many", 240))
    box.deliver(letters("more", 5), "Отправленные")
    source = box.open(scope(), port=proxy.port)
    answers = count(1)

    def edit(answer: bytes) -> bytes:
        if next(answers) % 400 == 0:
            raise Cut
        return answer

    proxy.edit = edit
    seen: list[str] = []
    cursor: str | None = None
    breaks = 0
    for _ in range(40):
        try:
            for batch in source.fetch(cursor):
                seen.extend(item.ref for item in batch.items)
                cursor = batch.cursor
            break
        except Retry:
            breaks += 1
    assert breaks
    assert len(seen) == len(set(seen)) == 245


def test_a_connection_closed_by_an_idle_server_is_opened_again_without_a_word(box: OnServer, proxy: Proxy) -> None:
    box.deliver(letters("first", 1))
    source = box.open(scope(), port=proxy.port)
    cursor = run(source)[-1].cursor
    assert run(source, cursor) == []
    assert proxy.connections == 1
    proxy.cut_all()
    box.deliver(letters("second", 1))
    assert [item.raw for item in items(run(source, cursor))] == letters("second", 1)
    assert proxy.connections == 2


def test_nothing_new_in_fifty_folders_costs_one_round_trip(box: OnServer, proxy: Proxy) -> None:
    with box.server.user(box.user) as client:
        for number in range(50):
            client.create_folder(f"Folder {number}")
    box.deliver(letters("old", 3), "Folder 7")
    source = box.open(scope(), port=proxy.port)
    cursor = run(source)[-1].cursor
    proxy.sent.clear()
    assert run(source, cursor) == []
    assert len(proxy.sent) == 1


# -- poor and odd servers ---------------------------------------------------------------------------------------------


class TestPoorServer(MailboxSuite):
    """The same contract before a server that knows little more than RFC 3501."""

    sent_folder = "Отправленные"

    @pytest.fixture
    def mailbox(self, mail_server: Dovecot) -> Iterator[OnServer]:
        with imap_proxy(mail_server.plain_port) as proxy, OnServer(mail_server) as box:
            proxy.edit = without("LIST-STATUS", "LIST-EXTENDED", "SPECIAL-USE", "UNSELECT", "AUTH=PLAIN")
            box.connection["port"] = proxy.port
            yield box


def test_a_folder_numbered_anew_expires_the_cursor_before_the_first_batch(box: OnServer) -> None:
    box.deliver(letters("one", 3))
    box.deliver(letters("two", 2), "Отправленные")
    source = box.open(scope())
    before = run(source)
    source.close()
    box.server.number_anew(box.user)
    box.deliver(letters("new", 1), "Отправленные")
    with pytest.raises(CursorExpired, match="INBOX"):
        next(source.fetch(before[-1].cursor))
    after = run(source)
    assert len(items(after)) == 6
    old = {item.ref for item in items(before) if item.folder == "INBOX"}
    assert not old & set(refs(after))
    assert list(source.get(sorted(old))) == []


def test_a_folder_numbered_anew_while_it_is_read_stops_this_run_only(box: OnServer, proxy: Proxy) -> None:
    box.deliver(letters("one", 150))
    source = box.open(scope(), port=proxy.port)
    stream = source.fetch(None)
    first = next(stream)
    source.recent_headers(1)  # leaves the folder
    proxy.edit = lambda a: re.sub(rb"UIDVALIDITY \d+", b"UIDVALIDITY 7", a)
    with pytest.raises(Retry, match="numbered anew"):
        next(stream)
    with pytest.raises(CursorExpired):
        run(source, first.cursor)


def test_a_letter_missing_in_an_answer_is_asked_for_again(box: OnServer, proxy: Proxy) -> None:
    box.deliver(letters("all", 5))
    source = box.open(scope(), port=proxy.port)
    dropped: list[bytes] = []

    def edit(answer: bytes) -> bytes:
        for sign in (b"RFC822.SIZE", b"BODY[]"):
            if answer.startswith(b"* 3 FETCH") and sign in answer and sign not in dropped:
                dropped.append(sign)
                return b""
        return answer

    proxy.edit = edit
    assert [item.raw for item in items(run(source))] == letters("all", 5)
    assert dropped == [b"RFC822.SIZE", b"BODY[]"]


@pytest.mark.parametrize("sign", [b"RFC822.SIZE", b"BODY[]"])
def test_a_letter_that_the_server_shows_and_never_gives_is_reported(box: OnServer, proxy: Proxy, sign: bytes) -> None:
    box.deliver(letters("all", 5))
    source = box.open(scope(), port=proxy.port)
    proxy.edit = lambda a: b"" if a.startswith(b"* 3 FETCH") and sign in a else a
    batches = run(source)
    found = items(batches)
    assert [item.raw for item in found] == [b"" if n == 2 else raw for n, raw in enumerate(letters("all", 5))]
    assert [bool(item.problem) for item in found] == [False, False, True, False, False]
    assert items(run(source, batches[-1].cursor)) == []


def test_an_answer_that_cannot_be_read_spoils_one_letter_only(box: OnServer, proxy: Proxy) -> None:
    box.deliver(letters("all", 5))
    source = box.open(scope(), port=proxy.port)
    proxy.edit = lambda a: b"* 3 FETCH (UID 3 BODY[] (((\r\n" if a.startswith(b"* 3 FETCH") and b"BODY[]" in a else a
    assert [bool(item.problem) for item in items(run(source))] == [False, False, True, False, False]
    proxy.edit = lambda a: a
    proxy.sent.clear()


def test_a_letter_deleted_between_two_commands_is_passed_over(box: OnServer, proxy: Proxy) -> None:
    box.deliver(letters("all", 5))
    source = box.open(scope(), port=proxy.port)
    gone: list[int] = []

    def edit(answer: bytes) -> bytes:
        if answer.startswith(b"* 5 FETCH") and b"RFC822.SIZE" in answer and not gone:
            gone.append(3)
            box.server.expunge(box.user, "INBOX", 3)
        return answer

    proxy.edit = edit
    found = items(run(source))
    assert [item.uid for item in found] in (["1", "2", "4", "5"], ["1", "2", "3", "4", "5"])
    assert not [item for item in found if item.problem]
    assert len(items(run(source))) == 4


def test_one_odd_line_in_the_folder_list_hides_no_other_folder(box: OnServer, proxy: Proxy) -> None:
    box.deliver(letters("x", 1), "2024")
    box.deliver(letters("x", 1), 'Quotes "and" \\ stars *%')
    box.deliver(letters("x", 1), "A & B")
    odd = (
        b'* LIST (\\HasNoChildren) "/" &BROKEN-&-&\r\n'
        b"* LIST (\\HasNoChildren) NIL NIL\r\n"
        b"* LIST garbage\r\n"
        b'* LIST (\\Noselect) "/" Parent\r\n'
        b'* LIST (\\HasNoChildren) "/" {8}\r\nLit"eral\r\n'
    )
    first = iter([odd])
    proxy.edit = lambda a: next(first, b"") + a if a.startswith(b"* LIST") else a
    source = box.open(scope(), port=proxy.port)
    text = "\n".join(finding.text for finding in source.check())
    for name in ("2024", 'Quotes "and" \\ stars *%', "A & B", r"\x26BROKEN-\x26-\x26", 'Lit"eral'):
        assert name in text
    assert "Parent" not in text
    first = iter([odd])
    assert {item.folder for item in items(run(source))} == {"2024", 'Quotes "and" \\ stars *%', "A & B"}


def test_a_folder_of_very_many_letters_is_listed_in_parts(box: OnServer, monkeypatch: pytest.MonkeyPatch) -> None:
    box.server.deliver_many(box.user, letters("many", 95))
    with box.server.user(box.user) as client:
        client.select_folder("INBOX")
        client.delete_messages(list(range(11, 40)))
        client.expunge()
    for module in (imap, imap_wire):
        monkeypatch.setattr(module, "MANY", 10)
    source = box.open(scope())
    batches = run(source)
    assert len(items(batches)) == 66
    assert [ref.ref for ref in source.refs()] == refs(batches)


def test_the_proof_asks_only_the_days_around_since_for_their_time(box: OnServer, proxy: Proxy) -> None:
    since = NOW - timedelta(days=30)
    box.deliver(letters("old", 20), at=since - timedelta(days=20))
    box.deliver(letters("new", 20), at=since + timedelta(days=20))
    box.deliver(letters("edge", 1), at=since - timedelta(hours=1))
    box.deliver(letters("edge", 1), at=since + timedelta(hours=1))
    source = box.open(scope(since=since), port=proxy.port)
    assert len(list(source.refs())) == 21
    assert [c for c in proxy.commands() if "FETCH" in c] == ["UID FETCH 41:42 (FLAGS INTERNALDATE RFC822.SIZE)"]


def test_of_a_letter_kept_out_by_its_label_no_content_is_asked(box: OnServer, proxy: Proxy) -> None:
    box.deliver([letter("private"), big_letter()], labels=["no-crm"])
    box.deliver([letter("business")])
    source = box.open(scope(exclude_labels=("no-crm",)), port=proxy.port)
    assert [item.excluded for item in items(run(source))] == ["label no-crm", "label no-crm", ""]
    assert [c for c in proxy.commands() if "BODY" in c] == ["UID FETCH 3 (BODY.PEEK[])"]


def test_a_gmail_label_keeps_a_letter_out_over_imap_too(box: OnServer, proxy: Proxy) -> None:
    box.deliver([letter("private"), letter("business")])

    def edit(answer: bytes) -> bytes:
        if b"CAPABILITY" in answer[:200]:
            return answer.replace(b" IDLE", b" IDLE X-GM-EXT-1")
        if b"RFC822.SIZE" in answer:
            label = b'"&BBsEOARHBD0EPgQ1-"' if answer.startswith(b"* 1 ") else b"\\Inbox"
            return answer.replace(b"RFC822.SIZE", b"X-GM-LABELS (" + label + b") RFC822.SIZE")
        return answer

    proxy.edit, proxy.edit_command = edit, lambda line: line.replace(b" X-GM-LABELS", b"")
    source = box.open(scope(exclude_labels=("личное",)), port=proxy.port)
    assert [item.excluded for item in items(run(source))] == ["label личное", ""]
    assert any(finding.suggest == 'kind = "gmail"' for finding in source.check())


# -- large letters ----------------------------------------------------------------------------------------------------


def big_letter(attachment: int = 300_000, **headers: str) -> bytes:
    """A letter with text in two forms, an invitation and files."""
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"] = "Vera <vera@client.example>", "anna@ours.example"
    message["Subject"] = "Коммерческое предложение"
    message["Date"] = "Mon, 02 Mar 2026 10:00:00 +0000"
    message["Message-ID"] = "<big@client.example>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("Пришлите договор.\n")
    message.add_alternative("<p>Пришлите договор.</p>", subtype="html")
    message.add_attachment(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", maintype="text", subtype="calendar")
    message.add_attachment(b"\x01" * attachment, maintype="application", subtype="pdf", filename="Договор 12.pdf")
    message.add_attachment(b"just text", maintype="text", subtype="plain", filename="notes.txt")
    return message.as_bytes()


def test_of_a_large_letter_text_and_invitation_are_fetched_and_the_files_named(box: OnServer, proxy: Proxy) -> None:
    original = big_letter(3_000_000)
    box.deliver([original, original])
    source = box.open(scope(), port=proxy.port)
    found = items(run(source))
    (item, _) = found
    assert item.size == len(original)
    assert [(a.name, a.content_type) for a in item.attachments] == [
        ("Договор 12.pdf", "application/pdf"),
        ("notes.txt", "text/plain"),
    ]
    assert abs(item.attachments[0].size - 3_000_000) < 100
    made = email.message_from_bytes(item.raw, policy=email.policy.default)
    whole = email.message_from_bytes(original, policy=email.policy.default)
    for name in ("From", "To", "Subject", "Date", "Message-ID"):
        assert made[name] == whole[name]
    texts = [part for part in made.walk() if not part.is_multipart()]
    assert [part.get_content_type() for part in texts] == ["text/plain", "text/html", "text/calendar"]
    assert texts[0].get_content().strip() == "Пришлите договор."
    assert not [defect for part in made.walk() for defect in part.defects]
    assert proxy.received < 40_000
    assert len([c for c in proxy.commands() if "MIME" in c]) == 1
    assert list(source.get([item.ref])) == [item]


def test_a_letter_of_fifty_megabytes_costs_a_few(box: OnServer) -> None:
    box.deliver([big_letter(40_000_000), b"Subject: x\r\n\r\n" + b"plain text for ever\r\n" * 2_000_000])
    source = box.open(scope())
    source.check()
    tracemalloc.start()
    found = items(run(source))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [len(item.raw) < 4_200_000 for item in found] == [True, True]
    assert found[1].size > 10_000_000
    assert found[1].raw.endswith(b"plain text for ever\r\n")
    assert peak < 20_000_000


def test_a_large_letter_whose_structure_makes_no_sense_is_read_by_its_beginning(box: OnServer, proxy: Proxy) -> None:
    box.deliver([big_letter(), big_letter(), letter("small")])
    source = box.open(scope(), port=proxy.port)
    for nonsense in (b"((((", b'("TEXT")', b'("text" "plain" NIL NIL NIL "7bit" "many")', b"(" * 3000 + b")" * 3000):
        proxy.edit = lambda a, n=nonsense: (
            b"* 1 FETCH (UID 1 BODYSTRUCTURE " + n + b")\r\n" if a.startswith(b"* 1 FETCH (UID 1 BODYSTRUCTURE") else a
        )
        first, second, third = items(run(source))
        assert first.raw == big_letter_start(first)
        assert (first.size, first.problem, first.attachments) == (second.size, "", ())
        assert second.attachments
        assert third.raw == letter("small")


def big_letter_start(item: Item) -> bytes:
    assert len(item.raw) == imap.BROKEN_CAP
    assert item.raw.startswith(b"From: Vera")
    return item.raw


def test_a_large_letter_with_a_part_missing_is_read_by_its_beginning(box: OnServer, proxy: Proxy) -> None:
    box.deliver([big_letter()])
    source = box.open(scope(), port=proxy.port)
    proxy.edit = lambda a: re.sub(rb"BODY\[2\]<0> \{\d+\}\r\n[^)]*\)", b"BODY[2]<0> NIL)", a) if b".MIME]" in a else a
    (item,) = items(run(source))
    assert len(item.raw) == imap.BROKEN_CAP


def test_many_large_texts_come_in_batches_of_few_bytes(box: OnServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap, "BATCH_BYTES", 300_000)
    text = b"Subject: long\r\n\r\n" + b"text and more text\r\n" * 8000
    box.deliver([text] * 7)
    batches = run(box.open(scope()))
    assert len(items(batches)) == 7
    assert [len(batch.items) for batch in batches if batch.items] == [1] * 7
    for number, batch in enumerate(batches, 1):
        assert refs(run(box.open(scope()), batch.cursor)) == refs(batches[number:])


def test_times_are_those_at_which_the_server_took_the_letter(box: OnServer) -> None:
    at = datetime(2026, 1, 31, 23, 59, 58, tzinfo=UTC)
    box.deliver([letter("x")], at=at)
    assert [item.received for item in items(run(box.open(scope())))] == [at]
