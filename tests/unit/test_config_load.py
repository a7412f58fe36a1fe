"""What a good file means: variables, secrets' files, paths, overrides, YAML 1.2."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bellwire.config.find import default_storage_url, find_config
from bellwire.config.load import load
from bellwire.config.schema import Config, Section, StorageConfig
from bellwire.config.shape import names, shapes
from bellwire.errors import ConfigError
from certificates import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bellwire.config.shape import Shape
    from bellwire.errors import Fault

ROOT = Path(__file__).parents[2]
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


def read(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Config:
    path = folder / "bellwire.yaml"
    path.write_text(text)
    return load(path, environ or {})


def sections(model: type[Section], seen: set[type[Section]]) -> Iterator[type[Section]]:
    if model in seen:
        return
    seen.add(model)
    yield model
    for shape in shapes(model).values():
        inner: Shape | None = shape
        while inner:
            if inner.model:
                yield from sections(inner.model, seen)
            inner = inner.item


def test_the_example_loads_as_it_is() -> None:
    config = load(ROOT / "config.example.yaml", {})
    assert [account.name for account in config.accounts][:2] == ["vision", "vision-on-premises"]
    assert config.accounts[0].labels["tier"] == "1"
    assert config.route.routes[1].receiver is None


def test_the_example_names_every_key() -> None:
    text = (ROOT / "config.example.yaml").read_text()
    for model in sections(Config, set()):
        for key in names(model):
            assert re.search(rf"\b{key}(_file)?\b", text), f"{model.__name__}.{key} is not in the example"


@pytest.mark.parametrize("written", ["on", "NO", "1:30", "2026-11-22", "yes"])
def test_what_yaml_1_1_took_for_something_else_is_text(tmp_path: Path, written: str) -> None:
    config = read(tmp_path, "%YAML 1.1\n---\n" + ACCOUNT + f"    labels: {{a: {written}}}\n" + MINIMAL)
    assert config.accounts[0].labels == {"a": written}


def test_labels_headers_and_parameters_take_numbers_as_they_are_written(tmp_path: Path) -> None:
    more = "    labels: {a: 007, b: 1e3, c: True}\n    headers: {n: 1.50}\n    params: {dataset_id: 12e5}\n"
    account = read(tmp_path, ACCOUNT + more + MINIMAL).accounts[0]
    assert account.labels == {"a": "007", "b": "1e3", "c": "True"}
    assert account.headers["n"].get_secret_value() == "1.50"
    assert account.params == {"dataset_id": "12e5"}


def test_variables_are_text_where_text_is_wanted_and_numbers_where_numbers_are(tmp_path: Path) -> None:
    text = MINIMAL + "    rate_limit: {burst: '${N}', per_second: '${F}'}\n    paused: ${P}\n"
    text = text.replace("https://hook.example.com/", "https://${HOST}/x-${N}/${MISSING:-none}/${EMPTY:-was empty}/$$/$")
    text = text.replace("was empty", "was-empty") + "web: {token: '${N}', read_token: '${EMPTY2:-}x'}\n"
    config = read(tmp_path, text, {"N": "007", "F": "2.5", "P": "true", "HOST": "h", "EMPTY": ""})
    receiver = config.receivers[0]
    assert receiver.rate_limit is not None
    assert (receiver.rate_limit.burst, receiver.rate_limit.per_second, receiver.paused) == (7, 2.5, True)
    assert receiver.webhook_configs[0].url.get_secret_value() == "https://h/x-007/none/was-empty/$/$"
    assert config.web.token is not None
    assert config.web.token.get_secret_value() == "007"


def test_an_empty_or_null_variable_never_turns_a_receiver_into_a_drop(tmp_path: Path) -> None:
    text = MINIMAL.replace("receiver: ops", "receiver: ops, routes: [{receiver: '${R}'}]")
    block = MINIMAL.replace("{receiver: ops}", "\n  receiver: ops\n  routes:\n    - receiver: ${R}")
    for written in (text, text.replace("'", '"'), block):
        for value in ("", "null", "~"):
            with pytest.raises(ConfigError, match="there is no receiver"):
                read(tmp_path, written, {"R": value})


def test_null_for_a_receiver_is_a_drop_and_absence_is_not(tmp_path: Path) -> None:
    config = read(tmp_path, MINIMAL.replace("receiver: ops", "receiver: ops, routes: [{receiver: null}, {}]"))
    drop, inherits = config.route.routes
    assert drop.receiver is None
    assert "receiver" in drop.model_fields_set
    assert "receiver" not in inherits.model_fields_set


def test_anchors_and_merge_keys_work_and_own_keys_win(tmp_path: Path) -> None:
    text = """\
accounts:
  - &first {name: a, api: visual_layer, base_url: http://h, labels: &l {x: 1}}
  - {<<: *first, name: b, labels: {<<: [*l, {y: 2, x: 9}], z: 3}}
"""
    first, second = read(tmp_path, text + MINIMAL).accounts
    assert (second.name, second.base_url) == ("b", first.base_url)
    assert second.labels == {"x": "1", "y": "2", "z": "3"}


def test_secrets_come_from_files_beside_the_configuration_without_their_line_ends(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("s3cret \n\n")
    (tmp_path / "many").write_text("whsec_YWJj\n\n  ZGVm \n")
    text = (
        MINIMAL + "        signing_secrets_file: many\nweb: {read_token_file: one2}\nstorage: {url_file: /dev/null}\n"
    )
    (tmp_path / "one2").write_text("\ufefft0ken\r\n")
    (tmp_path / "url").write_text("sqlite:///x.db")
    config = read(tmp_path, text.replace("/dev/null", str(tmp_path / "url")))
    secrets = config.receivers[0].webhook_configs[0].signing_secrets
    assert [secret.get_secret_value() for secret in secrets] == ["whsec_YWJj", "ZGVm"]
    assert config.web.read_token is not None
    assert config.web.read_token.get_secret_value() == "t0ken"
    assert default_storage_url(config, {}, Path()) == "sqlite:///x.db"


def test_secrets_come_from_the_credentials_directory_if_there_is_one(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "token").write_text("right")
    (tmp_path / "token").write_text("wrong")
    config = read(tmp_path, MINIMAL + "web: {token_file: token}\n", {"CREDENTIALS_DIRECTORY": str(credentials)})
    assert config.web.token is not None
    assert config.web.token.get_secret_value() == "right"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"\n\n", "is empty"), (b"\xff", "no UTF-8"), (b"x" * 70_000, "larger than 64 KiB")],
)
def test_a_secrets_file_that_holds_no_secret_is_a_fault_at_its_key(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        read(tmp_path, MINIMAL + "web: {token_file: token, listen: '0.0.0.0:1'}\n")
    [fault] = caught.value.faults
    assert (fault.line, fault.column, fault.path) == (6, 19, "web.token_file")


def test_a_secret_and_its_file_together_are_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"6:17: web.token_file: stands beside token: keep one"):
        read(tmp_path, MINIMAL + "web: {token: x, token_file: y}\n")


def test_a_bad_secret_in_a_file_is_told_by_the_name_of_its_key(tmp_path: Path) -> None:
    (tmp_path / "many").write_text("YWJj\nn%t base64")
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, MINIMAL + "        signing_secrets_file: many\n")
    [fault] = caught.value.faults
    assert (fault.line, fault.column) == (6, 31)
    assert fault.path == "receivers[0].webhook_configs[0].signing_secrets_file[1]"


def test_certificates_are_looked_for_beside_the_file_and_must_be_some(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    tls = "    http_config: {tls_config: {ca_file: CA, cert_file: bad.pem, key_file: none.key}}\n"
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, ACCOUNT + tls.replace("CA", "bad.pem") + MINIMAL)
    ca, key = caught.value.faults
    assert str(tmp_path / "bad.pem") + " holds no certificates" in ca.message
    assert (ca.line, ca.column, ca.path) == (5, 41, "accounts[0].http_config.tls_config.ca_file")
    assert "none.key cannot be read (No such file or directory)" in key.message
    with pytest.raises(ConfigError, match="stands without cert_file"):
        read(tmp_path, ACCOUNT + "    http_config: {tls_config: {key_file: bad.pem}}\n" + MINIMAL)


def test_certificates_that_belong_to_their_keys_are_taken_as_absolute_paths(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours, other = authority.certificate("ours"), authority.certificate("other")
    (tmp_path / "unrelated.key").write_bytes(Path(other.key_file).read_bytes())
    files = f"ca_file: ca.pem, cert_file: {Path(ours.cert_file).name}, key_file: "
    text = ACCOUNT + "    http_config: {tls_config: {" + files + "KEY}}\n" + MINIMAL
    tls = read(tmp_path, text.replace("KEY", Path(ours.key_file).name)).accounts[0].http_config.tls_config
    assert (tls.ca_file, tls.cert_file, tls.key_file) == (authority.ca_file, ours.cert_file, ours.key_file)
    with pytest.raises(ConfigError, match=r"cert_file: is no certificate with its own unencrypted key"):
        read(tmp_path, text.replace("KEY", "unrelated.key"))


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    environ = {
        "BELLWIRE__STORAGE__URL": "sqlite:///env.db",
        "BELLWIRE__STORAGE__RETENTION": "7d",
        "BELLWIRE__GLOBAL__LOG_LEVEL": "debug",
        "BELLWIRE__WEB__TOKEN": "123",
        "BELLWIRE__ACCOUNTS": '[{"name": "j", "api": "visual_layer", "base_url": "http://h"}]',
        "BELLWIRE_CONFIG": "not ours to read here",
    }
    text = MINIMAL + "storage: {url_file: is-not-even-read, retention: 1d}\n"
    config = read(tmp_path, text, environ)
    assert default_storage_url(config, environ, tmp_path) == "sqlite:///env.db"
    assert config.storage.retention == dt.timedelta(days=7)
    assert config.global_.log_level == "debug"
    assert config.web.token is not None
    assert config.web.token.get_secret_value() == "123"
    assert [account.name for account in config.accounts] == ["j"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("BELLWIRE__STORAGE__RETENTION", "soon", "storage.retention: is no duration"),
        ("BELLWIRE__STORGE__URL", "x", "unknown key, did you mean storage?"),
        ("BELLWIRE__WEB__LISTN", "x", "unknown key, did you mean listen?"),
        ("BELLWIRE__ACCOUNTS", "nothing", "must be JSON"),
        ("BELLWIRE__ACCOUNTS", "[" * 100_000, "must be JSON"),
        ("BELLWIRE__WEB", "5", "must be a mapping"),
        ("BELLWIRE__ACCOUNTS__0__NAME", "x", "set BELLWIRE__ACCOUNTS whole"),
        ("BELLWIRE__", "x", "unknown key"),
        ("BELLWIRE__GLOBAL__LOG_LEVEL__X", "x", "set BELLWIRE__GLOBAL__LOG_LEVEL whole"),
        ("BELLWIRE__WEB__TOKEN_FILE", "none", "none cannot be read"),
        ("BELLWIRE__WEB__TOKEN", "", "web.token: is empty: give the variable a value, or unset it"),
        ("BELLWIRE__STORAGE__URL", " ", "storage.url: is empty: give the variable a value, or unset it"),
        ("BELLWIRE__HEARTBEAT", '{"url": ""}', "heartbeat.url: is empty"),
        ("BELLWIRE__WEB__TOKEN", "p\udce4ssword-of-many", "holds bytes that are no UTF-8"),
    ],
)
def test_a_bad_override_is_a_fault_that_names_the_variable(tmp_path: Path, name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, MINIMAL, {name: value})
    [fault] = caught.value.faults
    assert fault.file == f"${name}"
    assert message in str(fault)


def test_an_empty_override_does_not_take_away_the_token_that_the_file_names(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sesame")
    text = MINIMAL + "web: {listen: '0.0.0.0:80', token_file: token}\n"
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, {"BELLWIRE__WEB__TOKEN": ""})
    assert [(fault.file, fault.path) for fault in caught.value.faults] == [("$BELLWIRE__WEB__TOKEN", "web.token")]


def test_null_for_a_secret_takes_back_what_a_merge_brought_in(tmp_path: Path) -> None:
    text = (
        MINIMAL
        + "      - &b {name: b, url: 'http://h', signing_secret: YWJj}\n      - {<<: *b, name: c, signing_secret: null}\n"
    )
    _, signed, bare = (
        read(tmp_path, text.replace("url: https://hook", "name: a\n        url: https://hook"))
        .receivers[0]
        .webhook_configs
    )
    assert signed.signing_secret is not None
    assert bare.signing_secret is None


def test_what_is_missing_in_a_section_that_a_variable_began_is_told_at_the_variable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, MINIMAL, {"BELLWIRE__WEB__TLS_CONFIG__CERT_FILE": "x"})
    assert {fault.path for fault in caught.value.faults} == {"web.tls_config.cert_file", "web.tls_config.key_file"}
    assert {fault.file for fault in caught.value.faults} == {"$BELLWIRE__WEB__TLS_CONFIG__CERT_FILE"}


def test_the_configuration_is_found_by_option_then_variable_then_folder(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"--config is not given, \$BELLWIRE_CONFIG is not set, and \./bellwire\.yaml"
    ):
        find_config(None, {}, tmp_path)
    (tmp_path / "bellwire.yaml").write_text("")
    assert find_config(None, {}, tmp_path) == tmp_path / "bellwire.yaml"
    assert find_config(None, {"BELLWIRE_CONFIG": "e.yaml"}, tmp_path) == tmp_path / "e.yaml"
    assert find_config("/o.yaml", {"BELLWIRE_CONFIG": "e.yaml"}, tmp_path) == Path("/o.yaml")


def test_the_ledger_is_in_the_state_directory_else_in_the_working_directory(tmp_path: Path) -> None:
    config = read(tmp_path, MINIMAL)
    assert config.storage == StorageConfig()
    assert default_storage_url(config, {}, Path()) == "sqlite:///bellwire.db"
    assert (
        default_storage_url(config, {"STATE_DIRECTORY": "/var/lib/b:/x"}, Path()) == "sqlite:////var/lib/b/bellwire.db"
    )


FRAGMENTS = st.sampled_from(
    [
        *"\n\n\n:-?*&!|>'\"{}[],#%@`~$\t ",
        ": ", "- ", "  ", "    ", "<<: ", "*a", "&a ", "!!str ", "!!python/object:x ", "---\n", "...\n", "%YAML 1.1\n",
        "${A}", "${B:-c}", "${", "null", "1", "1.5", "true", "2026-11-22", "\ufeff", "\x85", "\u2028", "é", "\\", "\r",
        "route: ", "receiver: ", "receivers:\n", "name: ", "accounts:\n", "webhook_configs: ", "url: ", "matchers: ",
        "labels: ", "signing_secrets_file: ", "storage: ", "routes: ", "global: ", "timezone: ", "ops", "http://h",
        "web: ", "listen: ", "slack_configs: ", "apprise_configs: ", "email_configs: ", "to: ", "a = b", "{}", "[]",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=10_000)
@given(st.one_of(st.lists(FRAGMENTS, max_size=40).map("".join), st.text(max_size=60)))
def test_no_text_raises_anything_but_a_config_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigError) as caught:  # none of the fragments make a whole configuration
        load(path, {"A": "a: [b"})
    for fault in caught.value.faults:
        assert fault.line >= 1
        assert fault.column >= 1
        assert len(str(fault).split("\n")) == 1


LINES = (
    MINIMAL.splitlines() + ACCOUNT.splitlines() + ["    poll: {max_interval: 1m}", "label_rules: [{labels: {a: b}}]"]
)


@settings(max_examples=300, deadline=10_000)
@given(st.data())
def test_no_mutation_of_a_good_file_raises_anything_but_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lines = [list(line) for line in LINES]
    for _ in range(data.draw(st.integers(1, 4))):
        line = lines[data.draw(st.integers(0, len(lines) - 1))]
        at = data.draw(st.integers(0, len(line)))
        line[at : at + data.draw(st.integers(0, 4))] = data.draw(FRAGMENTS)
    path = tmp_path_factory.getbasetemp() / "mutated.yaml"
    path.write_text("\n".join(itertools.chain("".join(line) for line in lines)))
    config: Config | None = None
    faults: tuple[Fault, ...] = ()
    try:
        config = load(path, {"A": "x"})
    except ConfigError as error:
        faults = error.faults
    assert bool(config) != bool(faults)
