"""What stands in the daemon's log, and what never does."""

import json
import logging
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import structlog

from agent.daemon import logs
from agent.errors import Retry

ADDRESS = "vera.lind@client.example"
SUBJECT = "Our offer for the bakery line"


class Log:
    """The log of this test, line by line."""

    def __init__(self) -> None:
        self.stream = StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level, sys.excepthook, threading.excepthook, sys.unraisablehook)
    found = Log()
    logs.set_up(found.stream)
    yield found
    logging.captureWarnings(False)
    logging.getLogger("apscheduler.scheduler").setLevel(logging.NOTSET)
    root.handlers[:], level, sys.excepthook, threading.excepthook, sys.unraisablehook = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_an_event_is_one_json_line_with_its_time(log: Log) -> None:
    structlog.get_logger().info("polled", source="anna", new=3, seconds=0.25, total=None)
    (line,) = log.lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "polled", "level": "info", "source": "anna", "new": 3, "seconds": 0.25, "total": None}


@pytest.mark.parametrize(
    "text",
    [
        ADDRESS,
        f"from <{ADDRESS}> to us",
        f"https://{ADDRESS}:secret@host.example/",
        "https://host.example/?user=vera.lind%40client.example&token=secret",
        f'"vera.lind"@client.example,{ADDRESS}',
        "vera.lind＠client.example",
        f"line\n{ADDRESS}\tline",
    ],
)
def test_whatever_looks_like_an_address_is_masked(log: Log, text: str) -> None:
    structlog.get_logger().warning("poll failed", why=text, source=text[:60], nested={"of": [text]})
    assert "vera" not in log.text
    assert "secret" not in log.text
    assert logs.MASK in log.lines()[0]["why"]


def test_a_long_text_that_is_no_sentence_of_ours_is_left_out(log: Log) -> None:
    structlog.get_logger().info("polled", body=SUBJECT * 20, why="the server asks for patience")
    (line,) = log.lines()
    assert line["body"] == f"[left out: {len(SUBJECT) * 20} characters]"
    assert line["why"] == "the server asks for patience"


def test_a_long_sentence_is_cut(log: Log) -> None:
    structlog.get_logger().info("poll failed", why="word " * 1000)
    assert len(log.lines()[0]["why"]) <= logs.LONGEST_SENTENCE


def test_masking_takes_time_that_grows_with_the_text_only() -> None:
    began = time.monotonic()
    logs.masked("a" * 2_000_000 + "@")
    logs.masked("@ " * 500_000)
    logs.masked("a." * 1_000_000)
    assert time.monotonic() - began < 5


def test_a_traceback_tells_types_and_places_and_nothing_that_a_letter_said(log: Log) -> None:
    def parse(subject: str) -> None:
        try:
            raise ValueError(f"odd subject {subject}")
        except ValueError as error:
            raise KeyError(ADDRESS) from error

    try:
        parse(SUBJECT)
    except KeyError as error:
        structlog.get_logger().error("a defect ended a poll", source="anna", error=error)
    (line,) = log.lines()
    assert line["exception"] == ["KeyError", "ValueError"]
    assert line["traceback"][-1].startswith("tests/daemon/test_logs.py:")
    assert line["traceback"][-1].endswith(" parse")
    assert "bakery" not in log.text
    assert "vera" not in log.text


def test_a_defect_is_noted_by_its_type_and_place() -> None:
    try:
        logs.masked(None)  # type: ignore[arg-type]
    except AttributeError as error:
        place = logs.place_of(error)
    assert place.startswith("AttributeError in agent/daemon/logs.py:")
    assert logs.place_of(Retry("never raised")) == "Retry in ?"


@pytest.mark.parametrize(
    "name", ["apscheduler.executors.default", "imapclient", "googleapiclient.http", "httpx", "caldav"]
)
def test_a_library_warns_without_what_was_filled_in(log: Log, name: str) -> None:
    library = logging.getLogger(name)
    library.info("Fetched %s", SUBJECT)
    library.warning("Odd answer for %s: %s", ADDRESS, SUBJECT)
    library.error(f"Cannot parse {SUBJECT} of {ADDRESS}")
    first, second = log.lines()
    assert (first["library"], first["level"]) == (name, "warning")
    assert first["template"] == "Odd answer for %s: %s"
    assert second["template"] == "[left out]"
    assert first["at"].startswith("tests/daemon/test_logs.py")
    assert "bakery" not in log.text
    assert "vera" not in log.text


def test_a_librarys_traceback_is_told_like_our_own(log: Log) -> None:
    try:
        raise RuntimeError(SUBJECT)
    except RuntimeError:
        logging.getLogger("httpx").exception("request failed: %s", SUBJECT)
    (line,) = log.lines()
    assert line["exception"] == ["RuntimeError"]
    assert "bakery" not in log.text


def test_a_warning_of_python_quotes_nothing(log: Log) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn(SUBJECT, UserWarning, stacklevel=1)
    assert log.lines()[0]["library"] == "py.warnings"
    assert "bakery" not in log.text


def test_what_nobody_caught_is_told_without_its_message(log: Log) -> None:
    def fail() -> None:
        raise ValueError(SUBJECT)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    try:
        fail()
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    assert [line["exception"] for line in log.lines()] == [["ValueError"], ["ValueError"]]
    assert "bakery" not in log.text
