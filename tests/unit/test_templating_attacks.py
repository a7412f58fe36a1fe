"""Whatever a template does, it ends soon, takes little memory and reaches nothing but its values."""

from __future__ import annotations

import re
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bellwire.errors import TemplateError
from bellwire.model import Alert, DeliveryKind, Message
from bellwire.templating.budget import LONGEST, SECONDS
from bellwire.templating.escaping import Html, Mrkdwn, Plain, Tame
from bellwire.templating.stationery import NOTHING, Stationery, TemplateFile
from bellwire.templating.template import LONGEST_SOURCE, compile_template
from makers import an_alert


def a_message(alert: Alert | None = None) -> Message:
    return Message(delivery_id="01J", kind=DeliveryKind.ALERT, receiver="ops", alerts=(alert or an_alert(),))


MOST_SECONDS = 2 * SECONDS  # one operation may end a little after its time
MOST_BYTES = 100 * 1024 * 1024


def doubled(macros: int) -> str:
    """Return macros that each call the one before twice."""
    text = "{% macro m0() %}xx{% endmacro %}"
    for n in range(1, macros):
        text += f"{{% macro m{n}() %}}{{{{ m{n - 1}() }}}}{{{{ m{n - 1}() }}}}{{% endmacro %}}"
    return text + f"{{{{ m{macros - 1}() }}}}"


GROWING = "{% set ns = namespace(x=START) %}{% for i in range(100) %}{% set ns.x = NEXT %}{% endfor %}{{ ns.x }}"


def growing(start: str, step: str) -> str:
    return GROWING.replace("START", start).replace("NEXT", step)


COSTLY = {
    "a repeated text": "{{ 'a' * 10 ** 9 }}",
    "a text repeated the other way about": "{{ 10 ** 9 * 'a' }}",
    "a repeated list": "{{ [1] * 10 ** 9 }}",
    "a wide conversion": "{{ '%9999999d' % 1 }}",
    "a wide conversion by argument": "{{ '%*d' % (999999999, 1) }}",
    "a wide conversion in the filter": "{{ '%9999999d' | format(1) }}",
    "a precise conversion": "{{ '%.999999999f' % 1.0 }}",
    "the filter center": "{{ 'a' | center(10 ** 9) }}",
    "the filter ljust": "{{ 'a' | ljust(10 ** 9) }}",
    "the filter indent": "{{ ('a\\n' * 1000) | indent(10 ** 6) }}",
    "the filter indent within bounds": "{{ ('a\\n' * 100000) | indent(1000) }}",
    "the filter wordwrap": "{{ (' ' * 900000) | wordwrap(1) }}",
    "the filter batch": "{% for i in range(20000) %}{{ range(20000) | batch(1) }}{% endfor %}",
    "the filter replace": "{{ ('a' * 1000) | replace('a', 'b' * 100000) }}",
    "the filter replace of nothing": "{{ ('a' * 1000) | replace('', 'b' * 100000) }}",
    "the filter join": "{{ range(20000) | join('a' * 100000) }}",
    "the filter select": "{{ range(20000) | map('x') | select('in', 'a' * 1000000) | list }}",
    "the filter map with an endless path": "{{ range(20000) | map('a.' * 400000) | list }}",
    "the filter tojson": "{{ range(20000) | list | tojson(10 ** 6) }}",
    "the filter urlencode": "{% for i in range(20000) %}{{ ('&' * 900000) | urlencode }}{% endfor %}",
    "the filter list of a text": "{{ ('a' * 900000) | list }}",
    "the method replace": "{{ ('a' * 1000).replace('a', 'b' * 100000) }}",
    "the method join": "{{ ('a' * 100000).join(range(20000)) }}",
    "a large range": "{% for i in range(10 ** 9) %}{% endfor %}",
    "nested loops without output": "{% for i in range(20000) %}{% for j in range(20000) %}{% endfor %}{% endfor %}",
    "nested loops with a condition": (
        "{% for i in range(20000) if range(20000) | select('odd') | list == 1 %}{% endfor %}"
    ),
    "a loop over a loop's length": "{% for i in range(20000) %}{% for j in range(20000) %}{{ loop.length }}{% endfor %}{% endfor %}",
    "much output": "{% for i in range(20000) %}" + "a" * 1000 + "{% endfor %}",
    "much output in a macro": "{% macro m() %}{% for i in range(20000) %}"
    + "a" * 1000
    + "{% endfor %}{% endmacro %}{% set x = m() %}",
    "much output in a block that is set": "{% set x %}{% for i in range(20000) %}"
    + "a" * 1000
    + "{% endfor %}{% endset %}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "recursion through a caller": "{% macro m() %}{% call m() %}{% endcall %}{% endmacro %}{{ m() }}",
    "recursion through a block": "{% block b %}{{ self.b() }}{% endblock %}",
    "macros that double": doubled(60),
    "a text that doubles by ~": growing("'a'", "ns.x ~ ns.x"),
    "a text that doubles by +": growing("'a'", "ns.x + ns.x"),
    "a list that doubles": growing("[1]", "ns.x + ns.x"),
    "lists that hold one another twice": growing("[1]", "[ns.x, ns.x]"),
    "tuples that hold one another twice": growing("(1,)", "(ns.x, ns.x)"),
    "mappings that hold one another twice": growing("{}", "{'a': ns.x, 'b': ns.x}"),
    "arguments that hold one another twice": (
        "{% macro m(n) %}{% if n < 35 %}{{ m(n + 1, varargs, varargs) }}{% else %}{{ varargs }}{% endif %}{% endmacro %}{{ m(0, 1) }}"
    ),
    "powers of powers": "{{ 9 ** 9 ** 9 ** 9 }}",
    "a product that grows": growing("3", "ns.x * ns.x"),
    "texts in a list": "{% set ns = namespace(x=[]) %}{% for i in range(20000) %}{% set ns.x = ns.x + ['a' * 100000] %}{% endfor %}",
    "straight work": "{% for i in range(20000) %}{{ alert.message | upper | lower | replace('e', 'ff') }}{% endfor %}",
    "comparisons": "{% set a = 'a' * 900000 ~ 'b' %}{% set b = 'a' * 900000 ~ 'c' %}{% for i in range(20000) %}{% if a < b or a == b %}{% endif %}{% endfor %}",
}


def cost(source: str, *, message: str = "The message. " * 5000) -> tuple[str, float, int]:
    """Render; return what came of it, the processor's seconds, and the bytes that it took at most."""
    tracemalloc.start()
    began = time.thread_time()
    try:
        told = str(compile_template(source, Plain, NOTHING).render(a_message(an_alert(message=message))))
    except TemplateError as error:
        told = f"refused: {error}"
    finally:
        seconds, (_, most) = time.thread_time() - began, tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return told, seconds, most


@pytest.mark.parametrize("attack", COSTLY)
def test_a_template_that_costs_too_much_is_ended(attack: str) -> None:
    told, seconds, most = cost(COSTLY[attack])

    assert told.startswith("refused: "), told[:200]
    # what compiling takes is bounded by the template's size; tracing memory takes several times as long again
    assert seconds < 4 * MOST_SECONDS
    assert most < MOST_BYTES


@pytest.mark.parametrize("attack", COSTLY)
def test_no_template_holds_its_thread_for_half_a_second(attack: str) -> None:
    try:
        template = compile_template(COSTLY[attack], Plain, NOTHING)
    except TemplateError:
        return  # it never runs
    message = a_message(an_alert(message="The message. " * 5000))
    began = time.thread_time()
    with pytest.raises(TemplateError):
        template.render(message)
    assert time.thread_time() - began < MOST_SECONDS


def outcome(source: str) -> str:
    """Return what is shown, or where and why it is refused; any other error goes through."""
    try:
        return str(compile_template(source, Plain, NOTHING).render(a_message()))
    except TemplateError as error:
        return f"refused: {error.line}:{error.column}: {error}"


REACHING = [
    "{{ ''.__class__ }}",
    "{{ ''['__class__'].__mro__ }}",
    "{{ alert.__class__ }}",
    "{{ alert._alert }}",
    "{{ alert['_alert'] }}",
    "{{ alert.labels.__init__.__globals__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ range.__globals__ }}",
    "{{ range.call }}",
    "{{ namespace.__init__ }}",
    "{% for a in alerts %}{{ loop.__init__ }}{% endfor %}",
    "{% for a in alerts %}{{ loop._iterator }}{% endfor %}",
    "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}",
    "{% macro m() %}{% endmacro %}{{ m.__call__ }}",
    "{{ alert.title.format }}",
    "{{ '{0.__class__}'.format(alert) }}",
    "{{ '{x.__class__}'.format_map({'x': alert}) }}",
    "{{ alert.created_at.__class__ }}",
    "{{ alert.created_at.strftime('%9999Y') }}",
    "{{ alerts | map('_alert') | list }}",
    "{{ alerts | map('__class__') | list }}",
    "{{ alerts | sort(attribute='_alert') }}",
    "{{ alert.title.encode() }}",
    "{{ (1).__class__ }}",
    "{{ (1).to_bytes(10, 'big') }}",
    "{{ alerts.append(1) }}",
    "{{ alerts.clear() }}",
    "{{ alert.labels.clear() }}",
    "{{ alert.labels.pop('type') }}",
    "{{ alert.labels.update({}) }}",
    "{{ lipsum.__globals__ }}",
    "{{ cycler.__init__ }}",
    "{{ config }}",
    "{{ environment }}",
    "{{ context }}",
    "{{ alert.title | attr('__class__') }}",
    "{{ alert.title | pprint }}",
    "{{ alert.title | safe }}",
    "{% include '/etc/passwd' %}",
    "{% include alert.title %}",
    "{% import '../secrets.j2' as s %}",
    "{% extends 'x' %}",
    "{% set alert.title = 'x' %}",
    "{{ missing_name }}",
    "{{ debug() }}",
    "{% autoescape false %}{{ alert.title }}{% endautoescape %}",
    "{% filter upper %}{{ alert.title }}{% endfilter %}",
    "{% for a in alerts recursive %}{{ loop(alerts) }}{% endfor %}",
]


@pytest.mark.parametrize("source", REACHING)
def test_a_template_reaches_nothing_but_its_values(source: str) -> None:
    """Either it is an error, or what is not there is empty: nothing of Python's is ever shown."""
    told = outcome(source)
    assert told.startswith("refused: ") or told in {"", "[]", '[""]'}
    assert "0x" not in told  # an address in memory: something's repr


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + " + ".join(["1"] * 4000) + " }}",
        "{{ " + "not " * 5000 + "1 }}",
        "{{ alert" + ".x" * 20_000 + " }}",
        "{% if 1 %}" * 500 + "{% endif %}" * 500,
        "{% for i in alerts %}" * 200 + "{% endfor %}" * 200,
        "{{ 1 }}" * 9000,
        "a" * (LONGEST_SOURCE + 1),
        "{{ 0x" + "f" * 60_000 + " }}",
        "{{ " + "9" * 60_000 + " }}",
        "{{ [" + "1," * 25_000 + "] }}",
        "{{ '" + "\\x41" * 10_000,
        "{#" * 20_000,
        "{% raw %}" * 5000,
        "\x00{{ alert.title }}",
    ],
    ids=range(15),
)
def test_what_is_huge_or_nested_is_compiled_or_refused_and_harms_nothing(source: str) -> None:
    assert len(outcome(source)) <= LONGEST


def test_files_that_include_one_another_come_to_an_end() -> None:
    files = tuple(
        TemplateFile(name=f"f{n}", path=f"f{n}", source=f"{{% include 'f{(n + 1) % 30}' %}}" * 2) for n in range(30)
    )
    chain = Stationery(files=files)
    began = time.thread_time()
    with pytest.raises(TemplateError):
        compile_template("{% include 'f0' %}", Plain, chain).render(a_message())
    assert time.thread_time() - began < 4 * MOST_SECONDS


_WORDS = st.sampled_from(
    [
        "alert",
        "alerts",
        "'a'",
        "9",
        "[1]",
        "range(9)",
        "~",
        "*",
        "+",
        "**",
        "|",
        "join",
        "upper",
        "list",
        "(",
        ")",
        "{{",
        "}}",
        "{%",
        "%}",
        "for",
        "x",
        "in",
        "endfor",
        "if",
        "endif",
        "set",
        "=",
        ".title",
        ".labels",
        "[",
        "]",
        "macro",
        "m()",
        ",",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_WORDS, max_size=25).map(" ".join) | st.text(max_size=80))
def test_any_text_is_rendered_or_refused_with_a_place(source: str) -> None:
    place = re.match(r"refused: (\d+):(\d+): .", outcome(source))
    if place:
        assert 1 <= int(place[1]) <= source.count("\n") + 1
        assert int(place[2]) >= 1


@given(st.text(max_size=200))
def test_no_text_of_an_alert_is_ever_executed_or_unescaped(text: str) -> None:
    message = a_message(an_alert(title=text + "{{ 7 * 7 }}<!channel><b>", labels={"x": text + "<b>"}))
    source = "{{ alert.title }}{{ alert.title ~ 'a' }}{{ [alert.title, 'b'] | join }}{{ '%s' % alert.title }}{{ alert.labels.x }}"
    for form, mark in ((Mrkdwn, "&lt;!channel&gt;&lt;b&gt;"), (Html, "&lt;!channel&gt;&lt;b&gt;")):
        shown = str(compile_template(source, form, NOTHING).render(message))
        assert "{{ 7 * 7 }}" in shown
        assert "<" not in shown
        assert shown.count(mark) == 4


def test_apprise_finds_no_mention_of_everyone_in_an_alerts_text() -> None:
    template = compile_template("@here {{ alert.title }}", Tame, NOTHING)
    shown = str(
        template.render(a_message(an_alert(title="@everyone <@U1> <!channel> a@channel.example x@example.com")))
    )
    assert shown.startswith("@here ")
    assert "@everyone" not in shown
    assert "<@" not in shown
    assert "<!" not in shown
    assert shown.endswith("x@example.com")
