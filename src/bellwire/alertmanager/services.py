"""Receivers of other services, as addresses for Apprise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from bellwire.alertmanager.yaml_out import Reference, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bellwire.alertmanager.source import Node


@dataclass(frozen=True, slots=True)
class Service:
    """How a service is reached: ``parts`` are keys of its section, put into ``url`` if all are given.

    ``hint`` is the form of the address, for people.
    """

    hint: str
    url: str = ""
    parts: tuple[str, ...] = ()
    shared: Mapping[str, str] | None = None  # where a part may stand under global


SERVICES: Mapping[str, Service] = {
    "discord_configs": Service("https://discord.com/api/webhooks/ID/TOKEN", "{webhook_url}", ("webhook_url",)),
    "msteams_configs": Service("the address of the webhook", "{webhook_url}", ("webhook_url",)),
    "msteamsv2_configs": Service("workflows://HOST/WORKFLOW/SIGNATURE", "{webhook_url}", ("webhook_url",)),
    "opsgenie_configs": Service(
        "opsgenie://API_KEY", "opsgenie://{api_key}", ("api_key",), {"api_key": "opsgenie_api_key"}
    ),
    "pagerduty_configs": Service("pagerduty://INTEGRATION_KEY@API_KEY"),
    "pushover_configs": Service("pover://USER_KEY@TOKEN", "pover://{user_key}@{token}", ("user_key", "token")),
    "telegram_configs": Service(
        "tgram://BOT_TOKEN/CHAT_ID",
        "tgram://{bot_token}/{chat_id}",
        ("bot_token", "chat_id"),
        {"bot_token": "telegram_bot_token"},
    ),
    "victorops_configs": Service(
        "splunk://ROUTING_KEY@API_KEY",
        "splunk://{routing_key}@{api_key}",
        ("routing_key", "api_key"),
        {"api_key": "victorops_api_key"},
    ),
    "webex_configs": Service("webex://ACCESS_TOKEN/ROOM_ID"),
    "sns_configs": Service("sns://ACCESS_KEY/SECRET_KEY/REGION/TOPIC"),
    "mattermost_configs": Service("mmosts://HOST/TOKEN"),
    "rocketchat_configs": Service("rockets://USER:TOKEN@HOST/#CHANNEL"),
    "jira_configs": Service("jira://API_KEY"),
    "wechat_configs": Service("wechat://CORP_ID:SECRET@AGENT_ID/USER"),
}

_UNNAMED = re.compile(r"[^A-Za-z0-9]+")


def service(kind: str, node: Node, receiver: str, defaults: Mapping[str, Node]) -> Table:
    """Return an Apprise channel; where the address cannot be made, it is a variable that must be set."""
    made, known = Table(), SERVICES.get(kind)
    name = kind.removesuffix("_configs")
    given = {} if known is None else _given(known, node, defaults)
    if known is not None and known.url and len(given) == len(known.parts):
        whole = known.url == f"{{{known.parts[0]}}}"
        made.put(
            "url", known.url.format(**{key: each if whole else quote(each, safe="") for key, each in given.items()})
        )
    else:
        variable = _UNNAMED.sub("_", f"{receiver}_{name}_url").upper()
        hint = f"such as {known.hint}" if known else "if Apprise knows the service"
        made.put("url", Reference(variable), f"{name}, line {node.line}: set ${variable} to its address, {hint}")
    left = ", ".join(f"{key} (line {value.line})" for key, value in node.rest())
    if left:
        made.note(f"not taken over: {left}")
    return made


def _given(known: Service, node: Node, defaults: Mapping[str, Node]) -> dict[str, str]:
    found = {}
    for key in known.parts:
        value = node.get(key) or defaults.get((known.shared or {}).get(key, ""))
        if value is not None:
            found[key] = value.text
    return found
