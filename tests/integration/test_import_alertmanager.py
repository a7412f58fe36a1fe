"""An Alertmanager configuration becomes ours: what can be is equivalent, and for the rest there is a comment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from bellwire.cli import main
from bellwire.config.load import load
from bellwire.config.rules import compile_rules
from bellwire.routing.rules import route
from makers import an_alert

if TYPE_CHECKING:
    from pathlib import Path

    from bellwire.config.schema import Config

TEAMS = """\
global:
  smtp_smarthost: 'localhost:25'
  smtp_from: 'Alerts <alertmanager@example.org>'
  smtp_auth_username: 'alertmanager'
  smtp_auth_password: 'pa$${s}s'
  resolve_timeout: 5m
templates: ['/etc/alertmanager/*.tmpl']
route:
  group_by: [alertname, cluster]
  group_wait: 45s
  repeat_interval: 3h
  receiver: team-x-mails
  routes:
    - matchers: [service=~"foo1|foo2|baz"]
      receiver: team-x-mails
      mute_time_intervals: [offhours]
      routes:
        - matchers: [severity="critical"]
          receiver: team-x-pager
          repeat_interval: 1y
    - match: {service: files, shard: 1}
      match_re: {cluster: 'eu-.*'}
      receiver: team-y
      continue: true
      active_time_intervals: [office]
      group_interval: 1d
    - matchers: ['{alertname="Watchdog", foo!~"a${b}"}']
      receiver: blackhole
    - matchers: [service="database"]
      receiver: team-y
      group_by: ['...']
inhibit_rules:
  - {source_matchers: [severity="critical"], target_matchers: [severity="warning"], equal: [alertname]}
  - {source_match: {severity: critical}, target_match_re: {severity: warning|info}}
receivers:
  - name: blackhole
  - name: team-x-mails
    email_configs:
      - {to: 'x+alerts@example.org, Other <other@example.org>', require_tls: false, send_resolved: true}
  - name: team-x-pager
    email_configs: [{to: pager@example.org, smarthost: 'mail:465', auth_password_file: smtp_password}]
    pagerduty_configs: [{routing_key: KEY}]
  - name: team-y
    webhook_configs:
      - {url: 'http://127.0.0.1:5001/', http_config: {basic_auth: {username: u, password: p}}}
      - {url_file: hook_url, max_alerts: 2000, timeout: 10s}
time_intervals:
  - name: offhours
    time_intervals:
      - {times: [{start_time: 00:00, end_time: '08:00'}, {start_time: 18:00, end_time: 24:00}], location: Europe/Paris}
      - weekdays: ['saturday', 'sunday']
mute_time_intervals:
  - name: office
    time_intervals: [{weekdays: [monday:friday], days_of_month: ['1:5', -1], months: [january:june], years: [2024:2030]}]
"""

CHATS = """\
global:
  slack_api_url: https://hooks.slack.com/services/T0/B0/XX
  http_config: {proxy_url: 'http://proxy:3128'}
route:
  receiver: chat
receivers:
  - name: chat
    slack_configs:
      - {channel: '#alerts', title: '{{ .CommonLabels.alertname }}', username: bot}
      - api_url: https://slack.com/api/chat.postMessage
        channel: '#ops'
        http_config: {authorization: {type: Bearer, credentials_file: slack_bot}}
    telegram_configs: [{bot_token: '123456789:abcdefghijklmnopqrstuvwxyzABCDEFGHI', chat_id: -12345}]
    opsgenie_configs: [{api_key: 'abcdefgh-1234-1234-1234-123456789012'}]
"""

BLACKHOLE_ROOT = """\
route:
  receiver: 'null'
  routes:
    - {match: {severity: critical}, receiver: pager, continue: true}
    - {match: {team: a}, receiver: team-a}
receivers:
  - name: 'null'
  - {name: pager, webhook_configs: [{url: 'http://pager'}]}
  - {name: team-a, webhook_configs: [{url: 'http://a'}]}
"""


def translated(folder: Path, text: str) -> str:
    (folder / "alertmanager.yml").write_text(text)
    result = run(str(folder / "alertmanager.yml"))
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def loaded(folder: Path, text: str, **environ: str) -> Config:
    """Return what our own loader makes of the translation; it takes it as it is."""
    (folder / "bellwire.yaml").write_text(translated(folder, text))
    for name in ("smtp_password", "hook_url", "slack_bot"):
        (folder / name).write_text("http://secret" if name == "hook_url" else "secret")
    return load(folder / "bellwire.yaml", environ)


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["import-alertmanager", *arguments], input=stdin)


@pytest.fixture
def teams(tmp_path: Path) -> Config:
    key = "0" * 32
    return loaded(tmp_path, TEAMS, TEAM_X_PAGER_PAGERDUTY_URL=f"pagerduty://{key}@{key}")


def receivers(config: Config, **labels: str) -> list[str]:
    alert = an_alert(labels={"severity": "warning"} | labels)
    return [each.receiver for each in route(alert, compile_rules(config))[1].destinations]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, ["team-x-mails"]),
        ({"service": "foo2", "severity": "critical"}, ["team-x-pager"]),
        ({"service": "foo22", "severity": "critical"}, ["team-x-mails"]),
        ({"service": "files", "shard": "1", "cluster": "eu-west"}, ["team-y"]),
        ({"service": "files", "cluster": "eu-west"}, ["team-x-mails"]),
        ({"alertname": "Watchdog"}, []),
        ({"alertname": "Watchdog", "foo": "ab"}, []),
        ({"service": "database"}, ["team-y"]),
    ],
)
def test_alerts_go_where_they_went(teams: Config, labels: dict[str, str], expected: list[str]) -> None:
    assert receivers(teams, **labels) == expected


def test_groups_and_windows_are_those_of_alertmanager(teams: Config) -> None:
    root = compile_rules(teams).root
    assert (root.grouping.by, root.grouping.wait, root.grouping.interval) == (("alertname", "cluster"), 45, 300)
    first, second, _, last = root.children
    assert (first.muting.mute, first.muting.hold) == (("offhours",), True)
    assert first.children[0].muting.mute == (), "there, windows are not inherited"
    assert (second.muting.active, second.grouping.interval) == (("office",), 86_400)
    assert last.grouping.alone
    offhours, office = teams.time_intervals
    assert [(each.start_time, each.end_time) for each in offhours.time_intervals[0].times] == [
        ("00:00", "08:00"),
        ("18:00", "24:00"),
    ]
    assert offhours.time_intervals[0].location == "Europe/Paris"
    assert (office.time_intervals[0].days_of_month, office.time_intervals[0].years) == (["1:5", "-1"], ["2024:2030"])
    assert teams.inhibit_rules[0].equal == ["alertname"]
    assert teams.inhibit_rules[1].target_matchers == ['severity =~ "warning|info"']


def test_mail_folds_in_what_stood_under_global_and_secrets_stay_where_they_are(teams: Config) -> None:
    (mails,) = teams.receivers[0].email_configs
    assert mails.to == ["x+alerts@example.org", "other@example.org"]
    assert (mails.from_, mails.smarthost, mails.tls) == ("alertmanager@example.org", "localhost:25", "none")
    assert mails.auth_password is not None
    assert mails.auth_password.get_secret_value() == "pa$${s}s", "dollars are no references there"
    (pager,) = teams.receivers[1].email_configs
    assert (pager.smarthost, pager.tls) == ("mail:465", "implicit")
    assert pager.auth_password is not None
    assert pager.auth_password.get_secret_value() == "secret"
    basic, filed = teams.receivers[2].webhook_configs
    assert basic.headers["Authorization"].get_secret_value() == "Basic dTpw"
    assert (filed.url.get_secret_value(), filed.max_alerts, filed.timeout) == (
        "http://secret",
        1000,
        filed.timeout,
    )


def test_what_has_no_equivalent_is_told_in_comments(tmp_path: Path) -> None:
    text = translated(tmp_path, TEAMS)
    comments = " ".join(line.strip().lstrip("# ") for line in text.splitlines() if line.strip().startswith("#"))
    for told in (
        "repeat_interval: 3h is left out. There it sends an alert that still fires once more",
        "repeat_interval: 1y is left out",
        "send_resolved (line 39): notifications have no end",
        "global.resolve_timeout (line 6)",
        "templates: /etc/alertmanager/*.tmpl holds Go's templates",
        "the receiver blackhole (line 36) delivers nothing",
        "set $TEAM_X_PAGER_PAGERDUTY_URL to its address",
        "by accounts[].labels or label_rules: alertname, cluster, service, shard, foo",
        "Alertmanager's routes do not inherit mute_time_intervals",
        "it lasts for `duration`",
    ):
        assert told in comments, told
    assert "repeat_interval:" not in "".join(line for line in text.splitlines() if not line.strip().startswith("#"))


def test_an_address_that_cannot_be_made_must_be_set_before_the_file_loads(tmp_path: Path) -> None:
    (tmp_path / "bellwire.yaml").write_text(translated(tmp_path, TEAMS))
    result = CliRunner().invoke(main, ["check-config", str(tmp_path / "bellwire.yaml")])
    assert result.exit_code == 78
    assert "the environment variable TEAM_X_PAGER_PAGERDUTY_URL is not set" in result.stderr


def test_chats_become_slack_and_apprise_channels(tmp_path: Path) -> None:
    (chat,) = loaded(tmp_path, CHATS).receivers
    hook, bot = chat.slack_configs
    assert hook.api_url is not None
    assert hook.api_url.get_secret_value() == "https://hooks.slack.com/services/T0/B0/XX"
    assert hook.http_config.proxy_url is not None
    assert (hook.channel, hook.title) == (None, None)
    assert bot.token is not None
    assert (bot.token.get_secret_value(), bot.channel) == ("secret", "#ops")
    assert [each.url.get_secret_value() for each in chat.apprise_configs] == [
        "tgram://123456789%3AabcdefghijklmnopqrstuvwxyzABCDEFGHI/-12345",
        "opsgenie://abcdefgh-1234-1234-1234-123456789012",
    ]
    text = translated(tmp_path, CHATS)
    assert "# channel: #alerts: an incoming webhook posts to the channel that it was made for" in text
    assert "title (line 9) is one of Go's templates" in text
    assert "# no equivalent: username (line 9)" in text


def test_the_defaults_of_grouping_are_those_of_alertmanager(tmp_path: Path) -> None:
    grouping = compile_rules(loaded(tmp_path, CHATS)).root.grouping
    assert (grouping.by, grouping.alone, grouping.wait, grouping.interval) == ((), False, 30, 300)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [({}, []), ({"team": "a"}, ["team-a"]), ({"severity": "critical"}, ["pager"])],
)
def test_a_root_that_delivers_nothing_drops_what_no_route_takes(
    tmp_path: Path, labels: dict[str, str], expected: list[str]
) -> None:
    config = loaded(tmp_path, BLACKHOLE_ROOT)
    assert receivers(config, **labels) == expected
    assert config.route.receiver == "pager"


ODD = """\
route:
  receiver: root
  routes:
    - {matchers: ['team!=', 'kind='], receiver: empty}
    - {matchers: ["foo!~'x'", 'bar =~ .*', zone==a], receiver: letter}
    - matchers: ['a=~"["']
      receiver: lost
      routes: [{receiver: lost-too}]
    - matchers: [grade=b]
      receiver: kept
      routes: [{match_re: {a: '(?=x)'}, receiver: lost}, {match: {b: }, receiver: below}]
inhibit_rules:
  - {source_matchers: [a=b], target_matchers: ['a"b']}
receivers:
"""
ODD += "".join(
    f"  - {{name: {name}, webhook_configs: [{{url: 'http://{name}'}}]}}\n"
    for name in ("root", "empty", "letter", "lost", "lost-too", "kept", "below")
)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"team": "a"}, ["empty"]),
        ({"team": "a", "kind": "x"}, ["root"]),
        ({"zone": "=a"}, ["letter"]),
        ({"zone": "a"}, ["root"]),
        ({"zone": "=a", "foo": "'x'"}, ["root"]),
        ({"zone": "=a", "foo": "x"}, ["letter"]),
        ({"grade": "b", "b": "1"}, ["kept"]),
        ({"grade": "b"}, ["below"]),
    ],
)
def test_strange_matchers_mean_what_they_meant_and_none_is_left_out_of_its_route(
    tmp_path: Path, labels: dict[str, str], expected: list[str]
) -> None:
    assert receivers(loaded(tmp_path, ODD), **labels) == expected


def test_a_route_whose_matcher_cannot_be_taken_is_left_out_and_told(tmp_path: Path) -> None:
    text = translated(tmp_path, ODD)
    comments = " ".join(line.strip().lstrip("# ") for line in text.splitlines() if line.strip().startswith("#"))
    for told in (
        "foo!~'x' (line 5) is read to the letter, as Alertmanager does: is that meant?",
        "zone==a (line 5) is read to the letter",
        'The route in line 6 is left out, with all below it: a=~"[" (line 6) cannot be taken: ',
        "The route in line 11 is left out, with all below it: a: (?=x) (line 11) cannot be taken: ",
        'The inhibit rule in line 13 is left out: a"b (line 13) cannot be taken: ',
    ):
        assert told in comments, told
    assert "receiver: lost" not in text


def test_a_route_of_which_nothing_is_left_below_has_no_routes(tmp_path: Path) -> None:
    document = "route: {receiver: a, routes: [{matchers: ['a=~[']}]}\nreceivers: [{name: a, webhook_configs: [{url: 'http://a'}]}]\n"
    assert receivers(loaded(tmp_path, document), a="x") == ["a"]


def test_it_reads_standard_input(tmp_path: Path) -> None:
    del tmp_path
    result = run("-", stdin=BLACKHOLE_ROOT)
    assert result.exit_code == 0
    assert "route:" in result.stdout


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("route: [\n", ":2:1: ", "is no YAML"),
        ("route: {receiver: a, receiver: b}\n", ":1:22: ", "is given twice"),
        ("receivers: []\n", ":1:1: ", "there is no route: is this an Alertmanager configuration?"),
        ("route: {receiver: a}\nreceivers: {name: a}\n", ":2:12: ", "receivers: must be a list"),
        ("route: {receiver: a, routes: [{matchers: [{a: b}]}]}\n", ":1:43: ", "route.routes[0].matchers[0]: "),
        ("route: {receiver: a, group_wait: soon}\n", ":1:34: ", "route.group_wait: is no duration"),
        ("route: {receiver: [a]}\n", ":1:19: ", "route.receiver: must be text"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(tmp_path: Path, text: str, place: str, message: str) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(text)
    result = run(str(path))
    assert (result.exit_code, result.stdout) == (78, "")
    assert result.stderr.startswith(f"{path}{place}")
    assert message in result.stderr


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = run(str(tmp_path / "none.yml"))
    assert result.exit_code == 78
    assert "cannot be read (No such file or directory)" in result.stderr


@pytest.mark.parametrize(
    "text", ["yes", "1", "true", "null", "a: b", "#x", "'", '"', "...", "- x", "a\nb", "$$", "${A}", "$${", ""]
)
def test_any_text_is_read_back_as_it_was(tmp_path: Path, text: str) -> None:
    import json  # noqa: PLC0415 - JSON is YAML

    document: dict[str, Any] = {
        "route": {"receiver": "a", "routes": [{"match": {"x": text}}]},
        "receivers": [{"name": "a", "webhook_configs": [{"url": "http://a"}]}],
    }
    config = loaded(tmp_path, json.dumps(document))
    assert receivers(config, x=text) == ["a"]
    (matcher,) = compile_rules(config).root.children[0].matchers
    assert matcher.value == text
