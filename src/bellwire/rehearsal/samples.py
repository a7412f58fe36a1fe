"""Alerts that never came: made of what someone says of them, and for the rest as one of their account's API would be."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bellwire.apis.severities import severity_of
from bellwire.config.nearest import suggestion
from bellwire.errors import BellwireError
from bellwire.intake import Mailbox, alert_of
from bellwire.model import AccountKey, Notification, Severity
from bellwire.routing.readers import FIELDS, PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bellwire.config.schema import AccountConfig, Config
    from bellwire.model import Alert, Json

_TYPES = {"visual_layer": "alert"}
_TYPE = "notification"
_TITLE = "A sample alert"


class SampleError(BellwireError):
    """No alert could be as someone says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Saying:
    """What someone says of an alert. Labels named ``title``, ``message``, ``payload.PATH`` … say what they are called."""

    labels: Mapping[str, str] = field(default_factory=dict)
    title: str | None = None
    message: str = ""
    payload: Json = None
    upstream_id: str = "sample"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """An alert to come: a notification, the account whose it is, and labels that win over that account's own."""

    account: AccountKey
    mailbox: Mailbox
    notification: Notification
    labels: Mapping[str, str]

    def alert(self, now: datetime) -> Alert:
        """Return the alert that intake would make of it."""
        return alert_of(self.notification, self.account, self.mailbox, self.labels, now)


def sample_of(config: Config, saying: Saying) -> Sample:
    """Return the alert as ``config`` would have it. Raises `SampleError` for a severity that there is not."""
    said = {**saying.labels}
    payload: Json = saying.payload
    for name in [name for name in said if name.startswith(PAYLOAD)]:
        payload = _put(payload, name.removeprefix(PAYLOAD).split("."), said.pop(name))
    account = account_named(config, said.pop("account", ""))
    api = said.pop("api", "") or (account.api if account else "")
    kind = said.pop("type", _TYPES.get(api, _TYPE) if api else "")
    title = said.pop("title", saying.title)
    return Sample(
        account=AccountKey(name=saying.labels.get("account", ""), base_url=account.base_url if account else ""),
        mailbox=Mailbox(api=api, labels=account.labels if account else {}),
        notification=Notification(
            upstream_id=said.pop("upstream_id", saying.upstream_id),
            type=kind,
            severity=_severity(said.pop("severity", None), api, kind),
            title=_TITLE if title is None else title,
            message=said.pop("message", saying.message),
            payload=payload,
        ),
        labels=said,
    )


def relabelled(alert: Alert, said: Mapping[str, str]) -> Alert:
    """Return the alert with what is said in place of what it had. Raises `SampleError` as `sample_of` does."""
    fields: dict[str, Any] = {name: said[name] for name in ("account", "api", "type", *FIELDS) if name in said}
    if "severity" in said:
        fields["severity"] = _severity(said["severity"], alert.api, alert.type)
    payload = alert.payload
    for name in [name for name in said if name.startswith(PAYLOAD)]:
        payload = _put(payload, name.removeprefix(PAYLOAD).split("."), said[name])
    labels = {name: value for name, value in said.items() if name not in FIELDS and not name.startswith(PAYLOAD)}
    return replace(alert, **fields, payload=payload, labels={**alert.labels, **labels})


def account_named(config: Config, name: str) -> AccountConfig | None:
    """Return the account of this name."""
    return next((account for account in config.accounts if account.name == name), None)


def unknown_account(config: Config, name: str) -> str:
    """Return what to say of a name that no account has."""
    return f"there is no account {name}: {suggestion(name, [account.name for account in config.accounts])}"


def _severity(said: str | None, api: str, kind: str) -> Severity:
    if said is not None:
        severity = Severity.of(said)
        if severity is None:
            msg = f"{said!r} is no severity: write {', '.join(one.text for one in Severity)}"
            raise SampleError(msg)
        return severity
    warned = kind == "alert" if api == "visual_layer" else api == "qualytics" and "anomaly" in kind.lower()
    return max(Severity.WARNING if warned else Severity.INFO, severity_of(kind))


def _put(payload: Json, path: list[str], value: str) -> dict[str, Any]:
    """Return a payload that holds ``value`` at ``path``, and the rest as it was."""
    whole: dict[str, Any] = dict(payload) if isinstance(payload, dict) else {}
    key, *further = path
    whole[key] = _put(whole.get(key), further, value) if further else value
    return whole
