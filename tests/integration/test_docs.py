"""What the documentation shows can be used as it stands."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from bellwire.channels import CHANNELS
from bellwire.cli import main
from bellwire.config.check_accounts import APIS
from bellwire.config.load import load
from bellwire.demo.receivers.http import WebhookReceiver
from channel_rigs import a_channel, envelope
from harness import eventually, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_OURS = {"accounts", "label_rules", "route", "receivers", "tests", "time_intervals", "inhibit_rules", "slack_configs"}
_OTHERS = {"display_information", "scrape_configs"}
_SECRETS = {
    "signing_secret_file": "whsec_c2VjcmV0",
    "signing_secrets_file": "whsec_c2VjcmV0",
    "url_file": "https://hook.example/x",
    "api_url_file": "https://hooks.slack.example/x",
}


def blocks(page: Path, language: str) -> Iterator[str]:
    return (text for found, text in _BLOCK.findall(page.read_text()) if found == language)


def named(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


# --- pages ---------------------------------------------------------------------------------------------------------


def test_every_api_and_every_channel_has_its_page() -> None:
    assert {page.stem for page in (DOCS / "apis").glob("*.md")} == set(APIS)
    assert {page.stem for page in (DOCS / "channels").glob("*.md")} == set(CHANNELS)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text()):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            titles = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, link


def test_every_page_is_on_the_first_one() -> None:
    linked = {link.partition("#")[0] for link in _LINK.findall((DOCS / "README.md").read_text())}
    assert {named(page) for page in PAGES} - {"README.md"} <= linked


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_that_are_shown_exist(page: Path) -> None:
    shown = set(
        re.findall(r"\bbellwire ((?:[a-z][a-z-]+ ?){1,2})", "\n".join([*blocks(page, "console"), *blocks(page, "sh")]))
    )
    for words in shown:
        first, *rest = words.split()
        for command in ([first, *rest], [first]):
            result = CliRunner().invoke(main, [*command, "--help"])
            if result.exit_code == 0:
                break
        assert result.exit_code == 0, words


# --- configurations ------------------------------------------------------------------------------------------------


def receivers(route: dict[str, Any]) -> set[str]:
    """Return the names that a tree of routes asks for."""
    own = {route["receiver"]} if route.get("receiver") else set()
    return own.union(*(receivers(child) for child in route.get("routes", [])))


def whole(block: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration that the block is a part of."""
    if "slack_configs" in block:
        block = {"receivers": [{"name": "ops", **block}]}
    account = {
        "name": "vision",
        "api": "visual_layer",
        "base_url": "https://vision.example",
        "authorization": {"credentials": "token"},
    }
    config = {"accounts": [account], "route": {"receiver": "ops"}, "receivers": []} | block
    there = {receiver["name"] for receiver in config["receivers"]}
    expected = {name for test in config.get("tests", []) for name in test["expect"].get("receivers", [])}
    missing = sorted((receivers(config["route"]) | expected) - there)
    hook = [{"url": "https://hook.example/x"}]
    added = [{"name": name, "webhook_configs": hook} for name in missing]
    return config | {"receivers": [*config["receivers"], *added]}


def secret_files(value: Any, *, apprise: bool = False) -> Iterator[tuple[str, str]]:
    """Yield the files that a configuration names for its secrets, and something to put into each."""
    if isinstance(value, list):
        for each in value:
            yield from secret_files(each, apprise=apprise)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key == "url_file" and apprise:
                yield each, "ntfys://ntfy.example/x"
            elif key.endswith("_file") and isinstance(each, str):
                yield each, _SECRETS.get(key, "secret")
            yield from secret_files(each, apprise=apprise or key == "apprise_configs")


CONFIGURATIONS = [
    pytest.param(text, id=f"{named(page)}-{number}")
    for page in PAGES
    if page.name != "templates.md"  # its configurations need files, which its own tests make
    for number, text in enumerate(blocks(page, "yaml"))
]


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_configurations_that_are_shown_can_be_loaded(text: str, tmp_path: Path) -> None:
    block = YAML(typ="safe").load(text)
    if block.keys() & _OTHERS:
        return
    assert block.keys() <= _OURS
    config = whole(block)
    for name, secret in secret_files(config):
        (tmp_path / name).write_text(secret)
    with (tmp_path / "bellwire.yaml").open("w") as file:
        YAML().dump(config, file)
    load(tmp_path / "bellwire.yaml", {})


def test_slacks_manifest_asks_for_the_scopes_that_doctor_looks_for() -> None:
    manifest = next(
        each
        for text in blocks(DOCS / "channels" / "slack.md", "yaml")
        if "display_information" in (each := YAML(typ="safe").load(text))
    )
    scopes = set(manifest["oauth_config"]["scopes"]["bot"])
    assert scopes == {"chat:write", "channels:history", "groups:history", "channels:read", "groups:read"}


# --- the webhook's consumer ----------------------------------------------------------------------------------------


async def test_the_code_that_verifies_webhooks_takes_ours_and_no_others() -> None:
    (code,) = blocks(DOCS / "channels" / "webhook.md", "python")
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - it is what readers are told to copy
    verify: Callable[..., bool] = names["verify"]
    secret, other = "whsec_c2VjcmV0LWZvci10aGUtcGFnZXI=", "whsec_YW5vdGhlci1zZWNyZXQ="
    async with (
        WebhookReceiver() as pager,
        a_channel("webhook", url=pager.url, signing_secrets=[other, secret]) as channel,
    ):
        await channel.send(envelope(channel))
    (request,) = pager.messages
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert verify(secret, headers, request.body)
    assert verify(other, headers, request.body)
    assert not verify("whsec_d3Jvbmc=", headers, request.body)
    assert not verify(secret, headers, request.body + b" ")
    assert not verify(secret, headers | {"webhook-id": "another"}, request.body)
    old = str(int(time.time()) - 3600)
    assert not verify(secret, headers | {"webhook-timestamp": old}, request.body)


# --- the compose file ----------------------------------------------------------------------------------------------


def test_the_compose_file_holds_what_the_page_promises() -> None:
    compose = YAML(typ="safe").load(ROOT / "compose.yaml")
    for service in compose["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    for secret in compose["secrets"].values():
        assert (ROOT / secret["file"]).is_file()
    mounted = [
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    ]
    assert all((ROOT / each).is_file() for each in mounted)


async def test_what_the_compose_file_runs_with_can_be_loaded_and_its_vendor_started(tmp_path: Path) -> None:
    config = load(ROOT / "deploy" / "bellwire.yaml", {"CREDENTIALS_DIRECTORY": str(ROOT / "deploy" / "secrets")})
    compose = YAML(typ="safe").load(ROOT / "compose.yaml")
    assert config.accounts[0].base_url == "http://vendor:9096/visual_layer"
    assert config.accounts[0].authorization
    token = config.accounts[0].authorization.credentials
    command = compose["services"]["vendor"]["command"]
    assert token
    assert f"oncall={token.get_secret_value()}" in command
    ready = tmp_path / "ready"
    words = [*command[:1], "--listen", "127.0.0.1:0", *command[3:], "--ready-file", str(ready)]
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bellwire", *words)
    try:
        await eventually(ready.exists)
        health = compose["services"]["vendor"]["environment"]["HEALTH_URL"].partition("9096")[2]
        status, _ = await asyncio.to_thread(fetch, ready.read_text().strip() + health)
        assert status == 200
    finally:
        process.terminate()
        await process.wait()
