"""Where people read what a vendor changed: `bellwire explain`, the alert's page, the API."""

from __future__ import annotations

import asyncio
import html
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from bellwire.cli import main
from bellwire.clock import SystemClock
from bellwire.ledger import reading
from bellwire.ledger.ledger import Ledger
from bellwire.model import Notification, Severity, Via
from fake_view import FakeView, a_story, an_alert
from makers import VISION, an_arrival
from makers import an_alert as an_arriving_alert
from web_rig import serving

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION = """
storage: {{url: "sqlite:///{folder}/ledger.db"}}
web: {{listen: ""}}
route: {{receiver: ops}}
receivers: [{{name: ops, webhook_configs: [{{url: "http://127.0.0.1:1/"}}]}}]
"""
BEFORE = {"about": "one <b>", "count": 12, "who": "ann"}
NOW = {"about": "two \x1b[31m</li>", "count": 40, **{f"more {number:02}": number for number in range(20)}}
CHANGED = [r'about: "one <b>" -> "two \u001b[31m</li>"', "count: 12 -> 40", "more 00: nothing -> 0", "and 3 more"]


@pytest.fixture
async def changed(tmp_path: Path) -> list[dict[str, Any]]:
    """Record an alert, let its item change and change back, and return the events of it."""
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/ledger.db", lambda last: SystemClock(not_before=last))
    try:
        await ledger.record([an_arrival(alert=an_arriving_alert(upstream_id="n1", payload=BEFORE), via=Via.POLL)])
        for payload in (NOW, BEFORE):
            item = Notification(upstream_id="n1", type="alert", severity=Severity.INFO, title="T", payload=payload)
            assert await ledger.changes.compare(VISION, [item], Via.POLL) == 1
        (story,) = await ledger.ask(lambda connection: reading.explain(connection, "n1", 1))
        events: list[dict[str, Any]] = story["events"]
        return events
    finally:
        await ledger.close()


async def test_explain_says_what_it_was_and_what_it_is(changed: list[dict[str, Any]], tmp_path: Path) -> None:
    assert [event["kind"] for event in changed] == ["changed", "changed"]
    config = tmp_path / "bellwire.yaml"
    config.write_text(CONFIGURATION.format(folder=tmp_path))
    result = await asyncio.to_thread(CliRunner().invoke, main, ["explain", "--config", str(config), "n1"])
    assert result.exit_code == 0
    afterwards = result.stdout.partition("Afterwards")[2].strip().splitlines()
    assert afterwards[0].endswith("  changed at its vendor")
    assert [line.strip() for line in afterwards if line.strip() in CHANGED] == CHANGED
    assert afterwards[-1].endswith("  changed back at its vendor")
    assert "\x1b" not in result.stdout  # nothing of it moves the terminal's cursor


async def test_the_page_and_the_api_say_so_too(changed: list[dict[str, Any]]) -> None:
    view = FakeView()
    view.stories["STORY"] = [a_story(an_alert(), events=changed)]
    async with serving(view) as client:
        page = (await client.get("/alerts/STORY")).text
        (first, last) = (await client.get("/api/v1/alerts/STORY")).json["events"]
    shown = html.unescape(page)
    for line in CHANGED:
        assert line.replace("->", "→") in shown
    assert "changed back at its vendor" in shown
    assert "one <b>" not in page
    assert first["detail"]["fields"][1] == {"name": "count", "old": 12, "new": 40}
    assert (first["detail"]["more"], last["detail"]["fields"]) == (3, [])
