"""Measuring a program: wall time, the CPU of all its processes, and the most memory they had together."""

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Run(NamedTuple):
    """One run of one program."""

    wall: float  # seconds
    cpu: float  # seconds, all processes
    memory: float  # MB, proportional set size of all processes at the worst moment


def run(command: Sequence[str], cwd: Path) -> Run:
    """Run a program to its end. RuntimeError when it fails."""
    before = os.times()
    started = time.perf_counter()
    # an installed program has its bytecode: a machine that forbids to write it would compile all again in each run
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    memory = _Memory(process.pid)
    _, errors = process.communicate()
    wall = time.perf_counter() - started
    memory.stop()
    after = os.times()
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {errors.decode(errors='replace')[-1_000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(wall, cpu, memory.worst / 1024)


class _Memory:
    """Looks at a process and its children a few times a second."""

    def __init__(self, pid: int) -> None:
        self.worst = 0
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.2):
            self.worst = max(self.worst, sum(_pss(pid) for pid in _family(self._pid)))


def _family(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def _pss(pid: int) -> int:
    """KB; 0 for a process that has just ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def verdict(ratios: Sequence[float], goal: float) -> str:
    """Does the median reach the goal? Undecided when the runs lie further apart than the distance to it."""
    middle, spread = median(ratios), max(ratios) - min(ratios)
    if spread > 2 * abs(middle - goal) and not (min(ratios) >= goal or max(ratios) < goal):
        return "undecided"
    return "reached" if middle >= goal else "missed"
