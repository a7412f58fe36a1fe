"""The shapes of the API's answers about silences: see `bellwire.web.schemas`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from bellwire.model import AlertState
from bellwire.web.schemas import Problem, SeverityText


class Silence(BaseModel):
    """What someone does not want to hear of for a while."""

    id: str
    state: Literal["pending", "active", "expired"]
    matchers: list[str]
    starts_at: datetime
    ends_at: datetime
    author: str
    comment: str
    created_at: datetime
    expired_by: str | None = Field(description="Who ended it before its time.")


class Silenced(BaseModel):
    """An alert that a silence would meet."""

    id: str
    account: str
    severity: SeverityText
    title: str
    state: AlertState
    received_at: datetime


class NewId(BaseModel):
    """What was made."""

    id: str


class Expired(BaseModel):
    """What ending a silence found."""

    id: str
    outcome: Literal["expired", "ended_before"]


class BadMatcher(Problem):
    """Which matcher cannot be read, and where, if it is a matcher that is wrong."""

    matcher: str | None = None
    offset: int | None = Field(default=None, description="In characters from 0 within the matcher.")
