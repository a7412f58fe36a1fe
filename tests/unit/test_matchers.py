from __future__ import annotations

import operator
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from bellwire.errors import MatcherError
from bellwire.model import Alert, Severity
from bellwire.routing.matcher_parser import parse_matchers
from bellwire.routing.matchers import Op, all_match, check_silence, matcher
from bellwire.routing.regex import full_match

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ALERT = Alert(
    account="vision",
    api="visual_layer",
    upstream_id="u-1",
    type="alert",
    severity=Severity.ERROR,
    title="own title",
    message="own message",
    url=None,
    created_at=NOON,
    received_at=NOON,
    labels={"account": "vision", "severity": "error", "result_count": "12", "empty": ""},
    payload={
        "id": 7,
        "ratio": 0.5,
        "big": 12345678901234567890,
        "yes": True,
        "none": None,
        "text": "té",
        "list": [{"name": "first"}, "second"],
        "0": "zero",
        "infinite": float("inf"),
    },
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("account", "vision"),
        ("absent", ""),
        ("title", "own title"),
        ("message", "own message"),
        ("upstream_id", "u-1"),
        ("payload.id", "7"),
        ("payload.ratio", "0.5"),
        ("payload.big", "12345678901234567890"),
        ("payload.yes", "true"),
        ("payload.none", ""),
        ("payload.text", "té"),
        ("payload.list.0.name", "first"),
        ("payload.list.1", "second"),
        ("payload.0", "zero"),
        ("payload.infinite", ""),
        ("payload.list", ""),  # no scalar
        ("payload.list.2", ""),
        ("payload.list.-1", ""),
        ("payload.id.x", ""),
        ("payload", ""),  # a label like any other
        ("url", ""),
    ],
)
def test_a_name_stands_for_one_text_of_the_alert(name: str, value: str) -> None:
    assert matcher(name, "=", value).matches(ALERT)
    assert not matcher(name, "!=", value).matches(ALERT)


def test_no_label_stands_for_the_text_that_an_alert_has_of_the_same_name() -> None:
    labels = {"title": "label", "message": "", "upstream_id": "label", "payload.id": "label"}
    alert = replace(ALERT, labels=labels)

    assert matcher("title", "=", "own title").matches(alert)
    assert matcher("message", "=", "own message").matches(alert)
    assert matcher("upstream_id", "=", "u-1").matches(alert)
    assert matcher("payload.id", "=", "7").matches(alert)


@pytest.mark.parametrize("payload", [None, [], "text", 3, {"a": None}, [{"a": 1}]])
def test_a_payload_of_any_shape_has_the_empty_text_where_nothing_is(payload: Any) -> None:
    assert matcher("payload.a.b", "=", "").matches(replace(ALERT, payload=payload))


LABELS = st.text() | st.sampled_from(
    ["", "error", "ERROR", "info", "12", "-1.5", "1e3", "nan", "inf", " 7 ", "0x10", "1_0"]
)
COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def _plain_number(text: str) -> float | None:
    if set(text.lower()) & set("_naxity") or not text.isascii():
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _oracle(name: str, op: str, value: str, saw: str) -> bool:
    if op in ("=", "!="):
        return (saw == value) is (op == "=")
    if op in ("=~", "!~"):
        # the standard library's engine, where the languages agree
        return bool(re.fullmatch(value, saw)) is (op == "=~")
    to = Severity.of if name == "severity" else _plain_number
    left, right = to(saw), to(value)
    return left is not None and right is not None and COMPARE[op](left, right)


PATTERNS = st.recursive(
    st.text(alphabet="abcK é\n-", max_size=4) | st.sampled_from([".*", ".", "a+", "[ab]", "(?:b|c)", r"\.", r"\|"]),
    lambda inner: st.tuples(inner, inner).map("".join) | st.tuples(inner, inner).map("|".join),
    max_leaves=4,
)
SAW = st.text(alphabet="abcABCk é\n\r.|-\u212a\u017f", max_size=8) | st.text()


CASES = st.one_of(
    st.tuples(st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), LABELS, LABELS),
    st.tuples(st.sampled_from(["=~", "!~"]), PATTERNS, SAW),
)


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from(["severity", "count"]), CASES)
def test_matchers_do_as_a_slow_plain_oracle_does(name: str, case: tuple[str, str, str]) -> None:
    op, value, saw = case
    if op in COMPARE and name == "severity" and Severity.of(value) is None:
        with pytest.raises(MatcherError, match="is no severity"):
            matcher(name, op, value)
        return
    alert = replace(ALERT, labels={name: saw})

    assert matcher(name, op, value).matches(alert) is _oracle(name, op, value, saw)


WORD = st.text(alphabet="abKs| \u212a\u017fé\n", max_size=5) | st.text(max_size=5)
FORMS = st.sampled_from(["{}", ".*{}", "{}.*", ".*{}.*", "({})", ".*({})", "(?:{}).*", ".*({}).*", ".*(a|{}).*"])


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from(["", "(?i)"]), FORMS, WORD, SAW)
def test_the_quick_forms_do_as_re2_does(fold: str, form: str, word: str, around: str) -> None:
    pattern = fold + form.format("".join(f"\\{char}" if char in "\\.+*?()[]{}^$" else char for char in word))
    plain = re2.compile(pattern)
    test = full_match(pattern)

    for part in (word, *word.split("|")):
        for text in (part, around, around + part, part + around, around + part + around, part.swapcase()):
            assert test(text) is (plain.fullmatch(text) is not None), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("one|two", "two", "on"),
        ("one|two.*", "two more", "one more"),  # ".*" belongs to the last alternative alone
        ("(one|two).*", "one more", "more one"),
        (".*(?:one|two)", "more two", "two more"),
        ("(?i).*(time ?out|Refused).*", "connection REFUSED!", "connection refuse"),
        ("(?i).*(timeout|Refused).*", "connection REFUSED!", "connection\nrefused"),
        ("(?i)stra\u00dfe.*", "STRA\u00dfE 1", "STRASSE 1"),
        ("(?i)speck", "\u017fpec\u212a", "spec"),
    ],
)
def test_words_and_their_alternatives_match_as_they_are_written(pattern: str, yes: str, no: str) -> None:
    assert full_match(pattern)(yes)
    assert not full_match(pattern)(no)


def test_expressions_hold_for_the_whole_text_and_a_dot_is_no_line_end() -> None:
    assert full_match("a|ab")("ab")
    assert not full_match("b")("abc")
    assert not full_match("a.c")("a\nc")
    assert not full_match(".*")("one\ntwo")
    assert not full_match("a$")("a\n")
    assert full_match("(?s)one.*")("one\ntwo")
    assert full_match("")("")


def test_half_a_surrogate_pair_is_one_character_to_an_expression() -> None:
    assert full_match("a.b+")("a\ud800b")
    assert not full_match("a[x]b")("a\ud800b")


@pytest.mark.parametrize(
    ("pattern", "offset"),
    [("a[b", 1), ("(", 0), ("ab*?*", 2), (r"a\k", 1), ("x{1001}", 1), (r"\pL{1000}", 0), ("(?=a)", 0), (r"(a)\1", 3)],
)
def test_what_re2_refuses_is_an_error_with_its_place(pattern: str, offset: int) -> None:
    with pytest.raises(MatcherError, match="bad regular expression") as raised:
        matcher("a", "=~", pattern)

    assert raised.value.offset == offset


def test_nothing_is_written_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MatcherError):
        matcher("a", "=~", "a(b")
    matcher("a", "=~", "(x+x+)+y.").test("x" * 10_000)

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|aa)+b", "(.*a){12}b", "(?:a?){30}a{30}b", "([a-z]+)*[0-9]"])
def test_expressions_that_blow_up_a_backtracking_engine_take_linear_time(pattern: str) -> None:
    test = full_match(pattern)
    small, large = "a" * 20_000, "a" * 320_000
    test(large)  # builds what is built once

    spent_small, spent_large = (min(_spent(test, text) for _ in range(5)) for text in (small, large))

    assert not test(large)
    assert spent_large < spent_small * 16 * 8  # 16 times the text: quadratic would be 256 times the time


def _spent(test: Any, text: str) -> float:
    start = time.process_time()
    for _ in range(3):
        test(text)
    return time.process_time() - start


@pytest.mark.parametrize(
    "hostile",
    [
        "x" * 10_000_000,
        "9" * 1_000_000,
        " " * 1_000_000 + "x",
        "\x00\x1b[31m\u202e",
        "{{ 7 * 7 }}",
        "<b>&amp;",
        "\ud800",
    ],
    ids=["long", "digits", "spaces", "control", "jinja", "html", "surrogate"],
)
def test_hostile_text_is_compared_and_nothing_else(hostile: str) -> None:
    alert = replace(ALERT, title=hostile, labels={"severity": hostile, "count": hostile})

    assert matcher("title", "!=", "x").matches(alert)
    assert matcher("title", "=~", "(?s).*").matches(alert)
    assert not matcher("severity", ">=", "info").matches(alert)
    assert matcher("count", ">", "0").matches(alert) is (hostile[0] == "9")


def test_all_of_several_matchers_must_hold_and_of_none_all_do() -> None:
    yes, no = matcher("account", "=", "vision"), matcher("account", "!=", "vision")

    assert all_match((), ALERT)
    assert all_match((yes, yes), ALERT)
    assert not all_match((yes, no), ALERT)


def test_matchers_are_equal_by_name_operator_and_value() -> None:
    assert matcher("a", "=~", "b+") == matcher("a", Op.MATCHES, "b+")
    assert matcher("a", "=", "b") != matcher("a", "!=", "b")
    assert len({matcher("a", "=", "b"), matcher("a", "=", "b")}) == 1
    assert str(matcher("a b", "<", 'x"')) == '"a b"<"x\\""'


def test_an_unknown_operator_or_an_impossible_name_is_refused() -> None:
    with pytest.raises(ValueError, match="=="):
        matcher("a", "==", "b")
    with pytest.raises(MatcherError, match="needs a name"):
        matcher("", "=", "b")
    with pytest.raises(MatcherError, match="name is no valid"):
        matcher("\ud800", "=", "b")


@pytest.mark.parametrize("text", ["", "a=", 'a!="x"', 'a=~".*",b!~x', "a=~|x", "title=~.*"])
def test_a_silence_that_would_take_whatever_has_none_of_its_labels_is_refused(text: str) -> None:
    with pytest.raises(MatcherError, match="the empty text does not match"):
        check_silence(parse_matchers(text))


@pytest.mark.parametrize("text", ["a=x", "a!=", "a=~.+", "a=,b=x", "a!~|x", "a<3", "a!=x,severity>=info"])
def test_one_matcher_that_needs_some_text_is_enough_for_a_silence(text: str) -> None:
    check_silence(parse_matchers(text))
