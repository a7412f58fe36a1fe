"""`bellwire alerts` searches: through the daemon, and in the ledger's file where none runs."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from bellwire.cli import main
from bellwire.clock import SystemClock
from bellwire.ledger.ledger import Ledger
from fake_view import FakeView
from fake_view import an_alert as a_shown_alert
from makers import an_alert, an_arrival
from web_rig import serving

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def configured(folder: Path, listen: str = "") -> str:
    path = folder / "bellwire.yaml"
    receivers = [{"name": "pager", "webhook_configs": [{"url": "http://127.0.0.1:9/"}]}]
    config = {"storage": {"url": f"sqlite:///{folder}/ledger.db"}, "web": {"listen": listen}}
    path.write_text(json.dumps(config | {"route": {"receiver": "pager"}, "receivers": receivers}))
    return str(path)


async def asked(config: str, *options: str) -> Result:
    arguments = ["alerts", "--json", "--config", config, *options]
    return await asyncio.to_thread(CliRunner().invoke, main, arguments)


def titles(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [each["title"] for each in json.loads(result.stdout)]


@pytest.fixture
async def kept(tmp_path: Path) -> Path:
    """Return a folder with a ledger of three alerts."""
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/ledger.db", lambda last: SystemClock(not_before=last))
    now = ledger.clock.wall()
    for team in ("doors", "doors", "windows"):
        alert = an_alert(title=f"Scratches of {team}", labels={"team": team}, created_at=now, received_at=now)
        await ledger.record([an_arrival(alert=alert)])
    await ledger.close()
    return tmp_path


async def test_the_ledger_is_searched_where_no_daemon_runs(kept: Path) -> None:
    config = configured(kept)
    assert titles(await asked(config, "--match", 'team="windows"')) == ["Scratches of windows"]
    assert len(titles(await asked(config, "--match", "team=~d.*", "--match", 'title!=""', "--since", "1h"))) == 2
    assert titles(await asked(config, "--state", "dead")) == []
    assert titles(await asked(config, "--until", "2026-01-01")) == []


async def test_the_daemon_is_asked_until_there_are_as_many_as_wanted(tmp_path: Path) -> None:
    view = FakeView(alerts=[a_shown_alert(f"Number {n}") for n in range(5)][::-1])
    async with serving(view) as client:
        config = configured(tmp_path, client.url.removeprefix("http://"))
        found = titles(await asked(config, "--match", "account=vision", "--limit", "4"))
    assert found == [f"Number {n}" for n in (4, 3, 2, 1)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--match", 'severity=~"["'), 'severity=~"["\n             ^'),
        (("--since", "yesterday"), "--since: is no time: write it as"),
        (("--state", "lost"), "'lost' is not one of"),
    ],
)
async def test_what_cannot_be_understood_is_said_with_its_place(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    result = await asked(configured(tmp_path), *options)
    assert result.exit_code == 2
    assert said in result.output
