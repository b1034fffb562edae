"""Steps that work at the same time: while one batch is stored, the next is parsed and the one after it is fetched."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

R = TypeVar("R")
T = TypeVar("T")

_END = object()
_LOOK_EVERY = 0.2  # seconds between looks whether anybody still wants the rest


def ahead(items: Iterable[T], depth: int = 2) -> Generator[T, None, None]:
    """The same items in the same order, made in a thread of their own, at most `depth` of them ahead.

    What `items` raises is raised here, after the items before it. Whoever stops early closes this iterator: the thread
    then ends after the item in hand.
    """
    box: queue.Queue[tuple[T | object, BaseException | None]] = queue.Queue(depth)
    unwanted = threading.Event()
    thread = threading.Thread(target=_make, args=(items, box, unwanted), name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = box.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item  # type: ignore[misc]
    finally:
        unwanted.set()
        thread.join()


def in_order(function: Callable[[T], R], items: Iterable[T], at_once: int) -> Iterator[R]:
    """What `function` makes of each item, in the items' order; it works on `at_once` of them at the same time.

    What `items` or `function` raises is raised here, after what was made of the items before.
    """
    running: deque[Future[R]] = deque()
    with ThreadPoolExecutor(at_once, thread_name_prefix="in-order") as pool:
        for future in _submitted(pool, function, items):
            running.append(future)
            if len(running) == at_once:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _submitted(pool: ThreadPoolExecutor, function: Callable[[T], R], items: Iterable[T]) -> Iterator[Future[R]]:
    """An error of `items` waits for its turn like an item."""
    try:
        for item in items:
            yield pool.submit(function, item)
    except Exception as error:
        broken: Future[R] = Future()
        broken.set_exception(error)
        yield broken


def _make(
    items: Iterable[T], box: "queue.Queue[tuple[T | object, BaseException | None]]", unwanted: threading.Event
) -> None:
    def put(item: T | object, error: BaseException | None = None) -> bool:
        while not unwanted.is_set():
            try:
                box.put((item, error), timeout=_LOOK_EVERY)
            except queue.Full:
                continue
            return True
        return False

    try:
        if all(put(item) for item in items):
            put(_END)
    except BaseException as error:
        put(_END, error)
