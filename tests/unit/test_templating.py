"""What templates see, how it is shown, and where their errors are."""

from __future__ import annotations

import operator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bellwire.errors import TemplateError
from bellwire.model import DeliveryKind, Message, Severity
from bellwire.templating.escaping import Html, Mrkdwn, Plain, Safe, clean
from bellwire.templating.stationery import NOTHING, Stationery, TemplateFile
from bellwire.templating.template import check_files, compile_template
from makers import an_alert

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
FIRST = an_alert(
    id="01A",
    title="Scratches & <dents>",
    message="Look.",
    url="https://vendor.example/7?a=1&b=2",
    created_at=AT,
    labels={"team": "vision", "count": "12"},
    payload={"metadata": {"owner": {"name": "Ann"}, "tags": ["x", "y"]}, "nothing": None},
)
SECOND = an_alert(id="01B", title="Second", severity=Severity.ERROR, url="javascript:alert(1)", labels={"team": "data"})


def show(source: str, form: type[Safe] = Plain, stationery: Stationery = NOTHING, **changes: Any) -> str:
    message = Message(delivery_id="01D", kind=DeliveryKind.GROUP, receiver="ops", alerts=(FIRST, SECOND))
    return str(compile_template(source, form, stationery).render(replace(message, **changes)))


def fault(source: str, stationery: Stationery = NOTHING) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        show(source, stationery=stationery)
    return caught.value


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("{{ alert.title }}", "Scratches & <dents>"),
        ("{{ alerts | length }} {{ kind }} {{ receiver }} {{ delivery_id }} {{ part }}/{{ parts }}", "2 group ops 01D 1/1"),
        ("{{ severity }} {{ severity_rank }} {{ mark }} {{ alert.severity }} {{ alert.mark }}", "error 3 🟠 warning 🟡"),
        ("{{ alerts | map(attribute='title') | join('; ') }}", "Scratches & <dents>; Second"),
        ("{{ alerts | map('labels.team') | unique | sort | join(', ') }}", "data, vision"),
        ("{% for a in alerts if a is at_least('error') %}{{ a.title }}{% endfor %}", "Second"),
        ("{{ alerts | selectattr('severity', 'eq', 'error') | map('id') | join }}", "01B"),
        ("{{ alerts | selectattr('severity', 'ge', 'error') | map('id') | join }}", "01B"),
        ("{{ alerts | sort(attribute='severity', reverse=true) | map('severity') | join(' ') }}", "error warning"),
        ("{{ alerts | map('severity') | max }} {{ ['critical', alert.severity] | join }}", "error criticalwarning"),
        ("{% for name, of in alerts | groupby('severity') %}{{ name }}:{{ of | length }} {% endfor %}", "warning:1 error:1 "),
        ("{% for team, of in alerts | groupby('labels.team') %}{{ team }}:{{ of | length }} {% endfor %}", "data:1 vision:1 "),
        ("{{ alert.labels.team }} {{ alert.labels['team'] }} {{ alert.labels.get('none', '-') }}", "vision vision -"),
        ("[{{ alert.labels.none }}{{ alert.payload.a.b.c }}{{ alert.payload.nothing }}{{ alert.payload['x']['y'] }}]", "[]"),
        ("{{ alert.labels.none | default('?') }} {{ alert.payload.a.b | d('?') }}", "? ?"),
        ("{{ alert.payload.metadata.owner.name }} {{ alert.payload.metadata.tags[1] }}", "Ann y"),
        ("{{ alert.payload.metadata.tags | tojson }}", '["x", "y"]'),
        ("{{ alert.payload.metadata.owner }}", '{"name": "Ann"}'),
        ("{{ alert.labels['count'] | int + 1 }} {{ true }} {{ none }}.", "13 true ."),
        ("{{ alert.url }} [{{ alerts[1].url }}]", "https://vendor.example/7?a=1&b=2 []"),
        ("{{ alert.page }}{{ alert.whole }}", "`bellwire explain 01A`"),
        ("{{ alert.created_at }}", "2026-11-22 10:00:00 UTC"),
        ("{{ alert.created_at | time('%d.%m. %H:%M %Z', 'Europe/Paris') }}", "22.11. 11:00 CET"),
        ("{{ '2026-07-01T10:00:00Z' | time('%H:%M', 'America/New_York') }}", "06:00"),
        ("{{ alert.created_at.year }} {{ alert.created_at.isoformat() }}", "2026 2026-11-22T10:00:00+00:00"),
        ("{{ alert.title.upper().split(' ')[0] }}{{ alert.title[0:3] }}", "SCRATCHESScr"),
        ("{{ 'a\\nb' | indent(2) }}|{{ 'abcdef' | truncate(4) }}|{{ 'a b c' | wordwrap(3) }}", "a\n  b|abc…|a b\nc"),
        ("{{ '%5.1f|%s|%%' | format(2.25, 'x') }} {{ '%03d' % 7 }}", "  2.2|x|% 007"),
        ("{% set ns = namespace(n=0) %}{% for a in alerts %}{% set ns.n = ns.n + loop.index %}{% endfor %}{{ ns.n }}", "3"),
        ("{% macro m(x, y='!') %}<{{ x }}{{ y }}>{{ caller() if caller }}{% endmacro %}{% call m('a') %}b{% endcall %}", "<a!>b"),
        ("{{ suppressed }}{{ origin }}{{ errors | join }}{{ external_url }}", "0"),
    ],
)  # fmt: skip
def test_a_template_sees_and_shows(source: str, shown: str) -> None:
    assert show(source) == shown


def test_with_an_address_of_its_own_bellwire_links_to_an_alerts_page() -> None:
    at = Stationery(external_url="https://bell.example/b/")
    assert show("{{ alert.page }} {{ alert.whole }}", stationery=at) == " ".join(
        ["https://bell.example/b/alerts/01A"] * 2
    )


def test_times_are_in_the_configurations_zone() -> None:
    assert show("{{ alert.created_at | time('%H:%M') }}", stationery=Stationery(timezone="Asia/Tokyo")) == "19:00"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("<b>{{ alert.title }}</b>", "<b>Scratches &amp; &lt;dents&gt;</b>"),
        ("{{ '<b>' }}{{ '<b>' ~ alert.title }}", "<b><b>Scratches &amp; &lt;dents&gt;"),
        ("{{ '<i>' + alert.title + '</i>' }}", "<i>Scratches &amp; &lt;dents&gt;</i>"),
        ("{{ '<%s|%s>' | format(alert.url, 'x') }}", "<https://vendor.example/7?a=1&amp;b=2|x>"),
        ("{{ [alert.title, '<u>'] | join('<br>') }}", "Scratches &amp; &lt;dents&gt;<br><u>"),
        ("{{ alert.title | replace('Scratches', '<s>') }}", "<s> &amp; &lt;dents&gt;"),
        ("{% macro m(x) %}<b>{{ x }}</b>{% endmacro %}{{ m(alert.title) }}", "<b>Scratches &amp; &lt;dents&gt;</b>"),
        ("{% set x %}<b>{{ alert.title }}</b>{% endset %}{{ x }}", "<b>Scratches &amp; &lt;dents&gt;</b>"),
        ("{% call alert.labels.get('none', alert.title) %}{% endcall %}", "Scratches &amp; &lt;dents&gt;"),
        ("{{ {'warning': '<!here>'}[alert.severity] }}", "<!here>"),
        (
            "{{ alert.title | upper }}{{ alert.title | e }}",
            "SCRATCHES &amp; &lt;DENTS&gt;Scratches &amp; &lt;dents&gt;",
        ),
        ("{{ alert.payload.metadata.tags }}{{ [alert.title] }}", '["x", "y"]["Scratches &amp; &lt;dents&gt;"]'),
    ],
)
def test_what_an_alert_says_is_escaped_and_what_the_author_wrote_is_not(source: str, shown: str) -> None:
    assert show(source, Mrkdwn) == shown
    assert show(source, Html) == shown.replace('"', "&quot;")


FILES = Stationery(
    files=(
        TemplateFile(
            name="lib.j2",
            path="/t/lib.j2",
            source="{% macro line(a) %}<{{ a.title }}>{% endmacro %}\n{% macro bad(a) %}\n{{ a.nix }}{% endmacro %}",
        ),
        TemplateFile(name="base.j2", path="/t/base.j2", source="[{% block body %}own{% endblock %}]"),
        TemplateFile(name="part.j2", path="/t/part.j2", source="({{ alert.title }})"),
    )
)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("{% from 'lib.j2' import line %}{{ line(alert) }}", "<Scratches &amp; &lt;dents&gt;>"),
        ("{% import 'lib.j2' as lib %}{{ lib.line(alerts[1]) }}", "<Second>"),
        ("{% extends 'base.j2' %}{% block body %}{{ super() }} {{ alerts[1].title }}{% endblock %}", "[own Second]"),
        ("{% include 'part.j2' %}", "(Scratches &amp; &lt;dents&gt;)"),
    ],
)
def test_templates_use_files_by_their_names(source: str, shown: str) -> None:
    assert show(source, Mrkdwn, FILES) == shown


@pytest.mark.parametrize(
    ("source", "place", "told"),
    [
        ("a\n{{ alrt }}", (2, 4), "there is no name 'alrt': did you mean alert?"),
        ("{{ alert.tilte }}", (1, 10), "an alert has no 'tilte': did you mean title?"),
        ("\n\n  {{ x | uper }}", (3, 10), "there is no filter 'uper': did you mean upper?"),
        ("{% if alert is at_leest('x') %}{% endif %}", (1, 16), "there is no test 'at_leest': did you mean at_least?"),
        ("{% if alert.x %}{% endif %}", (1, 13), "an alert has no 'x'"),
        ("{% if alert %}\n{% endfor %}", (2, 4), "unknown tag 'endfor'"),
        ("{{ alert is at_least('bad') }}", (1, 1), "'bad' is no severity"),
        ("{{ alert.created_at | time('%Q') }}", (1, 1), "a time's format takes"),
        ("{{ alert.created_at | time(zone='Europe/Pariss') }}", (1, 1), "is no time zone"),
        ("{% if alert.severity >= 'eror' %}{% endif %}", (1, 1), "'eror' is no severity: choose from info, warning"),
        ("{{ 'eror' < severity }}", (1, 1), "'eror' is no severity"),
        ("{{ severity < 3 }}", (1, 1), "cannot be computed (TypeError"),
        ("{{ 1 / 0 }}", (1, 1), "cannot be computed (ZeroDivisionError"),
        ("{{ 'a' < 1 }}", (1, 1), "cannot be computed (TypeError"),
        ("{% from 'libb.j2' import line %}", (1, 10), "there is no template file 'libb.j2': did you mean lib.j2?"),
        ("{% from 'lib.j2' import lime %}{{ lime(alert) }}", (1, 10), "does not export the requested name 'lime'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_what_may_have_been_meant(
    source: str, place: tuple[int, int], told: str
) -> None:
    error = fault(source, FILES)
    assert told in str(error)
    assert (error.name, error.line, error.column) == ("", *place)


def test_a_mistake_in_a_file_is_told_with_the_files_name() -> None:
    error = fault("{% from 'lib.j2' import bad %}\n{{ bad(alert) }}", FILES)
    assert (error.name, error.line, error.column) == ("lib.j2", 3, 6)


def test_a_file_that_nothing_imports_is_checked_too() -> None:
    broken = Stationery(files=(TemplateFile(name="x.j2", path="/t/x.j2", source="\n{% if %}"),))
    (error,) = check_files(Plain, broken)
    assert (error.name, error.line) == ("x.j2", 2)
    assert not list(check_files(Plain, FILES))


def test_an_error_brings_no_foreign_one_along() -> None:
    error = fault("{{ 1 / 0 }}")
    assert error.__context__ is None


def test_a_very_long_text_of_an_alert_is_cut_and_says_where_the_whole_is() -> None:
    huge = replace(FIRST, message="m" * 10_000_000, title="t" * 100_000, labels={"x": "y" * 100_000})
    shown = show("{{ alert.message[-60:] }}|{{ alert.title[-60:] }}|{{ alert.labels.x[-60:] }}", alerts=(huge,))
    message, title, label = shown.split("|")
    assert message.endswith("[cut, 10,000,000 characters; whole: `bellwire explain 01A`]")
    assert title.endswith("[cut, 100,000 characters; whole: `bellwire explain 01A`]")
    assert label[1:] == title[1:]


def test_what_nobody_should_see_or_obey_is_taken_out_of_an_alerts_text() -> None:
    title = (
        "a\x00b\x1b[31m\u202egpj\u2066.exe\u200b\u2060\ufeff\u00ad\U000e0041\ud800" + "e" + "\u0301" * 50 + "👩\u200d💻"
    )
    shown = show("{{ alert.title }}", alerts=(replace(FIRST, title=title),))
    assert shown == "ab[31mgpj.exe\ufffde" + "\u0301" * 4 + "👩\u200d💻"
    assert clean(shown) == shown


OPERATORS = {
    "<": (">", operator.lt),
    "<=": (">=", operator.le),
    ">": ("<", operator.gt),
    ">=": ("<=", operator.ge),
    "==": ("==", operator.eq),
    "!=": ("!=", operator.ne),
}


@pytest.mark.parametrize("sign", OPERATORS)
@pytest.mark.parametrize("severity", list(Severity))
def test_severities_are_compared_by_their_rank_and_are_equal_as_texts_are(sign: str, severity: Severity) -> None:
    mirrored, compare = OPERATORS[sign]
    labels = {"severity": severity.text}
    alert = replace(FIRST, severity=severity, labels=labels)
    for other in Severity:
        expected = str(compare(severity, other)).lower()
        for mine in ("alert.severity", "severity", "alert.labels.severity", "group_labels.severity"):
            for source in (f"{mine} {sign} '{other.text}'", f"'{other.text}' {mirrored} {mine}"):
                assert show("{{ " + source + " }}", alerts=(alert,), group_labels=labels) == expected, source


def test_a_label_that_is_no_severity_is_compared_as_any_text() -> None:
    alert = replace(FIRST, labels={"severity": "high", "level": "info"})
    source = "{{ alert.labels.severity >= 'error' }} {{ alert.labels.level >= 'error' }} {{ 'a' < 'b' }}"
    assert show(source, alerts=(alert,)) == "true true true"
