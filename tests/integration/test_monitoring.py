"""What watches Bellwire: its alert rules and its dashboard speak of series that there are."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from bellwire.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).parents[2] / "docs"
RULES = DOCS / "prometheus" / "bellwire.rules.yml"
TESTS = DOCS / "prometheus" / "bellwire.rules.test.yml"
DASHBOARD = json.loads((DOCS / "grafana" / "bellwire.json").read_text())

_METRIC = re.compile(r"\bbellwire_[a-z_]+")
_LABELS = re.compile(r"(bellwire_[a-z_]+)\{([^}]*)\}")
_GIVEN_BY_PROMETHEUS = {"job", "instance", "le"}


def series() -> dict[str, set[str]]:
    """Every series that Bellwire can expose, with its labels."""
    metrics = Metrics()
    found: dict[str, set[str]] = {}
    for collector in set(metrics.registry._names_to_collectors.values()):  # noqa: SLF001 - the registry tells it in no other way
        for family in collector.describe() if hasattr(collector, "describe") else collector.collect():
            labels = set(getattr(family if hasattr(family, "_labelnames") else collector, "_labelnames", ()))
            suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(family.type, [""])
            found |= {family.name + suffix: labels for suffix in suffixes}
    return found


def promtool(program: Callable[[str], str], *words: str | Path, given: bytes = b"") -> str:
    done = subprocess.run(  # noqa: S603 - the tests' own command
        [program("promtool"), *words], cwd=RULES.parent, input=given, capture_output=True, timeout=60, check=False
    )
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


# --- alert rules ---------------------------------------------------------------------------------------------------


def rules() -> list[dict[str, Any]]:
    loaded = YAML(typ="safe").load(RULES)
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def test_prometheus_takes_the_alert_rules(program: Callable[[str], str]) -> None:
    assert f"SUCCESS: {len(rules())} rules found" in promtool(program, "check", "rules", RULES)


def test_the_alert_rules_pass_their_own_tests(program: Callable[[str], str]) -> None:
    assert "SUCCESS" in promtool(program, "test", "rules", TESTS)


def test_every_alert_rule_has_a_test_that_sees_it_fire_and_says_what_to_do() -> None:
    tests = YAML(typ="safe").load(TESTS)["tests"]
    cases = [case for test in tests for case in test.get("alert_rule_test", [])]
    firing = {case["alertname"] for case in cases if case["exp_alerts"]}
    assert firing == {rule["alert"] for rule in rules()}
    for rule in rules():
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
        assert rule["annotations"].keys() == {"summary", "description"}


def test_alert_rules_ask_for_series_that_there_are() -> None:
    known = series()
    for rule in rules():
        assert set(_METRIC.findall(rule["expr"])) <= known.keys(), rule["alert"]
        assert_labels(rule["expr"], known)


def test_what_is_exposed_pleases_prometheus(program: Callable[[str], str]) -> None:
    metrics = Metrics()
    metrics.add_account("vision")
    exposed = metrics.expose()
    assert promtool(program, "check", "metrics", given=exposed) == ""
    assert {family.name for family in text_string_to_metric_families(exposed.decode())}


# --- dashboard -----------------------------------------------------------------------------------------------------


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def assert_labels(query: str, known: dict[str, set[str]]) -> None:
    """Hold that a query selects by labels that its series have."""
    for name, selector in _LABELS.findall(query):
        asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
        assert asked - _GIVEN_BY_PROMETHEUS <= known[name], (name, selector)


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_a_panel_asks_for_series_that_there_are(panel: dict[str, Any]) -> None:
    known = series()
    assert panel["targets"]
    for target in panel["targets"]:
        asked = set(_METRIC.findall(target["expr"]))
        assert asked
        assert asked <= known.keys()
        assert_labels(target["expr"], known)
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= set().union(
            *(known[name] for name in asked)
        )


def test_every_series_is_on_the_dashboard_or_in_a_rule() -> None:
    text = json.dumps(DASHBOARD) + RULES.read_text()
    shown = set(_METRIC.findall(text))
    hidden = {name for name in series() if name not in shown and not name.endswith(("_count", "_sum"))}
    assert hidden <= {"bellwire_heartbeats_total"}  # whoever takes the heartbeats watches them


def test_the_dashboard_has_the_shape_that_grafana_imports() -> None:
    assert DASHBOARD["uid"] == "bellwire"
    assert DASHBOARD["schemaVersion"] >= 30
    assert "id" not in DASHBOARD  # of another's database
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)\}?", json.dumps(DASHBOARD["panels"]))) - {"__rate_interval"}
    assert used <= variables
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["fieldConfig"]["defaults"]["unit"]


def test_panels_do_not_lie_upon_each_other() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)
