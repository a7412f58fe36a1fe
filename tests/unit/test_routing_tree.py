from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bellwire.model import Alert, Destination, Grouping, RouteStep, Severity, Suppression
from bellwire.routing.groups import KEY_LIMIT
from bellwire.routing.matcher_parser import parse_matchers
from bellwire.routing.steps import SAW_LIMIT
from bellwire.routing.tree import Route, decide

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def alert(**labels: str) -> Alert:
    return Alert(
        account="vision",
        api="visual_layer",
        upstream_id="1",
        type="alert",
        severity=Severity.INFO,
        title="a title",
        message="",
        url=None,
        created_at=NOON,
        received_at=NOON,
        labels=labels,
        payload={},
    )


def tree(*children: Route, receiver: str | None = "ops", grouping: Grouping | None = None) -> Route:
    return Route(path="route", receiver=receiver, children=children, grouping=grouping or Grouping())


def child(
    at: int | str, matchers: str, receiver: str | None = None, *children: Route, continues: bool = False
) -> Route:
    return Route(
        path=f"route.routes[{at}]",
        receiver=receiver,
        matchers=parse_matchers(matchers),
        children=children,
        continues=continues,
    )


def receivers(root: Route, one: Alert) -> list[str]:
    return [destination.receiver for destination in decide(root, one).destinations]


def test_an_alert_that_no_child_takes_goes_to_the_routes_own_receiver() -> None:
    decision = decide(tree(child(0, "a=1", "x")), alert(a="2"))

    assert decision.destinations == (Destination(receiver="ops", route="route"),)
    assert decision.suppressed is None
    assert decision.errors == ()


def test_the_first_child_that_matches_takes_the_alert() -> None:
    root = tree(child(0, "a=1", "x"), child(1, "a=2", "y"), child(2, "a=2", "z"))

    assert receivers(root, alert(a="2")) == ["y"]


def test_continue_goes_on_to_the_next_sibling_even_if_none_of_them_matches() -> None:
    root = tree(child(0, "a=1", "x", continues=True), child(1, "b=1", "y"), child(2, "b=1", "z"))

    assert receivers(root, alert(a="1", b="1")) == ["x", "y"]
    assert receivers(root, alert(a="1")) == ["x"]


def test_a_routes_own_receiver_is_used_only_if_no_child_matched() -> None:
    inner = child(0, "a=1", "outer", child("0].routes[0", "b=1", "inner"))

    assert receivers(tree(inner), alert(a="1", b="1")) == ["inner"]
    assert receivers(tree(inner), alert(a="1")) == ["outer"]


def test_a_receiver_gets_an_alert_once_and_the_first_route_wins() -> None:
    root = tree(child(0, "a=1", "x", continues=True), child(1, "b=1", "x"))
    decision = decide(root, alert(a="1", b="1"))

    assert [(one.receiver, one.route) for one in decision.destinations] == [("x", "route.routes[0]")]
    assert decision.steps[2].note == "the receiver has it by route.routes[0]"


def test_a_route_without_a_receiver_drops_what_it_takes() -> None:
    decision = decide(tree(child(0, "a=1", None)), alert(a="1"))

    assert decision.destinations == ()
    assert decision.suppressed is Suppression.DROPPED
    assert decision.steps[1] == RouteStep(route="route.routes[0]", matched=True, note="dropped")


@pytest.mark.parametrize("drop_first", [True, False])
def test_a_drop_counts_only_if_no_other_branch_names_a_receiver(drop_first: bool) -> None:  # noqa: FBT001 -- a parameter
    drop, take = ("a=1", None), ("a=1", "x")
    first, second = (drop, take) if drop_first else (take, drop)
    decision = decide(tree(child(0, *first, continues=True), child(1, *second)), alert(a="1"))

    assert [one.receiver for one in decision.destinations] == ["x"]
    assert decision.suppressed is None


def test_the_steps_tell_every_route_looked_at_in_order_with_the_first_matcher_that_failed_and_what_it_saw() -> None:
    root = tree(
        child(0, 'a=1, b="2", c="3"', "x"),
        child(1, "a=1", "y", child("1].routes[0", "d>5", "deep"), child("1].routes[1", "", "deeper")),
        child(2, "", "never"),
    )

    assert decide(root, alert(a="1", b="0")).steps == (
        RouteStep(route="route", matched=True),
        RouteStep(route="route.routes[0]", matched=False, failed='b="2"', saw="0"),
        RouteStep(route="route.routes[1]", matched=True),
        RouteStep(route="route.routes[1].routes[0]", matched=False, failed='d>"5"', saw=""),
        RouteStep(route="route.routes[1].routes[1]", matched=True, receiver="deeper"),
    )


def test_what_a_matcher_saw_is_cut_to_a_sane_length_and_says_so() -> None:
    (_, step) = decide(tree(child(0, "a=1", "x")), alert(a="z" * 1_000_000)).steps

    assert step.saw == "z" * SAW_LIMIT + "… (1000000 characters)"


# --- groups --------------------------------------------------------------------------------------------------------


def grouped(*by: str, one: Alert) -> Destination:
    (destination,) = decide(tree(grouping=Grouping(by=by, alone=False, wait=3.0, interval=60.0)), one).destinations
    return destination


def test_a_group_is_the_route_and_the_values_of_its_labels() -> None:
    destination = grouped("b", "a", one=alert(a="1", c="3"))

    assert destination == Destination(
        receiver="ops",
        route="route",
        group_key='route:{"a":"1","b":""}',
        group_labels={"a": "1", "b": ""},
        wait=3.0,
        interval=60.0,
    )
    assert destination.group_key == grouped("a", "b", one=alert(b="", a="1")).group_key


def test_no_labels_to_group_by_is_one_group_for_the_route() -> None:
    assert grouped(one=alert(a="1")).group_key == grouped(one=alert(a="2")).group_key == "route:{}"


def test_alerts_may_be_grouped_by_whatever_a_matcher_may_name() -> None:
    one = replace(alert(), payload={"batch": {"id": 7}})

    assert grouped("title", "payload.batch.id", one=one).group_labels == {"title": "a title", "payload.batch.id": "7"}


LABEL = st.text(alphabet='ab{}":,\\\n\ud800é', max_size=4)


@settings(deadline=None)  # the machine may be busy
@given(st.tuples(LABEL, LABEL), st.tuples(LABEL, LABEL))
def test_two_alerts_share_a_key_only_if_they_share_the_values(one: tuple[str, str], other: tuple[str, str]) -> None:
    keys = [grouped("a", "b", one=alert(a=a, b=b)).group_key for a, b in (one, other)]

    assert (keys[0] == keys[1]) is (one == other)


def test_a_key_stays_short_whatever_the_values_and_still_tells_them_apart() -> None:
    keys = {grouped("a", one=alert(a="x" * 1_000_000 + end)).group_key for end in "12"}

    assert len(keys) == 2
    assert max(len(key) for key in keys) <= KEY_LIMIT


# --- what goes wrong -----------------------------------------------------------------------------------------------


def broken(route: Route) -> Route:
    """Return the route with a matcher that raises."""

    def burst(_: str) -> bool:
        raise ZeroDivisionError

    return replace(route, matchers=tuple(replace(one, test=burst) for one in route.matchers))


def test_a_matcher_that_raises_does_not_match_and_says_so_and_the_alert_goes_on() -> None:
    decision = decide(tree(broken(child(0, "a=1", "x")), child(1, "a=1", "y")), alert(a="1"))

    assert [one.receiver for one in decision.destinations] == ["y"]
    assert decision.steps[1].note == "raised ZeroDivisionError"
    assert decision.errors == ('route.routes[0]: a="1" raised ZeroDivisionError',)


def test_an_alert_that_cannot_be_grouped_goes_out_alone() -> None:
    one = replace(alert(), title=None)  # type: ignore[arg-type]  # a vendor item gone wrong
    destination = grouped("title", one=one)

    assert (destination.receiver, destination.group_key) == ("ops", "")


def test_if_the_walk_itself_fails_the_root_receiver_gets_the_alert() -> None:
    deep = child(0, "", "deep")
    for at in range(5_000):
        deep = Route(path=f"route.routes[{at}]", receiver="deep", children=(deep,))

    decision = decide(tree(deep), alert())

    assert [one.receiver for one in decision.destinations] == ["ops"]
    assert decision.errors == ("routing failed: RecursionError",)


def test_a_root_that_takes_not_every_alert_still_loses_none() -> None:
    root = replace(tree(), matchers=parse_matchers("a=1"))
    decision = decide(root, alert(a="2"))

    assert [one.receiver for one in decision.destinations] == ["ops"]
    assert decision.errors == ("no route took the alert",)


def test_where_there_is_no_receiver_at_all_the_alert_is_dropped_with_an_error() -> None:
    root = replace(tree(receiver=None), matchers=parse_matchers("a=1"))
    decision = decide(root, alert())

    assert decision.suppressed is Suppression.DROPPED
    assert decision.errors == ("no route took the alert",)


# --- the oracle ----------------------------------------------------------------------------------------------------


def _nodes(depth: int) -> st.SearchStrategy[Route]:
    below = st.lists(_nodes(depth - 1), max_size=3) if depth else st.just([])
    return st.builds(
        lambda matchers, receiver, continues, children: Route(
            path="?",
            receiver=receiver,
            matchers=parse_matchers(matchers),
            continues=continues,
            children=tuple(children),
        ),
        st.sampled_from(["", "a=1", "b=1", "a=1,b=1", "a!=1", "c>0"]),
        st.sampled_from([None, "x", "y", "z"]),
        st.booleans(),
        below,
    )


def _named(route: Route, path: str) -> Route:
    children = tuple(_named(one, f"{path}.routes[{at}]") for at, one in enumerate(route.children))
    return replace(route, path=path, children=children)


TREES = st.lists(_nodes(2), max_size=4).map(lambda children: _named(tree(*children), "route"))
ALERTS = st.builds(alert, a=st.sampled_from("12"), b=st.sampled_from("12"), c=st.sampled_from("012"))


def _leaves(route: Route, one: Alert) -> list[Route]:
    """Say again, slowly and plainly, which routes an alert ends in."""
    if not all(matcher.matches(one) for matcher in route.matchers):
        return []
    found: list[Route] = []
    for at in range(len(route.children)):
        earlier = route.children[:at]
        if any(_leaves(sibling, one) and not sibling.continues for sibling in earlier):
            continue
        found += _leaves(route.children[at], one)
    return found or [route]


def _once(leaves: list[Route]) -> Iterator[tuple[str, str]]:
    for at, leaf in enumerate(leaves):
        if leaf.receiver and leaf.receiver not in [earlier.receiver for earlier in leaves[:at]]:
            yield leaf.receiver, leaf.path


@settings(deadline=None)  # the machine may be busy
@given(TREES, ALERTS)
def test_the_tree_does_as_a_slow_plain_oracle_does(root: Route, one: Alert) -> None:
    decision = decide(root, one)
    expected = list(_once(_leaves(root, one)))

    assert [(each.receiver, each.route) for each in decision.destinations] == expected
    assert decision.suppressed is (None if expected else Suppression.DROPPED)
    assert decision.errors == ()


@settings(deadline=None)  # the machine may be busy
@given(TREES, ALERTS)
def test_a_decision_always_sends_or_says_why_not_and_its_steps_agree_with_it(root: Route, one: Alert) -> None:
    decision = decide(root, one)
    paths = [step.route for step in decision.steps]

    assert bool(decision.destinations) is (decision.suppressed is None)
    assert len(set(paths)) == len(paths)
    assert {(each.receiver, each.route) for each in decision.destinations} == {
        (step.receiver, step.route) for step in decision.steps if step.receiver and step.note is None
    }
    assert all((step.failed is None) is step.matched for step in decision.steps)
