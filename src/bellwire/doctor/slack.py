"""Slack: the token and its scopes, and whether the app is in the channel. Nothing is posted.

Methods: https://docs.slack.dev/reference/methods/auth.test and …/conversations.info; the answer to any method names the
token's scopes in a header (https://docs.slack.dev/authentication/installing-with-oauth#response).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp

from bellwire.channels.secrets import secrets_of
from bellwire.channels.slack_verdicts import code_of
from bellwire.doctor.diagnosis import Check, Diagnosis, failed, ok, warning
from bellwire.doctor.reach import reach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.schema import SlackConfig
    from bellwire.doctor.diagnosis import Patient

_SCOPES = "x-oauth-scopes"
_ID = re.compile(r"[CGD][A-Z0-9]{7,}")
_PAGES = 5  # of
_PAGE = 200  # conversations
_HISTORY = frozenset({"channels:history", "groups:history"})
_INSTALL = "add it under OAuth & Permissions of the Slack app, and install the app again"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """What a method said; ``error`` is Slack's code, empty if the call succeeded."""

    data: dict[str, Any]
    scopes: frozenset[str]
    error: str


def check_slack(patient: Patient) -> Iterator[Check]:
    """Yield the checks of each Slack channel."""
    for receiver in patient.config.receivers:
        for settings in receiver.slack_configs:
            subject = "/".join(part for part in (receiver.name, settings.name) if part)
            look = _look_at_webhook if settings.api_url else _look
            yield Check(name="slack", subject=subject, look=partial(look, patient, settings))
            if settings.app_token:
                yield Check(name="slack app", subject=subject, look=partial(_look_at_app, patient, settings))


async def _look_at_webhook(patient: Patient, settings: SlackConfig) -> list[Diagnosis]:
    url = settings.api_url.get_secret_value() if settings.api_url else ""
    return [await reach(patient, url, settings.http_config)]


async def _look(patient: Patient, settings: SlackConfig) -> list[Diagnosis]:
    token = settings.token.get_secret_value() if settings.token else ""
    caller = _Caller(patient, settings, token)
    try:
        said = await caller.call("auth.test")
        if said.error:
            return [failed(f"the token is refused: {said.error}", "copy the app's bot token (xoxb-…) again")]
        found = [ok(f"the token is good, in {said.data.get('team', 'its workspace')} as {said.data.get('user', '?')}")]
        return [*found, *_of_scopes(said.scopes), *await _of_channel(caller, settings.channel or "", said.scopes)]
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return [
            failed(f"Slack cannot be reached ({type(error).__name__})", "see base_url, http_config and the firewall")
        ]


async def _look_at_app(patient: Patient, settings: SlackConfig) -> list[Diagnosis]:
    token = settings.app_token.get_secret_value() if settings.app_token else ""
    try:
        said = await _Caller(patient, settings, token).call("apps.connections.open")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return [
            failed(f"Slack cannot be reached ({type(error).__name__})", "see base_url, http_config and the firewall")
        ]
    if said.error:
        remedy = "make an app-level token (xapp-…) with connections:write, and switch Socket Mode on"
        return [failed(f"the app token is refused: {said.error}", remedy)]
    return [ok("the app token opens Socket Mode")]


def _of_scopes(scopes: frozenset[str]) -> Iterator[Diagnosis]:
    if not scopes:
        yield warning("Slack did not say which scopes the token has", "see the app's OAuth & Permissions page")
        return
    if "chat:write" not in scopes:
        yield failed("the token lacks the scope chat:write, so nothing can be posted", _INSTALL)
    if not scopes & _HISTORY:
        text = "the token lacks channels:history and groups:history: what is in doubt cannot be asked about, and may be posted twice"
        yield warning(text, _INSTALL)


async def _of_channel(caller: _Caller, channel: str, scopes: frozenset[str]) -> list[Diagnosis]:
    """Say whether messages may be posted to the channel."""
    found = await _conversation(caller, channel)
    if isinstance(found, Diagnosis):
        return [found]
    if found.get("is_archived"):
        return [failed(f"{channel} is archived", "unarchive it in Slack, or name another")]
    if found.get("is_member") or found.get("is_im") or ("chat:write.public" in scopes and not found.get("is_private")):
        return [ok(f"may post to {channel}")]
    return [failed(f"the app is not in {channel}", f"say `/invite @Bellwire` (the app's name) in {channel}")]


async def _conversation(caller: _Caller, channel: str) -> dict[str, Any] | Diagnosis:
    remedy = "add channels:read and groups:read to the app, or name the channel by its id"
    if _ID.fullmatch(channel):
        said = await caller.call("conversations.info", channel=channel)
        if not said.error:
            return dict(said.data.get("channel") or {})
    else:
        said, found = await _named(caller, channel.lstrip("#"))
        if found is not None:
            return found
    if said.error == "missing_scope":
        return warning(f"whether the app is in {channel} cannot be asked with the token's scopes", remedy)
    if said.error and said.error != "channel_not_found":
        return failed(f"Slack says of {channel}: {said.error}", "see the channel in the configuration")
    return failed(f"there is no channel {channel} that the app may see", "invite the app to it, or correct its name")


async def _named(caller: _Caller, name: str) -> tuple[_Answer, dict[str, Any] | None]:
    """Return the last answer, and the conversation of that name if there is one."""
    cursor = ""
    for _ in range(_PAGES):
        said = await caller.call(
            "conversations.list",
            types="public_channel,private_channel",
            limit=str(_PAGE),
            cursor=cursor,
        )
        for each in said.data.get("channels") or []:
            if each.get("name") == name:
                return said, each
        cursor = (said.data.get("response_metadata") or {}).get("next_cursor") or ""
        if said.error or not cursor:
            break
    return said, None


class _Caller:
    """Asks Slack's Web API with one token, over the channel's own connection settings."""

    def __init__(self, patient: Patient, settings: SlackConfig, token: str) -> None:
        self._patient = patient
        self._settings = settings
        self._token = token

    async def call(self, method: str, **arguments: str) -> _Answer:
        session = self._patient.pool.session(self._settings.http_config)
        async with session.post(
            self._settings.base_url.rstrip("/") + "/" + method,
            data=arguments,
            headers={"Authorization": f"Bearer {self._token}"},
            allow_redirects=False,
        ) as response:
            data = await response.json(content_type=None)
            given = response.headers.get(_SCOPES, "")
        data = data if isinstance(data, dict) else {}
        error = "" if data.get("ok") else code_of(data, secrets_of(self._settings)) or f"HTTP {response.status}"
        return _Answer(data=data, scopes=frozenset(filter(None, re.split(r"[,\s]+", given))), error=error)
