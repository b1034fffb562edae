"""The mailbox in memory keeps the contract of the real ones, and its verbs do what they say."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from agent.errors import CursorExpired, NeedsHuman, Retry
from connectors.base import Item, Scope
from connectors.mail.memory import Box, MemoryMailbox, MemoryOptions
from tests.connectors.mailbox_suite import MailboxSuite, items, letter, letters, run, scope


class InMemory:
    def __init__(self) -> None:
        self.box = Box()
        self.hand = self.open(scope())

    def deliver(
        self, raws: Sequence[bytes], folder: str = "INBOX", at: datetime | None = None, labels: Sequence[str] = ()
    ) -> None:
        for raw in raws:
            self.hand.deliver(raw, folder, received=at, labels=labels)

    def remove(self, item: Item) -> None:
        self.hand.expunge(item.ref)

    def remove_folder(self, folder: str) -> None:
        self.hand.remove_folder(folder)

    def open(self, scope: Scope, **options: Any) -> MemoryMailbox:
        return MemoryMailbox("anna", "anna@ours.example", MemoryOptions(box=self.box, **options), scope)

    def snapshot(self) -> object:
        return {name: dict(letters) for name, letters in self.box.folders.items()}


class TestMemoryMailbox(MailboxSuite):
    @pytest.fixture
    def mailbox(self) -> InMemory:
        return InMemory()


def test_a_broken_connection_loses_nothing() -> None:
    mailbox = MemoryMailbox("anna", "anna@ours.example", MemoryOptions(batch=2), scope())
    for raw in letters("letter", 5):
        mailbox.deliver(raw)
    stream = mailbox.fetch(None)
    first = next(stream)
    mailbox.break_connection(2)
    with pytest.raises(Retry):
        next(stream)
    with pytest.raises(Retry):
        run(mailbox, first.cursor)
    assert len(items(run(mailbox, first.cursor))) == 3


def test_a_wrong_password_needs_a_human_until_it_is_corrected() -> None:
    mailbox = MemoryMailbox("anna", "anna@ours.example", MemoryOptions(), scope())
    mailbox.wrong_password()
    for call in (mailbox.check, lambda: run(mailbox), lambda: list(mailbox.refs()), lambda: list(mailbox.get(["a"]))):
        with pytest.raises(NeedsHuman):
            call()
    mailbox.wrong_password(False)
    assert mailbox.check()


def test_a_folder_numbered_anew_expires_the_cursor_and_its_letters_have_other_references() -> None:
    mailbox = MemoryMailbox("anna", "anna@ours.example", MemoryOptions(), scope())
    mailbox.deliver(letter("one"))
    before = run(mailbox)
    mailbox.new_uidvalidity()
    with pytest.raises(CursorExpired):
        next(mailbox.fetch(before[-1].cursor))
    after = items(run(mailbox))
    assert [item.raw for item in after] == [letter("one")]
    assert after[0].ref != items(before)[0].ref
