"""``http_config``: how requests are made."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from bellwire.alertmanager.yaml_out import Table

if TYPE_CHECKING:
    from bellwire.alertmanager.source import Node

_TLS = ("ca_file", "cert_file", "key_file")


def connection(node: Node | None, made: Table) -> None:
    """Put ``http_config`` into a channel: proxy and TLS. What asks for credentials is for the channel (`headers`)."""
    if node is None:
        return
    inner = Table()
    if (proxy := node.get("proxy_url")) is not None:
        inner.put("proxy_url", proxy.text)
    if (tls := node.get("tls_config")) is not None:
        kept = Table((key, value.text) for key in _TLS if (value := tls.get(key)) is not None)
        if (skip := tls.get("insecure_skip_verify")) is not None and skip.flag:
            kept.put("insecure_skip_verify", value=True)
        for key, value in tls.rest():
            kept.note(f"tls_config.{key} (line {value.line}) has no equivalent")
        if kept:
            inner.put("tls_config", kept)
    if inner:
        made.put("http_config", inner)
    if (follow := node.get("follow_redirects")) is not None and follow.flag:
        made.note(f"follow_redirects (line {follow.line}): redirects are never followed")
    for key, value in node.rest():
        made.note(f"http_config.{key} (line {value.line}) has no equivalent")


def headers(node: Node | None, made: Table) -> Table:
    """Return the headers that ``http_config`` asks for."""
    found = Table()
    if node is None:
        return found
    bearer = node.get("bearer_token")
    bearer_file = node.get("bearer_token_file")
    authorization, basic = node.get("authorization"), node.get("basic_auth")
    if authorization is not None:
        kind = authorization.get("type")
        if (secret := authorization.get("credentials")) is not None:
            found.put("Authorization", f"{kind.text if kind else 'Bearer'} {secret.text}")
        bearer_file = authorization.get("credentials_file") or bearer_file
    elif bearer is not None:
        found.put("Authorization", f"Bearer {bearer.text}")
    elif basic is not None:
        user, password = basic.get("username"), basic.get("password")
        if user is not None and password is not None:
            both = base64.b64encode(f"{user.text}:{password.text}".encode()).decode()
            found.put("Authorization", f"Basic {both}")
        else:
            made.note(f"basic_auth (line {basic.line}) reads files: set the header Authorization from a variable")
    if bearer_file is not None:
        message = "headers take no files: set a variable, and here `headers: {Authorization: 'Bearer ${NAME}'}`"
        made.note(f"the token is in {bearer_file.text} (line {bearer_file.line}); {message}")
    extra = node.get("http_headers")
    for name, value in extra.pairs() if extra else []:
        for each in [*value.list("values"), *value.list("secrets")][:1]:
            found.put(name, each.text)
    return found
