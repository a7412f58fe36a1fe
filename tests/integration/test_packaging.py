"""What people install: the wheel, the source archive, the image's ingredients, the systemd unit and the make targets."""

from __future__ import annotations

import configparser
import fnmatch
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bellwire import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd" / "bellwire.service"


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; what it printed is in the failure."""
    done = subprocess.run(  # noqa: S603 - the tests' own commands
        command, cwd=cwd, env=os.environ | (env or {}), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


# --- wheel and source archive --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, built from the checkout."""
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", folder)
    (archive,) = folder.iterdir()
    return archive


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source archive: what that lacks, this lacks."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-cache-dir", "--wheel-dir", folder, sdist)
    (archive,) = folder.iterdir()
    return archive


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the wheel alone is installed into."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "install", "--no-deps", "--no-index", "--target", folder, wheel)
    return folder


def source_files() -> set[str]:
    """Every file of the package, code or not, relative to `src`."""
    src = ROOT / "src"
    files = (file for file in (src / "bellwire").rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {file.relative_to(src).as_posix() for file in files}


def test_the_wheel_holds_every_file_of_the_package_and_the_licence(wheel: Path) -> None:
    expected = source_files()
    assert "bellwire/py.typed" in expected
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert expected - names == set()
    assert f"bellwire-{__version__}.dist-info/licenses/LICENSE" in names
    assert {name.split("/")[0] for name in names} == {"bellwire", f"bellwire-{__version__}.dist-info"}


def test_the_source_archive_holds_what_building_and_testing_take(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    files = {"pyproject.toml", "constraints.txt", "LICENSE", "README.md", "config.example.yaml", "tests/test_layers.py"}
    needed = files | {".ci/run", "Makefile", "Dockerfile", ".dockerignore", "systemd/bellwire.service"}
    assert needed - names == set()


def test_an_installed_wheel_runs_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = "import bellwire.cli; print(bellwire.__file__); bellwire.cli.main(['--help'])"
    done = run(sys.executable, "-c", code, cwd=tmp_path, env={"PYTHONPATH": str(installed)})
    where, _, usage = done.stdout.partition("\n")
    assert where == str(installed / "bellwire" / "__init__.py")
    assert "check-config" in usage


def test_every_module_of_an_installed_wheel_can_be_imported(installed: Path, tmp_path: Path) -> None:
    code = (
        "import bellwire, importlib, pkgutil\n"
        "for module in pkgutil.walk_packages(bellwire.__path__, 'bellwire.'):\n"
        "    if not module.name.endswith(('__main__', 'migrations.env')):\n"
        "        importlib.import_module(module.name)\n"
        "        print(module.name)\n"
    )
    done = run(sys.executable, "-W", "error", "-c", code, cwd=tmp_path, env={"PYTHONPATH": str(installed)})
    assert {"bellwire.model", "bellwire.app", "bellwire.cli.notify"} <= set(done.stdout.split())


# --- pins ----------------------------------------------------------------------------------------------------------


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    """The version that each package is pinned to."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonical(name): version for name, version in pairs}


def test_everything_that_is_asked_for_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(extra for extras in project["project"]["optional-dependencies"].values() for extra in extras),
        *project["dependency-groups"]["dev"],
        "pip",
    ]
    names = {canonical(re.split(r"[^\w.-]", requirement)[0]) for requirement in asked}
    assert names - pins().keys() == set()


def test_pins_name_no_place_to_fetch_from() -> None:
    assert not re.search(r"://|@|^-", (ROOT / "constraints.txt").read_text(), re.MULTILINE)


# --- systemd -------------------------------------------------------------------------------------------------------


def test_systemd_finds_nothing_to_say_about_the_unit(program: Callable[[str], str]) -> None:
    done = run(program("systemd-analyze"), "verify", UNIT)
    assert done.stdout + done.stderr == ""


def test_the_unit_starts_a_program_and_options_that_exist(program: Callable[[str], str], tmp_path: Path) -> None:
    # `verify` sees only that /usr/bin/env is there: here it sees the program that env would find.
    bellwire = Path(sys.executable).parent / "bellwire"
    text = UNIT.read_text()
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace("ExecStart=/usr/bin/env bellwire ", f"ExecStart={bellwire} "))
    assert copy.read_text() != text
    done = run(program("systemd-analyze"), "verify", copy)
    assert done.stdout + done.stderr == ""
    assert "--config" in run(bellwire, "run", "--help").stdout


def test_the_unit_leaves_the_daemon_next_to_nothing_it_could_harm(program: Callable[[str], str]) -> None:
    done = run(program("systemd-analyze"), "security", "--offline=true", "--threshold=15", "--no-pager", UNIT)
    level = re.search(r"Overall exposure level for bellwire.service: ([\d.]+)", done.stdout)
    assert level
    assert float(level[1]) <= 1.5


def test_the_unit_agrees_with_the_contract() -> None:
    unit = configparser.RawConfigParser(strict=False)  # SystemCallFilter stands twice
    unit.optionxform = str  # type: ignore[assignment, method-assign]  # keys keep their case
    unit.read(UNIT)
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["RestartPreventExitStatus"] == "78"
    assert service["StateDirectory"] == "bellwire"
    assert service.keys() >= {"WatchdogSec", "TimeoutStopSec", "Restart", "DynamicUser"}


# --- image ---------------------------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, as (name, rest), continuations joined."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition(" ") for line in lines if line and not line.startswith("#"))
    return [(name, rest) for name, _, rest in pairs]


def sent_to_build(path: str) -> bool:
    """Whether .dockerignore lets a path through: the last pattern that matches decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().split("\n"):
        pattern = line.removeprefix("!")
        if pattern and not line.startswith("#") and fnmatch.fnmatch(path, pattern):
            sent = line.startswith("!")
    return sent


def test_the_image_copies_files_that_exist_and_are_sent_to_its_build() -> None:
    copied = [
        source
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert {"src", "constraints.txt"} <= set(copied)
    assert [path for path in copied if not (ROOT / path).exists() or not sent_to_build(path)] == []
    assert not sent_to_build(".git")
    assert not sent_to_build("bellwire.db")


def test_the_image_runs_as_a_number_and_starts_the_daemon() -> None:
    last = dict(instructions())
    user, _, group = last["USER"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert json.loads(last["ENTRYPOINT"]) + json.loads(last["CMD"])[:1] == ["bellwire", "run"]
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert "STATE_DIRECTORY=/var/lib/bellwire" in last["ENV"]


# --- commands ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["help", "demo", "test", "lint", "bench", "clean"])
def test_make_can_read_its_targets(program: Callable[[str], str], target: str) -> None:
    # Without the variables of a make that runs these tests.
    assert run(program("make"), "--dry-run", target, env={"MAKEFLAGS": "", "MAKELEVEL": ""}).stdout


def test_the_demo_ends_by_itself_when_told_how_long(program: Callable[[str], str]) -> None:
    dry = [program("make"), "--dry-run", "demo"]
    assert "bellwire demo --seconds 20" in run(*dry, "SECONDS=20", env={"MAKEFLAGS": ""}).stdout
    assert "bellwire demo --seconds 20" in run(*dry, env={"MAKEFLAGS": "", "SECONDS": "20"}).stdout
    assert "--seconds" not in run(*dry, env={"MAKEFLAGS": "", "SECONDS": ""}).stdout


def test_make_help_names_every_target_meant_for_people(program: Callable[[str], str]) -> None:
    shown = run(program("make"), env={"MAKEFLAGS": ""}).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert re.findall(r"make (\w+)", shown) == phony[1].split()


def test_ci_runs_the_tests_and_its_script_can_be_read(program: Callable[[str], str]) -> None:
    script = ROOT / ".ci" / "run"
    run(program("bash"), "-n", script)
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text()
