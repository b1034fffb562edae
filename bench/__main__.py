"""`python -m bench [NAME] [OPTIONS]`: one benchmark, or all of them one after the other."""

import sys
from importlib import import_module

BENCHMARKS = ("collect", "read", "match")


def main() -> None:
    name, options = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
    if name and name not in BENCHMARKS:
        sys.exit(f"usage: python -m bench [NAME [OPTIONS]]; known are: {', '.join(BENCHMARKS)}")
    for one in [name] if name else BENCHMARKS:
        import_module(f"bench.{one}").main(options)


if __name__ == "__main__":
    main()
