"""Collect all sources of a config.toml and stop there: what `bench.collect` measures as a process of its own."""

import sys
from pathlib import Path

from agent.cli.common import flow_of
from agent.collect import collect
from agent.config import load
from agent.store import Store, ledger


def main() -> None:
    config = load(Path(sys.argv[1]))
    store = Store(config.store.url)
    with flow_of(config, store) as flow:
        for source in config.sources:
            collect(flow, source)
    with store.reading() as tx:
        counts = {s.name: ledger.count_present(tx, s.name) for s in config.sources}
    if not all(counts.values()):
        sys.exit(f"something was not collected: {counts}")


if __name__ == "__main__":
    main()
