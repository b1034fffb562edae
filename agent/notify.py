"""Tell of hand-offs outside the CRM: JSON to the webhooks and lines into the files that the admin names.

A webhook may hear the same twice, when its answer was lost: the Idempotency-Key tells. A file's line is written once.
"""

import json
import logging
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from agent.config import HandoffConfig
from agent.errors import NeedsHuman, Rejected, Retry
from agent.flow import Flow
from agent.model import Change
from agent.store import mirror, outbox

BATCH = 100
TIMEOUT, CONNECT_TIMEOUT = 10.0, 5.0  # seconds
PAUSE = timedelta(seconds=30)  # before one that failed is tried again, doubled each time
LONGEST_PAUSE = timedelta(hours=1)
BUSY = (408, 425, 429)  # of a server that takes it later

# httpx writes every address it asks into its log, and a webhook's address is often as good as a password
logging.getLogger("httpx").setLevel(logging.WARNING)


def notify(flow: Flow) -> int:
    """Send what waits; returns how much was sent. A dry run tells nobody."""
    if not (flow.outward and flow.config.handoffs):
        return 0
    by_name = {each.rule.name: each for each in flow.config.handoffs_with_targets}
    told = 0
    silent: set[str] = set()  # targets that did not answer in this round
    while not flow.stopping():
        with flow.store.reading() as tx:
            batch = [w for w in outbox.notices(tx, flow.now(), BATCH) if _target(w.change) not in silent]
        if not batch:
            return told
        for waiting in batch:
            if _target(waiting.change) not in silent:
                told += _tell(flow, waiting, by_name, silent)
    return told


def _target(change: Change) -> str:
    return f"{change.body['rule']} {change.body['channel']}"


def _tell(flow: Flow, waiting: outbox.Waiting, by_name: Mapping[str, HandoffConfig], silent: set[str]) -> int:
    change = waiting.change
    try:
        with flow.store.transaction() as tx:
            payload = {**change.body, "id": change.key, "deal": _deal(mirror.deals(tx, str(change.body["deal_id"])))}
            outbox.sending(tx, change.key)
        del payload["channel"]
        _send(change, payload, by_name.get(str(change.body["rule"])), again=waiting.unknown)
    except Rejected as error:
        with flow.store.transaction() as tx:
            outbox.rejected(tx, change.key, str(error))
        return 0
    except (Retry, NeedsHuman) as error:
        silent.add(_target(change))
        with flow.store.transaction() as tx:
            pause = min(PAUSE * 2 ** min(outbox.tries(tx, change.key) - 1, 20), LONGEST_PAUSE)
            outbox.later(tx, change.key, flow.now() + pause, str(error), unknown=True)
        return 0
    with flow.store.transaction() as tx:
        outbox.written(tx, {change.key: change.key}, flow.now())
    return 1


def _deal(found: list[Any]) -> dict[str, Any] | None:
    """What helps whoever takes it over to find it."""
    names = ("id", "name", "owner", "pipeline", "company_id", "contact_ids")
    return {name: getattr(found[0], name) for name in names} if found else None


def _send(change: Change, payload: Mapping[str, Any], config: HandoffConfig | None, *, again: bool) -> None:
    if config is None:
        raise Rejected("there is no such rule in config.toml any more")
    if change.body["channel"] == "webhook":
        _post(config.address(), change.key, payload)
    elif config.file is not None:
        _append(config.file, change.key, payload, again=again)


def _post(url: str, key: str, payload: Mapping[str, Any]) -> None:
    import httpx  # here, because few have webhooks and it takes long to import

    host, timeout = httpx.URL(url).host, httpx.Timeout(TIMEOUT, connect=CONNECT_TIMEOUT)
    try:
        answer = httpx.post(url, json=payload, headers={"Idempotency-Key": key}, timeout=timeout)
    except httpx.HTTPError as error:
        raise Retry(f"{host} does not answer: {type(error).__name__}") from None
    if answer.status_code in BUSY or answer.status_code >= 500:
        raise Retry(f"{host} answers {answer.status_code}")
    if not answer.is_success:
        raise Rejected(f"{host} answers {answer.status_code}")


def _append(folder: Path, key: str, payload: Mapping[str, Any], *, again: bool) -> None:
    """One line; `again`: it was begun before, and may stand there."""
    line = json.dumps(payload, ensure_ascii=False) + "\n"
    path = folder / "handoffs.jsonl"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if again and path.exists() and any(_id(text) == key for text in path.read_text("utf-8").splitlines()):
            return
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "ab") as out:
            if out.tell() and not path.read_bytes().endswith(b"\n"):
                out.write(b"\n")  # it was cut off in the middle of a line
            out.write(line.encode())
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise Retry(f"{path} cannot be written: {error.strerror}") from None


def _id(line: str) -> str:
    try:
        return str(json.loads(line)["id"])
    except (ValueError, KeyError, TypeError):
        return ""
