from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from bellwire.config.rules import RuleFaults, compile_matchers, compile_rules
from bellwire.config.schema import Config, MatcherConfig
from bellwire.errors import MatcherError
from bellwire.model import Alert, Decision, Destination, Grouping, RouteStep, Severity, Suppression
from bellwire.routing.labels import LabelRule, apply
from bellwire.routing.matcher_parser import parse_matchers
from bellwire.routing.record import dump, load
from bellwire.routing.rules import Rules, route
from bellwire.routing.steps import Steps

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ALERT = Alert(
    account="vision",
    api="visual_layer",
    upstream_id="1",
    type="anomaly",
    severity=Severity.WARNING,
    title="a title",
    message="something critical",
    url=None,
    created_at=NOON,
    received_at=NOON,
    labels={"account": "vision", "api": "visual_layer", "type": "anomaly", "severity": "warning"},
    payload={},
)


def config(**keys: Any) -> Config:
    receivers = [{"name": name} for name in ("ops", "pager", "audit")]
    return Config.model_validate({"receivers": receivers, "route": {"receiver": "ops"}, **keys})


def compiled(**keys: Any) -> Rules:
    return compile_rules(config(**keys))


def faults(**keys: Any) -> list[tuple[tuple[str | int, ...], str, int]]:
    with pytest.raises(RuleFaults) as raised:
        compiled(**keys)
    return raised.value.faults


# --- label rules ---------------------------------------------------------------------------------------------------


def rule(matchers: str, **labels: str) -> LabelRule:
    return LabelRule(path="label_rules[0]", matchers=parse_matchers(matchers), labels=labels)


def test_a_rule_sets_labels_on_what_it_matches_and_leaves_the_rest() -> None:
    relabelled, errors = apply([rule("type=anomaly", team="data"), rule("type=outage", team="web")], ALERT)

    assert relabelled == replace(ALERT, labels={**ALERT.labels, "team": "data"})
    assert errors == ()
    assert "team" not in ALERT.labels


def test_later_rules_see_what_earlier_ones_set() -> None:
    relabelled, _ = apply(
        [rule("type=anomaly", tier="1"), rule("tier=1", tier="2"), rule("tier=1", never="set")], ALERT
    )

    assert relabelled.labels["tier"] == "2"
    assert "never" not in relabelled.labels


def test_setting_the_label_severity_sets_the_alerts_severity_too() -> None:
    relabelled, _ = apply([rule("message=~'.*critical.*'".replace("'", '"'), severity="critical")], ALERT)

    assert relabelled.severity is Severity.CRITICAL
    assert relabelled.labels["severity"] == "critical"


def test_a_rule_that_raises_is_left_out_and_named() -> None:
    good = rule("type=anomaly", team="data")
    bad = replace(good, path="label_rules[7]", labels=None)  # type: ignore[arg-type]  # what cannot be
    relabelled, errors = apply([bad, good], ALERT)

    assert relabelled.labels["team"] == "data"
    assert errors == ("label_rules[7] raised AttributeError",)


def test_labels_are_set_before_the_alert_is_routed_and_errors_of_both_are_kept() -> None:
    rules = compiled(
        label_rules=[{"matchers": ['message =~ "(?i).*critical.*"'], "labels": {"severity": "critical"}}],
        route={"receiver": "ops", "routes": [{"matchers": ['severity = "critical"'], "receiver": "pager"}]},
    )
    broken = replace(rules.label_rules[0], labels=None)  # type: ignore[arg-type]  # what cannot be

    labelled, decision = route(ALERT, rules)
    _, unlabelled = route(ALERT, replace(rules, label_rules=(broken,)))

    assert labelled.severity is Severity.CRITICAL
    assert [one.receiver for one in decision.destinations] == ["pager"]
    assert [one.receiver for one in unlabelled.destinations] == ["ops"]
    assert unlabelled.errors == ("label_rules[0] raised AttributeError",)


def test_groups_and_repeats_go_by_the_alerts_own_title_whatever_label_a_vendor_calls_so() -> None:
    rules = compiled(route={"receiver": "ops", "group_by": ["title"], "suppress_repeats": "1h", "dedupe_by": ["title"]})
    plain = route(ALERT, rules)[1].destinations
    labelled = route(replace(ALERT, labels={**ALERT.labels, "title": "theirs"}), rules)[1].destinations
    other = route(replace(ALERT, title="another", labels={**ALERT.labels, "title": "a title"}), rules)[1].destinations

    assert plain == labelled
    assert plain[0].group_labels == {"title": "a title"}
    assert other[0].group_key != plain[0].group_key
    assert other[0].repetition != plain[0].repetition


# --- from the configuration ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["title", "message", "upstream_id"])
def test_no_label_rule_sets_what_rules_take_for_the_alerts_own_text(name: str) -> None:
    (fault,) = faults(label_rules=[{"labels": {name: "x", "team": "a"}}])

    assert fault[0] == ("label_rules", 0, "labels", name)
    assert f"rules take {name} for the alert's own {name}" in fault[1]


def test_children_inherit_everything_but_matchers_continue_and_routes() -> None:
    root = compiled(
        route={
            "receiver": "ops",
            "group_by": ["account"],
            "group_wait": "10s",
            "routes": [
                {"matchers": ["a=1"], "continue": True, "routes": [{"matchers": ["b=1"], "group_interval": "1m"}]},
                {"receiver": "pager", "group_by": ["..."], "group_wait": "0s"},
                {"group_by": []},
            ],
        }
    ).root
    first, second, third = root.children
    (inner,) = first.children

    assert root.grouping == Grouping(by=("account",), alone=False, wait=10.0)
    assert (first.receiver, first.grouping, first.continues) == ("ops", root.grouping, True)
    assert (inner.path, inner.receiver, inner.continues) == ("route.routes[0].routes[0]", "ops", False)
    assert inner.grouping == replace(root.grouping, interval=60.0)
    assert [one.text for one in inner.matchers] == ['b="1"']
    assert second.grouping == Grouping(by=(), alone=True, wait=0.0)
    assert third.grouping == Grouping(by=(), alone=False, wait=10.0)


def test_a_receiver_of_null_drops_and_is_inherited_while_an_absent_one_is_not_null() -> None:
    root = compiled(
        route={
            "receiver": "ops",
            "routes": [
                {"matchers": ["type=anomaly"], "receiver": None, "routes": [{"matchers": ["account=vision"]}]},
                {"matchers": ["type=outage"]},
            ],
        }
    )
    outage = replace(ALERT, labels={"type": "outage"})

    assert route(ALERT, root)[1].suppressed is Suppression.DROPPED
    assert route(outage, root)[1].destinations == (Destination(receiver="ops", route="route.routes[1]"),)


def test_the_object_form_and_entries_that_hold_several_mean_the_same() -> None:
    entries = compile_matchers([MatcherConfig(name="a", op=">=", value="1"), '{b="2", c!~d}', "e=f"])

    assert [one.text for one in entries] == ['a>="1"', 'b="2"', 'c!~"d"', 'e="f"']
    with pytest.raises(MatcherError):
        compile_matchers(["a"])


def test_all_faults_are_told_at_once_with_their_place_in_the_file() -> None:
    found = faults(
        label_rules=[{"matchers": ["type=a", 'type="b'], "labels": {"severity": "terrible", "": "x"}}],
        route={
            "matchers": ["a=1"],
            "continue": True,
            "receiver": "opps",
            "group_by": ["a", "", "a"],
            "routes": [
                {
                    "matchers": [
                        {"name": "severity", "op": ">", "value": "bad"},
                        {"name": "t", "op": "=~", "value": "a["},
                    ]
                },
                {"receiver": "nobody", "group_by": ["...", "a"], "routes": [{"matchers": ['x="y", b=~"("']}]},
            ],
        },
        receivers=[
            {"name": "ops", "slack_configs": [{"mention": [{"matchers": ["severity=critical", "?"], "text": "!"}]}]}
        ],
    )

    assert [(loc, offset) for loc, _, offset in found] == [
        (("label_rules", 0, "labels"), 0),
        (("label_rules", 0, "labels", "severity"), 0),
        (("label_rules", 0, "matchers", 1), 5),
        (("route", "matchers"), 0),
        (("route", "continue"), 0),
        (("route", "receiver"), 0),
        (("route", "group_by", 1), 0),
        (("route", "group_by", 2), 0),
        (("route", "routes", 0, "matchers", 0, "value"), 0),
        (("route", "routes", 0, "matchers", 1, "value"), 1),
        (("route", "routes", 1, "receiver"), 0),
        (("route", "routes", 1, "group_by"), 0),
        (("route", "routes", 1, "routes", 0, "matchers", 0), 11),
        (("receivers", 0, "slack_configs", 0, "mention", 0, "matchers", 1), 1),
    ]
    messages = [message for _, message, _ in found]
    assert "did you mean 'ops'?" in messages[5]
    assert "define it under receivers" in messages[10]


@pytest.mark.parametrize(("root", "loc"), [({}, ("route",)), ({"receiver": None}, ("route", "receiver"))])
def test_the_root_must_name_a_receiver(root: dict[str, Any], loc: tuple[str, ...]) -> None:
    ((found, message, _),) = faults(route=root)

    assert found == loc
    assert message == "the root route must name a receiver"


# --- the record ----------------------------------------------------------------------------------------------------


def test_a_decision_is_read_back_as_it_was_written() -> None:
    rules = compiled(
        route={
            "receiver": "ops",
            "group_by": ["account", "title"],
            "routes": [
                {"matchers": ["type=outage"], "receiver": "pager"},
                {"matchers": ["type=anomaly"], "receiver": "audit", "continue": True},
                {"matchers": ["type=anomaly"], "receiver": None},
            ],
        }
    )
    _, decision = route(ALERT, rules)

    assert load(dump(decision)) == decision
    assert orjson.loads(dump(decision))["steps"][1] == [
        "route.routes[0]",
        False,
        None,
        'type="outage"',
        "anomaly",
        None,
    ]


@pytest.mark.parametrize("suppressed", list(Suppression))
def test_every_suppression_is_read_back(suppressed: Suppression) -> None:
    assert load(dump(Decision(suppressed=suppressed, errors=("e",)))) == Decision(suppressed=suppressed, errors=("e",))


def test_steps_may_be_plain_objects_too() -> None:
    steps = (RouteStep(route="route", matched=True, receiver="ops"), RouteStep(route="r", matched=False, saw="x"))
    decision = Decision(steps=steps, suppressed=Suppression.DROPPED)

    assert load(dump(decision)) == decision
    assert tuple(load(dump(decision)).steps) == steps


def test_text_that_no_text_may_hold_is_recorded_as_the_replacement_character() -> None:
    rules = compiled(
        route={"receiver": "ops", "group_by": ["title"], "routes": [{"matchers": ["title=x"], "receiver": "pager"}]}
    )
    hostile = replace(ALERT, title="half \ud800 \x00 \u202e </script> {{ 1/0 }}")
    _, decision = route(hostile, rules)
    read = load(dump(decision))

    assert read.steps[1].saw == "half \ufffd \x00 \u202e </script> {{ 1/0 }}"
    assert read.destinations == decision.destinations


def test_steps_are_a_sequence_of_route_steps() -> None:
    steps = Steps([("route", True, "ops", None, None, None), ("route.routes[0]", False, None, "a", "b", None)])

    assert steps[0] == RouteStep(route="route", matched=True, receiver="ops")
    assert list(steps[1:]) == [RouteStep(route="route.routes[0]", matched=False, failed="a", saw="b")]
    assert steps == tuple(steps)
    assert steps != ()
    assert steps != "steps"
    assert len({steps, Steps(steps.rows)}) == 1
    assert "route.routes[0]" in repr(steps)
