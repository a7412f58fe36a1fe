"""Faults on demand, as values: what the server can be told to do wrong, to whom, how often and for how long.

Each is bounded in time, may be bounded in number, and throws the dice of its own seed. What comes of them is decided in
`bellwire.reference.faults_answers` and `bellwire.reference.faults_bytes`, and done in `bellwire.reference.faults_applied`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

_Seconds = Annotated[float, Field(ge=0, le=86_400)]
_Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


def _kind_is_required(schema: dict[str, Any]) -> None:
    """Say what the default hides: it serves Python alone, and tells the kinds apart everywhere else."""
    schema["required"] = [*schema.get("required", []), "kind"]


class Fault(BaseModel):
    """What all faults have. Without ``api`` every vendor's users are hit, without ``user`` every user."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_kind_is_required)

    api: str | None = None
    user: str | None = None
    lasts: Annotated[float, Field(gt=0, le=86_400, description="Seconds until it is over.")] = 60.0


class AnswerFault(Fault):
    """A fault of some answers. ``times`` is how many it hits at most; ``methods`` empty: whatever the method."""

    methods: tuple[_Method, ...] = ()
    times: Annotated[int, Field(ge=1)] | None = None
    chance: Annotated[float, Field(gt=0, le=1, description="Of each answer to be hit.")] = 1.0
    seed: int = 0


# --- another answer than the vendor's ------------------------------------------------------------------------------


class RefuseStreams(AnswerFault):
    """Streams cannot be opened."""

    kind: Literal["refuse_streams"] = "refuse_streams"
    status: Annotated[int, Field(ge=400, le=599)] = 404


class WrongContentType(AnswerFault):
    """A web page comes with status 200, as from a portal or a login page in between: in place of streams, or of all."""

    kind: Literal["wrong_content_type"] = "wrong_content_type"
    streams_only: bool = True


class Unauthorized(AnswerFault):
    """Credentials are refused once the fault is ``after_seconds`` old. Streams that are open stay open."""

    kind: Literal["unauthorized"] = "unauthorized"
    status: Literal[401, 403] = 401
    after_seconds: _Seconds = 0.0


class RateLimit(AnswerFault):
    """A pause is asked for: always, or of who calls more often than ``per_minute``."""

    kind: Literal["rate_limit"] = "rate_limit"
    retry_after: Annotated[int, Field(ge=0, le=86_400)] = 1
    as_date: bool = False
    per_minute: Annotated[int, Field(ge=1)] | None = None


class ServerErrors(AnswerFault):
    """The vendor is in trouble: with one status, or with any of 500, 502, 503 and 504."""

    kind: Literal["server_errors"] = "server_errors"
    status: Annotated[int, Field(ge=500, le=599)] | None = None


# --- the vendor's answer, spoilt on its way ------------------------------------------------------------------------


class DropStreams(AnswerFault):
    """Streams are closed after so many items, or so many seconds after they were opened."""

    kind: Literal["drop_streams"] = "drop_streams"
    after_items: Annotated[int, Field(ge=0)] | None = None
    after_seconds: _Seconds | None = None


class StallStreams(AnswerFault):
    """Streams fall silent after so many items or seconds, and stay open: nothing ever comes on them again."""

    kind: Literal["stall_streams"] = "stall_streams"
    after_items: Annotated[int, Field(ge=0)] | None = None
    after_seconds: _Seconds | None = None


class HalfEvent(AnswerFault):
    """Streams are closed in the middle of the item that follows ``after_items`` whole ones."""

    kind: Literal["half_event"] = "half_event"
    after_items: Annotated[int, Field(ge=0)] = 0


class SplitBytes(AnswerFault):
    """Answers come in pieces of 1 to ``size`` bytes, wherever that cuts them."""

    kind: Literal["split_bytes"] = "split_bytes"
    size: Annotated[int, Field(ge=1)] = 7


class Buffer(AnswerFault):
    """Streams are held back until ``size`` bytes came together, as by a proxy that buffers."""

    kind: Literal["buffer"] = "buffer"
    size: Annotated[int, Field(ge=1, le=16_777_216)] = 65_536


class SlowBodies(AnswerFault):
    """Answers trickle: ``size`` bytes, then a pause."""

    kind: Literal["slow_bodies"] = "slow_bodies"
    size: Annotated[int, Field(ge=1)] = 64
    seconds: _Seconds = 0.02


class RepeatItems(AnswerFault):
    """Streams bring each item twice, and an earlier one once more."""

    kind: Literal["repeat_items"] = "repeat_items"


class ReorderItems(AnswerFault):
    """Streams bring what comes within ``seconds`` in a random order, and one of it after what comes next."""

    kind: Literal["reorder_items"] = "reorder_items"
    seconds: _Seconds = 0.1


class LateItems(AnswerFault):
    """Streams bring everything ``seconds`` late."""

    kind: Literal["late_items"] = "late_items"
    seconds: _Seconds = 1.0


class ResetConnections(AnswerFault):
    """The connection is reset after so many bytes of the answer; the request has been carried out."""

    kind: Literal["reset_connections"] = "reset_connections"
    after_bytes: Annotated[int, Field(ge=0)] = 0


# --- a vendor that is not quite right ------------------------------------------------------------------------------


class ClockOff(Fault):
    """The vendor's clock is so many seconds fast, or slow if negative: in items, marks and headers."""

    kind: Literal["clock_off"] = "clock_off"
    seconds: Annotated[float, Field(ge=-31_536_000, le=31_536_000)] = 3600.0


class ListLags(Fault):
    """Lists and counts show an item only so many seconds after the stream brought it."""

    kind: Literal["list_lags"] = "list_lags"
    seconds: _Seconds = 2.0


AnyFault: TypeAlias = Annotated[
    RefuseStreams
    | WrongContentType
    | Unauthorized
    | RateLimit
    | ServerErrors
    | DropStreams
    | StallStreams
    | HalfEvent
    | SplitBytes
    | Buffer
    | SlowBodies
    | RepeatItems
    | ReorderItems
    | LateItems
    | ResetConnections
    | ClockOff
    | ListLags,
    Field(discriminator="kind"),
]
"""Every kind of fault there is."""

FAULT: TypeAdapter[AnyFault] = TypeAdapter(AnyFault)
FAULTS: TypeAdapter[tuple[AnyFault, ...]] = TypeAdapter(tuple[AnyFault, ...])
