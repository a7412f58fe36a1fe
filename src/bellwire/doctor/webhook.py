"""Webhooks: whether the server is there. No request is made: any would be a message to someone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bellwire.doctor.diagnosis import Check, Diagnosis, warning
from bellwire.doctor.reach import reach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.schema import WebhookConfig
    from bellwire.doctor.diagnosis import Patient

_LOCAL = ("http://127.", "http://localhost", "http://[::1]")


def check_webhooks(patient: Patient) -> Iterator[Check]:
    """Yield a check a webhook."""
    for receiver in patient.config.receivers:
        for settings in receiver.webhook_configs:
            subject = "/".join(part for part in (receiver.name, settings.name) if part)
            yield Check(name="webhook", subject=subject, look=partial(_look, patient, settings))


async def _look(patient: Patient, settings: WebhookConfig) -> list[Diagnosis]:
    url = settings.url.get_secret_value()
    found = [await reach(patient, url, settings.http_config)]
    if url.startswith("http://") and not url.startswith(_LOCAL):
        found.append(warning("alerts go there in the clear", "use https:// if the receiver has it"))
    return found
