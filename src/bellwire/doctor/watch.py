"""Who is told when Bellwire itself has a trouble, and who notices if it is gone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bellwire.config.schema import HttpConfig
from bellwire.doctor.diagnosis import Check, Diagnosis, ok, warning
from bellwire.doctor.reach import reach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.doctor.diagnosis import Patient


def check_watch(patient: Patient) -> Iterator[Check]:
    """Yield the two checks."""
    yield Check(name="meta receiver", subject=patient.config.meta_receiver or "none", look=partial(_meta, patient))
    yield Check(name="heartbeat", subject="url", look=partial(_heartbeat, patient))


async def _meta(patient: Patient) -> list[Diagnosis]:
    if patient.config.meta_receiver is None:
        text = "nobody is told of dead deliveries, refused logins and failed reloads"
        return [warning(text, "set meta_receiver to the name of a receiver")]
    return [ok("is told of Bellwire's own troubles")]


async def _heartbeat(patient: Patient) -> list[Diagnosis]:
    heartbeat = patient.config.heartbeat
    if heartbeat is None:
        text = "nobody notices if Bellwire, or this machine, is gone"
        return [warning(text, "set heartbeat.url_file to a check of a dead-man's switch, or alert on the metric `up`")]
    return [await reach(patient, heartbeat.url.get_secret_value(), HttpConfig())]
