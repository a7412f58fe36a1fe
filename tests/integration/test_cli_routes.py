"""``bellwire routes show`` and ``bellwire routes test`` as someone types them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from bellwire.cli import main
from bellwire.ledger.ledger import Ledger
from bellwire.model import Severity
from fakes import FakeClock
from makers import OPS, an_alert, an_arrival

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RULES = """\
global: {timezone: Europe/Paris}
accounts:
  - {name: vision, api: visual_layer, base_url: 'https://vl.example.com', labels: {team: vision}}
label_rules:
  - {matchers: ['message =~ ".*fire.*"'], labels: {severity: critical}}
time_intervals:
  - name: office
    time_intervals: [{weekdays: ['monday:friday'], times: [{start_time: '09:00', end_time: '18:00'}]}]
route:
  receiver: ops
  group_by: [account, view_name]
  group_wait: 30s
  group_interval: 5m
  routes:
    - {matchers: ['severity >= "error"'], receiver: pager, continue: true}
    - matchers: ['team = "vision"', 'type != "boring"']
      receiver: vision
      active_time_intervals: [office]
      muted: hold
      suppress_repeats: 1h
      routes:
        - {matchers: ['view_name = "night shift"'], active_time_intervals: [], group_by: ['...']}
        - {matchers: ['view_name = "day"'], receiver: day, muted: drop}
    - {matchers: ['type = "boring"'], receiver: null}
    - {matchers: ['payload.owner.id = "7"'], digest: '0 8 * * mon-fri'}
receivers:
  - {name: ops, webhook_configs: [{url: 'http://a'}]}
  - {name: pager, webhook_configs: [{url: 'http://b'}]}
  - {name: vision, webhook_configs: [{url: 'http://c'}]}
  - {name: day, webhook_configs: [{url: 'http://d'}]}
"""

TREE = """\
every alert → ops
│  grouped by account, view_name: after 30s, at most every 5m
├─ severity>="error" → pager  and goes on
├─ team="vision"  type!="boring" → vision
│  │  only within office: held meanwhile
│  │  no repeats within 1h, alike by account, type, title
│  ├─ view_name="night shift" → vision
│  │     each alert alone
│  │     at any time
│  └─ view_name="day" → day
│        only within office: dropped meanwhile
├─ type="boring" → dropped
└─ payload.owner.id="7" → ops
      one digest at "0 8 * * mon-fri"
"""

SUNDAY = "2026-11-22T10:00"  # by the configuration's zone


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    path = tmp_path / "bellwire.yaml"
    path.write_text(RULES + f"storage: {{url: 'sqlite:///{tmp_path}/ledger.db'}}\n")

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["routes", *arguments, "--config", str(path)])

    return invoke


def test_the_tree_is_drawn_with_what_differs_from_the_route_above(run: Callable[..., Result]) -> None:
    result = run("show")
    assert (result.exit_code, result.stdout) == (0, TREE)


def test_for_machines_each_route_says_all_that_holds_for_it(run: Callable[..., Result]) -> None:
    rows = json.loads(run("show", "--json").stdout)
    assert [row["route"] for row in rows][:5] == [
        "route",
        "route.routes[0]",
        "route.routes[1]",
        "route.routes[1].routes[0]",
        "route.routes[1].routes[1]",
    ]
    assert rows[4] == {
        "route": "route.routes[1].routes[1]",
        "parent": "route.routes[1]",
        "receiver": "day",
        "matchers": ['view_name="day"'],
        "continue": False,
        "group_by": ["account", "view_name"],
        "group_wait": "30s",
        "group_interval": "5m",
        "active_time_intervals": ["office"],
        "mute_time_intervals": [],
        "muted": "drop",
        "suppress_repeats": "1h",
        "dedupe_by": ["account", "type", "title"],
        "digest": None,
    }
    assert rows[5]["receiver"] is None


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ([], "ops"),
        (["severity=error"], "pager"),
        (["account=vision"], "vision"),
        (["team=vision", "severity=critical"], "pager,vision"),
        (["account=vision", "message=a fire = bad"], "pager,vision"),
        (["account=vision", "view_name=day"], "day"),
        (["account=vision", "type=boring"], ""),
        (["payload.owner.id=7"], "ops"),
    ],
)
def test_the_receivers_of_labels_are_printed(run: Callable[..., Result], labels: list[str], receivers: str) -> None:
    result = run("test", *labels)
    assert (result.exit_code, result.stdout) == (0, f"{receivers}\n")


def test_what_is_dropped_says_by_which_route(run: Callable[..., Result]) -> None:
    assert run("test", "type=boring").stderr == "dropped by route.routes[2]\n"


def test_an_account_brings_its_api_and_labels_and_may_be_mistyped(run: Callable[..., Result]) -> None:
    result = run("test", "account=visoin")
    assert (result.exit_code, result.stdout) == (0, "ops\n")
    assert result.stderr == "note: there is no account visoin: did you mean vision?; its labels are those given\n"


def test_other_receivers_than_expected_are_an_error(run: Callable[..., Result]) -> None:
    labels = ["team=vision", "severity=error"]
    assert run("test", "--verify.receivers=vision,pager", *labels).exit_code == 0
    wrong = run("test", "--verify.receivers=ops", *labels)
    assert (wrong.exit_code, wrong.stdout) == (1, "pager,vision\n")
    assert wrong.stderr == "bellwire: expected receivers ops, found pager,vision\n"
    assert run("test", "--verify.receivers=", "type=boring").exit_code == 0
    assert run("test", "--verify.receivers=ops", "type=boring").exit_code == 1


def test_at_a_time_windows_drop_hold_or_collect(run: Callable[..., Result]) -> None:
    held = run("test", "account=vision", "--at", SUNDAY)
    assert held.stdout == "vision\n"
    assert held.stderr == "vision: held until 2026-11-23 08:00:00 UTC (outside of office)\n"
    muted = run("test", "account=vision", "view_name=day", "--at", SUNDAY)
    assert (muted.stdout, muted.stderr) == ("\n", "day: muted (outside of office)\n")
    assert run("test", "account=vision", "--at", "2026-11-23T09:00:00+01:00").stderr == ""
    (row,) = json.loads(run("test", "payload.owner.id=7", "--at", SUNDAY, "--json").stdout)
    assert row == {
        "receiver": "ops",
        "route": "route.routes[3]",
        "group_labels": {"account": "", "view_name": ""},
        "standing": "collected",
        "until": "2026-11-23T07:00:00Z",
        "why": "digest 0 8 * * mon-fri",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["severity"], "severity is no label: write LABEL=VALUE"),
        (["=x"], "=x is no label"),
        (["severity=bad"], "'bad' is no severity: write info, warning, error, critical"),
        (["--at", "noon"], "noon is no time"),
        (
            ["--at", "0001-01-01T00:00:00+14:00"],
            "--at: 0001-01-01T00:00:00+14:00 lies too far away: write a time of the ",
        ),
        (
            ["--at", "9999-12-31T23:59:59", "account=vision"],
            "lies too far away: write a time of the years 1970 to 8999",
        ),
    ],
)
def test_what_cannot_be_understood_is_called_wrongly(
    run: Callable[..., Result], arguments: list[str], message: str
) -> None:
    result = run("test", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


async def test_an_alert_of_the_ledger_is_routed_anew_with_what_is_said_of_it(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/ledger.db", lambda _last: FakeClock())
    alert = an_alert(severity=Severity.ERROR, labels={"severity": "error", "team": "vision"}, upstream_id="item-x")
    try:
        (alert_id,) = await ledger.record([an_arrival(OPS, alert=alert)])
    finally:
        await ledger.close()
    assert alert_id is not None
    assert run("test", "--alert", alert_id).stdout == "pager,vision\n"
    assert run("test", "--alert", "item-x", "severity=info").stdout == "vision\n"
    none = run("test", "--alert", "other")
    assert (none.exit_code, none.stderr) == (
        1,
        "bellwire: there is no alert other: `bellwire alerts` lists the newest\n",
    )


async def test_a_title_that_is_given_is_the_alerts_own_and_wins_over_the_ledgers(tmp_path: Path) -> None:
    path = tmp_path / "bellwire.yaml"
    rules = RULES.replace(
        "  routes:\n    - {", "  routes:\n    - {matchers: ['title =~ \"VIP.*\"'], receiver: day}\n    - {", 1
    )
    path.write_text(rules + f"storage: {{url: 'sqlite:///{tmp_path}/ledger.db'}}\n")
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/ledger.db", lambda _last: FakeClock())
    try:
        mine = an_alert(upstream_id="mine", title="VIP 1", labels={"title": "theirs"})
        theirs = an_alert(upstream_id="theirs", title="mine", labels={"title": "VIP 2"})
        await ledger.record([an_arrival(OPS, alert=mine), an_arrival(OPS, alert=theirs)])
    finally:
        await ledger.close()

    def receivers(*arguments: str) -> str:
        return CliRunner().invoke(main, ["routes", "test", *arguments, "--config", str(path)]).stdout

    assert receivers("title=VIPx") == "day\n"
    assert receivers("title=other") == "ops\n"
    assert receivers("--alert", "mine") == "day\n"
    assert receivers("--alert", "mine", "title=other") == "ops\n"
    assert receivers("--alert", "theirs") == "ops\n"
    assert receivers("--alert", "theirs", "title=VIPx") == "day\n"


def test_without_a_ledger_no_alert_can_be_taken_from_it(run: Callable[..., Result]) -> None:
    result = run("test", "--alert", "x")
    assert result.exit_code == 1
    assert "there is no ledger yet" in result.stderr


def test_a_bad_configuration_is_said_and_nothing_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("route: {}\n")
    result = CliRunner().invoke(main, ["routes", "show", "--config", str(path)])
    assert (result.exit_code, result.stdout) == (78, "")
