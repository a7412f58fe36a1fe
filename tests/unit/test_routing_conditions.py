"""What can be told of matchers without an alert is true of every alert."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bellwire.routing.conditions import Condition
from bellwire.routing.matcher_parser import parse_matchers
from bellwire.routing.matchers import Matcher, matcher

NUMBERS = ["1", "2", "3", "2.5", "x", ""]
VALUES = [*NUMBERS, "0", "4", "1.5", "y", "xy", "\n"]
SEVERITIES = ["info", "warning", "error", "critical"]


def condition(text: str) -> Condition:
    return Condition.of(parse_matchers(text))


@pytest.mark.parametrize(
    ("text", "culprits"),
    [
        ('severity="info", severity="error"', ['severity="info"', 'severity="error"']),
        ('severity="ERROR"', ['severity="ERROR"']),
        ('severity>="error", team="a", severity<="warning"', ['severity>="error"', 'severity<="warning"']),
        ("n > 10, n < 5", ['n>"10"', 'n<"5"']),
        ("n >= 5, n < 5", ['n>="5"', 'n<"5"']),
        ("n > many", ['n>"many"']),
        ('a="x", a!="x"', ['a="x"', 'a!="x"']),
        ('a=~"x|y", a=~"(?:z|w)"', ['a=~"x|y"', 'a=~"(?:z|w)"']),
        ('n="7", n > 10', ['n="7"', 'n>"10"']),
        ('a=~"x.*", b="1", a!~"y.*", a!~"x.*"', ['a=~"x.*"', 'a!~"x.*"']),
        ('severity!="info", severity!="warning", severity!="error", severity!="critical"', None),
    ],
)
def test_matchers_that_exclude_each_other_are_named(text: str, culprits: list[str] | None) -> None:
    found = [str(one) for one in condition(text).conflict()]
    assert found == (culprits or [str(one) for one in parse_matchers(text)])


@pytest.mark.parametrize(
    "text", ["", 'a="x", b="y"', "n >= 5, n <= 5", 'a=~"x.*", a=~".*y"', 'a!="x"', 'a=~"x|y", a!="x"']
)
def test_what_may_hold_at_once_is_no_conflict(text: str) -> None:
    assert condition(text).conflict() == ()


@pytest.mark.parametrize(
    ("text", "implied", "told"),
    [
        ('severity="critical"', 'severity>="error"', True),
        ('severity>="warning"', 'severity>="error"', False),
        ('severity>"error"', 'severity="critical"', True),
        ("n > 10", "n >= 10", True),
        ("n >= 10", "n > 10", False),
        ("n > 10, n < 20", "n < 20", True),
        ("n > 10", "n < 20", False),
        ("n > 10", 'n != ""', True),
        ('a="x"', 'a!="y"', True),
        ('a=~"x|y"', 'a!~"z|w"', True),
        ('a=~"x.*"', 'a=~"x.*"', True),
        ('a=~"x.*"', 'a!="y"', True),
        ('a="x"', 'b="x"', False),
        ("", 'a!=""', False),
        ("", 'severity=~".+"', True),
    ],
)
def test_what_follows_from_matchers_is_known(text: str, implied: str, told: bool) -> None:  # noqa: FBT001 - an answer
    (other,) = parse_matchers(implied)
    assert condition(text).implies(other) is told


names = st.sampled_from(["a", "severity"])


@st.composite
def matchers(draw: st.DrawFn) -> Matcher:
    name = draw(names)
    values = SEVERITIES if name == "severity" else NUMBERS
    op = draw(st.sampled_from(["=", "!=", "=~", "!~", "<", "<=", ">", ">="]))
    if op in {"=~", "!~"}:
        return matcher(name, op, draw(st.sampled_from(["|".join(values[:2]), values[0], ".*", ".+", "(x|1)", "[0-9]"])))
    return matcher(name, op, draw(st.sampled_from(values)))


@given(st.lists(matchers(), max_size=5), matchers())
def test_nothing_untrue_is_ever_told(some: list[Matcher], other: Matcher) -> None:
    made = Condition.of(some)
    meets = {
        name: [value for value in values if all(one.test(value) for one in some if one.name == name)]
        for name, values in (("a", VALUES), ("severity", SEVERITIES))
    }
    if made.conflict():
        assert not all(meets.values())
    if made.implies(other):
        assert all(other.test(value) for value in meets[other.name])
    counted = made.values(other.name)
    assume(counted is not None)
    assert set(meets[other.name]) <= (counted or set())
