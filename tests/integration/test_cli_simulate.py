"""``bellwire simulate``: the alerts of the ledger through another configuration."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from bellwire.cli import main
from bellwire.config.load import load
from bellwire.config.rules import compile_rules
from bellwire.ledger.ledger import Ledger
from bellwire.model import Alert, ChannelKey, Decision, Severity, Suppression
from bellwire.rehearsal.simulation import SAMPLES, Simulation
from bellwire.routing.rules import route
from fakes import FakeClock
from makers import an_alert, an_arrival

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from bellwire.routing.rules import Rules

RECEIVERS = """\
receivers:
  - {name: ops, webhook_configs: [{url: 'http://a'}]}
  - {name: pager, webhook_configs: [{url: 'http://b'}]}
time_intervals: [{name: office, time_intervals: [{weekdays: ['monday:friday']}]}]
"""
OLD = f"""\
{RECEIVERS}
route: {{receiver: ops, routes: [{{matchers: ['severity = "critical"'], receiver: pager}}]}}
"""
NEW = f"""\
{RECEIVERS}
label_rules: [{{matchers: ['title =~ ".*fire.*"'], labels: {{severity: critical}}}}]
route:
  receiver: ops
  routes:
    - {{matchers: ['severity = "critical"'], receiver: pager, active_time_intervals: [office], muted: hold}}
    - {{matchers: ['severity = "info"'], receiver: null}}
    - {{matchers: ['severity = "warning"'], digest: '0 8 * * *'}}
"""
SUNDAY = datetime(2026, 11, 22, 10, tzinfo=UTC)
MONDAY = SUNDAY + timedelta(days=1)


def rules(folder: Path, text: str) -> Rules:
    (folder / "rules.yaml").write_text(text)
    return compile_rules(load(folder / "rules.yaml", {}))


@pytest.fixture
def simulation(tmp_path: Path) -> Simulation:
    return Simulation(rules(tmp_path, OLD), rules(tmp_path, NEW))


def alert(severity: str, at: datetime = SUNDAY, **values: Any) -> Alert:
    rank = Severity.of(severity)
    return an_alert(severity=rank, received_at=at, labels={"severity": severity}, **values)


def changes(simulation: Simulation) -> list[tuple[tuple[str, ...], tuple[str, ...], int]]:
    return [(each.before, each.after, each.number) for each in simulation.changes]


def add(simulation: Simulation, old: Rules, alerts: Iterable[Alert]) -> None:
    for each in alerts:
        simulation.add(each, route(each, old)[1])


def test_what_would_reach_nobody_comes_first_then_the_most_frequent(simulation: Simulation, tmp_path: Path) -> None:
    every = [
        *(alert("warning") for _ in range(3)),
        alert("info"),
        alert("error", title="a fire", at=MONDAY),
        alert("critical"),
        alert("critical", at=MONDAY),
        alert("error"),
    ]
    add(simulation, rules(tmp_path, OLD), every)
    assert changes(simulation) == [
        (("ops",), (), 1),
        (("ops",), ("ops (digest)",), 3),
        (("ops",), ("pager",), 1),
        (("pager",), ("pager (held)",), 1),
    ]
    assert simulation.unchanged == 2


def test_what_a_catch_up_policy_left_out_is_not_looked_at(simulation: Simulation) -> None:
    simulation.add(alert("info"), Decision(suppressed=Suppression.CATCH_UP))
    assert (changes(simulation), simulation.left_out) == ([], 1)


def test_samples_are_few_however_many_alerts_there_are(simulation: Simulation, tmp_path: Path) -> None:
    add(simulation, rules(tmp_path, OLD), (alert("info") for _ in range(50)))
    (change,) = simulation.changes
    assert (change.number, len(change.samples)) == (50, SAMPLES)


# --- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def simulate(tmp_path: Path) -> Callable[..., Result]:
    (tmp_path / "old.yaml").write_text(OLD + f"storage: {{url: 'sqlite:///{tmp_path}/ledger.db'}}\n")
    (tmp_path / "new.yaml").write_text(NEW)

    def invoke(*options: str) -> Result:
        arguments = ["simulate", "--config", str(tmp_path / "old.yaml"), "--with", str(tmp_path / "new.yaml"), *options]
        return CliRunner().invoke(main, arguments)

    return invoke


async def record(folder: Path, alerts: Iterable[Alert], at: datetime) -> None:
    old = rules(folder, OLD)
    ledger = await Ledger.open(f"sqlite:///{folder}/ledger.db", lambda _last: FakeClock(at))
    try:
        for each in alerts:
            decision = route(each, old)[1]
            keys = [ChannelKey(receiver=to.receiver, kind="webhook") for to in decision.destinations]
            await ledger.record([an_arrival(*keys, alert=each)])
    finally:
        await ledger.close()


async def test_the_difference_is_printed(simulate: Callable[..., Result], tmp_path: Path) -> None:
    now = datetime.now(UTC)
    every = [alert("info", title=f"Nothing {n}") for n in range(5)] + [alert("error", title="Something")]
    await record(tmp_path, every, now - timedelta(hours=1))
    result = simulate()
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[:5] == [
        f"6 alerts through {tmp_path}/new.yaml",
        "           1  stay as they were",
        "           0  change receivers",
        "           5  would reach nobody",
        "",
    ]
    assert lines[5] == "           5  ops → nobody"
    assert [line.split()[1:] for line in lines[6:9]] == [["info", "vision", "Nothing", str(n)] for n in range(3)]
    assert lines[9] == "              and 2 more"
    assert "Not simulated:" in lines


async def test_for_machines_each_change_is_an_object(simulate: Callable[..., Result], tmp_path: Path) -> None:
    await record(tmp_path, [alert("info", title="Nothing")], datetime.now(UTC) - timedelta(hours=1))
    (change,) = json.loads(simulate("--json").stdout)
    assert (change["before"], change["after"], change["alerts"], change["lost"]) == (["ops"], [], 1, True)
    (sample,) = change["samples"]
    assert (sample["title"], sample["severity"], len(sample["id"])) == ("Nothing", "info", 26)


async def test_only_what_came_since_is_run(simulate: Callable[..., Result], tmp_path: Path) -> None:
    await record(tmp_path, [alert("info")], datetime.now(UTC) - timedelta(days=3))
    assert len(json.loads(simulate("--json").stdout)) == 1
    assert json.loads(simulate("--json", "--since", "2d").stdout) == []


def test_without_a_ledger_there_is_nothing_to_run(simulate: Callable[..., Result]) -> None:
    result = simulate()
    assert result.exit_code == 1
    assert "there is no ledger yet" in result.stderr


def test_a_bad_configuration_and_a_bad_duration_are_said(simulate: Callable[..., Result], tmp_path: Path) -> None:
    assert simulate("--since", "soon").exit_code == 2
    ages = simulate("--since", "99999999d")
    assert (ages.exit_code, ages.stderr.splitlines()[-1]) == (
        2,
        "Error: Invalid value for '--since': '99999999d' is longer than a hundred years: write less, such as 7d",
    )
    (tmp_path / "new.yaml").write_text("route: {}\n")
    result = simulate()
    assert result.exit_code == 78
    assert "new.yaml:1:8: route: the root route must name a receiver" in result.stderr
