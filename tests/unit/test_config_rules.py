"""What a route says of time, repeats and digests: from the configuration to the destinations of an alert."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from bellwire.config.rules import RuleFaults, compile_rules
from bellwire.config.schema import Config
from bellwire.model import Decision, Destination, Muting
from bellwire.routing.groups import KEY_LIMIT
from bellwire.routing.record import dump, load
from bellwire.routing.rules import Rules, route
from makers import an_alert

INTERVALS = [
    {"name": "office", "time_intervals": [{"weekdays": ["monday:friday"], "location": "Asia/Tokyo"}]},
    {"name": "night", "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "06:00"}]}]},
]


def compiled(*routes: dict[str, Any], root: dict[str, Any] | None = None, **keys: Any) -> Rules:
    receivers = [{"name": "ops"}, {"name": "pager"}]
    tree = {"receiver": "ops", "routes": list(routes), **(root or {})}
    every = {"receivers": receivers, "route": tree, "time_intervals": INTERVALS, **keys}
    return compile_rules(Config.model_validate(every))


def decided(*routes: dict[str, Any], alert: dict[str, Any] | None = None, **keys: Any) -> Decision:
    return route(an_alert(**alert or {}), compiled(*routes, **keys))[1]


def destined(*routes: dict[str, Any], **keys: Any) -> Destination:
    (destination,) = decided(*routes, **keys).destinations
    return destination


def test_a_plain_route_sends_at_once_what_comes() -> None:
    decision = decided()
    assert decision.destinations == (Destination(receiver="ops", route="route"),)
    assert decision.steps[0].note is None


def test_windows_go_with_the_alert_by_their_names() -> None:
    windows = {"active_time_intervals": ["office"], "mute_time_intervals": ["night"], "muted": "hold"}

    assert destined(windows).muting == Muting(active=("office",), mute=("night",), hold=True)
    assert destined({"mute_time_intervals": ["night", "night"]}).muting == Muting(mute=("night",))
    assert destined({"muted": "hold"}).muting is None


def test_everything_is_inherited_and_may_be_lifted() -> None:
    parent = {
        "active_time_intervals": ["office"],
        "mute_time_intervals": ["night"],
        "muted": "hold",
        "suppress_repeats": "1h",
        "dedupe_by": ["title"],
        "digest": "0 8 * * *",
    }
    inner = destined({**parent, "routes": [{"matchers": ['account = "vision"']}]})
    lifted: dict[str, Any] = {
        "active_time_intervals": [],
        "mute_time_intervals": [],
        "suppress_repeats": "0s",
        "digest": None,
    }
    bare = destined({**parent, "routes": [lifted]})

    assert inner.route == "route.routes[0].routes[0]"
    assert inner.muting == Muting(active=("office",), mute=("night",), hold=True)
    assert inner.repetition is not None
    assert (inner.repetition.within, inner.digest) == (3600.0, "0 8 * * *")
    assert inner.repetition.key.startswith('{}/{}/{account="vision"}:{"title":')
    assert (bare.muting, bare.repetition, bare.digest) == (None, None, "")
    assert destined({**parent, "routes": [{"muted": "drop"}]}).muting == Muting(active=("office",), mute=("night",))


def test_alerts_are_repeats_if_what_dedupe_by_names_is_equal() -> None:
    def key(**keys: Any) -> str:
        repetition = destined(
            {"suppress_repeats": "1h", "dedupe_by": ["title", "payload.host", "team"]}, **keys
        ).repetition
        assert repetition is not None
        return repetition.key

    alert = {"title": "t", "payload": {"host": 1}, "labels": {"team": "a"}}
    assert key(alert=alert) == key(alert=alert)
    others = [{**alert, "title": "u"}, {**alert, "payload": {"host": 2}}, {**alert, "labels": {}}]
    assert len({key(alert=each) for each in [alert, *others]}) == len(others) + 1
    assert len(key(alert={**alert, "title": "t" * 100_000})) <= KEY_LIMIT


def test_account_type_and_title_make_a_repeat_where_nothing_else_is_said() -> None:
    repetition = destined({"suppress_repeats": "90s"}, alert={"title": "t"}).repetition
    assert repetition is not None
    assert repetition.key == '{}/{}:{"account":"vision","title":"t","type":""}'
    assert repetition.within == 90.0


def test_a_digest_is_one_for_its_whole_route_unless_it_groups() -> None:
    digest = {"digest": " 0  8 * * mon-fri"}

    assert destined(digest) == Destination(
        receiver="ops",
        route="route.routes[0]",
        group_key="{}/{}:{}",
        interval=0.0,
        digest="0 8 * * mon-fri",
    )
    grouped = destined({**digest, "group_by": ["account"]})
    assert (grouped.group_key, grouped.group_labels) == ('{}/{}:{"account":"vision"}', {"account": "vision"})
    # what the parent says of groups is no contradiction
    assert destined(digest, root={"group_wait": "10s"}).digest == "0 8 * * mon-fri"


def test_the_steps_say_what_stands_between_the_route_and_a_message() -> None:
    windows = {"active_time_intervals": ["office"], "mute_time_intervals": ["night"]}
    decision = decided({**windows, "muted": "hold", "suppress_repeats": "1h", "digest": "0 8 * * *"})
    dropping = decided(windows)

    assert decision.steps[-1].note == (
        "only within office; not within night; held meanwhile; no repeats within 3600 s; digest at 0 8 * * *"
    )
    assert dropping.steps[-1].note == "only within office; not within night; dropped meanwhile"


def test_a_decision_is_read_again_as_it_was_recorded() -> None:
    key = {"matchers": ['account = "vision"'], "continue": True}
    windows = {"active_time_intervals": ["office"], "muted": "hold"}
    routes = [{**key, **windows}, {**key, "receiver": "pager", "suppress_repeats": "1h", "digest": "0 8 * * *"}]
    decision = decided(*routes, alert={"title": "half a pair: \ud83d"})

    assert len(decision.destinations) == len(routes)
    assert load(dump(decision)) == decision


def test_an_alert_that_cannot_be_deduplicated_goes_out_in_the_plain_form_within_its_windows() -> None:
    windows = {"active_time_intervals": ["office"]}
    decision = decided({**windows, "suppress_repeats": "1h"}, alert={"title": b"no text"})

    assert decision.destinations == (
        Destination(receiver="ops", route="route.routes[0]", muting=Muting(active=("office",))),
    )
    assert decision.errors == ("route.routes[0]: group_by or dedupe_by raised TypeError",)


def test_the_rules_know_their_calendar_and_their_wall() -> None:
    rules = compiled(**{"global": {"timezone": "Europe/Paris"}})
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)

    assert rules.zone == ZoneInfo("Europe/Paris")
    assert rules.calendar.is_muted(Muting(mute=("night",)), late)
    assert not rules.calendar.is_muted(Muting(active=("office",)), late)
    assert compiled().zone == ZoneInfo("UTC")


def test_inhibit_rules_are_compiled_with_their_places() -> None:
    rule = {
        "source_matchers": ['type = "outage"'],
        "target_matchers": [{"name": "severity", "op": "<", "value": "error"}],
    }
    first, second = compiled(inhibit_rules=[rule, {**rule, "equal": ["account"], "duration": "30s"}]).inhibit_rules

    assert (first.path, first.equal, first.duration) == ("inhibit_rules[0]", (), 600.0)
    assert (second.path, second.equal, second.duration) == ("inhibit_rules[1]", ("account",), 30.0)
    assert [one.text for one in (*second.source, *second.target)] == ['type="outage"', 'severity<"error"']


def test_all_that_is_wrong_is_told_at_once() -> None:
    wrong: dict[str, Any] = {
        "time_intervals": [{"name": "a", "time_intervals": [{"months": ["13"], "years": []}]}],
        "label_rules": [{"matchers": ["="], "labels": {}}],
        "inhibit_rules": [{"source_matchers": ["="], "target_matchers": ["="], "equal": [""]}],
    }
    try:
        compiled({"active_time_intervals": ["b"], "digest": "", "dedupe_by": [""]}, **wrong)
    except RuleFaults as error:
        places = [loc for loc, _, _ in error.faults]
    entry = ("time_intervals", 0, "time_intervals", 0)
    rule = ("inhibit_rules", 0)
    assert set(places) == {
        (*entry, "months", 0),
        (*entry, "years"),
        ("label_rules", 0, "matchers", 0),
        ("route", "routes", 0, "active_time_intervals", 0),
        ("route", "routes", 0, "digest"),
        ("route", "routes", 0, "dedupe_by", 0),
        *((*rule, *rest) for rest in itertools.product(("source_matchers", "target_matchers"), (0,))),
        (*rule, "equal", 0),
    }


def test_a_group_stays_the_same_when_routes_are_put_before_its_own() -> None:
    keys = {"group_by": ["account"], "suppress_repeats": "1h", "dedupe_by": ["account"]}
    own = {"matchers": ['account = "vision"'], **keys}
    before = destined(own)
    after = destined({"matchers": ['account = "other"']}, own)
    assert (before.route, after.route) == ("route.routes[0]", "route.routes[1]")
    assert before.group_key == after.group_key
    assert before.repetition == after.repetition


def test_routes_with_other_matchers_have_groups_of_their_own() -> None:
    first, second = (
        destined({"matchers": ['account = "vision"', f'title =~ "{title}"'], "group_by": ["account"]})
        for title in (".+", ".*")
    )
    assert first.group_labels == second.group_labels
    assert first.group_key != second.group_key


def test_the_second_of_two_routes_that_look_alike_is_another() -> None:
    alike = {"matchers": ['account = "vision"'], "group_by": ["account"]}
    root = compiled({**alike, "continue": True}, alike, {**alike, "receiver": "pager"}).root
    names = ['{}/{account="vision"}', '{}/{account="vision"}#2', '{}/{account="vision"}']
    assert [each.identity for each in root.children] == names
