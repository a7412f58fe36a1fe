"""Calls of Slack's Web API through slack-sdk, over the pool's connections, its errors translated to verdicts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bellwire.channels.http_post import session_of, time_limits
from bellwire.channels.http_verdicts import NO_ANSWER, of_exception
from bellwire.channels.secrets import secrets_of
from bellwire.channels.slack_verdicts import code_of, of_answer
from bellwire.errors import DeliveryError, Verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from datetime import datetime

    from slack_sdk.web.async_slack_response import AsyncSlackResponse

    from bellwire.config.schema import SlackConfig
    from bellwire.http import HttpPool

_sdk_log = logging.getLogger("bellwire.slack_sdk")
_sdk_log.setLevel(logging.WARNING)  # at debug it would write every message's text


class _Session:
    """The pool's session as slack-sdk calls it.

    It would follow redirects, take proxies from the environment, and pass ``ssl=None``, by which aiohttp verifies nothing.
    """

    closed = False

    def __init__(self, pool: HttpPool, settings: SlackConfig) -> None:
        self._pool = pool
        self._settings = settings

    def request(self, verb: str, url: str, **given: Any) -> Any:
        """Make a request with the channel's own connection settings."""
        wanted = {name: given[name] for name in ("headers", "params", "json", "data") if given.get(name) is not None}
        limits = time_limits(self._settings.send_timeout)
        session = session_of(self._pool, self._settings)
        return session.request(verb, url, allow_redirects=False, timeout=limits, **wanted)


class SlackClient:
    """Makes calls with the channel's token."""

    def __init__(self, settings: SlackConfig, pool: HttpPool) -> None:
        self._secrets = secrets_of(settings)
        self._sdk = AsyncWebClient(
            token=settings.token.get_secret_value() if settings.token else None,
            base_url=settings.base_url,
            session=cast("aiohttp.ClientSession", _Session(pool, settings)),
            retry_handlers=[],  # the ledger owns retries
            logger=_sdk_log,
        )

    async def post(self, method: str, arguments: dict[str, Any], sent_at: datetime) -> dict[str, Any]:
        """Make a call that changes something; return its answer, or raise `DeliveryError`."""
        return await self._answer(self._sdk.api_call(method, json=arguments), sent_at)

    async def get(self, method: str, arguments: dict[str, Any], sent_at: datetime) -> dict[str, Any]:
        """Make a call that asks; return its answer, or raise `DeliveryError`."""
        return await self._answer(self._sdk.api_call(method, http_verb="GET", params=arguments), sent_at)

    async def _answer(self, call: Awaitable[AsyncSlackResponse], sent_at: datetime) -> dict[str, Any]:
        failure = DeliveryError("not Slack's own answer", verdict=Verdict.IN_DOUBT, reason="slack_unreadable")
        try:
            data = (await call).data
            if isinstance(data, dict):
                return data
        except SlackApiError as exc:
            failure = _of_error(exc, sent_at, self._secrets)
        except NO_ANSWER as exc:
            failure = of_exception(exc)
        except (AttributeError, ValueError):  # what the library raises for a 200 whose body is no JSON object
            pass
        raise failure  # outside of the handlers: the library's exceptions hold the request, and would come along as context


def _of_error(exc: SlackApiError, sent_at: datetime, secrets: Sequence[str]) -> DeliveryError:
    """Translate the library's error; its ``response`` is its own or, where the body was no JSON, aiohttp's."""
    response = exc.response
    status = response.status if isinstance(response, aiohttp.ClientResponse) else response.status_code
    data = getattr(response, "data", None)
    return of_answer(code_of(data, secrets), status, response.headers, sent_at)
