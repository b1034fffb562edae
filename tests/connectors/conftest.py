"""Servers that the tests of connectors share."""

from collections.abc import Iterator

import pytest

from tests.servers.dovecot import Dovecot, dovecot


@pytest.fixture(scope="session")
def mail_server() -> Iterator[Dovecot]:
    with dovecot() as server:
        yield server
