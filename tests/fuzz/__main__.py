"""`python -m tests.fuzz TARGET SECONDS [FOLDER]`: fuzz one target; what breaks a promise is left in FOLDER."""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["connectors", "classifiers"]):
    from tests.fuzz.targets import TARGETS, seeds


def main(name: str, seconds: int, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds(name)):
            (Path(corpus) / f"seed{number}").write_bytes(seed)
        limits = [
            f"-max_total_time={seconds}",
            "-max_len=20000",
            "-timeout=10",
            "-rss_limit_mb=1500",
            "-close_fd_mask=1",
        ]
        atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={folder}/", corpus], TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(*sys.argv[3:4]))
