"""What contract suites share: each database that the ledger runs on is one parameter."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from bellwire.ledger.ledger import Ledger
from fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder}/ledger.db"


DATABASES: dict[str, Callable[[Path], str]] = {"sqlite": sqlite_url}


@pytest.fixture(params=DATABASES)
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return DATABASES[request.param](tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def ledger(ledger_url: str, clock: FakeClock) -> AsyncIterator[Ledger]:
    opened = await Ledger.open(ledger_url, lambda _last: clock)
    yield opened
    await opened.close()


@pytest.fixture
def chance() -> random.Random:
    return random.Random(7)
