"""A first configuration as text: few keys, each with a word on it. Pure: what was answered in, files out."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL_ADDRESS: Mapping[str, str] = {
    "visual_layer": "https://app.visual-layer.com",
    "owlmetry": "https://api.owlmetry.com",
    "elan": "https://api.elanlanguages.ai",
}
"""Where an API is, if it is everywhere at the same address."""

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./@-]*")
_NO_TEXT = frozenset({"true", "false", "null"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Secret:
    """A secret by where it is: in a variable of the environment, or in a file, which is written if ``value`` is given."""

    variable: str = ""
    file: str = ""
    value: str = field(default="", repr=False)

    def entry(self, key: str) -> tuple[str, str]:
        """Return the key of the configuration and its value."""
        return (key, f"${{{self.variable}}}") if self.variable else (f"{key}_file", self.file)


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstAccount:
    """Where notifications come from; ``token`` None: nobody is asked for one there."""

    name: str
    api: str
    base_url: str
    token: Secret | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstReceiver:
    """Where alerts go: one channel, its keys in the order in which they are written, and its secrets."""

    name: str
    kind: str
    settings: Mapping[str, str | list[str]]
    secrets: tuple[tuple[str, Secret], ...] = ()


def text_of(account: FirstAccount, receiver: FirstReceiver, storage: str = "", listen: str = "127.0.0.1:9095") -> str:
    """Return the configuration."""
    lines = [
        "# Written by `bellwire init`. `bellwire check-config` says all that is wrong with it;",
        "# the configuration reference in docs/ has every key.",
        "",
        "web:",
        f"  listen: {scalar(listen)}      # status page, API and metrics",
        *(["storage:", f"  url: {scalar(storage)}"] if storage else []),
        "",
        "accounts:                     # where notifications come from",
        f"  - name: {scalar(account.name)}",
        f"    api: {account.api}",
        f"    base_url: {scalar(account.base_url)}",
        *_authorization(account),
        "    catch_up:",
        "      first_start: digest     # what is unread now comes as one message; later ones one by one",
        "    mark_read: delivered      # an item is marked as read once every receiver has it",
        "",
        "route:                        # who gets what; see docs/rules.md",
        f"  receiver: {scalar(receiver.name)}",
        "",
        "receivers:                    # where alerts go",
        f"  - name: {scalar(receiver.name)}",
        f"    {receiver.kind}_configs:",
        *_channel(receiver),
    ]
    return "\n".join(lines) + "\n"


def secret_files(account: FirstAccount, receiver: FirstReceiver) -> dict[str, str]:
    """Return what is to be written beside the configuration, by the names of the files."""
    secrets = [*([account.token] if account.token else []), *(secret for _, secret in receiver.secrets)]
    return {secret.file: secret.value for secret in secrets if secret.value}


def scalar(text: str) -> str:
    """Return a text as YAML has it: bare where that is safe, else in quotes."""
    bare = _PLAIN.fullmatch(text) and text.lower() not in _NO_TEXT
    # JSON's quoted texts are YAML's; a dollar before a brace would begin a reference
    return text if bare else json.dumps(text.replace("${", "$${"), ensure_ascii=False)


def _authorization(account: FirstAccount) -> list[str]:
    if account.token is None:
        return []
    key, value = account.token.entry("credentials")
    return ["    authorization:", f"      {key}: {_reference(value)}"]


def _channel(receiver: FirstReceiver) -> list[str]:
    given = [(key, _value(value)) for key, value in receiver.settings.items()]
    entries = [*given, *((key, _reference(value)) for key, value in (s.entry(k) for k, s in receiver.secrets))]
    return [f"      {'- ' if not index else '  '}{key}: {value}" for index, (key, value) in enumerate(entries)]


def _reference(value: str) -> str:
    return value if value.startswith("${") else scalar(value)


def _value(value: str | list[str]) -> str:
    return scalar(value) if isinstance(value, str) else f"[{', '.join(scalar(each) for each in value)}]"
