"""One alert of each API, as its dialect makes it of what the vendor sends: what templates are tried with.

They are values written down, since the configuration is read without the dialects; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bellwire.model import Alert, DeliveryKind, Message, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.schema import AccountConfig, Config

_AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
_ID = "01JSAMP1E0000000000000000{}"


def _alert(api: str, **values: object) -> Alert:
    every: dict[str, object] = {
        "id": _ID.format(1),
        "account": api,
        "api": api,
        "message": "",
        "url": None,
        "created_at": _AT,
        "received_at": _AT,
    }
    return Alert(**(every | values))  # type: ignore[arg-type]  # each sample is written with the types of an alert


SAMPLES: dict[str, Alert] = {
    "visual_layer": _alert(
        "visual_layer",
        upstream_id="5d0f6d0e-7a51-4f8c-9c0e-1f2a3b4c5d6e",
        type="alert",
        severity=Severity.WARNING,
        title="Scratches: 12 new results in line-4",
        labels={
            "dataset_id": "dataset-9",
            "dataset_name": "line-4",
            "view_name": "Scratches",
            "result_count": "12",
            "entity_type": "saved_view",
            "entity_id": "view-42",
            "batch_id": "batch-7",
        },
        payload={
            "id": "5d0f6d0e-7a51-4f8c-9c0e-1f2a3b4c5d6e",
            "user_id": "user-17",
            "entity_type": "saved_view",
            "entity_id": "view-42",
            "title": "",
            "message": None,
            "metadata": {
                "batch_id": "batch-7",
                "is_alert": True,
                "view_name": "Scratches",
                "dataset_name": "line-4",
                "result_count": 12,
            },
            "dataset_id": "dataset-9",
            "is_read": False,
            "created_at": "2026-11-22T10:00:00",
            "read_at": None,
        },
    ),
    "qualytics": _alert(
        "qualytics",
        upstream_id="42",
        type="flow",
        severity=Severity.INFO,
        title="Nightly quality gate",
        message="A scan of the warehouse has completed.",
        url="https://acme.qualytics.io/datastores/101/activity?operation_id=50001",
        labels={"flow": "Nightly quality gate", "flow_id": "7"},
        payload={
            "id": 42,
            "created": "2026-11-22T10:00:00Z",
            "acknowledged": False,
            "notification": {
                "id": 100,
                "created": "2026-11-22T10:00:00Z",
                "notification_type": "flow",
                "message": "A scan of the warehouse has completed.",
                "target_uri": "/datastores/101/activity?operation_id=50001",
                "target_url": "https://acme.qualytics.io/datastores/101/activity?operation_id=50001",
                "action_execution": {
                    "id": 200,
                    "flow_execution": {"id": 300, "flow": {"id": 7, "name": "Nightly quality gate"}},
                },
            },
        },
    ),
    "owlmetry": _alert(
        "owlmetry",
        upstream_id="0b9e6a52-6ad4-4a4c-9d5d-2f3a1c8e7b60",
        type="issue.new",
        severity=Severity.ERROR,
        title="New issue in Demo Project",
        message="TypeError: cannot read properties of undefined",
        labels={"team_id": "team-1"},
        payload={
            "id": "0b9e6a52-6ad4-4a4c-9d5d-2f3a1c8e7b60",
            "type": "issue.new",
            "title": "New issue in Demo Project",
            "body": "TypeError: cannot read properties of undefined",
            "link": "/dashboard/issues?project=7",
            "team_id": "team-1",
            "read_at": None,
            "created_at": "2026-11-22T10:00:00.000Z",
        },
    ),
    "elan": _alert(
        "elan",
        upstream_id="550e8400-e29b-41d4-a716-446655440000",
        type="workflow.completed",
        severity=Severity.INFO,
        title="Translation complete",
        message="Your translation job 'Marketing' has completed.",
        labels={"workflow_id": "wf_abc123", "job_name": "Marketing"},
        payload={
            "notification_id": "550e8400-e29b-41d4-a716-446655440000",
            "event_type": "workflow.completed",
            "title": "Translation complete",
            "message": "Your translation job 'Marketing' has completed.",
            "event_data": {"workflow_id": "wf_abc123", "job_name": "Marketing"},
            "is_read": False,
            "created_at": "2026-11-22T10:00:00Z",
            "read_at": None,
        },
    ),
    "atp": _alert(
        "atp",
        upstream_id="n-1",
        type="notification",
        severity=Severity.ERROR,
        title="Approve the release?",
        message="Version 4 waits.",
        labels={
            "service_id": "deploy-bot",
            "service_name": "Deploy Bot",
            "project": "shop",
            "priority": "high",
            "status": "created",
            "deadline": "2026-11-22T11:00:00Z",
            "build": "17",
        },
        payload={
            "id": "n-1",
            "version": "1.0",
            "timestamp": "2026-11-22T10:00:00Z",
            "deadline": "2026-11-22T11:00:00Z",
            "service": {"id": "deploy-bot", "name": "Deploy Bot"},
            "context": {
                "title": "Approve the release?",
                "description": "Version 4 waits.",
                "project": "shop",
                "metadata": {"build": 17},
            },
            "actions": [{"id": "ok", "label": "OK", "response_type": "simple"}],
            "priority": "high",
            "status": "created",
        },
    ),
}
"""By API. The labels are the vendor's own: `sample_of` adds those that every alert has."""


def sample_of(api: str, account: AccountConfig | None = None) -> Alert:
    """Return the sample of an API, as if it had come from the account."""
    alert = SAMPLES[api]
    name = account.name if account else alert.account
    standard = {"account": name, "api": api, "type": alert.type, "severity": alert.severity.text}
    return replace(alert, account=name, labels={**alert.labels, **(account.labels if account else {}), **standard})


def samples_of(config: Config) -> dict[str, Alert]:
    """Return a sample of each API that an account has, of every API where there is no account yet."""
    accounts = {account.api: account for account in reversed(config.accounts) if account.api in SAMPLES}
    return {api: sample_of(api, accounts.get(api)) for api in SAMPLES if api in accounts or not accounts}


def sample_messages(alert: Alert, receiver: str) -> Iterator[Message]:
    """Yield the alert as it may come: alone, in a group, in a digest, again."""
    other = replace(alert, id=_ID.format(2), upstream_id=f"{alert.upstream_id}-2")
    shared = {"account": alert.account}
    delivery = _ID.format(9)
    yield Message(delivery_id=delivery, kind=DeliveryKind.ALERT, receiver=receiver, alerts=(alert,))
    yield Message(
        delivery_id=delivery,
        kind=DeliveryKind.GROUP,
        receiver=receiver,
        alerts=(alert, other),
        group_key="route:account",
        group_labels=shared,
        suppressed=3,
    )
    yield Message(
        delivery_id=delivery, kind=DeliveryKind.DIGEST, receiver=receiver, alerts=(alert, other), part=1, parts=2
    )
    yield Message(
        delivery_id=delivery, kind=DeliveryKind.REPLAY, receiver=receiver, alerts=(alert,), origin=_ID.format(8)
    )
