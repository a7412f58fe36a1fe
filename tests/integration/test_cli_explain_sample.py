"""``bellwire explain -``: an alert that never came, from standard input."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from bellwire.apis.reading import labels_of
from bellwire.cli import main
from bellwire.config.load import load
from bellwire.config.rules import compile_rules
from bellwire.ledger.ledger import Ledger
from bellwire.model import ChannelKey, Severity
from bellwire.records import NewSilence
from bellwire.routing.inhibition import casts
from bellwire.routing.rules import route
from fakes import FakeClock
from makers import OPS, an_alert, an_arrival

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RULES = """\
web: {listen: ''}
accounts:
  - {name: vision, api: visual_layer, base_url: 'https://vl.example.com', labels: {team: vision}}
time_intervals: [{name: office, time_intervals: [{weekdays: ['monday:friday']}]}]
inhibit_rules:
  - {source_matchers: ['type = "outage"'], target_matchers: ['severity < "error"'], equal: [team]}
route:
  receiver: ops
  routes:
    - {matchers: ['severity >= "error"'], receiver: pager}
    - {matchers: ['team = "vision"'], receiver: vision, active_time_intervals: [office], muted: hold, suppress_repeats: 1h}
receivers:
  - {name: ops, webhook_configs: [{url: 'http://a'}]}
  - {name: pager, webhook_configs: [{url: 'http://b'}]}
  - {name: vision, webhook_configs: [{url: 'http://c'}]}
"""
SUNDAY, MONDAY = "2026-11-22T10:00:00Z", "2026-11-23T10:00:00Z"


@pytest.fixture
def explain(tmp_path: Path) -> Callable[..., Result]:
    path = tmp_path / "bellwire.yaml"
    path.write_text(RULES + f"storage: {{url: 'sqlite:///{tmp_path}/ledger.db'}}\n")

    def invoke(said: Any, *options: str) -> Result:
        text = said if isinstance(said, str) else json.dumps(said)
        return CliRunner().invoke(main, ["explain", "-", "--config", str(path), *options], input=text)

    return invoke


def test_each_route_is_told_with_the_first_matcher_that_failed_and_what_it_saw(explain: Callable[..., Result]) -> None:
    result = explain({"account": "vision", "title": "Hello", "received_at": SUNDAY})
    assert result.exit_code == 0
    assert result.stdout == (
        "Hello\n"
        "  warning, an alert that never came\n"
        "  account=vision  api=visual_layer  severity=warning  team=vision  type=alert\n"
        "\n"
        "Routing\n"
        "  yes  route\n"
        '  no   route.routes[0]: severity>="error" saw "warning"\n'
        "  yes  route.routes[1] -> vision (only within office; held meanwhile; no repeats within 3600 s)\n"
        "  so it goes to vision by route.routes[1], held until 2026-11-23 00:00:00 UTC (outside of office)\n"
        "\n"
        "Silences and inhibition\n"
        "  there is no ledger to ask\n"
    )


def test_for_machines_it_is_one_object_in_an_array(explain: Callable[..., Result]) -> None:
    (answer,) = json.loads(explain([{"labels": {"severity": "critical", "n": 5}}], "--json").stdout)
    (to,) = answer["routing"]["destinations"]
    assert (to["receiver"], to["standing"], answer["labels"]["n"], answer["ledger"]) == ("pager", "now", "5", False)


def test_a_title_is_the_alerts_own_wherever_it_is_said(explain: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "bellwire.yaml"
    path.write_text(
        path.read_text().replace("    - {", "    - {matchers: ['title = \"VIP\"'], receiver: ops}\n    - {", 1)
    )
    for said, receiver in (
        ({"title": "VIP"}, "ops"),
        ({"labels": {"title": "VIP"}}, "ops"),
        ({"title": "VIP", "labels": {"title": "theirs"}}, "ops"),  # as `--json` prints an alert with such a label
        ({"title": "own", "labels": {"title": "VIP", "severity": "error"}}, "pager"),
    ):
        (answer,) = json.loads(explain(said, "--json").stdout)
        assert [each["receiver"] for each in answer["routing"]["destinations"]] == [receiver]


async def record(tmp_path: Path) -> None:
    """Fill a ledger with a silence on ops, an outage of team vision, and an alert that went to vision."""
    rules = compile_rules(load(tmp_path / "bellwire.yaml", {}))
    clock = FakeClock()
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/ledger.db", lambda _last: clock)
    silence = NewSilence(
        matchers=('kind = "noise"',),
        starts_at=clock.wall(),
        ends_at=clock.wall() + timedelta(days=2),
        author="ann",
        comment="known",
    )
    outage = an_alert(
        type="outage", severity=Severity.ERROR, labels={"type": "outage", "severity": "error", "team": "x"}
    )
    first = an_alert(
        upstream_id="first",
        title="Scratches",
        labels={"account": "vision", "type": "alert", "severity": "warning", "team": "vision"},
    )
    (to,) = route(first, rules)[1].destinations
    arrival = an_arrival(
        ChannelKey(receiver="vision", kind="webhook"), alert=first, destination={"repetition": to.repetition}
    )
    try:
        await ledger.silences.add(silence)
        await ledger.record([an_arrival(alert=outage, casts=casts(rules.inhibit_rules, outage)[0]), arrival])
        await ledger.record([replace(arrival, alert=replace(first, upstream_id="again"))])
        noise = an_alert(upstream_id="silenced", labels={"kind": "noise"})
        await ledger.record([an_arrival(OPS, alert=noise)])
    finally:
        await ledger.close()


async def test_silences_shadows_and_repeats_of_the_ledger_are_looked_at(
    explain: Callable[..., Result], tmp_path: Path
) -> None:
    await record(tmp_path)
    silenced = explain({"labels": {"kind": "noise"}, "received_at": MONDAY})
    assert "  silenced by the silence " in silenced.stdout
    assert ": known (ann)\n" in silenced.stdout
    inhibited = explain({"labels": {"team": "x"}, "received_at": SUNDAY})
    assert "  inhibited by the alert " in inhibited.stdout
    repeated = explain({"account": "vision", "title": "Scratches", "received_at": MONDAY})
    assert "  vision: kept back as a repeat by the alert " in repeated.stdout
    free = explain({"labels": {"team": "y"}, "received_at": MONDAY})
    assert free.stdout.endswith("  nothing stands in its way\n")


async def test_of_an_alert_of_the_ledger_it_is_told_who_silenced_it_and_what_it_repeats(
    explain: Callable[..., Result], tmp_path: Path
) -> None:
    del explain  # its configuration is meant
    await record(tmp_path)

    def story(vendors_id: str) -> str:
        arguments = ["explain", vendors_id, "--config", str(tmp_path / "bellwire.yaml")]
        return CliRunner().invoke(main, arguments).stdout

    assert "  silenced by the silence " in story("silenced")
    assert ": known (ann)\n" in story("silenced")
    assert "so it would go to ops by route" in story("silenced")
    assert "pending, sent only if the alert that it repeats is not" in story("again")
    assert "vision/webhook waits: it may be a repeat of " in story("again")
    assert "vision/webhook  pending" in story("first")


async def test_what_json_prints_may_be_asked_again(explain: Callable[..., Result], tmp_path: Path) -> None:
    await record(tmp_path)
    arguments = ["explain", "first", "--json", "--config", str(tmp_path / "bellwire.yaml")]
    printed = (await asyncio.to_thread(CliRunner().invoke, main, arguments)).stdout
    again = explain(printed, "--json")
    assert (again.exit_code, json.loads(again.stdout)[0]["title"]) == (0, json.loads(printed)[0]["title"])
    assert explain(again.stdout).exit_code == 0


def test_labels_are_text_numbers_and_booleans_as_those_of_what_vendors_send(explain: Callable[..., Result]) -> None:
    given = {"a": None, "b": ["x"], "c": {"d": 1}, "e": True, "f": 1.5, "g": 12, "h": "", "i": "text"}
    result = explain({"labels": given, "title": None, "message": ["x"]}, "--json")
    (told,) = json.loads(result.stdout)
    labels = {name: value for name, value in told["labels"].items() if name in given}
    assert labels == labels_of(**given) == {"e": "true", "f": "1.5", "g": "12", "i": "text"}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{", "standard input is no JSON"),
        ("[]", "standard input is no alert"),
        ({"labels": []}, None),
        ({"labels": ["a"]}, "labels must be a mapping"),
        ({"severity": "bad"}, "'bad' is no severity"),
        ({"received_at": "noon"}, "received_at: noon is no time"),
        ({"received_at": "0001-01-01T00:00:00+14:00"}, "received_at: 0001-01-01T00:00:00+14:00 lies too far away"),
        ({"received_at": "9999-12-31T23:59:59"}, "write a time of the years 1970 to 8999"),
        ("[" * 100_000, "standard input is no JSON: nested too deeply"),
        ('{"title": "\\ud800", "payload": {"size": 1e400, "of": NaN}}', None),
        ({"title": "x", "sevrity": "error"}, "sevrity: unknown key: did you mean severity?"),
        ({"lables": {"team": "x"}}, "lables: unknown key: did you mean labels?"),
        ({"zzz": 1}, "zzz: unknown key: choose from account, api, "),
    ],
)
def test_what_is_no_alert_is_refused(explain: Callable[..., Result], said: Any, message: str | None) -> None:
    result = explain(said)
    assert result.exit_code == (2 if message else 0)
    assert (message or "") in result.stderr
