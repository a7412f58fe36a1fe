"""One channel of a receiver: Slack, webhook, e-mail."""

from __future__ import annotations

from email.utils import getaddresses, parseaddr
from typing import TYPE_CHECKING

from bellwire.alertmanager.http_out import connection, headers
from bellwire.alertmanager.yaml_out import Items, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bellwire.alertmanager.source import Node


_POST = "chat.postMessage"
_IMPLICIT = "465"
_MOST_ALERTS = 1000


def slack(node: Node, defaults: Mapping[str, Node]) -> Table:
    """Return a Slack channel: an incoming webhook, or a bot token where that is how the requests were made."""
    made = Table()
    http = node.get("http_config") or defaults.get("http_config")
    url, url_file = node.get("api_url"), node.get("api_url_file")
    if url is None and url_file is None:
        url, url_file = defaults.get("slack_api_url"), defaults.get("slack_api_url_file")
    channel = node.get("channel")
    app_token = node.get("app_token") or defaults.get("slack_app_token")
    app_file = node.get("app_token_file") or defaults.get("slack_app_token_file")
    authorization = http.get("authorization") if http and url is not None and url.text.endswith(_POST) else None
    if authorization is not None:
        app_token, app_file = authorization.get("credentials"), authorization.get("credentials_file")
    if app_token is not None or app_file is not None:
        _secret(made, "token", app_token, app_file)
        if channel is not None:
            made.put("channel", channel.text)
        else:
            made.note("a bot token needs a channel to post to: add one")
    else:
        _secret(made, "api_url", url, url_file)
        if url is None and url_file is None:
            made.note("neither this nor global names an api_url: add token_file and channel, or api_url_file")
        if channel is not None:
            made.note(f"channel: {channel.text}: an incoming webhook posts to the channel that it was made for")
    connection(http, made)
    _texts(node, made, {"title": "title", "text": "text"})
    _finish(node, made)
    return made


def webhook(node: Node, defaults: Mapping[str, Node]) -> Table:
    """Return a webhook. Its body is ours, signed where a secret is given."""
    made = Table()
    http = node.get("http_config") or defaults.get("http_config")
    _secret(made, "url", node.get("url"), node.get("url_file"))
    made.note("the body is Bellwire's own, not Alertmanager's: what receives it must know it")
    asked = headers(http, made)
    if asked:
        made.put("headers", asked)
    if (most := node.get("max_alerts")) is not None and most.text.isdigit() and int(most.text):
        made.put("max_alerts", min(int(most.text), _MOST_ALERTS), "more alerts are several messages: none is cut off")
    if (limit := node.get("timeout")) is not None and limit.duration != "0s":
        made.put("timeout", limit.duration)
    connection(http, made)
    _finish(node, made)
    return made


def email(node: Node, defaults: Mapping[str, Node]) -> Table:
    """Return a channel for mail; what the file says once for all stands here in each."""
    made = Table()

    def given(key: str, shared: str) -> Node | None:
        return node.get(key) or defaults.get(shared)

    to = node.get("to")
    made.put("to", Items(address for _, address in getaddresses([to.text if to else ""]) if address))
    if (sender := given("from", "smtp_from")) is not None:
        made.put("from", parseaddr(sender.text)[1] or sender.text)
    if (host := given("smarthost", "smtp_smarthost")) is not None:
        made.put("smarthost", host.text)
    tls = given("require_tls", "smtp_require_tls")
    if host is not None and host.text.endswith(f":{_IMPLICIT}"):
        made.put("tls", "implicit")
    elif tls is not None and not tls.flag:
        made.put("tls", "none", "Alertmanager encrypted if the server offered it: set starttls if it does")
    if (user := given("auth_username", "smtp_auth_username")) is not None:
        made.put("auth_username", user.text)
        own = node.get("auth_password"), node.get("auth_password_file")
        shared = defaults.get("smtp_auth_password"), defaults.get("smtp_auth_password_file")
        _secret(made, "auth_password", *(own if any(own) else shared))
    settings = node.get("tls_config") or defaults.get("smtp_tls_config")
    if settings is not None:
        kept = [("ca_file", value.text) for value in [settings.get("ca_file")] if value is not None]
        if kept:
            made.put("http_config", Table([("tls_config", Table(kept))]))
    _texts(node, made, {"html": "text", "text": "text"})
    subject = (extra := node.get("headers")) and (extra.get("Subject") or extra.get("subject"))
    if subject is not None:
        _text(made, "title", subject)
    _finish(node, made)
    return made


def _secret(made: Table, key: str, value: Node | None, file: Node | None) -> None:
    if file is not None:
        made.put(f"{key}_file", file.text)
    elif value is not None:
        made.put(key, value.text)


def _texts(node: Node, made: Table, keys: Mapping[str, str]) -> None:
    for key, ours in keys.items():
        value = node.get(key)
        if value is not None:
            _text(made, ours, value)


def _text(made: Table, ours: str, value: Node) -> None:
    if value.has_template:
        made.note(f"{value.loc[-1]} (line {value.line}) is one of Go's templates: write {ours} anew, in Jinja2")
    elif value.text and ours not in made.keys:
        made.put(ours, value.text)


def _finish(node: Node, made: Table) -> None:
    """Tell of what is left."""
    resolved = node.get("send_resolved")
    if resolved is not None and resolved.flag:
        made.note(f"send_resolved (line {resolved.line}): notifications have no end that could be told")
    left = [f"{key} (line {value.line})" for key, value in node.rest()]
    if left:
        made.note(f"no equivalent: {', '.join(left)}")
