"""What is handed to others: the wheel, the service, the lists of packages, and the Makefile's ways in."""

import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ("agent", "connectors", "classifiers")
UNIT = ROOT / "packaging/dealscribe.service"
UV = Path(sys.executable).parent / "uv"


def done(*command: str | Path, env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> str:
    """What the command said, which must have gone well."""
    if env is None:  # a make that runs these tests must not speak to the one that is tried here
        env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    ran = subprocess.run(command, capture_output=True, text=True, env=env, cwd=cwd, stdin=subprocess.DEVNULL)
    assert ran.returncode == 0, f"{command}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    (built,) = folder.iterdir()
    return built


# -- the wheel ------------------------------------------------------------------------------------------------------


def test_the_wheel_holds_the_whole_program_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    ours = {
        str(file.relative_to(ROOT))
        for part in PARTS
        for file in (ROOT / part).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert inside == ours
    assert any(name.startswith("agent/store/migrations/versions/") for name in inside)
    assert any(name.startswith("classifiers/data/") for name in inside)


def test_the_wheel_carries_its_licence_and_its_readme(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        about = next(archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    assert {name.rpartition("/")[2] for name in names if "/licenses/" in name} == {"LICENSE", "NOTICE"}
    assert "License-Expression: MIT" in about
    assert "# dealscribe" in about


class Installed:
    """The wheel in an environment of its own, run by a user who may write nowhere but into the state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "venv/bin/dealscribe"
        self.env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder / "home"),
            "STATE_DIRECTORY": str(folder / "state"),
            "DEALSCRIBE_CONFIG": str(folder / "company/config.toml"),
            "LC_ALL": "C.UTF-8",
        }

    def run(self, *arguments: str) -> str:
        other = ("setpriv", "--reuid=nobody", "--clear-groups") if os.geteuid() == 0 else ()
        return done(*other, self.program, *arguments, env=self.env, cwd=Path("/"))


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Iterator[Installed]:
    with tempfile.TemporaryDirectory(prefix="dealscribe-installed-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # others must get through to it
        _install(wheel, folder)
        _bring_the_sample_company(folder)
        _make_read_only(folder / "venv", folder / "company")
        for own in (folder / "home", folder / "state"):
            own.mkdir(mode=0o700)
            if os.geteuid() == 0:
                os.chown(own, pwd.getpwnam("nobody").pw_uid, -1)
        yield Installed(folder)
        done("chmod", "-R", "u+w", folder)


def _install(wheel: Path, folder: Path) -> None:
    python = folder / "venv/bin/python"
    done(UV, "venv", "--quiet", "--python", _python_for_everybody(), folder / "venv")
    into = (UV, "pip", "install", "--quiet", "--link-mode=copy", "--python", python)
    done(*into, "--require-hashes", "-r", ROOT / "requirements/run.txt")
    done(*into, "--no-deps", wheel)


def _python_for_everybody() -> str:
    """This Python, unless it lies in somebody's home, where the other user cannot reach it."""
    own = os.path.realpath(sys.executable)
    hidden = any(not folder.stat().st_mode & 0o001 for folder in Path(own).parents)
    return "/usr/bin/python3" if hidden else own


def _bring_the_sample_company(folder: Path) -> None:
    (folder / "company").mkdir()
    shutil.copy(ROOT / "config.toml", folder / "company")
    shutil.copytree(ROOT / "examples/company", folder / "company/examples/company")


def _make_read_only(*folders: Path) -> None:
    for folder in folders:
        done("chmod", "-R", "a+rX,a-w", folder)


def test_installed_for_another_user_it_reads_the_sample_company(installed: Installed) -> None:
    installed.run("check")
    installed.run("import", f"{installed.folder}/company/examples/company/crm.json")
    installed.run("sync")
    installed.run("status")
    store = installed.folder / "state/.demo/dealscribe.db"
    assert store.stat().st_mode & 0o077 == 0


# -- the service ----------------------------------------------------------------------------------------------------


def test_systemd_finds_nothing_wrong_with_the_service(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    unit.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", text))  # systemd wants the program to be there
    ran = subprocess.run(("systemd-analyze", "verify", "--man=no", unit), capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_service_has_few_rights() -> None:
    """0 is a closed box, 10 is root without limits; what is left is the network and its own state."""
    done("systemd-analyze", "security", "--offline=yes", "--threshold=20", UNIT)


def test_the_service_tells_that_it_is_alive_and_stops_in_time() -> None:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    assert {"Type=notify", "Restart=on-failure", "TimeoutStopSec=15", "StateDirectory=dealscribe"} <= set(lines)
    assert any(re.fullmatch(r"WatchdogSec=\d+", line) for line in lines)


def test_the_services_own_user_is_made_by_systemd(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    done("systemd-sysusers", f"--root={tmp_path}", ROOT / "packaging/dealscribe.sysusers")
    assert (tmp_path / "etc/passwd").read_text(encoding="utf-8").startswith("dealscribe:")


# -- the lists of packages ------------------------------------------------------------------------------------------


def pins(name: str) -> dict[str, str]:
    """package -> version"""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^([a-z0-9-]+)==([^ ]+)", text))


LISTS = ("run.txt", "dev.txt", "uv.txt")


@pytest.mark.parametrize("name", LISTS)
def test_every_package_is_named_with_its_hashes_and_without_an_address(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    assert not re.search(r"://|index|find-links|\.whl|\.tar", text)
    entries = re.split(r"\n(?! )", text.rstrip("\n"))
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==\S+ ", entry), entry
        assert "--hash=sha256:" in entry, entry


def declared() -> dict[str, list[str]]:
    """Package names by group, those of the program itself under "run"."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"] | {"run": project["project"]["dependencies"]}
    return {group: [re.split(r"[\[<>=~!; ]", line)[0].lower() for line in lines] for group, lines in groups.items()}


def test_what_the_program_needs_is_in_the_lists() -> None:
    needed = declared()
    assert set(needed["run"]) | set(needed["build"]) <= set(pins("run.txt"))
    assert set(needed["dev"]) <= set(pins("dev.txt"))


def test_the_tests_run_with_the_versions_that_are_delivered() -> None:
    assert pins("run.txt").items() <= pins("dev.txt").items()


# -- the ways in ----------------------------------------------------------------------------------------------------


def test_make_lists_every_way_in_with_a_word_about_it() -> None:
    told = done("make", "help")
    for target in ("demo", "install", "test", "test-long", "check", "bench", "lock", "clean"):
        assert re.search(rf"(?m)^  make {target} +\S", told), target


@pytest.mark.parametrize("target", ["demo", "test", "test-long", "check", "bench", "lock"])
def test_each_way_in_works_first_and_alone(target: str, tmp_path: Path) -> None:
    """From a fresh copy, make plans to build the environment and to end with what was asked for."""
    for name in ("Makefile", "pyproject.toml", "requirements", "examples/demo.sh", "tests/servers/package-lock.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    plan = done("make", "--dry-run", target, cwd=tmp_path)
    assert "-m venv .venv" in plan
    assert "--require-hashes --no-deps -r requirements/uv.txt" in plan
