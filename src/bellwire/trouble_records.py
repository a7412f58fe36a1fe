"""What passes between the ledger and whoever tells of Bellwire's own troubles: values, each with one meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.values import dataclass

if TYPE_CHECKING:
    from datetime import datetime

    from bellwire.model import ChannelKey, TroubleKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """A trouble that is not over. ``subject`` is the channel or account that it is about, empty where there is only one.

    ``began_at`` is by the wall's clock; ``counted_at``, by the steady one, is when ``number`` last grew.
    """

    kind: TroubleKind
    subject: str
    text: str
    began_at: datetime
    number: int = 0
    counted_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What died, or failed, and was not noted as a trouble yet. ``name`` is the ledger's own for it."""

    name: str
    kind: TroubleKind
    subject: str
    number: int
    example: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenChannel:
    """A channel whose breaker is open."""

    key: ChannelKey
    since: datetime
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TroubleSight:
    """What the ledger knows of troubles."""

    open: tuple[Trouble, ...] = ()
    broken: tuple[BrokenChannel, ...] = ()
    tallies: tuple[Tally, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Telling:
    """What is told of a trouble: a line, and more of it."""

    title: str
    text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TroubleBegun:
    """A trouble that begins; ``told`` are the channels that know of it already."""

    kind: TroubleKind
    subject: str
    began_at: datetime
    telling: Telling
    tally: Tally | None = None
    told: tuple[ChannelKey, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TroubleEnded:
    """A trouble that is over."""

    kind: TroubleKind
    subject: str
    ended_at: datetime
    telling: Telling


@dataclass(frozen=True, kw_only=True, slots=True)
class TroubleNews:
    """What changed about troubles, and the channels of ``meta_receiver`` that are to be told.

    ``grown`` are tallies of troubles that are open already.
    """

    begun: tuple[TroubleBegun, ...] = ()
    grown: tuple[Tally, ...] = ()
    ended: tuple[TroubleEnded, ...] = ()
    channels: tuple[ChannelKey, ...] = ()
