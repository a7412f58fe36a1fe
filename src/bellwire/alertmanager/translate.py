"""The whole of an Alertmanager configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.alertmanager.matching import Seen, UntranslatableError, matchers_of
from bellwire.alertmanager.receivers import receivers_of
from bellwire.alertmanager.routes import Tree
from bellwire.alertmanager.source import read
from bellwire.alertmanager.yaml_out import Items, Table, write
from bellwire.model import Severity

if TYPE_CHECKING:
    from bellwire.alertmanager.source import Node

_INTERVAL_KEYS = ("times", "weekdays", "days_of_month", "months", "years", "location")
_COMMON = frozenset({"account", "api", "type", "severity", "title", "message"})
_FOLDED = ("smtp_", "slack_", "opsgenie_api_key", "victorops_api_key", "telegram_bot_token", "http_config")
_SEVERITIES = frozenset(one.text for one in Severity)
_DURATION = (
    "Alertmanager inhibits for as long as the source fires; notifications have no end, so it lasts for `duration`"
)


def translate(text: str, file: str) -> str:
    """Return our configuration as YAML. Raises `ConfigError`, with the places of ``file``, if ``text`` cannot be read."""
    node = read(text, file)
    shared = node.get("global")
    defaults = dict(shared.pairs()) if shared else {}
    seen = Seen()
    made, silent = receivers_of(node.list("receivers"), defaults)
    root = node.get("route")
    if root is None:
        node.refuse("there is no route: is this an Alertmanager configuration?")
    route = Tree(made, silent, seen).root(root)
    intervals = Items(_interval(each) for key in ("time_intervals", "mute_time_intervals") for each in node.list(key))
    rules, lost = _inhibitions(node.list("inhibit_rules"), seen)
    whole = Table()
    _head(whole, file, seen)
    whole.put("accounts", Items())
    whole.put("route", route)
    whole.put("receivers", Items(made.values()))
    for name, each in silent.items():
        whole.note(f"the receiver {name} (line {each.line}) delivers nothing: its routes say `receiver: null` instead")
    if intervals:
        whole.put("time_intervals", intervals)
    if rules:
        whole.put("inhibit_rules", rules, _DURATION)
    for told in lost:
        whole.note(told)
    _tail(whole, node, defaults)
    return write(whole)


def _head(whole: Table, file: str, seen: Seen) -> None:
    whole.note(f"Made of {file} by `bellwire import-alertmanager`. What has no equivalent stands in comments.")
    whole.note("Add your accounts, where notifications come from: config.example.yaml shows each API.")
    strange = [name for name in seen.names if name not in _COMMON]
    if strange:
        whole.note(
            f"Alerts here have the labels account, api, type, severity, and those of their account and its API. These "
            f"are named below and may have to be set, by accounts[].labels or label_rules: {', '.join(strange)}."
        )
    odd = [value for value in seen.severities if value and not _SEVERITIES.intersection(value.split("|"))]
    if odd:
        whole.note(f"severity is info, warning, error or critical; it is compared with {', '.join(odd)} below.")


def _tail(whole: Table, node: Node, defaults: dict[str, Node]) -> None:
    for key, value in defaults.items():
        if key == "resolve_timeout":
            whole.note(f"global.{key} (line {value.line}): notifications have no end, so nothing resolves")
        elif not key.startswith(_FOLDED):
            whole.note(f"global.{key} (line {value.line}) has no equivalent")
    for each in node.list("templates"):
        whole.note(f"templates: {each.text} holds Go's templates: write title and text anew, in Jinja2")
    for key, value in node.rest():
        whole.note(f"{key} (line {value.line}) has no equivalent")


def _interval(node: Node) -> Table:
    made = Table()
    name = node.get("name")
    if name is None:
        node.refuse("a time interval needs a name")
    made.put("name", name.text)
    made.put("time_intervals", Items(_spec(each) for each in node.list("time_intervals")))
    return made


def _spec(node: Node) -> Table:
    made = Table()
    for key in _INTERVAL_KEYS:
        value = node.get(key)
        if value is None:
            continue
        if key == "times":
            made.put(key, Items(Table((name, text.text) for name, text in each.pairs()) for each in value.items()))
        elif key == "location":
            made.put(key, value.text)
        else:
            made.put(key, Items(each.text for each in value.items()))
    for key, value in node.rest():
        made.note(f"{key} (line {value.line}) has no equivalent")
    return made


def _inhibitions(nodes: list[Node], seen: Seen) -> tuple[Items, list[str]]:
    """Return the rules, and what to say of those that would inhibit more than they did."""
    rules, lost = Items(), []
    for node in nodes:
        try:
            rules.append(_inhibition(node, seen))
        except UntranslatableError as error:
            lost.append(f"The inhibit rule in line {node.line} is left out: {error}")
    return rules, lost


def _inhibition(node: Node, seen: Seen) -> Table:
    made = Table()
    if (name := node.get("name")) is not None:
        made.note(name.text)
    made.put("source_matchers", matchers_of(node, seen, "source_"))
    made.put("target_matchers", matchers_of(node, seen, "target_"))
    if node.get("equal") is not None:
        equal = [each.text for each in node.list("equal")]
        seen.names.update(dict.fromkeys(equal))
        made.put("equal", Items(equal))
    made.put("duration", "10m")
    for key, value in node.rest():
        made.note(f"{key} (line {value.line}) has no equivalent")
    return made
