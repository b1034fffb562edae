"""A proxy before a real IMAP server: it keeps what the client sent, and can change or cut what the server answers."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO

_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")


class Cut(Exception):
    """Raised by an edit: the connection breaks here."""


def _unchanged(answer: bytes) -> bytes:
    return answer


@dataclass
class Proxy:
    """`edit` gets one whole answer of the server, literals included, and gives what the client gets."""

    port: int
    edit: Callable[[bytes], bytes] = _unchanged
    edit_command: Callable[[bytes], bytes] = _unchanged
    sent: list[bytes] = field(default_factory=list)  # lines of the client, all connections
    received: int = 0  # bytes of answers
    connections: int = 0
    open: list[socket.socket] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def cut_all(self) -> None:
        """Every connection breaks, as when a server restarts."""
        for one in self.open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def commands(self) -> list[str]:
        """What the client sent, without the tags."""
        return [line.decode("utf-8", "replace").strip().partition(" ")[2] for line in self.sent]


@contextmanager
def imap_proxy(upstream: int) -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(port=listener.getsockname()[1])
        acceptor = threading.Thread(target=_accept, args=(listener, upstream, proxy), daemon=True)
        acceptor.start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            proxy.cut_all()
            for thread in proxy.threads:
                thread.join()


def _accept(listener: socket.socket, upstream: int, proxy: Proxy) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", upstream))
            proxy.connections += 1
            proxy.open += [client, server]
            for work, ends in ((_forth, (client, server)), (_back, (server, client))):
                proxy.threads.append(threading.Thread(target=work, args=(*ends, proxy), daemon=True))
                proxy.threads[-1].start()


def _forth(client: socket.socket, server: socket.socket, proxy: Proxy) -> None:
    with suppress(OSError, ValueError), client.makefile("rb") as lines:
        for line in lines:
            proxy.sent.append(line)
            server.sendall(proxy.edit_command(line))
    _end(client, server)


def _back(server: socket.socket, client: socket.socket, proxy: Proxy) -> None:
    with suppress(OSError, ValueError, Cut), server.makefile("rb") as lines:
        while answer := _answer(lines):
            proxy.received += len(answer)
            client.sendall(proxy.edit(answer))
    _end(client, server)


def _answer(lines: BinaryIO) -> bytes:
    answer = line = lines.readline()
    while match := _LITERAL.search(line):
        line = lines.read(int(match[1])) + lines.readline()
        answer += line
    return answer


def _end(*ends: socket.socket) -> None:
    for one in ends:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
