"""What end-to-end tests share: a vendor and a pager, on real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bellwire.demo.receivers.http import WebhookReceiver
from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, User
from harness import SIGNING_SECRET, TOKEN, USER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def server() -> AsyncIterator[ReferenceServer]:
    async with serving(ReferenceSettings(users=(User(name=USER, tokens=(TOKEN,)),), keep_alive=1)) as running:
        yield running


@pytest.fixture
async def pager() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver(secrets=[SIGNING_SECRET]) as receiver:
        yield receiver
