"""Every mistake is told with its line, its column and what to do; all of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bellwire.config.load import MAX_BYTES, load
from bellwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bellwire.errors import Fault

MINIMAL = """\
route: {receiver: ops}
receivers:
  - name: ops
    webhook_configs:
      - url: https://hook.example.com/
"""
ACCOUNT = """\
accounts:
  - name: a
    api: visual_layer
    base_url: https://vl.example.com
"""
PAGER = "  - name: pager\n    webhook_configs: [{url: http://h}]\n"
OFFICE_ENTRY = """\
  - name: office
    time_intervals: [{weekdays: [monday:friday]}]
"""
OFFICE = MINIMAL + "time_intervals:\n" + OFFICE_ENTRY
OWL = ACCOUNT.replace("visual_layer", "owlmetry") + "    authorization: {credentials: t}\n"
QUALITY = ACCOUNT.replace("visual_layer", "qualytics") + "    authorization: {credentials: t}\n"


def faults_of(folder: Path, text: str | bytes, environ: Mapping[str, str] | None = None) -> list[Fault]:
    path = folder / "bellwire.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    return list(caught.value.faults)


def place_and_path(fault: Fault) -> str:
    return f"{fault.line}:{fault.column}: {fault.path}"


def receiver(channel: str) -> str:
    return f"route: {{receiver: ops}}\nreceivers:\n  - name: ops\n    {channel}\n"


# (text, place and path, part of the message)
WHOLE_FILES = [
    ("", "1:1: ", "is empty"),
    ("# nothing\n", "1:1: ", "is empty"),
    ("---\n", "1:1: ", "is empty"),
    ("- a\n- b\n", "1:1: ", "is no mapping"),
    ("just text\n", "1:1: ", "is no mapping"),
    ("route: a: b\n", "1:9: ", "mapping values are not allowed here"),
    ("route:\n\treceiver: x\n", "2:1: ", "use spaces"),
    ("route: [1\n", "2:1: ", "is no YAML"),
    ("route: {receiver: *nobody}\n", "1:19: ", "put text in quotes"),
    ("route: {receiver: !no!body x}\n", "1:19: ", "put text in quotes"),
    ("a: 1\n---\nb: 2\n", "2:1: ", "a second document"),
    ("a: 'x\x07'\n", "1:6: ", "U+0007"),
    ("a: &a [*a]\n", "1:4: ", "contains itself"),
    ("a: &a {<<: *a}\n", "1:4: ", "levels deep"),
    ("[" * 1000, "1:61: ", "levels deep"),
    (b"a: \xff\n", "1:4: ", "is no UTF-8"),
    (b"#" * (MAX_BYTES + 1), "1:1: ", "is larger than 4096 KiB"),
]


@pytest.mark.parametrize(("text", "place", "message"), WHOLE_FILES)
def test_a_file_that_cannot_be_read_is_one_fault(tmp_path: Path, text: str | bytes, place: str, message: str) -> None:
    [fault] = faults_of(tmp_path, text)
    assert place_and_path(fault) == place
    assert message in fault.message


def test_a_missing_file_a_folder_and_a_pipe_are_faults(tmp_path: Path) -> None:
    import os  # noqa: PLC0415  only here

    os.mkfifo(tmp_path / "pipe")
    for name, message in (("none.yaml", "No such file"), (".", "no ordinary file"), ("pipe", "no ordinary file")):
        with pytest.raises(ConfigError) as caught:
            load(tmp_path / name, {})
        assert message in str(caught.value)
        assert str(caught.value).startswith(f"{tmp_path / name}:1:1: ")


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 30)]
    [fault] = faults_of(tmp_path, "\n".join(lines))
    assert "grows too large" in fault.message


def test_variables_cannot_blow_a_file_up(tmp_path: Path) -> None:
    text = MINIMAL + "global: {timezone: '" + "${BIG}" * 100_000 + "'}\n"
    [fault] = faults_of(tmp_path, text, {"BIG": "x" * 100_000})
    assert "becomes longer than" in fault.message


# (text that is put before MINIMAL's lines, or a whole configuration; place and path; part of the message)
SINGLE = [
    # keys
    (ACCOUNT + "    base_urll: x\n" + MINIMAL, "5:5: accounts[0].base_urll", "unknown key, did you mean base_url?"),
    (ACCOUNT + "    qqq: x\n" + MINIMAL, "5:5: accounts[0].qqq", "unknown key: remove it; known here are name, api"),
    (MINIMAL + "web: {listen: '', listen: x}\n", "6:19: web.listen", "is given twice, first in line 6"),
    (MINIMAL + "route: {receiver: ops}\n", "6:1: route", "is given twice, first in line 1"),
    (MINIMAL + "web: {[a]: b}\n", '6:7: web["?"]', "a key must be text"),
    (MINIMAL + 'web: {"\\ud800": b}\n', '6:7: web["?"]', "holds half of a character"),
    (MINIMAL + 'web: {token: "a-token-\\udcff"}\n', "6:14: web.token", "holds half of a character"),
    (MINIMAL + "continue_: true\n", "6:1: continue_", "unknown key"),
    (MINIMAL + "global_: {}\n", "6:1: global_", "unknown key, did you mean global?"),
    ('"a\\nb": 1\n' + MINIMAL, '1:1: ["a\\nb"]', "unknown key"),
    # types
    (MINIMAL + "global: {log_format: xml}\n", "6:22: global.log_format", "must be one of json or console"),
    (MINIMAL + "storage: {retention: 30}\n", "6:22: storage.retention", "is no duration"),
    (MINIMAL + "storage: {retention: soon}\n", "6:22: storage.retention", "such as 30s"),
    (MINIMAL + "storage: 5\n", "6:10: storage", "must be a mapping"),
    (MINIMAL + "storage:\n", "6:1: storage", "has no value"),
    (MINIMAL + "accounts: {}\n", "6:11: accounts", "must be a list"),
    ("accounts:\n  - 5\n" + MINIMAL, "2:5: accounts[0]", "must be a mapping"),
    (ACCOUNT + "    paused: maybe\n" + MINIMAL, "5:13: accounts[0].paused", "true or false"),
    (ACCOUNT + "    mark_read: soon\n" + MINIMAL, "5:16: accounts[0].mark_read", "delivered, any, handled or never"),
    (ACCOUNT + "    labels: {a: }\n" + MINIMAL, "5:14: accounts[0].labels.a", "has no value"),
    ("accounts: [{name: '', api: visual_layer, base_url: http://h}]\n" + MINIMAL, "1:19: accounts[0].name", "is empty"),
    ("accounts: [{api: visual_layer, base_url: http://h}]\n" + MINIMAL, "1:12: accounts[0].name", "is missing: add it"),
    (MINIMAL + "web: {listen: !!python/object:os.system x}\n", "6:15: web.listen", "put text in quotes"),
    (MINIMAL + "web: {listen: !!binary eA==}\n", "6:15: web.listen", "put text in quotes"),
    # variables
    (MINIMAL + "accounts: [{name: e, api: elan, base_url: 'https://h', authorization: {credentials: '${NOPE}'}}]\n", "6:86: accounts[0].authorization.credentials", "NOPE is not set"),
    (MINIMAL + "web: {listen: 'a${NOPE}'}\n", "6:17: web.listen", "environment variable NOPE is not set: set it, or"),
    (MINIMAL + "web: {listen: '${}'}\n", "6:16: web.listen", "write ${NAME} or"),
    # accounts
    (ACCOUNT + "  - {name: a, api: visual_layer, base_url: http://h}\n" + MINIMAL, "5:12: accounts[1].name", "accounts[0]"),
    (ACCOUNT.replace("visual_layer", "visual_layr") + MINIMAL, "3:10: accounts[0].api", "did you mean visual_layer?"),
    (ACCOUNT + "    org_id: org_1\n" + MINIMAL, "5:13: accounts[0].org_id", "visual_layer knows no organisations"),
    (ACCOUNT + "    params: {team: x}\n" + MINIMAL, "5:20: accounts[0].params.team", "knows no such parameter"),
    (OWL + "    params: {types: x}\n" + MINIMAL, "6:21: accounts[0].params.types", "did you mean type?"),
    (OWL + "    params: {type: [a, b]}\n" + MINIMAL, "6:20: accounts[0].params.type", "write one value"),
    (OWL + "    headers: {cookie: a=b}\n" + MINIMAL, "6:23: accounts[0].headers.cookie", "keep one of the two"),
    (OWL + "    web_url: example.com\n" + MINIMAL, "6:14: accounts[0].web_url", "must begin with https://"),
    (ACCOUNT + "    web_url: https://x\n" + MINIMAL, "5:14: accounts[0].web_url", "remove it"),
    (OWL.replace("credentials: t", "type: cookie, credentials: 'a;b'") + MINIMAL, "5:48: accounts[0].authorization.credentials", "no cookie"),
    (OWL.replace("{credentials: t}", "{type: cookie}") + MINIMAL, "5:20: accounts[0].authorization", "needs a token"),
    (OWL.replace("owlmetry", "qualytics").replace("{", "{type: cookie, ") + MINIMAL, "5:27: accounts[0].authorization.type", "no cookie"),
    (QUALITY + "    params: {trigger_type: [Manual, anomaly]}\n" + MINIMAL, "6:28: accounts[0].params.trigger_type", "Anomaly?"),
    (QUALITY + "    params: {tag: []}\n" + MINIMAL, "6:19: accounts[0].params.tag", "or a list of them"),
    (QUALITY + "    params: {size: many}\n" + MINIMAL, "6:20: accounts[0].params.size", "whole number"),
    (ACCOUNT + "    labels: {severity: x}\n" + MINIMAL, "5:24: accounts[0].labels.severity", "choose another name"),
    (ACCOUNT + "    headers: {'a b': x}\n" + MINIMAL, '5:22: accounts[0].headers["a b"]', "no name of a header"),
    (ACCOUNT + "    poll: {min_interval: 6m}\n" + MINIMAL, "5:26: accounts[0].poll.min_interval", "max_interval"),
    (ACCOUNT + "    poll: {min_interval: 0s}\n" + MINIMAL, "5:26: accounts[0].poll.min_interval", "longer than 0s"),
    (ACCOUNT + "    authorization: {api_key: k}\n" + MINIMAL, "5:20: accounts[0].authorization", "lacks api_secret"),
    (ACCOUNT + "    authorization: {api_secret: k}\n" + MINIMAL, "5:20: accounts[0].authorization", "lacks api_key"),
    (
        ACCOUNT + "    authorization: {credentials: c, api_key: k, api_secret: s}\n" + MINIMAL,
        "5:20: accounts[0].authorization",
        "keep one of the two",
    ),
    (ACCOUNT + '    authorization: {credentials: "a\\nb"}\n' + MINIMAL, "5:34: accounts[0].authorization.credentials", "line break"),
    (ACCOUNT.replace("https://vl", "ftp://vl") + MINIMAL, "4:15: accounts[0].base_url", "must begin with https://"),
    (ACCOUNT.replace("https://vl", "https://u:p@vl") + MINIMAL, "4:15: accounts[0].base_url", "use authorization"),
    (ACCOUNT.replace("vl.example.com", "") + MINIMAL, "4:15: accounts[0].base_url", "names no host"),
    (ACCOUNT.replace("vl.example.com", "h:99999") + MINIMAL, "4:15: accounts[0].base_url", "is no URL"),
    (ACCOUNT.replace("vl.example.com", "h?x=1") + MINIMAL, "4:15: accounts[0].base_url", "remove all from ? or #"),
    (ACCOUNT + "    http_config: {proxy_url: socks5://h}\n" + MINIMAL, "5:30: accounts[0].http_config.proxy_url", "http://"),
    (ACCOUNT + "    cancel_when_read: often\n" + MINIMAL, "5:23: accounts[0].cancel_when_read", "true or false"),
    # routes and rules
    (MINIMAL.replace("receiver: ops", ""), "1:8: route", "must name a receiver"),
    (MINIMAL.replace("receiver: ops", "receiver: null"), "1:19: route.receiver", "must name a receiver"),
    (MINIMAL.replace("receiver: ops", "receiver: opss"), "1:19: route.receiver", "did you mean 'ops'?"),
    (MINIMAL.replace("receiver: ops", "receiver: ops, continue: true"), "1:34: route.continue", "root route"),
    (MINIMAL.replace("receiver: ops", "receiver: ops, matchers: [a=b]"), "1:34: route.matchers", "root route"),
    (MINIMAL.replace("receiver: ops", "receiver: ops, digest: x"), "1:32: route.digest", "it has 1 field"),
    (MINIMAL.replace("ops}", "ops, digest: '0 8 * * xyz'}"), "1:41: route.digest", "day of week: 'xyz' is not allowed"),
    (MINIMAL.replace("ops}", "ops, digest: 5 8 * * *, group_wait: 1m}"), "1:55: route.group_wait", "beside digest"),
    (MINIMAL.replace("ops}", "ops, digest: 5 8 * * *, group_interval: 1m}"), "1:59: route.group_interval", "beside"),
    (MINIMAL.replace("ops}", "ops, muted: wait}"), "1:31: route.muted", "must be one of drop or hold"),
    (MINIMAL.replace("ops}", "ops, dedupe_by: [type, type]}"), "1:42: route.dedupe_by[1]", "stands here twice"),
    (MINIMAL.replace("ops}", "ops, dedupe_by: ['...']}"), "1:36: route.dedupe_by[0]", "in group_by alone"),
    (MINIMAL.replace("ops}", "ops, dedupe_by: [payload.]}"), "1:36: route.dedupe_by[0]", "write payload.FIELD"),
    (OFFICE.replace("ops}", "ops, active_time_intervals: [office]}"), "1:47: route.active_time_intervals", "never muted"),
    (OFFICE.replace("ops}", "ops, mute_time_intervals: [office]}"), "1:45: route.mute_time_intervals", "never muted"),
    (
        OFFICE.replace("ops}", "ops, routes: [{mute_time_intervals: [ofice]}]}"),
        "1:56: route.routes[0].mute_time_intervals[0]",
        "there is no time interval 'ofice': did you mean 'office'?",
    ),
    (
        MINIMAL.replace("ops}", "ops, routes: [{active_time_intervals: [x]}]}"),
        "1:58: route.routes[0].active_time_intervals[0]",
        "there is no time interval 'x': define it under time_intervals",
    ),
    (OFFICE.replace("monday:friday", "mon"), "8:34: time_intervals[0].time_intervals[0].weekdays[0]", "write monday"),
    (OFFICE + OFFICE_ENTRY, "9:11: time_intervals[1].name", "another time interval has this name"),
    (OFFICE.replace("[{weekdays: [monday:friday]}]", "[]"), "8:21: time_intervals[0].time_intervals", "is empty"),
    (
        OFFICE.replace("office", "5"),  # told once, as what it is
        "7:11: time_intervals[0].name",
        "must be text",
    ),
    (
        MINIMAL + "inhibit_rules:\n  - {source_matchers: ['a=~\"(\"'], target_matchers: [b=1]}\n",
        "7:29: inhibit_rules[0].source_matchers[0]",
        "bad regular expression",
    ),
    (
        MINIMAL + "inhibit_rules:\n  - {source_matchers: [a=1], target_matchers: [b=1], equal: [c, c]}\n",
        "7:65: inhibit_rules[0].equal[1]",
        "stands here twice",
    ),
    (
        MINIMAL + "inhibit_rules:\n  - {source_matchers: [a=1], target_matchers: [b=1], duration: 0s}\n",
        "7:64: inhibit_rules[0].duration",
        "must be",
    ),
    (
        MINIMAL.replace("receiver: ops", "receiver: ops, routes: [{receiver: pager}]"),
        "1:44: route.routes[0].receiver",
        "there is no receiver",
    ),
    (
        MINIMAL.replace("receiver: ops", "receiver: ops, group_by: [a, a]"),
        "1:38: route.group_by[1]",
        "twice",
    ),
    (
        MINIMAL.replace("receiver: ops", "receiver: ops, routes: [{matchers: [5]}]"),
        "1:45: route.routes[0].matchers[0]",
        "must be a matcher",
    ),
    (
        MINIMAL.replace("receiver: ops", "receiver: ops, routes: [{matchers: [{name: a, op: '~', value: b}]}]"),
        "1:59: route.routes[0].matchers[0].op",
        "must be one of =",
    ),
    (
        MINIMAL.replace("receiver: ops", "receiver: ops, routes: [{matchers: ['severity >= \"error']}]"),
        "1:58: route.routes[0].matchers[0]",
        "never closed",
    ),
    (MINIMAL + "label_rules: [{labels: {severity: bad}}]\n", "6:35: label_rules[0].labels.severity", "no severity"),
    # receivers and channels
    (MINIMAL + "  - name: ops\n    email_configs: [{to: [a@b], from: c@d, smarthost: 'h:25'}]\n", "6:11: receivers[1].name", "receivers[0]"),
    (MINIMAL + "  - name: none\n", "6:5: receivers[1]", "has no channel"),
    (MINIMAL + "      - {name: b, url: http://h}\n", "5:9: receivers[0].webhook_configs[0].name", "each needs a name"),
    (MINIMAL + "    fallback: [pagr]\n" + PAGER, "6:16: receivers[0].fallback[0]", "did you mean pager?"),
    (MINIMAL + "    fallback: [x]\n", "6:16: receivers[0].fallback[0]", "there is no receiver x: there is none to choose from, remove it"),
    (MINIMAL + "    fallback: [ops]\n", "6:16: receivers[0].fallback[0]", "cannot stand in for itself"),
    (MINIMAL + "    fallback: [pager, pager]\n" + PAGER, "6:23: receivers[0].fallback[1]", "named twice"),
    (MINIMAL + "    fallback_after: 5m\n", "6:21: receivers[0].fallback_after", "stands without fallback"),
    (receiver("slack_configs: [{channel: a}]"), "4:21: receivers[0].slack_configs[0]", "needs a token"),
    (receiver("slack_configs: [{token: a}]"), "4:21: receivers[0].slack_configs[0].channel", "is missing"),
    (receiver("slack_configs: [{token: a, channel: 5}]"), "4:41: receivers[0].slack_configs[0].channel", "must be text"),
    (receiver("slack_configs: [{token: a, channel: b, api_url: http://h}]"), "4:21: receivers[0].slack_configs[0]", "keep one"),
    (receiver("slack_configs: [{api_url: http://h, channel: b}]"), "4:50: receivers[0].slack_configs[0].channel", "remove it"),
    (receiver("slack_configs: [{token: a, channel: b, thread: 5}]"), "4:52: receivers[0].slack_configs[0].thread", "must be"),
    (receiver("slack_configs: [{api_url: http://h, app_token: x}]"), "4:52: receivers[0].slack_configs[0].app_token", "needs a token"),
    (receiver("slack_configs: [{token: a, channel: b, app_token: 'x y'}]"), "4:55: receivers[0].slack_configs[0].app_token", ""),
    (receiver("slack_configs: [{token: a, channel: b, max_alerts: 41}]"), "4:56: receivers[0].slack_configs[0].max_alerts", "at most 40"),
    (receiver("webhook_configs: [{}]"), "4:23: receivers[0].webhook_configs[0].url", "is missing"),
    (receiver("webhook_configs: [{url: h}]"), "4:29: receivers[0].webhook_configs[0].url", "must begin with https://"),
    (receiver("webhook_configs: [{url: http://h, signing_secret: whsec_%}]"), "4:55: receivers[0].webhook_configs[0].signing_secret", "base64"),
    (
        receiver("webhook_configs: [{url: http://h, signing_secret: YWJj, signing_secrets: [YWJj]}]"),
        "4:78: receivers[0].webhook_configs[0].signing_secrets",
        "keep one of the two",
    ),
    (receiver("webhook_configs: [{url: http://h, headers: {Webhook-Id: x}}]"), "4:61: receivers[0].webhook_configs[0].headers.Webhook-Id", "set by Bellwire"),
    (MINIMAL + "        signing_secret: ${NOPE:-}\n", "6:25: receivers[0].webhook_configs[0].signing_secret", "is empty: give its variable"),
    (MINIMAL + "        signing_secrets: []\n", "6:26: receivers[0].webhook_configs[0].signing_secrets", "is empty"),
    (MINIMAL + "        signing_secrets: [YWJj, '']\n", "6:33: receivers[0].webhook_configs[0].signing_secrets[1]", "is empty"),
    (MINIMAL + "        headers: {X-Key: '${NOPE:-}'}\n", "6:26: receivers[0].webhook_configs[0].headers.X-Key", "is empty"),
    (receiver("email_configs: [{to: [a@b], from: c@d, smarthost: 'h:25', auth_username: u, auth_password: ''}]"), "4:96: receivers[0].email_configs[0].auth_password", "is empty"),
    (receiver("email_configs: [{to: [], from: c@d, smarthost: 'h:25'}]"), "4:26: receivers[0].email_configs[0].to", "at least 1"),
    (receiver("email_configs: [{to: [a], from: c@d, smarthost: 'h:25'}]"), "4:27: receivers[0].email_configs[0].to[0]", "no e-mail address"),
    (receiver("email_configs: [{to: [a@b, A@b], from: c@d, smarthost: 'h:25'}]"), "4:32: receivers[0].email_configs[0].to[1]", "twice"),
    (receiver("email_configs: [{to: [a@b], from: c, smarthost: 'h:25'}]"), "4:39: receivers[0].email_configs[0].from", "no e-mail address"),
    (receiver("email_configs: [{to: [a@b], from: c@d, smarthost: h}]"), "4:55: receivers[0].email_configs[0].smarthost", "must be HOST:PORT"),
    (receiver("email_configs: [{to: [a@b], from: c@d, smarthost: 'h:25', auth_username: u}]"), "4:78: receivers[0].email_configs[0].auth_username", "without auth_password"),
    (receiver("apprise_configs: [{url: 'json://h/?optional=yes'}]"), "4:29: receivers[0].apprise_configs[0].url", "optional="),
    (receiver("apprise_configs: [{url: 'json://h/?Retry=3'}]"), "4:29: receivers[0].apprise_configs[0].url", "retry="),
    (receiver("apprise_configs: [{url: 'ntfy://h/t?attach=http://x'}]"), "4:29: receivers[0].apprise_configs[0].url", "attach="),
    (receiver("apprise_configs: [{url: 'nosuch://h'}]"), "4:29: receivers[0].apprise_configs[0].url", "no URL that Apprise can use"),
    (MINIMAL + "    retry: {initial_backoff: 10m}\n", "6:30: receivers[0].retry.initial_backoff", "max_backoff"),
    (MINIMAL + "    rate_limit: {per_second: 0}\n", "6:30: receivers[0].rate_limit.per_second", "more than 0"),
    # the process
    (MINIMAL + "global: {timezone: Europe/Pariss}\n", "6:20: global.timezone", "did you mean Europe/Paris?"),
    (MINIMAL + "global: {timezone: ../x}\n", "6:20: global.timezone", "no such time zone"),
    (MINIMAL + "storage: {url: postgresql://u:p@h/d}\n", "6:16: storage.url", "not supported by this version yet"),
    (MINIMAL + "storage: {url: 'sqlite://'}\n", "6:16: storage.url", "must be sqlite:///FILE"),
    (MINIMAL + "storage: {retention: 99999999w}\n", "6:22: storage.retention", "hundred years"),
    (MINIMAL + "web: {listen: x}\n", "6:15: web.listen", "must be HOST:PORT"),
    (MINIMAL + "web: {listen: '0.0.0.0:80'}\n", "6:15: web.listen", "token_file must be set"),
    (MINIMAL + "web: {listen: ':80'}\n", "6:15: web.listen", "token_file must be set"),
    (MINIMAL + "web: {listen: '0.0.0.0:80', token: ''}\n", "6:36: web.token", "is empty: give it a value, or remove it"),
    (MINIMAL + "web: {listen: '0.0.0.0:80', token: '', read_token: abcdefghijk}\n", "6:36: web.token", "is empty"),
    (MINIMAL + "web: {listen: '0.0.0.0:80', token: ' \t'}\n", "6:36: web.token", "is empty"),
    (MINIMAL + "web: {token: '${NOPE:-}'}\n", "6:14: web.token", "is empty: give its variable a value, or remove it"),
    (MINIMAL + "web:\n  token:\n  listen: '0.0.0.0:80'\n", "7:3: web.token", "is empty"),
    (MINIMAL + "web: {read_token: ''}\n", "6:19: web.read_token", "is empty"),
    (MINIMAL + "web: {external_url: x}\n", "6:21: web.external_url", "must begin with https://"),
    # Bellwire's own troubles
    (MINIMAL + "meta_receiver: opss\n", "6:16: meta_receiver", "there is no receiver 'opss': did you mean ops?"),
    (MINIMAL + "heartbeat: {url: x}\n", "6:18: heartbeat.url", "must begin with https://"),
    (MINIMAL + "heartbeat: {interval: 1m}\n", "6:12: heartbeat.url", "is missing"),
    (MINIMAL + "heartbeat: {url: http://h, interval: 500ms}\n", "6:38: heartbeat.interval", "write 1s or more"),
    (MINIMAL + "heartbeat: {url: http://h, interval: 0s}\n", "6:38: heartbeat.interval", "longer than 0s"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place", "message"), SINGLE)
def test_a_mistake_is_told_once_with_its_place_and_remedy(tmp_path: Path, text: str, place: str, message: str) -> None:
    found = faults_of(tmp_path, text)
    assert [place_and_path(fault) for fault in found] == [place]
    assert message in found[0].message


def test_a_variable_of_bytes_that_are_no_text_is_a_fault_of_the_value(tmp_path: Path) -> None:
    [fault] = faults_of(tmp_path, MINIMAL + "web: {token: '${T}'}\n", {"T": "a-token-\udcff"})
    assert place_and_path(fault) == "6:14: web.token"
    assert "holds half of a character" in fault.message


def test_a_fault_reads_as_file_line_column_path_and_what_to_do(tmp_path: Path) -> None:
    [fault] = faults_of(tmp_path, ACCOUNT + "    base_urll: x\n" + MINIMAL)
    place = f"{tmp_path / 'bellwire.yaml'}:5:5"
    assert str(fault) == f"{place}: accounts[0].base_urll: unknown key, did you mean base_url?"


def test_all_faults_of_every_kind_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
global: {timezone: Nowhere/Nothing, timezone: UTC}
accounts:
  - name: a
    api: visual_layer
    base_urll: https://h
    mode: strem
    authorization: {credentials_file: none}
  - name: a
    api: nope
    base_url: ${UNSET}
route:
  receiver: opps
  routes:
    - matchers: ['a = = b']
receivers:
  - name: ops
    webhook_configs: [{url: 5}]
    slack_configs: [{token: x}]
tests: [{name: a}]
"""
    found = faults_of(tmp_path, text, {"BELLWIRE__WEB__LISTEN": "x"})
    assert [place_and_path(fault) for fault in found] == [
        "1:20: global.timezone",
        "1:37: global.timezone",
        "5:5: accounts[0].base_urll",
        "6:11: accounts[0].mode",
        "7:39: accounts[0].authorization.credentials_file",
        "8:11: accounts[1].name",
        "9:10: accounts[1].api",
        "10:15: accounts[1].base_url",
        "12:13: route.receiver",
        "14:23: route.routes[0].matchers[0]",
        "17:29: receivers[0].webhook_configs[0].url",
        "18:21: receivers[0].slack_configs[0].channel",
        "19:9: tests[0].alerts",
        "19:9: tests[0].expect",
        "1:1: web.listen",
    ]
    assert found[-1].file == "$BELLWIRE__WEB__LISTEN"


def test_what_follows_from_a_fault_is_not_told_again(tmp_path: Path) -> None:
    text = """\
route: {receiver: ops}
receivers:
  - nmae: ops
    slack_configs: [{tokn_file: x, channel: c}]
"""
    found = faults_of(tmp_path, text)
    assert [place_and_path(fault) for fault in found] == [
        "3:5: receivers[0].nmae",
        "4:22: receivers[0].slack_configs[0].tokn_file",
    ]
