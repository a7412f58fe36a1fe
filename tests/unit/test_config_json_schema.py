"""The JSON Schema of the configuration says what the loader takes, for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from click.testing import CliRunner

from bellwire.cli.schema import schema
from bellwire.config.document import parse
from bellwire.config.json_schema import json_schema

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "bellwire.schema.json"
EXAMPLE = ROOT / "config.example.yaml"

MINIMAL = """\
route: {receiver: ops}
receivers: [{name: ops, webhook_configs: [{url: https://hook.example.com/}]}]
"""


def faults(data: Any) -> list[str]:
    validator = jsonschema_rs.Draft202012Validator(json_schema())
    return [error.message for error in validator.iter_errors(data)]


def minimal(**more: Any) -> dict[str, Any]:
    data: dict[str, Any] = parse(MINIMAL, "f", {}).data
    return data | more


def test_it_is_a_schema_itself() -> None:
    jsonschema_rs.meta.validate(json_schema())


def test_the_file_in_the_documentation_is_the_one_that_the_command_prints() -> None:
    printed = CliRunner().invoke(schema).output
    assert printed == FILE.read_text(), "make it anew: bellwire schema > docs/bellwire.schema.json"
    assert json.loads(printed) == json_schema()


def test_the_example_names_it_for_editors_and_keeps_to_it() -> None:
    text = EXAMPLE.read_text()
    first, _, _ = text.partition("\n")
    assert EXAMPLE.parent / first.removeprefix("# yaml-language-server: $schema=") == FILE
    assert faults(parse(text, "example", {}).data) == []


@pytest.mark.parametrize(
    "loc",
    [(), ("route",), ("route", "routes", 0), ("receivers", 0), ("receivers", 0, "slack_configs", 0), ("accounts", 0)],
)
def test_an_unknown_key_is_refused_wherever_it_stands(loc: tuple[str | int, ...]) -> None:
    document = parse(EXAMPLE.read_text(), "example", {})
    document.at(loc)["receivr"] = "ops"
    (fault,) = faults(document.data)
    assert "receivr" in fault


def test_a_reference_to_a_variable_may_stand_for_any_scalar() -> None:
    rate = {"per_second": "${RATE:-1}", "burst": "${BURST}", "max_delay": "${DELAY}"}
    data = minimal(web={"listen": "${LISTEN}"})
    data["receivers"][0] |= {"paused": "${PAUSED}", "rate_limit": rate}
    assert faults(data) == []
    data["receivers"][0]["rate_limit"] = rate | {"burst": "many"}
    assert len(faults(data)) == 1


@pytest.mark.parametrize(
    ("written", "good"), [("1h30m", True), ("300ms", True), ("0s", True), ("5", False), (5, False)]
)
def test_durations_are_texts_with_units(written: object, good: bool) -> None:  # noqa: FBT001 - a case's answer
    data = minimal()
    data["route"]["group_wait"] = written
    assert (faults(data) == []) is good


def test_a_secret_stands_there_or_in_a_file_of_its_own_and_not_in_both() -> None:
    data = minimal()
    (hook,) = data["receivers"][0]["webhook_configs"]
    hook["signing_secret_file"] = "secret"
    assert faults(data) == []
    hook["signing_secret"] = "whsec_eA=="
    assert len(faults(data)) == 1
    del hook["signing_secret"], hook["url"]
    assert len(faults(data)) == 1
    hook["url_file"] = "hook"
    assert faults(data) == []


def test_labels_and_values_of_matchers_may_look_like_numbers() -> None:
    rule = {"matchers": [{"name": "result_count", "op": ">=", "value": 10}], "labels": {"tier": 1, "prod": True}}
    assert faults(minimal(label_rules=[rule])) == []
    assert len(faults(minimal(label_rules=[rule | {"labels": {"tier": [1]}}]))) == 1


def test_a_receiver_may_be_null_and_sections_say_what_they_are() -> None:
    data = minimal()
    data["route"]["routes"] = [{"matchers": ['type = "x"'], "receiver": None, "continue": True}]
    assert faults(data) == []
    assert json_schema()["$defs"]["RetryConfig"]["description"].startswith("How a failed attempt is repeated")


def test_there_is_no_such_api() -> None:
    account = {"name": "a", "api": "visual_layers", "base_url": "https://h"}
    assert len(faults(minimal(accounts=[account]))) == 1
    assert faults(minimal(accounts=[account | {"api": "visual_layer"}])) == []
