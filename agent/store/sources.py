"""The sources' room: cursors and what `status` tells, the lease of the flow, and requests to a running daemon."""

import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from agent.store.tables import lease, setting, source_state, sync_request

LEASE = "flow"
LEASE_TIMEOUT = timedelta(seconds=45)  # without a heartbeat for this long its holder is dead
REQUESTS_KEPT = timedelta(days=1)


# -- cursors and status -------------------------------------------------------------------------------------------


def state(tx: Connection, source: str) -> Any:
    """The row of one source, or None before its first poll."""
    return tx.execute(select(source_state).where(source_state.c.source == source)).first()


def states(tx: Connection) -> dict[str, Any]:
    return {r.source: r for r in tx.execute(select(source_state))}


def begin(tx: Connection, source: str, since: datetime) -> Any:
    """The row of one source, made at its first poll; where it began is fixed then."""
    if (row := state(tx, source)) is not None:
        return row
    tx.execute(insert(source_state).values(source=source, since=since, phase="new", done=0))
    return state(tx, source)


def save(tx: Connection, source: str, **values: Any) -> None:
    tx.execute(update(source_state).where(source_state.c.source == source).values(**values))


def forget(tx: Connection, source: str) -> None:
    tx.execute(delete(source_state).where(source_state.c.source == source))


# -- the lease ----------------------------------------------------------------------------------------------------


def take_lease(tx: Connection, now: datetime) -> str | None:
    """Become the one who runs the flow; returns the holder's token, or None when another one is alive."""
    row = lease_holder(tx)
    if row is not None and _alive(row, now):
        return None
    token = f"{socket.gethostname()}:{os.getpid()}:{_began(os.getpid())}:{secrets.token_hex(4)}"
    tx.execute(delete(lease).where(lease.c.name == LEASE))
    values = {"name": LEASE, "holder": token, "pid": os.getpid(), "host": socket.gethostname(), "heartbeat": now}
    tx.execute(insert(lease).values(**values))
    return token


def beat(tx: Connection, token: str, now: datetime) -> bool:
    """Say that the holder lives; False when the lease was taken over."""
    query = update(lease).where(lease.c.name == LEASE, lease.c.holder == token).values(heartbeat=now)
    return bool(tx.execute(query).rowcount)


def give_back(tx: Connection, token: str) -> None:
    tx.execute(delete(lease).where(lease.c.name == LEASE, lease.c.holder == token))


def lease_holder(tx: Connection) -> Any:
    return tx.execute(select(lease).where(lease.c.name == LEASE)).first()


def is_running(tx: Connection, now: datetime) -> bool:
    row = lease_holder(tx)
    return row is not None and _alive(row, now)


def _alive(row: Any, now: datetime) -> bool:
    if now - row.heartbeat > LEASE_TIMEOUT:
        return False
    if row.host != socket.gethostname():
        return True
    try:
        os.kill(row.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # after a reboot, or in a container that starts anew, another process bears the dead one's number
    began = row.holder.rsplit(":", 2)[1]
    return began in ("", _began(row.pid)) or not _began(row.pid)


def _began(pid: int) -> str:
    """When a process began, in ticks since the boot; "" where the system does not tell."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


# -- requests to a running daemon ---------------------------------------------------------------------------------


def ask(tx: Connection, source: str | None, now: datetime) -> int:
    made = tx.execute(insert(sync_request).values(source=source, asked_at=now))
    assert made.inserted_primary_key is not None  # noqa: S101 - an INSERT of one row always has one
    return int(made.inserted_primary_key[0])


def has_requests(tx: Connection) -> bool:
    return tx.execute(select(sync_request.c.id).where(sync_request.c.taken_at.is_(None)).limit(1)).first() is not None


def take_over_requests(tx: Connection, now: datetime) -> None:
    """What a daemon took and did not finish before it died is open again; what is old is let go."""
    tx.execute(delete(sync_request).where(sync_request.c.asked_at < now - REQUESTS_KEPT))
    tx.execute(update(sync_request).where(sync_request.c.done_at.is_(None)).values(taken_at=None))


def withdraw(tx: Connection, requests: Sequence[int]) -> None:
    """Nobody waits for these any longer."""
    tx.execute(delete(sync_request).where(sync_request.c.id.in_(requests)))


def take_requests(tx: Connection, now: datetime) -> list[Any]:
    rows = list(tx.execute(select(sync_request).where(sync_request.c.taken_at.is_(None))))
    for row in rows:
        tx.execute(update(sync_request).where(sync_request.c.id == row.id).values(taken_at=now))
    return rows


def finish_request(tx: Connection, request: int, now: datetime, error: str | None) -> None:
    tx.execute(update(sync_request).where(sync_request.c.id == request).values(done_at=now, error=error))


def request(tx: Connection, request_id: int) -> Any:
    return tx.execute(select(sync_request).where(sync_request.c.id == request_id)).first()


# -- settings -----------------------------------------------------------------------------------------------------


def settings(tx: Connection) -> Mapping[str, str]:
    return {r.name: r.value for r in tx.execute(select(setting))}


def set_setting(tx: Connection, name: str, value: str) -> None:
    tx.execute(delete(setting).where(setting.c.name == name))
    tx.execute(insert(setting).values(name=name, value=value))


def hash_key(tx: Connection) -> bytes:
    """The key for the addresses of what is skipped; made when the store is."""
    key = settings(tx).get("hash_key")
    if key is None:
        key = secrets.token_hex(32)
        set_setting(tx, "hash_key", key)
    return bytes.fromhex(key)
