"""``bellwire test``: tests of the rules go through the real intake, ledger and channels, and reach nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from bellwire.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., Result]

RULES = """\
global: {timezone: Europe/Paris}
accounts:
  - {name: vision, api: visual_layer, base_url: 'https://vl.example.com', labels: {team: vision}}
label_rules:
  - {matchers: ['message =~ ".*fire.*"'], labels: {severity: critical}}
time_intervals:
  - name: office
    time_intervals: [{weekdays: ['monday:friday'], times: [{start_time: '09:00', end_time: '18:00'}]}]
inhibit_rules:
  - {source_matchers: ['type = "outage"'], target_matchers: ['severity < "error"'], equal: [account]}
route:
  receiver: ops
  group_by: [view_name]
  group_wait: 30s
  routes:
    - {matchers: ['severity >= "error"'], receiver: pager, group_by: ['...'], suppress_repeats: 1h, continue: true}
    - {matchers: ['type = "boring"'], receiver: null}
    - {matchers: ['kind = "office"'], active_time_intervals: [office], muted: hold}
    - {matchers: ['kind = "strict"'], active_time_intervals: [office]}
    - {matchers: ['kind = "daily"'], digest: '0 8 * * *'}
receivers:
  - {name: ops, webhook_configs: [{url: 'http://127.0.0.1:1/a'}], rate_limit: {per_second: 0.001}}
  - name: pager
    slack_configs: [{token: xoxb, channel: '#a', title: '{{ severity | upper }}: {{ alert.title }}', base_url: 'http://127.0.0.1:1/'}]
"""
SUNDAY = "2026-11-22T10:00:00"
MONDAY = "2026-11-23T10:00:00+01:00"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs one or more tests, from a file of their own."""
    (tmp_path / "bellwire.yaml").write_text(RULES)

    def invoke(*tests: dict[str, Any], options: tuple[str, ...] = ()) -> Result:
        named = [{"name": f"test {number}"} | test for number, test in enumerate(tests, 1)]
        (tmp_path / "tests.yaml").write_text(json.dumps(named))
        arguments = ["test", str(tmp_path / "tests.yaml"), "--config", str(tmp_path / "bellwire.yaml"), *options]
        return CliRunner().invoke(main, arguments)

    return invoke


def a_test(*alerts: dict[str, Any], at: str = MONDAY, expect: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"at": at, "alerts": list(alerts), "expect": expect, **more}


def alert(after: str = "0s", **values: Any) -> dict[str, Any]:
    labels = {name: values.pop(name) for name in list(values) if name in {"severity", "type", "view_name", "kind"}}
    return {"account": "vision", "labels": labels, "after": after, **values}


def of_kind(kind: str, **more: Any) -> dict[str, Any]:
    return alert(kind=kind, view_name="v", **more)


HOLD: dict[str, dict[str, Any]] = {
    "routes": a_test(alert(severity="error"), expect={"receivers": ["pager"], "held": []}),
    "label rules": a_test(alert(message="a fire"), expect={"receivers": ["pager"]}),
    "a drop": a_test(alert(type="boring"), expect={"receivers": [], "suppressed": "dropped"}),
    "a window that is open": a_test(of_kind("office"), expect={"receivers": ["ops"], "held": []}),
    "a window that is closed": a_test(of_kind("office"), at=SUNDAY, expect={"receivers": [], "held": ["ops"]}),
    "a window that opens": a_test(
        of_kind("office"),
        of_kind("office", after="1h"),
        at=SUNDAY,
        run_for="1d",
        expect={"receivers": ["ops"], "held": [], "title": "Digest: 2 alerts · view_name=v"},
    ),
    "a window that drops": a_test(of_kind("strict"), at=SUNDAY, expect={"receivers": [], "suppressed": "muted"}),
    "a digest that is collected": a_test(of_kind("daily"), expect={"receivers": [], "held": ["ops"]}),
    "a digest that goes out": a_test(of_kind("daily"), run_for="1d", expect={"receivers": ["ops"], "held": []}),
    "a time without an offset is by the configuration's zone": a_test(
        of_kind("office"), at="2026-11-23T09:00:00", expect={"receivers": ["ops"]}
    ),
    "a repeat": a_test(
        alert(severity="error", title="A"),
        alert(severity="error", title="A", after="10m"),
        expect={"suppressed": "repeat", "receivers": ["pager"]},
    ),
    "a title of its own": a_test(
        alert(title="VIP"), silences=[{"matchers": ["title=VIP"]}], expect={"suppressed": "silenced"}
    ),
    "a title among its labels": a_test(
        {"account": "vision", "labels": {"title": "VIP"}},
        silences=[{"matchers": ["title=VIP"]}],
        expect={"suppressed": "silenced"},
    ),
    "no repeat after its time": a_test(
        alert(severity="error", title="A"),
        alert(severity="error", title="A", after="2h"),
        expect={"suppressed": "repeat", "receivers": ["pager"]},
    ),
    "inhibition": a_test(
        alert(type="outage", severity="error"),
        alert(type="alert", after="5m"),
        expect={"receivers": ["pager"], "suppressed": "inhibited"},
    ),
    "a silence": a_test(
        alert(),
        silences=[{"matchers": ['team = "vision"']}],
        expect={"receivers": [], "suppressed": "silenced"},
    ),
    "a silence that has not begun": a_test(
        alert(),
        silences=[{"matchers": [{"name": "team", "op": "=", "value": "vision"}], "after": "1h"}],
        expect={"receivers": ["ops"]},
    ),
    "a silence that is over": a_test(
        alert(after="2h"),
        silences=[{"matchers": ['team = "vision"'], "duration": "1h"}],
        expect={"receivers": ["ops"]},
    ),
    "groups": a_test(
        alert(view_name="a"),
        alert(view_name="b"),
        alert(view_name="a", after="10s"),
        expect={"groups": [{"view_name": "b"}, {"view_name": "a"}], "title": "2 alerts · view_name=a"},
    ),
    "templates": a_test(
        alert(severity="error", title="Oh", message="some\ntext"), expect={"title": "ERROR: Oh", "text": "some\ntext"}
    ),
    "more messages than any rate limit lets through": a_test(
        *(alert(view_name=str(number)) for number in range(5)),
        expect={"groups": [{"view_name": str(number)} for number in range(5)]},
    ),
}
EXCEPTIONS = {"no repeat after its time"}


@pytest.mark.parametrize("name", [name for name in HOLD if name not in EXCEPTIONS])
def test_what_rules_say_is_seen(run: Run, name: str) -> None:
    result = run(HOLD[name])
    assert result.exit_code == 0, result.stdout
    assert result.stdout.startswith("ok    test 1\n\n1 test, all as expected, ")


def test_a_repeat_is_none_after_its_time(run: Run) -> None:
    result = run(HOLD["no repeat after its time"])
    assert result.exit_code == 1
    assert "suppressed\n          - repeat\n          + (none)\n" in result.stdout


def test_a_failure_shows_what_was_expected_and_what_was_found(run: Run) -> None:
    expect = {
        "receivers": ["pager"],
        "held": ["ops"],
        "suppressed": "dropped",
        "groups": [{"a": "b"}],
        "title": "x",
        "text": "two\nlines",
    }
    result = run(a_test(alert(view_name="v", title="T", message="words"), expect=expect))
    assert result.exit_code == 1
    body, _, total = result.stdout.rpartition("\n\n")
    assert body == (
        "FAIL  test 1\n"
        "        receivers\n          - pager\n          + ops\n"
        "        held\n          - ops\n          + (none)\n"
        "        suppressed\n          - dropped\n          + (none)\n"
        "        groups\n          - a=b\n          + view_name=v\n"
        "        title\n          - x\n          + T  (ops/webhook)\n"
        "        text\n          - two\n          - lines\n          + words  (ops/webhook)"
    )
    assert total.startswith("1 test, 1 failed, ")


def test_a_template_that_fails_fails_the_test(run: Run, tmp_path: Path) -> None:
    rules = RULES.replace("{{ alert.title }}", '{{ alert.title * 1000000000 if alert.title == "Oh" }}')
    (tmp_path / "bellwire.yaml").write_text(rules)
    result = run(a_test(alert(severity="error", title="Oh"), expect={"receivers": ["pager"]}))
    assert result.exit_code == 1
    assert "        errors\n          + pager/slack: " in result.stdout


def test_results_go_to_machines_as_json_and_as_junit(run: Run, tmp_path: Path) -> None:
    good, bad = HOLD["a drop"], a_test(alert(), expect={"receivers": ["pager"]})
    path = tmp_path / "junit.xml"
    result = run(good, bad, options=("--json", "--junit", str(path)))
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)
    assert (first["name"], first["passed"], first["differences"]) == ("test 1", True, [])
    assert second["differences"] == [{"key": "receivers", "expected": ["pager"], "found": ["ops"]}]
    root = ET.fromstring(path.read_bytes())  # noqa: S314 - we wrote it
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    cases = root.findall("testsuite/testcase")
    assert [(case.get("name"), case.find("failure") is None) for case in cases] == [("test 1", True), ("test 2", False)]
    assert root.findtext("testsuite/testcase/failure") == "receivers\n- pager\n+ ops"


def test_a_file_that_is_a_whole_configuration_is_tested_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = [{"name": "inline", "alerts": [{}], "expect": {"receivers": ["ops"]}}]
    path = tmp_path / "other.yaml"
    path.write_text(RULES + f"tests: {json.dumps(tests)}\n")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["test", str(path)])
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "ok    inline")
    path.write_text(RULES.replace("receiver: ops", "receiver: opps") + f"tests: {json.dumps(tests)}\n")
    bad = CliRunner().invoke(main, ["test", str(path)])
    assert (bad.exit_code, bad.stdout) == (78, "")
    assert "there is no receiver 'opps'" in bad.stderr


def test_tests_of_the_configuration_are_run_if_no_file_is_named(tmp_path: Path) -> None:
    tests = [{"name": "inline", "alerts": [{}], "expect": {"receivers": ["ops"]}}]
    path = tmp_path / "bellwire.yaml"
    path.write_text(RULES + f"tests: {json.dumps(tests)}\n")
    result = CliRunner().invoke(main, ["test", "--config", str(path)])
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "ok    inline")
    path.write_text(RULES)
    none = CliRunner().invoke(main, ["test", "--config", str(path)])
    assert (none.exit_code, none.stdout) == (1, "")
    assert "there are no tests" in none.stderr


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("tests:\n  - {name: a, alerts: [{acount: vision}], expect: {held: []}}\n", "2:25", "unknown key, did you mean account?"),
        ("- {name: a, alerts: [{account: visio}], expect: {held: []}}\n", "1:32", "there is no account visio: did you mean vision?"),
        ("- {name: a, alerts: [{}], expect: {receivers: [opps]}}\n", "1:48", "there is no receiver opps: did you mean ops?"),
        ("- {name: a, alerts: [{}], expect: {suppressed: catch_up}}\n", "1:48", "is no reason: choose from"),
        ("- {name: a, alerts: [{}], expect: {}}\n", "1:35", "expects nothing, so nothing could fail"),
        ("- {name: a, alerts: [], expect: {held: []}}\n", "1:21", "is empty: add an alert"),
        ("- {name: a, alerts: [{labels: {severity: bad}}], expect: {held: []}}\n", "1:42", "'bad' is no severity"),
        ("- {name: a, alerts: [{title: a, labels: {title: b}}], expect: {held: []}}\n", "1:49", "keep one of the two"),
        ("- {name: a, alerts: [{}], expect: {held: []}, at: noon}\n", "1:51", "must be a time, such as"),
        ("- {name: a, alerts: [{}], expect: {held: []}, at: 0001-01-01T00:00:00+10:00}\n", "1:51", "lies too far away: write a time of the years 1970 to 8999"),
        ("- {name: a, alerts: [{}], expect: {held: []}, at: 9999-12-31T23:59:59}\n", "1:51", "lies too far away"),
        ("- {name: a, alerts: [{}], expect: {held: []}, silences: [{matchers: ['a ==']}]}\n", "1:74", "expected a value"),
        ("- {name: a, alerts: [{}], expect: {held: []}, silences: [{matchers: ['a=~.*', 'b=']}]}\n", "1:69", "needs a matcher that the empty text"),
        ("- {name: a, alerts: [{after: 200000d}], expect: {held: []}}\n", "1:30", "is longer than a hundred years"),
        ("- {name: a, alerts: [{}], expect: {held: []}}\n- {name: a, alerts: [{}], expect: {held: []}}\n", "2:10", "is the name of tests[0] too"),
        ("route: {receiver: ops}\n", "1:1", "is no test"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_test_is_told_with_its_place(tmp_path: Path, text: str, place: str, message: str) -> None:
    (tmp_path / "bellwire.yaml").write_text(RULES)
    (tmp_path / "tests.yaml").write_text(text)
    arguments = ["test", str(tmp_path / "tests.yaml"), "--config", str(tmp_path / "bellwire.yaml")]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stdout) == (78, "")
    assert [line.split(": ")[0] for line in result.stderr.splitlines()] == [f"{tmp_path}/tests.yaml:{place}"]
    assert message in result.stderr


def test_the_same_mistake_in_the_configuration_is_told_too(tmp_path: Path) -> None:
    path = tmp_path / "bellwire.yaml"
    path.write_text(RULES + "tests: [{name: a, alerts: [{account: visio}], expect: {held: []}}]\n")
    result = CliRunner().invoke(main, ["check-config", str(path)])
    assert result.exit_code == 78
    assert "tests[0].alerts[0].account: there is no account visio" in result.stderr
