"""What every test may ask for, and the rule that CI skips nothing."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

from bellwire.ledger.database import open_database
from bellwire.ledger.ledger import Ledger
from fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator

PROGRAMS = {
    "bash": "apt-get install bash",
    "chromium": "apt-get install chromium",
    "curl": "apt-get install curl",
    "faketime": "apt-get install faketime",
    "make": "apt-get install make",
    "promtool": "apt-get install prometheus",
    "systemd-analyze": "apt-get install systemd",
}
"""The programs that tests need and no Python package brings, and how Debian installs each."""

IN_CI = os.environ.get("CI") == "true"


def pytest_report_header() -> list[str]:
    """Say before anything runs what this machine lacks."""
    return [
        f"MISSING on this machine: {program} ({how}); the tests that need it are {'failed' if IN_CI else 'skipped'}"
        for program, how in PROGRAMS.items()
        if shutil.which(program) is None
    ]


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Return a function from a program's name, one of `PROGRAMS`, to its path; without it the test is skipped, in CI failed."""

    def find(name: str) -> str:
        how = PROGRAMS[name]
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is missing: {how}")
        return path

    return find


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure. An expected failure (xfail) is reported as skipped too, and stays."""
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Hold the rule for tests."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Hold the rule for whole modules (`pytest.importorskip`)."""
    report = yield
    _refuse_skip(report)
    return report


def sqlite_url(folder: Path) -> str:
    """Return the address of a ledger in ``folder``."""
    return f"sqlite:///{folder}/ledger.db"


def an_empty_sqlite(folder: Path) -> str:
    """Put an empty ledger into ``folder``, and return its address."""
    (folder / "ledger.db").write_bytes(_empty_sqlite())
    return sqlite_url(folder)


@functools.cache
def _empty_sqlite() -> bytes:
    """Return the file of a ledger that was just made: the migrations take longer than most tests that need what they make."""
    with tempfile.TemporaryDirectory() as folder:
        open_database(sqlite_url(Path(folder))).close()
        return (Path(folder) / "ledger.db").read_bytes()


DATABASES: dict[str, Callable[[Path], str]] = {"sqlite": an_empty_sqlite}
"""The databases that the ledger runs on, each with how to make an empty one: every test that asks for a ledger runs on each."""


@pytest.fixture(params=DATABASES)
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty ledger of this test's own."""
    return DATABASES[request.param](tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands until the test turns it."""
    return FakeClock()


@pytest.fixture
async def ledger(ledger_url: str, clock: FakeClock) -> AsyncIterator[Ledger]:
    """Give an empty ledger that runs on `clock`."""
    opened = await Ledger.open(ledger_url, lambda _last: clock)
    yield opened
    await opened.close()


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Commands that run in the test's own process set logging up for theirs."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
