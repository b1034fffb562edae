"""`python -m bench [NAME] [OPTIONS]`: one benchmark, or all of them one after the other."""

import sys
from importlib import import_module

BENCHMARKS = ("collect", "read")


def main() -> None:
    names = sys.argv[1:2] if sys.argv[1:2] and not sys.argv[1].startswith("-") else list(BENCHMARKS)
    for name in names:
        if name not in BENCHMARKS:
            sys.exit(f"unknown benchmark {name}; known are: {', '.join(BENCHMARKS)}")
        import_module(f"bench.{name}").main(sys.argv[2:] if names == sys.argv[1:2] else sys.argv[1:])


if __name__ == "__main__":
    main()
