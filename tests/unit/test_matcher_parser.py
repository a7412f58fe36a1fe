from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bellwire.errors import MatcherError
from bellwire.routing.matcher_parser import parse_matchers
from bellwire.routing.matchers import RESERVED, SPACES, Matcher, Op, matcher

READ = [
    ("", []),
    ("{}", []),
    ("  { }  ", []),
    ("foo=bar", [("foo", "=", "bar")]),
    ("foo=bar,", [("foo", "=", "bar")]),
    ("{foo=bar}", [("foo", "=", "bar")]),
    (" {foo=bar,} ", [("foo", "=", "bar")]),
    ("{foo!=bar}", [("foo", "!=", "bar")]),
    ("{foo=~[a-z]+}", [("foo", "=~", "[a-z]+")]),
    ("foo!~[a-z]+", [("foo", "!~", "[a-z]+")]),
    ("foo=🙂bar", [("foo", "=", "🙂bar")]),
    ("🙂=bar", [("🙂", "=", "bar")]),
    ("payload.batch.0.id=7", [("payload.batch.0.id", "=", "7")]),
    ("dataset-id\u202f=\u202fx", [("dataset-id", "=", "x")]),
    ('{"foo"="bar"}', [("foo", "=", "bar")]),
    ('"my label"="a, b"', [("my label", "=", "a, b")]),
    (r'{"foo"="\xf0\x9f\x99\x82"}', [("foo", "=", "🙂")]),
    (r'{"foo"="\U0001f642\u00e9\351"}'.replace(r"\351", r"\303\251"), [("foo", "=", "🙂éé")]),
    (r'{"foo"="bar\n\t\a\b\f\r\v"}', [("foo", "=", "bar\n\t\a\b\f\r\v")]),
    (r'{"foo"="\"bar\""}', [("foo", "=", '"bar"')]),
    (r'{"foo"="bar\\"}', [("foo", "=", "bar\\")]),
    ("{foo=bar,bar!=baz}", [("foo", "=", "bar"), ("bar", "!=", "baz")]),
    ('foo="bar" , bar !~ "foo,bar" , ', [("foo", "=", "bar"), ("bar", "!~", "foo,bar")]),
    (r'{quote="She said: \"Hi, ladies!\""}', [("quote", "=", 'She said: "Hi, ladies!"')]),
    # what only the classic grammar takes
    ("view_name=night shift", [("view_name", "=", "night shift")]),
    (r'message =~ "\d+\.\d+"', [("message", "=~", r"\d+\.\d+")]),
    (r'payload.code =~ "\d+"', [("payload.code", "=~", r"\d+")]),
    (r"foo=bar\n", [("foo", "=", "bar\n")]),
    (r'message =~ ".*\bdown\b.*"', [("message", "=~", r".*\bdown\b.*")]),
    ("tricky=~~~", [("tricky", "=~", "~~")]),
    ("foo=~a{2}", [("foo", "=~", "a{2}")]),
    ("{foo=~a{2}}", [("foo", "=~", "a{2}")]),
    ('foo="two\nlines"', [("foo", "=", "two\nlines")]),
    ("url=http://x/?a=b", [("url", "=", "http://x/?a=b")]),
    ("foo=", [("foo", "=", "")]),
    ("foo != ", [("foo", "!=", "")]),
    ("foo=~", [("foo", "=~", "")]),
    ("{foo!~}", [("foo", "!~", "")]),
    ('{foo=,bar="x"}', [("foo", "=", ""), ("bar", "=", "x")]),
    ('{bar="x",foo=~ ,}', [("bar", "=", "x"), ("foo", "=~", "")]),
    ("foo=,", [("foo", "=", "")]),
    ("severity=,severity>=error", [("severity", "=", ""), ("severity", ">=", "error")]),
    # ours
    ('severity >= "error"', [("severity", ">=", "error")]),
    ("severity>=error,result_count<10", [("severity", ">=", "error"), ("result_count", "<", "10")]),
    ('"result count" <= 3.5, a > -1', [("result count", "<=", "3.5"), ("a", ">", "-1")]),
    (r'severity >= "error", message =~ "\w+"', [("severity", ">=", "error"), ("message", "=~", r"\w+")]),
]

FAULTS = [
    (",", 0, "expected a name"),
    ("{,}", 1, "expected a name"),
    ("{", 1, 'closing "}"'),
    ("}", 0, "closes nothing"),
    ("foo=bar}", 7, "closes nothing"),
    ("{foo=bar", 8, 'closing "}"'),
    ("{foo=~a{2}", 7, '"{"'),
    ("foo", 3, "operator"),
    ("foo bar=x", 4, "operator"),
    ("severity>=", 10, "expected a value"),
    ("{foo<}", 5, "expected a value"),
    ('"foo"=', 6, "expected a value"),
    ("foo=,,bar=x", 4, "expected a value"),
    ("{foo=", 5, "expected a value"),
    ("foo=}", 4, "expected a value"),
    ("=", 0, "expected a name"),
    ("foo=bar,,a=b", 8, "expected a name"),
    ('a="b" c="d"', 6, "comma"),
    ('{a="b"} c="d"', 8, "expected the end"),
    ('{a="b"},{c="d"}', 7, "expected the end"),
    ('foo="bar', 4, "never closed"),
    ('foo=bar"', 7, "never closed"),
    ("foo='bar'", 4, "double quotes"),
    ("foo=`bar`", 4, "double quotes"),
    ("severity == error", 10, "expected a value"),
    ("severity => error", 10, "expected a value"),
    ("foo=!bar", 4, 'unexpected "!"'),
    (r'"foo"="bar\w"', 10, "no escape"),
    (r'"foo"="\xf0\x9f"', 7, "no valid UTF-8"),
    (r'"foo"="a\ud800"', 8, "no character"),
    (r'"foo"="\U99999999"', 7, "no character"),
    ('"fo\no"=x', 3, "a line ends"),
    ('""=x', 0, "needs a name"),
    ("a=b, payload.=x", 5, "payload.FIELD"),
    ('foo=~"a[b"', 7, "missing ]"),
    ("x=y, foo=~*a", 10, "no argument for repetition"),
    (r'foo!~"a\\\\(?<=b"', 6, "(?<="),  # an escape before it: the start of the value
    ('severity >= "errr"', 13, "no severity"),
    ("a=b,severity<3", 13, "no severity"),
    ('foo="\ud800"', 5, "no valid Unicode"),
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_the_grammar_reads(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert [(one.name, one.op.value, one.value) for one in parse_matchers(text)] == expected


@pytest.mark.parametrize(("text", "offset", "message"), FAULTS)
def test_a_fault_names_its_offset_and_what_to_do(text: str, offset: int, message: str) -> None:
    with pytest.raises(MatcherError) as raised:
        parse_matchers(text)

    assert message in str(raised.value)
    assert raised.value.offset == offset


NAMES = st.text(min_size=1).filter(lambda name: name != "payload.")
TEXTS = st.text() | st.text(alphabet="\\\"'n,{}=~!<> \n\tab")


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.tuples(NAMES | TEXTS.filter(bool), st.sampled_from(["=", "!="]), TEXTS), max_size=4), st.booleans())
def test_what_is_printed_is_read_as_the_same_matchers(parts: list[tuple[str, str, str]], braces: bool) -> None:  # noqa: FBT001 -- drawn, not called
    matchers = tuple(matcher(*part) for part in parts)
    printed = ", ".join(one.text for one in matchers)

    read = parse_matchers("{" + printed + "}" if braces else printed)

    assert read == matchers
    assert [one.text for one in read] == [one.text for one in matchers]


BARE = st.text(alphabet="abc_.-🙂", min_size=1)  # no name or value of these needs quotes


@settings(deadline=None)  # the machine may be busy
@given(
    st.lists(st.tuples(BARE, st.sampled_from(["=", "!=", "=~", "!~"]), st.just("") | BARE), min_size=1, max_size=4),
    st.sampled_from([",", " , "]),
    st.sampled_from(["{{{}}}", "{{{},}}", "{}", " {} "]),
)
def test_what_nobody_quoted_is_read_as_what_is_printed_in_quotes_and_nothing_is_the_empty_text(
    parts: list[tuple[str, str, str]], comma: str, around: str
) -> None:
    read = parse_matchers(around.format(comma.join("".join(part) for part in parts)))

    assert [(one.name, one.op.value, one.value) for one in read] == parts
    assert parse_matchers(",".join(one.text for one in read)) == read


@settings(deadline=None)  # the machine may be busy
@given(NAMES, st.sampled_from(["<", "<=", ">", ">="]), TEXTS)
def test_printed_comparisons_are_read_as_the_same(name: str, op: str, value: str) -> None:
    one = matcher(name, op, "error" if name == "severity" else value)

    assert parse_matchers(one.text) == (one,)


PATTERNS = st.lists(
    st.sampled_from(
        [r"\d+", r"\\", r"\n", "\n", '"', r"\"", "a{2}", "(?i)b", "(x|y)", '[",}]', ".*", "=~", " ", "é", "🙂"]
    )
).map("".join)


@settings(deadline=None)  # the machine may be busy
@given(NAMES, st.sampled_from(["=~", "!~"]), PATTERNS)
def test_printed_expressions_are_read_as_the_same(name: str, op: str, pattern: str) -> None:
    one = matcher(name, op, pattern)

    assert parse_matchers(one.text) == (one,)
    assert parse_matchers("{" + one.text + ",}") == (one,)


@settings(deadline=None)  # the machine may be busy
@given(st.text(alphabet="ab=~!<>{},\"\\ n'`\nx0\ud800🙂\u2003") | st.text())
def test_any_text_is_read_or_refused_within_itself_and_what_is_read_stays(text: str) -> None:
    read = _attempt(text)

    if isinstance(read, MatcherError):
        assert 0 <= read.offset <= len(text)
        assert str(read)
    else:
        assert parse_matchers("{" + ",".join(one.text for one in read) + "}") == read


def _attempt(text: str) -> tuple[Matcher, ...] | MatcherError:
    try:
        return parse_matchers(text)
    except MatcherError as fault:
        return fault


@settings(deadline=None)  # the machine may be busy
@given(st.text(alphabet=st.characters(exclude_characters="".join(RESERVED), exclude_categories=["Cs"]), min_size=1))
def test_names_need_no_quotes_unless_they_hold_a_reserved_character(name: str) -> None:
    (one,) = parse_matchers(f"label.{name}=x")

    assert one.name == f"label.{name}"
    assert one.text == f'label.{name}="x"'


@pytest.mark.parametrize("space", SPACES)
def test_any_white_space_may_stand_between_the_parts(space: str) -> None:
    (one,) = parse_matchers(f'{space}{{{space}"foo"{space}={space}"bar"{space}}}{space}')

    assert (one.name, one.op, one.value) == ("foo", Op.EQUAL, "bar")
