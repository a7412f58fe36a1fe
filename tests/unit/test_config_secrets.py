"""No secret is ever shown: not in a fault, not in a traceback, not in the text of a configuration. And none is empty."""

from __future__ import annotations

import re
import traceback
from typing import TYPE_CHECKING

import pytest

from bellwire.config.load import load
from bellwire.config.schema import Config
from bellwire.config.shape import Kind, shapes
from bellwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bellwire.config.schema import Section

MARK = "Tr0ub4dor"

# every secret of the schema once, each holding the mark; {BAD} is where a fault is put
FILE = f"""\
storage: {{url: "{MARK}://u:{MARK}@h/d"}}
web: {{token: "{MARK} 1", read_token: "{MARK} 2", listen: "0.0.0.0:99999"}}
accounts:
  - name: a
    api: visual_layer
    base_url: https://{MARK}:{MARK}@h
    authorization: {{credentials: "{MARK}\\n3", api_key: "{MARK} 4", api_secret: "{MARK} 5"}}
    http_config: {{proxy_url: "{MARK}://{MARK}@p", timeout: x}}
route: {{receiver: ops, routes: [{{receiver: nobody}}]}}
receivers:
  - name: ops
    slack_configs:
      - token: "{MARK} 6"
        app_token: "{MARK} 6a"
        api_url: "{MARK}://7"
        max_alerts: 0
    webhook_configs:
      - url: "{MARK}://8"
        signing_secret: whsec_{MARK}!
        signing_secrets: [{MARK}!, "{MARK}?"]
        headers: {{X-Token: "{MARK}\\n9"}}
        method: GET
    email_configs:
      - to: [none]
        from: none
        smarthost: none
        auth_password: {MARK}10
    apprise_configs:
      - url: "json://{MARK}:{MARK}@h?optional=yes"
"""


def secret_keys(model: type[Section], seen: set[type[Section]]) -> Iterator[str]:
    seen.add(model)
    for key, shape in shapes(model).items():
        if shape.secret or (shape.item and shape.item.kind is Kind.SECRET):
            yield key
        inner = shape.item if shape.item and shape.item.model else shape
        if inner.model and inner.model not in seen:
            yield from secret_keys(inner.model, seen)


def told(folder: Path, text: str, caplog: pytest.LogCaptureFixture) -> str:
    """Everything that a failed load leaves behind for people to read."""
    path = folder / "bellwire.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    error = caught.value
    chain: BaseException | None = error
    texts = [repr(error.faults), caplog.text, "".join(traceback.format_exception(error))]
    while chain is not None:  # hidden contexts too: a debugger or a crash reporter prints them
        texts += [str(chain), repr(chain), repr(chain.args)]
        chain = chain.__cause__ or chain.__context__
    return "\n".join(texts)


def test_the_file_below_holds_every_secret_of_the_schema() -> None:
    missing = [key for key in secret_keys(Config, set()) if f"{key}: " not in FILE]
    assert missing == []


def test_faults_around_and_in_every_secret_show_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    text = told(tmp_path, FILE, caplog)
    assert "receivers[0].webhook_configs[0].signing_secret: " in text
    assert "receivers[0].apprise_configs[0].url: " in text
    assert MARK not in text


@pytest.mark.parametrize(
    "value", ["5", "[{}]", "{{a: {}}}", "{{{}: a}}", "*{}", "!{} x", "!a!{} x", "'{}", '"\\q{}"', "{}: b"]
)
def test_a_secret_that_yaml_takes_for_something_else_is_not_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, value: str
) -> None:
    for line in FILE.splitlines():
        head, colon, rest = line.partition(": ")
        if MARK in rest and not rest.startswith(("{", "[")):
            changed = FILE.replace(line, head + colon + value.format(MARK))
            assert MARK not in told(tmp_path, changed, caplog)


def test_a_secret_in_a_file_that_cannot_be_decoded_is_not_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "token").write_bytes(MARK.encode() + b"\xff")
    text = "route: {receiver: a}\nreceivers: []\nweb: {token_file: token}\n"
    assert MARK not in told(tmp_path, text, caplog)


def test_a_loaded_configuration_shows_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "bellwire.yaml"
    path.write_text(
        f"route: {{receiver: a}}\nweb: {{token: {MARK}}}\n"
        f"receivers: [{{name: a, webhook_configs: [{{url: 'http://{MARK}', headers: {{X: {MARK}}}}}]}}]\n"
    )
    config = load(path, {})
    assert MARK not in repr(config) + str(config) + repr(config.model_dump()) + config.model_dump_json()


def places_of_secrets() -> list[re.Match[str]]:
    """Each secret of the file above: its key, and what is written there."""
    found = re.finditer(r"([\w-]+): (\[[^\]]*\]|\"[^\"]*\"|[^\s{}\[\],]+)", FILE)
    keys = {*secret_keys(Config, set()), "X-Token"}  # one of the headers
    return [match for match in found if match[1] in keys and MARK in match[2]]


def test_each_secret_of_the_schema_is_found_in_the_file() -> None:
    assert {match[1] for match in places_of_secrets()} == {*secret_keys(Config, set()), "X-Token"} - {"headers"}


@pytest.mark.parametrize("written", ["''", '" \\t"', "'${UNSET:-}'"])
@pytest.mark.parametrize("at", range(len(places_of_secrets())))
def test_no_secret_of_the_schema_may_be_empty(tmp_path: Path, at: int, written: str) -> None:
    match = places_of_secrets()[at]
    value = f"[{written}]" if match[2].startswith("[") else written
    path = tmp_path / "bellwire.yaml"
    path.write_text(f"{FILE[: match.start(2)]}{value}{FILE[match.end(2) :]}")
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    empty = [fault.path for fault in caught.value.faults if fault.message.startswith("is empty: give ")]
    assert [path.rpartition(".")[2].partition("[")[0] for path in empty] == [match[1]]
