"""What may be asked of a vendor's real server without changing anything there.

Each API is held against its face of the reference server, and against the vendor's own server too where the environment
names one: BELLWIRE_LIVE_<API>_URL with BELLWIRE_LIVE_<API>_TOKEN (and …_ORG_ID for ELAN). Nothing is ever marked.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from bellwire.apis import APIS
from bellwire.apis.inbox import HttpInbox
from bellwire.clock import SystemClock
from bellwire.config.schema import AccountConfig
from bellwire.errors import StreamRefusedError
from bellwire.http import HttpPool
from bellwire.reference.serve import serving
from bellwire.reference.settings import ReferenceSettings, User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bellwire.ports import Inbox

STREAMING = {"visual_layer", "atp"}


def live(api: str) -> dict[str, Any] | None:
    """Return the account at the vendor's real server, if the environment gives one."""
    variable = f"BELLWIRE_LIVE_{api.upper()}"
    if f"{variable}_URL" not in os.environ:
        return None
    account: dict[str, Any] = {"base_url": os.environ[f"{variable}_URL"]}
    if token := os.environ.get(f"{variable}_TOKEN"):
        account["authorization"] = {"credentials": token}
    if org_id := os.environ.get(f"{variable}_ORG_ID"):
        account["org_id"] = org_id
    return account


TARGETS = [(api, "reference") for api in APIS] + [(api, "live") for api in APIS if live(api)]


@asynccontextmanager
async def account_at(api: str, where: str) -> AsyncIterator[dict[str, Any]]:
    if where == "live":
        given = live(api)
        assert given is not None
        yield given
        return
    async with serving(ReferenceSettings(users=(User(name="ann", tokens=("ann-token",)),))) as server:
        server.emit(api, "ann", [{}, {}, {}])
        yield {"base_url": server.base_url(api), "authorization": {"credentials": "ann-token"}}


@pytest.fixture(params=TARGETS, ids=lambda target: f"{target[0]}-{target[1]}")
async def inbox(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, Inbox]]:
    api, where = request.param
    pool = HttpPool()
    async with account_at(api, where) as keys:
        account = AccountConfig.model_validate({"name": "live", "api": api} | keys)
        try:
            yield api, HttpInbox(APIS[api](account), account, pool, SystemClock())
        finally:
            await pool.close()


async def test_the_first_page_can_be_read_whole(inbox: tuple[str, Inbox]) -> None:
    _, asked = inbox
    page = await asked.page()
    assert [item.upstream_id for item in page.items if item.type == "unreadable"] == []
    assert all(item.title and item.created_at is not None for item in page.items)


async def test_the_probe_agrees_with_a_list_of_one_page(inbox: tuple[str, Inbox]) -> None:
    _, asked = inbox
    page, count = await asked.page(), await asked.unread_count()
    if page.next_cursor is None and count is not None:
        assert count == len(page.items)
    else:
        assert count is None or count >= 0


async def test_a_stream_opens_where_the_api_has_one(inbox: tuple[str, Inbox]) -> None:
    api, asked = inbox
    if api in STREAMING:
        async with asked.stream(None) as stream:
            assert stream.last_event_id is None
    else:
        with pytest.raises(StreamRefusedError):
            await asked.stream(None).__aenter__()
