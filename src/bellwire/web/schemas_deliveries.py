"""The shapes of what is asked and answered about dead deliveries: see `bellwire.web.schemas`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Abandonment(BaseModel):
    """Dead deliveries that are to be given up."""

    model_config = ConfigDict(extra="forbid")

    deliveries: list[str] = Field(min_length=1, max_length=1000, description="Their ids.")
    by: str = Field(default="", max_length=200, description="Who asks for it: kept with what was done.")
    dry_run: bool = Field(default=False, description="Only say what would be done.")


class Replay(BaseModel):
    """Deliveries that are to be sent again: those named, or all that are dead, as far as the rest narrows it."""

    model_config = ConfigDict(extra="forbid")

    deliveries: list[str] = Field(
        default=[], max_length=1000, description="Their ids. One that was sent may be named, too."
    )
    dead: bool = Field(default=False, description="All that are dead, 200 at a time.")
    receiver: str | None = Field(default=None, description="Of the dead ones, those of this receiver.")
    since: str | None = Field(
        default=None, description="Of the dead ones, those that died within this time, such as 2h."
    )
    next: str | None = Field(default=None, description="The `next` of the answer before this one, of the same order.")
    to: str | None = Field(default=None, description="A receiver that gets them instead.")
    by: str = Field(default="", max_length=200, description="Who asks for it: kept with what was done.")
    dry_run: bool = Field(default=False, description="Only say what would be done.")


class ReplayDelivery(BaseModel):
    """A new delivery that stands for an old one."""

    id: str | None = Field(description="None where nothing was done yet.")
    receiver: str
    channel: str
    name: str
    alerts: int


class Letter(BaseModel):
    """A delivery that was replayed or given up, or would be."""

    id: str
    receiver: str
    channel: str
    name: str
    reason: str | None = Field(description="Why it was dead.")
    alerts: int
    replays: list[ReplayDelivery]


class Letters(BaseModel):
    """What was done about dead letters, or would be."""

    deliveries: list[Letter]
    alerts: int = Field(description="All of these deliveries' alerts, each counted once.")
    skipped: int = Field(
        description="Dead ones of channels that are in the configuration no more: `to` says who gets them."
    )
    next: str | None = Field(description="There are more: ask again with this.")
    dry_run: bool
