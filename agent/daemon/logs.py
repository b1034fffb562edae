"""The daemon's log: one JSON object a line on standard output, with nothing in it that a letter or a person said.

Our own events are constants with a few named values. Every text passes `guarded`: what looks like an address is
masked, a long text under a name that is not known to be a sentence of ours is left out. Of an exception its type and
the places it came through are told, never its message, which may quote a letter. A library's warning is told by its
template, without what was filled in.
"""

import logging
import sys
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import structlog

SENTENCES = frozenset({"event", "why", "template"})  # names of texts that we wrote ourselves
LONGEST_SENTENCE = 400
LONGEST_VALUE = 80
FRAMES = 12  # the innermost places of a traceback
CAUSES = 5
MASK = "[address]"
ROOT = Path(__file__).parents[2]

Event = MutableMapping[str, Any]


def set_up(stream: TextIO | None = None) -> None:
    """Log to `stream` from now on, libraries included; nothing else of this process may write a log."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            told,
            guarded,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.WriteLoggerFactory(stream or sys.stdout),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[Libraries()], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    # a poll that comes round while the one before it still imports is left out: that is no news
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable


def told(_logger: Any, _method: str, event: Event) -> Event:
    """An exception given as `error=` becomes its type, its causes' types, and where it came through."""
    if isinstance(error := event.get("error"), BaseException):
        del event["error"]
        event["exception"] = [type(one).__name__ for one in _causes(error)]
        event["traceback"] = _places(error)
    return event


def guarded(_logger: Any, _method: str, event: Event) -> Event:
    """Every value safe, and what is read first in front."""
    first = {name: event[name] for name in ("timestamp", "level", "event") if name in event}
    return {name: _guard(name, value) for name, value in (first | dict(event)).items()}


def place_of(error: BaseException) -> str:
    """What happened and where, in few words and without anybody's data: "KeyError in agent/collect.py:120"."""
    places = _places(error)
    ours = [p for p in places if p.startswith(("agent/", "connectors/", "classifiers/"))] or places or ["?"]
    return f"{type(error).__name__} in {ours[-1].split()[0]}"


def masked(text: str) -> str:
    """Without any word that may be an address, written plainly, in a link or in wide letters."""
    return " ".join(MASK if _may_be_address(word) else word for word in text.split())


class Libraries(logging.Handler):
    """What libraries log; their arguments may be anybody's text, so only the template and the place are told."""

    def emit(self, record: logging.LogRecord) -> None:
        template = record.msg if record.args and isinstance(record.msg, str) else "[left out]"
        values: dict[str, Any] = {"library": record.name, "template": template, "at": _place(record.pathname)}
        if record.exc_info and record.exc_info[1]:
            values["error"] = record.exc_info[1]
        structlog.get_logger().log(min(record.levelno, logging.ERROR), "a library warns", **values)


def _guard(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(k): _guard(str(k), v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_guard(name, v) for v in value]
    text = str(value)
    if name in SENTENCES:
        return masked(text[:LONGEST_SENTENCE])
    return masked(text) if len(text) <= LONGEST_VALUE else f"[left out: {len(text)} characters]"


def _may_be_address(word: str) -> bool:
    return "@" in word or "＠" in word or "﹫" in word or "%40" in word


def _causes(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    for _ in range(CAUSES):
        if one is None:
            return
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _places(error: BaseException) -> list[str]:
    """File, line and function of the innermost calls; code has no secrets, the values in it do."""
    places = []
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{_place(code.co_filename)}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places[-FRAMES:]


def _place(path: str) -> str:
    """A file as people name it: from the project's root, or its last two steps."""
    try:
        return str(Path(path).relative_to(ROOT)) if "site-packages" not in path else "/".join(Path(path).parts[-2:])
    except ValueError:
        return "/".join(Path(path).parts[-2:])


def _uncaught(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    structlog.get_logger().critical("a defect ends the program", error=error)


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        structlog.get_logger().critical("a defect ended a thread", error=args.exc_value)


def _unraisable(args: "sys.UnraisableHookArgs") -> None:
    if args.exc_value is not None:
        structlog.get_logger().error("a defect while something was let go of", error=args.exc_value)
