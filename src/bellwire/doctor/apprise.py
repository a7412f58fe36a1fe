"""Apprise: whether its URLs are ones that it can use. They cannot be tried without sending."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from bellwire.config.check_apprise import check_apprise_url
from bellwire.doctor.diagnosis import Check, Diagnosis, failed, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.schema import AppriseConfig
    from bellwire.doctor.diagnosis import Patient


def check_apprise(patient: Patient) -> Iterator[Check]:
    """Yield a check a URL."""
    for receiver in patient.config.receivers:
        for settings in receiver.apprise_configs:
            subject = "/".join(part for part in (receiver.name, settings.name) if part)
            yield Check(name="apprise", subject=subject, look=partial(_look, settings))


async def _look(settings: AppriseConfig) -> list[Diagnosis]:
    problem = await asyncio.to_thread(check_apprise_url, settings.url.get_secret_value())
    if problem:
        return [failed(f"the URL {problem}", "correct url, or what is in url_file")]
    return [ok("the URL can be used; to see whether it arrives, use `bellwire send-test`")]
