"""What the ledger still holds for channels and accounts that a configuration no longer has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from bellwire.ledger.reading import read_channels
from bellwire.ledger.tables import PENDING, accounts, read_marks
from bellwire.model import AccountKey, ChannelKey

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class Leftovers:
    """How many deliveries wait for channels that are gone, and how many read marks for accounts that are."""

    deliveries: Mapping[ChannelKey, int]
    read_marks: Mapping[AccountKey, int]


def read_leftovers(
    connection: Connection, channels: Collection[ChannelKey], known: Collection[AccountKey]
) -> Leftovers:
    """Return what waits for none of these ``channels`` and ``known`` accounts."""
    return Leftovers(
        deliveries={
            key: each["waiting"]
            for each in read_channels(connection)
            if each["waiting"]
            and (key := ChannelKey(receiver=each["receiver"], kind=each["channel"], name=each["name"])) not in channels
        },
        read_marks=_marks(connection, known),
    )


def _marks(connection: Connection, known: Collection[AccountKey]) -> dict[AccountKey, int]:
    every = connection.execute(select(accounts.c.id, accounts.c.name, accounts.c.base_url))
    by_id = {row.id: AccountKey(name=row.name, base_url=row.base_url) for row in every}
    counts = select(read_marks.c.account_id, func.count().label("waiting")).where(PENDING)
    return {
        by_id[row.account_id]: row.waiting
        for row in connection.execute(counts.group_by(read_marks.c.account_id))
        if by_id[row.account_id] not in known
    }
