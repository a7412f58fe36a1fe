"""What hides what: as in Alertmanager."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.routing.groups import KEY_LIMIT
from bellwire.routing.inhibition import InhibitRule, casts, falls_under
from bellwire.routing.matcher_parser import parse_matchers
from makers import an_alert

if TYPE_CHECKING:
    from bellwire.model import Alert


def a_rule(source: str, target: str, *equal: str, path: str = "inhibit_rules[0]", duration: float = 600) -> InhibitRule:
    sides = parse_matchers(source), parse_matchers(target)
    return InhibitRule(path=path, source=sides[0], target=sides[1], equal=equal, duration=duration)


def alert(**labels: str) -> Alert:
    return an_alert(labels={"account": "vision", "severity": "warning", **labels})


def inhibits(rules: list[InhibitRule], source: Alert, target: Alert) -> bool:
    return bool({key for key, _ in casts(rules, source)[0]} & set(falls_under(rules, target)[0]))


OUTAGE = a_rule("type=outage", 'severity < "error"', "account")


def test_a_source_hides_targets_with_the_same_values_and_no_others() -> None:
    outage = alert(type="outage", severity="error")

    assert inhibits([OUTAGE], outage, alert(type="alert"))
    assert not inhibits([OUTAGE], outage, alert(type="alert", account="apps"))
    assert not inhibits([OUTAGE], outage, alert(type="alert", severity="error"))
    assert not inhibits([OUTAGE], alert(type="alert"), alert(type="alert"))


def test_a_shadow_lasts_as_long_as_its_rule_says() -> None:
    rules = [OUTAGE, a_rule("type=outage", "type=alert", path="inhibit_rules[1]", duration=30)]
    cast, _ = casts(rules, alert(type="outage", severity="error"))

    assert [seconds for _, seconds in cast] == [600, 30]
    assert [key.split(":")[0] for key, _ in cast] == ["inhibit_rules[0]", "inhibit_rules[1]"]


def test_an_alert_of_both_sides_is_hidden_by_sources_alone_but_hides_mere_targets() -> None:
    rule = a_rule('severity >= "error"', 'severity >= "warning"')
    warning, error = alert(severity="warning"), alert(severity="error")
    assert not inhibits([rule], error, error)
    assert inhibits([rule], error, warning)

    rule = a_rule("a=1", "b=1")
    both, source, target = alert(a="1", b="1"), alert(a="1"), alert(b="1")
    hides = {
        (first, second): inhibits([rule], one, other)
        for first, one in {"both": both, "source": source, "target": target}.items()
        for second, other in {"both": both, "source": source, "target": target}.items()
    }
    assert {pair for pair, hidden in hides.items() if hidden} == {
        ("source", "target"),
        ("source", "both"),
        ("both", "target"),
    }


def test_a_missing_label_is_the_empty_text_on_both_sides() -> None:
    rule = a_rule("type=outage", "type=alert", "region")
    assert inhibits([rule], alert(type="outage"), alert(type="alert", region=""))
    assert not inhibits([rule], alert(type="outage"), alert(type="alert", region="eu"))


def test_equal_takes_whatever_a_matcher_may_name() -> None:
    rule = a_rule("type=outage", "type=alert", "title", "payload.host.id")
    source = replace(alert(type="outage"), title="t", payload={"host": {"id": 7}})
    target = replace(alert(type="alert"), title="t", payload={"host": {"id": 7}})

    assert inhibits([rule], source, target)
    assert not inhibits([rule], source, replace(target, title="u"))
    assert not inhibits([rule], source, replace(target, payload={"host": {"id": 8}}))


def test_long_values_make_no_long_keys_and_still_differ() -> None:
    rule = a_rule("type=outage", "type=alert", "title")
    source = replace(alert(type="outage"), title="x" * 100_000)
    ((key, _),), _ = casts([rule], source)

    assert len(key) <= KEY_LIMIT
    assert inhibits([rule], source, replace(alert(type="alert"), title="x" * 100_000))
    assert not inhibits([rule], source, replace(alert(type="alert"), title="x" * 99_999 + "y"))


def test_a_rule_that_took_anothers_place_does_not_inherit_its_shadows() -> None:
    ((key, _),), _ = casts([OUTAGE], alert(type="outage", severity="error"))
    assert key in falls_under([OUTAGE], alert(type="alert"))[0]
    assert key not in falls_under([a_rule("type=reboot", 'severity < "error"', "account")], alert(type="alert"))[0]


def test_a_rule_that_raises_is_left_out_and_named() -> None:
    def explode(_: Alert) -> str:
        raise RuntimeError

    bomb = (replace(OUTAGE.source[0], read=explode),)
    broken = [replace(OUTAGE, source=bomb), replace(OUTAGE, target=bomb)]
    assert inhibits([*broken, OUTAGE], alert(type="outage", severity="error"), alert(type="alert"))
    assert casts(broken[:1], alert()) == ((), ("inhibit_rules[0] raised RuntimeError",))
    assert falls_under(broken[1:], alert()) == ((), ("inhibit_rules[0] raised RuntimeError",))


LABELS = st.fixed_dictionaries({}, optional={name: st.sampled_from(["", "1", "2"]) for name in "abc"})
SIDES = st.sampled_from(["a=1", "b=1", "a=1,b=1", "a!=1", "c=~1|2", "{}"])


@given(source=SIDES, target=SIDES, equal=st.sets(st.sampled_from("abc")), one=LABELS, other=LABELS)
def test_rules_do_as_a_plain_oracle_does(
    source: str, target: str, equal: set[str], one: dict[str, str], other: dict[str, str]
) -> None:
    def meets(side: str, labels: dict[str, Any]) -> bool:
        a, b, c = (labels.get(name, "") for name in "abc")
        met: dict[str, bool] = {
            "a=1": a == "1",
            "b=1": b == "1",
            "a=1,b=1": a == b == "1",
            "a!=1": a != "1",
            "{}": True,
        }
        return met.get(side, c in {"1", "2"})

    two_sided = meets(source, other) and meets(target, one)
    expected = (
        meets(source, one)
        and meets(target, other)
        and not two_sided
        and all(one.get(name, "") == other.get(name, "") for name in equal)
    )

    assert inhibits([a_rule(source, target, *sorted(equal))], alert(**one), alert(**other)) is expected


@pytest.mark.parametrize("equal", [(), ("account",)])
def test_no_alert_hides_itself(equal: tuple[str, ...]) -> None:
    for labels in ({"a": "1"}, {"b": "1"}, {"a": "1", "b": "1"}):
        assert not inhibits([a_rule("a=1", "b=1", *equal)], alert(**labels), alert(**labels))
