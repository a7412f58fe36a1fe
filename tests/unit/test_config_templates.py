"""A mistake in a template is an error when the configuration is loaded, with its place in the YAML or the template file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bellwire.config.load import load
from bellwire.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "route: {receiver: ops}\nreceivers:\n  - name: ops\n"
KINDS = {
    "webhook": "url: https://hook.example.com/",
    "slack": "api_url: https://hooks.slack.com/services/x",
    "email": "{to: [a@example.com], from: b@example.com, smarthost: 'smtp.example.com:25', tls: none}",
    "apprise": "url: json://localhost/",
}


def webhook(template: str) -> str:
    return f"{HEAD}    webhook_configs:\n      - url: https://hook.example.com/\n        {template}\n"


def faults_of(folder: Path, text: str, files: dict[str, str] | None = None) -> list[str]:
    """Return each fault as text, paths relative to the folder."""
    for name, source in (files or {}).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(source)
    (folder / "b.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(folder / "b.yaml", {})
    return [str(fault).replace(f"{folder}/", "") for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("title: '{{ alrt }}'", "b.yaml:6:20: receivers[0].webhook_configs[0].title: there is no name 'alrt': did you"),
        ('text: "a {{ alert.tilte }}"', "b.yaml:6:27: receivers[0].webhook_configs[0].text: an alert has no 'tilte'"),
        ("title: plain {{ alert.title | upr }}", "b.yaml:6:39: receivers[0].webhook_configs[0].title: there is no filter"),
        ("text: |\n          {{ alert.title }}\n            {{ alert.nix }}", "b.yaml:8:22: receivers[0].webhook_configs[0].text"),
        ("text: |\n\n          {% if alert %}\n          {% endfor %}", "b.yaml:9:14: receivers[0].webhook_configs[0].text: "),
        ("text: >\n          {{ alert.title }}\n          {{ alert.nix }}", "b.yaml:6:15: receivers[0].webhook_configs[0].text"),
        ("text: '{{ \"a\" * 10 ** 9 }}'", "makes more than 1,000,000 characters"),
        ("text: '{% for i in range(20000) %}{% for j in range(20000) %}{% endfor %}{% endfor %}'", "takes "),
        ("text: '{{ alerts[1].title.upper() }}'", "calls something that is not there"),
        ("text: '{{ 1 / (alerts | length - 2) }}'", "found with a sample of visual_layer, kind group"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_channels_template_is_told_with_its_place(tmp_path: Path, template: str, expected: str) -> None:
    [fault] = faults_of(tmp_path, webhook(template))
    assert expected in fault


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", ["title", "text"])
def test_both_templates_of_every_channel_are_checked(tmp_path: Path, kind: str, key: str) -> None:
    channel = KINDS[kind].strip("{}")
    fields = channel.split(", ") if kind == "email" else [channel]
    text = f"{HEAD}    {kind}_configs:\n      - {key}: '{{{{ nix }}}}'\n" + "".join(
        f"        {each}\n" for each in fields
    )
    [fault] = faults_of(tmp_path, text)
    assert fault.startswith(f"b.yaml:5:{len(key) + 15}: receivers[0].{kind}_configs[0].{key}: there is no name 'nix'")


def test_a_template_is_tried_with_an_alert_of_each_account(tmp_path: Path) -> None:
    accounts = "accounts:\n" + "".join(
        f"  - {{name: {api}, api: {api}, base_url: 'https://x.example', authorization: {{credentials: t}}}}\n"
        for api in ("elan", "atp")
    )
    source = "text: '{{ 1 / (0 if alert.api == \"atp\" else 1) }}'"
    [fault] = faults_of(tmp_path, accounts + webhook(source))
    assert "found with a sample of atp, kind alert" in fault


def test_a_mistake_in_a_file_is_told_with_the_files_line(tmp_path: Path) -> None:
    text = "templates: [t/*.j2]\n" + webhook("text: \"{% from 'a.j2' import line %}{{ line(alert) }}\"")
    [fault] = faults_of(tmp_path, text, {"t/a.j2": "{% macro line(a) %}\n{{ a.title }}\n  {{ a.nix }}{% endmacro %}"})
    assert fault.startswith("t/a.j2:3:8: an alert has no 'nix'")
    assert "did you mean" in fault or "choose from" in fault


def test_a_file_is_read_though_nothing_imports_it(tmp_path: Path) -> None:
    [fault] = faults_of(tmp_path, "templates: ['t/**/*.j2']\n" + webhook("title: x"), {"t/a.j2": "x\n{% if %}"})
    assert fault.startswith("t/a.j2:2:1: ")


def test_a_pattern_without_a_file_is_an_error(tmp_path: Path) -> None:
    [fault] = faults_of(tmp_path, "templates: [a.j2, 't/*.j2']\n" + webhook("title: x"), {"a.j2": "x"})
    assert fault.startswith("b.yaml:1:19: templates[1]: matches no file in ")


def test_two_files_of_one_name_are_an_error(tmp_path: Path) -> None:
    [fault] = faults_of(tmp_path, "templates: ['*/a.j2']\n" + webhook("title: x"), {"t/a.j2": "x", "u/a.j2": "x"})
    assert "templates[0]: a.j2 stands in " in fault
    assert fault.endswith("rename one")


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.j2").write_bytes(b"\xff\xfe")
    [fault] = faults_of(tmp_path, "templates: [a.j2]\n" + webhook("title: x"))
    assert fault == "a.j2:1:1: is no UTF-8 text: save it as UTF-8"


def test_files_are_part_of_the_configuration_as_it_was_loaded(tmp_path: Path) -> None:
    (tmp_path / "a.j2").write_text("{% macro m() %}one{% endmacro %}")
    (tmp_path / "b.yaml").write_text("templates: [a.j2]\n" + webhook("title: \"{% from 'a.j2' import m %}{{ m() }}\""))
    first = load(tmp_path / "b.yaml", {})
    (tmp_path / "a.j2").write_text("{% macro m() %}two{% endmacro %}")
    again = load(tmp_path / "b.yaml", {})
    assert first.template_files[0].source != again.template_files[0].source
    assert first != again  # a reload sees that something has changed
