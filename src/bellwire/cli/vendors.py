"""Asking the vendors themselves, where no daemon runs that could."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bellwire.apis import APIS
from bellwire.apis.inbox import HttpInbox
from bellwire.apis.ration import Rations
from bellwire.clock import SystemClock
from bellwire.crosscheck import Records, cross_check, not_asked
from bellwire.errors import ConfigError
from bellwire.http import HttpPool
from bellwire.ledger.auditing import known_ids, whole_until
from bellwire.ledger.database import open_for_reading
from bellwire.ledger.ledger import answer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Engine

    from bellwire.config.schema import AccountConfig, Config


def check_vendors(config: Config, url: str) -> list[dict[str, Any]]:
    """Hold the ledger at ``url`` against the list of each account; those that are paused are only named.

    Raises `ConfigError` where their secrets were not read.
    """
    if config.unread:
        raise ConfigError(list(config.unread))
    engine = open_for_reading(url)
    try:
        return asyncio.run(_check(config.accounts, engine))
    finally:
        engine.dispose()


async def _check(accounts: Sequence[AccountConfig], engine: Engine) -> list[dict[str, Any]]:
    pool, clock = HttpPool(), SystemClock()
    rations = Rations(clock)
    try:
        return await asyncio.gather(
            *(
                _check_one(account, engine, HttpInbox(APIS[account.api](account), account, pool, clock, rations))
                for account in accounts
            )
        )
    finally:
        await pool.close()


async def _check_one(account: AccountConfig, engine: Engine, inbox: HttpInbox) -> dict[str, Any]:
    if account.paused:
        return not_asked(account.name, "it is paused")
    return await cross_check(account.name, inbox, _records(account, engine))


def _records(account: AccountConfig, engine: Engine) -> Records:
    """Return the ledger's answers; each is a short question, and there is nothing else to hold up."""

    async def known(upstream_ids: Sequence[str]) -> set[str]:
        return answer(engine, lambda connection: known_ids(connection, account.name, account.base_url, upstream_ids))

    async def until() -> datetime | None:
        return answer(engine, lambda connection: whole_until(connection, account.name, account.base_url))

    return Records(known=known, whole_until=until)
