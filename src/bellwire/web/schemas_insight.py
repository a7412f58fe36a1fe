"""The shapes of the API's answers about routes, configuration, the last hour and what people did."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bellwire.model import Suppression
from bellwire.web.schemas import Destination, SeverityText, Step, Suppressor


class Route(BaseModel):
    """One route, inheritance resolved; ``receiver`` null drops."""

    model_config = ConfigDict(populate_by_name=True)

    route: str
    parent: str | None
    receiver: str | None
    matchers: list[str]
    continue_: bool = Field(alias="continue")
    group_by: list[str]
    group_wait: str
    group_interval: str
    active_time_intervals: list[str]
    mute_time_intervals: list[str]
    muted: Literal["hold", "drop"]
    suppress_repeats: str
    dedupe_by: list[str]
    digest: str | None


class Tally(BaseModel):
    """What went where: of all alerts ``since``, or (``whole`` false) of the newest of them, the oldest ``from``."""

    model_config = ConfigDict(populate_by_name=True)

    alerts: int
    since: datetime
    from_: datetime | None = Field(alias="from")
    whole: bool
    routes: dict[str, dict[str, int]] = Field(description="By route, then by receiver.")
    dropped: dict[str, int] = Field(description="By route.")


class Routes(BaseModel):
    """The routing tree."""

    routes: list[Route]
    tally: Tally


class Repeated(BaseModel):
    """The alert that this one would be a repeat of."""

    kind: Literal["alert"]
    id: str
    title: str | None


class TriedDestination(Destination):
    """A receiver that the alert would go to, and whether at once."""

    standing: Literal["now", "held", "muted", "collected"]
    until: datetime | None
    why: str | None
    repeats: Repeated | None


class TriedRouting(BaseModel):
    """How the alert would be routed."""

    suppressed: Suppression | None
    errors: list[str]
    steps: list[Step]
    destinations: list[TriedDestination]


class Trial(BaseModel):
    """What would become of an alert."""

    at: datetime
    note: str | None
    title: str
    severity: SeverityText
    type: str
    account: str
    api: str
    labels: dict[str, str]
    routing: TriedRouting
    inhibited_by: Suppressor | None
    silenced_by: Suppressor | None


class Configuration(BaseModel):
    """What is in force; ``failure`` says why the last reload changed nothing."""

    yaml: str
    reloaded_at: datetime | None
    failure: str | None


class Action(BaseModel):
    """Something that someone did."""

    at: datetime
    who: str = Field(description="The name that they gave; it is not checked.")
    how: str | None = Field(
        description="How they came in, and from where, as Bellwire saw it; null where it was not kept."
    )
    what: str
    detail: dict[str, Any]


class Minute(BaseModel):
    """One minute's alerts."""

    at: datetime
    received: int
    delivered: int
    suppressed: int
    dead: int


class ChannelMessage(BaseModel):
    """An alert's message as a channel would send it now."""

    receiver: str
    channel: str = Field(description="What kind of channel it is.")
    name: str
    title: str | None = Field(
        description="A mail's subject, Slack's notification; a webhook has one only by a template."
    )
    text: str | None = Field(description="What people read; of Slack in its own markup.")
    html: str | None = Field(description="A mail's HTML.")
    body: dict[str, object] | None = Field(description="The whole of what is sent as JSON: by Slack and webhooks.")
    error: str | None = Field(description="Why no message can be made.")
