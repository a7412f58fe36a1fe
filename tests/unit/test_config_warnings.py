"""What is legal in a configuration and surely wrong is told, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bellwire.config.load import examine
from bellwire.config.schema import Config
from bellwire.config.warnings import warnings_of
from bellwire.config.warnings.vocabulary import API_LABELS

ROOT = Path(__file__).parents[2]
HOOK = {"webhook_configs": [{"url": "https://hook.example.com/a"}]}
VISION = {"name": "vision", "api": "visual_layer", "base_url": "https://vl", "labels": {"team": "vision"}}
DATA = {
    "name": "data",
    "api": "qualytics",
    "base_url": "https://q",
    "authorization": {"credentials": "x"},
    "labels": {"team": "data"},
}
SHOP = {"name": "shop", "api": "atp", "base_url": "https://atp", "authorization": {"credentials": "x"}}


def found(**keys: Any) -> list[tuple[str, str]]:
    """Return the place and text of each warning."""
    every: dict[str, Any] = {"receivers": [HOOK | {"name": "ops"}], "route": {"receiver": "ops"}} | keys
    config = Config.model_validate(every)
    return [(".".join(map(str, each.loc)), each.message) for each in warnings_of(config)]


def of_routes(*routes: dict[str, Any], **keys: Any) -> list[tuple[str, str]]:
    """Return the warnings about these routes, their places without the way to them."""
    route = {"receiver": "ops", "routes": list(routes)}
    return [(place.removeprefix("route.routes."), text) for place, text in found(route=route, **keys)]


def on(*matchers: str, **keys: Any) -> dict[str, Any]:
    return {"matchers": list(matchers), **keys}


def test_the_example_is_free_of_warnings() -> None:
    _, warnings = examine(ROOT / "config.example.yaml", {})
    assert [str(each) for each in warnings] == []


# --- routes that nothing reaches -----------------------------------------------------------------------------------


def test_a_route_below_one_that_takes_everything_can_never_match() -> None:
    assert of_routes({}, on('type="x"')) == [
        ("1", "can never match: route.routes[0] above takes everything, and does not continue")
    ]


@pytest.mark.parametrize(
    ("above", "below"),
    [
        (['severity>="error"'], ['severity="critical"']),
        (['severity>="error"'], ['severity="critical"', 'team="a"']),
        (["result_count >= 10"], ["result_count > 20", "result_count < 30"]),
        (['type!="x"'], ['type="y"']),
        (['team=~"a|b"'], ['team="a"']),
        (['title=~".*urgent.*"'], ['title=~".*urgent.*"', 'type="x"']),
    ],
)
def test_a_route_below_a_sibling_that_asks_for_less_can_never_match(above: list[str], below: list[str]) -> None:
    assert of_routes(on(*above), on(*below)) == [
        ("1", "can never match: route.routes[0] above takes all that it matches, and does not continue")
    ]
    assert of_routes(on(*above, **{"continue": True}), on(*below)) == []
    assert of_routes(on(*below), on(*above)) == []


def test_siblings_may_take_every_severity_between_them() -> None:
    ((place, message),) = of_routes(on('severity>="error"'), on('team="a"'), on('severity<="warning"'), on('type="x"'))
    assert place == "3"
    assert message.startswith("can never match: route.routes[0], route.routes[2] above take every severity")


def test_a_route_that_excludes_itself_or_its_parent_can_never_match() -> None:
    parent = on('severity="info"', routes=[on('severity="error"'), on('type="x"')])
    assert of_routes(on("n > 5", "n < 2"), parent) == [
        ("0.matchers.1", 'can never match: n>"5" and n<"2" exclude each other'),
        (
            "1.routes.0.matchers.0",
            'can never match: severity="error" and severity="info", which route.routes[1] asks for, exclude each other',
        ),
    ]


def test_a_severity_that_there_is_not_and_a_bound_that_is_no_number_meet_nothing() -> None:
    assert of_routes(on('severity="ERROR"'), on("n > many")) == [
        (
            "0.matchers.0",
            'can never match: no value meets severity="ERROR": write info, warning, error or critical, in small letters',
        ),
        ("1.matchers.0", 'can never match: no value meets n>"many": its value is no number'),
    ]


@pytest.mark.parametrize(
    ("matchers", "said"),
    [
        (['severity > "critical"'], 'no value meets severity>"critical": nothing is above critical'),
        (["severity < INFO"], 'no value meets severity<"INFO": nothing is below info'),
        (
            ['severity !~ ".+"'],
            'no value meets severity!~".+": it excludes info, warning, error or critical, and there is no other',
        ),
        (
            ['severity =~ "Error|ERROR"'],
            'no value meets severity=~"Error|ERROR": write info, warning, error or critical, in small letters',
        ),
        (
            ["severity != info", "severity != warning", 'severity !~ "err.*"', "severity != critical"],
            (
                'no value meets all of severity!="info", severity!="warning", severity!~"err.*" and '
                'severity!="critical": there is only info, warning, error or critical'
            ),
        ),
        (["n > 3", "n > 10", "n < 5"], 'no value meets all of n>"3", n>"10" and n<"5"'),
    ],
)
def test_why_no_value_meets_a_route_is_told_as_it_is(matchers: list[str], said: str) -> None:
    ((_, message),) = of_routes(on(*matchers))
    assert message == f"can never match: {said}"


def test_an_expression_that_is_asked_for_and_excluded_can_never_match() -> None:
    parent = on('flow=~"a.*"', routes=[on('type="x"'), on('flow!~"a.*"')])
    assert of_routes(on('flow=~"b.*"', 'flow!~"b.*"'), parent, on('flow=~"b.*"', 'flow!~"b"')) == [
        ("0.matchers.1", 'can never match: flow=~"b.*" and flow!~"b.*" exclude each other'),
        (
            "1.routes.1.matchers.0",
            'can never match: flow!~"a.*" and flow=~"a.*", which route.routes[1] asks for, exclude each other',
        ),
    ]


def test_what_is_below_an_unreachable_route_is_not_told_again() -> None:
    assert len(of_routes({}, on('type="x"', routes=[on('type="y"'), {"continue": True}]))) == 1


def test_a_continue_leads_nowhere_without_a_route_that_can_match_after_it() -> None:
    further = {"continue": True}
    assert of_routes(on('type="x"', **further)) == [
        ("0.continue", "has no effect: no route comes after this one; remove it")
    ]
    assert of_routes(on('type="x"', **further), on('type="y"')) == [
        ("0.continue", "has no effect: no route after this one can match what this one matches; remove it")
    ]
    assert of_routes(on('type="x"', **further), on('type="y"'), on('team="a"')) == []


# --- labels that nothing gives -------------------------------------------------------------------------------------


def test_a_label_that_no_account_gives_is_told_with_the_nearest() -> None:
    accounts = [VISION, DATA]
    assert of_routes(on('view_nmae="x"'), accounts=accounts) == [
        ("0.matchers.0", "no alert that comes here has a label view_nmae: did you mean view_name?")
    ]
    known = [
        "account",
        "api",
        "type",
        "severity",
        "late",
        "title",
        "message",
        "upstream_id",
        "payload.x",
        "team",
        "flow",
    ]
    assert of_routes(*(on(f'{name}=~"v.*|warning"') for name in known), accounts=accounts) == []


def test_labels_set_by_rules_are_known_and_their_own_matchers_are_looked_at() -> None:
    rules = [{"matchers": ['view="x"'], "labels": {"kind": "a"}}]
    assert of_routes(on('kind="a"'), on('kind="b"'), accounts=[VISION], label_rules=rules) == [
        ("label_rules.0.matchers.0", "no alert that comes here has a label view: did you mean view_name?"),
    ]


def test_any_label_may_come_where_an_api_gives_whatever_its_items_hold() -> None:
    assert of_routes(on('anything="x"'), accounts=[VISION, SHOP]) == []
    assert len(of_routes(on('account="vision"', 'anything="x"'), accounts=[VISION, SHOP])) == 1
    assert of_routes(on('api="atp"', routes=[on('anything="x"')]), accounts=[VISION, SHOP]) == []


def test_without_accounts_nothing_is_known_of_labels() -> None:
    assert of_routes(on('anything="x"', group_by=["whatever"])) == []


@pytest.mark.parametrize(
    ("matcher", "values"),
    [
        ('account="visoin"', "the values of account here are data, vision"),
        ('api=~"elan|atp"', "the values of api here are qualytics, visual_layer"),
        ('team="visoin"', "the values of team here are data, vision"),
    ],
)
def test_a_value_that_no_account_has_is_told(matcher: str, values: str) -> None:
    assert of_routes(on(matcher), accounts=[VISION, DATA]) == [("0.matchers.0", f"matches nothing: {values}")]


def test_the_types_of_an_api_are_known_where_they_are_few() -> None:
    (warning,) = of_routes(on('type="alarm"'), on('type="unreadable"'), accounts=[VISION, SHOP])
    assert warning == ("0.matchers.0", "matches nothing: the values of type here are alert, notification, unreadable")
    assert of_routes(on('type="alarm"'), accounts=[VISION, DATA]) == []


def test_the_names_to_group_by_are_labels_too() -> None:
    assert of_routes(on('flow!=""', group_by=["flwo", "type"]), accounts=[VISION, DATA]) == [
        ("0.group_by.0", "no alert that comes here has a label flwo: did you mean flow?")
    ]
    assert of_routes(on('type!=""', group_by=["..."]), accounts=[VISION]) == []


def test_the_labels_of_the_apis_are_those_that_they_give() -> None:
    from bellwire.apis import APIS  # noqa: PLC0415 - only to hold the table to it

    assert set(API_LABELS) < set(APIS)
    for api, labels in API_LABELS.items():
        source = (ROOT / "src" / "bellwire" / "apis" / f"{api}.py").read_text()
        assert all(f"{label}=" in source for label in labels), api


# --- what nothing names --------------------------------------------------------------------------------------------


def test_a_receiver_that_nothing_names_gets_nothing() -> None:
    spare = HOOK | {"name": "spare"}
    receivers = [HOOK | {"name": "ops", "fallback": ["second"]}, HOOK | {"name": "second"}, spare]
    message = "nothing names spare: no route, no fallback, not meta_receiver; it gets nothing"
    assert found(receivers=receivers) == [("receivers.2.name", message)]
    spare["webhook_configs"] = [{"url": "https://other.example.com/"}]
    assert found(receivers=receivers, meta_receiver="spare") == []


def test_a_time_interval_that_no_route_names_does_nothing() -> None:
    intervals = [{"name": name, "time_intervals": [{"weekdays": ["sunday"]}]} for name in ("used", "spare")]
    route = {"receiver": "ops", "routes": [{"mute_time_intervals": ["used"]}]}
    assert found(route=route, time_intervals=intervals) == [
        ("time_intervals.1.name", "no route names spare: it does nothing")
    ]


# --- inhibition and the receiver of Bellwire's own troubles --------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            {"source_matchers": ['severity="bad"'], "target_matchers": ['type="x"']},
            'can never apply: nothing meets severity="bad" in source_matchers',
        ),
        (
            {"source_matchers": ['account="a"'], "target_matchers": ['account="b"'], "equal": ["account"]},
            "can never apply: source and target cannot be equal in account, by their own matchers",
        ),
    ],
)
def test_inhibition_that_cannot_come_about_is_told(rule: dict[str, Any], message: str) -> None:
    assert found(inhibit_rules=[rule]) == [("inhibit_rules.0", message)]
    good = {"source_matchers": ['type="outage"'], "target_matchers": ['severity<"error"'], "equal": ["account"]}
    assert found(inhibit_rules=[good]) == []


def slack(token: str) -> dict[str, Any]:
    return {"slack_configs": [{"token": token, "channel": "#a"}]}


def test_the_receiver_of_troubles_must_not_fail_with_what_it_reports() -> None:
    ops, meta = slack("xoxb-1") | {"name": "ops"}, slack("xoxb-1") | {"name": "meta"}
    (warning,) = found(receivers=[ops, meta], meta_receiver="meta")
    assert warning[0] == "meta_receiver"
    assert warning[1].startswith("relies on the same host and credential (slack.com) as ops")
    assert found(receivers=[ops, slack("xoxb-2") | {"name": "meta"}], meta_receiver="meta") == []
    assert found(receivers=[ops, meta | HOOK], meta_receiver="meta") == []
    assert len(found(receivers=[ops], meta_receiver="ops")) == 1


def test_the_receiver_of_troubles_may_get_alerts_too_where_there_are_others_to_tell_of() -> None:
    receivers = [slack("xoxb-1") | {"name": "ops"}, HOOK | {"name": "pager"}]
    route = {"receiver": "ops", "routes": [on('severity="critical"', receiver="pager")]}
    assert found(receivers=receivers, route=route, meta_receiver="ops") == []
    assert len(found(receivers=[*receivers, HOOK | {"name": "meta"}], route=route, meta_receiver="meta")) == 1


def test_no_warning_about_it_holds_a_secret() -> None:
    channel = {"apprise_configs": [{"url": "tgram://secret-token/123"}]}
    (warning,) = found(receivers=[channel | {"name": "ops"}], meta_receiver="ops")
    assert "secret-token" not in json.dumps(warning)


# --- Slack ---------------------------------------------------------------------------------------------------------


def of_slack(**keys: Any) -> list[str]:
    receiver = {"name": "ops", "slack_configs": [keys]}
    return [text for place, text in found(receivers=[receiver]) if place.startswith("receivers.0.slack_configs")]


def test_tokens_of_the_wrong_kind_are_told_apart_by_how_they_begin() -> None:
    (told,) = of_slack(token="xoxb-1", channel="#ops", app_token="xoxb-2")
    assert told.startswith("is no app-level token, for those begin with xapp-")
    (told,) = of_slack(token="xapp-1", channel="#ops")
    assert told.startswith("is an app-level token, which may not post")
    assert of_slack(token="xoxb-1", channel="#ops", app_token="xapp-2") == []


def test_an_incoming_webhook_cannot_thread_which_is_told_to_whoever_asked_for_it() -> None:
    (told,) = of_slack(api_url="https://hooks.slack.com/services/a", thread=True)
    assert told.startswith("does nothing here")
    assert of_slack(api_url="https://hooks.slack.com/services/a") == []
    assert of_slack(api_url="https://hooks.slack.com/services/a", thread=False) == []
