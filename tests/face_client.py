"""Calls one vendor's face of the reference server over HTTP, as its own clients would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp


class FaceClient:
    """``base`` is what stands before every path; without ``headers`` a call is made as ann."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def call(
        self,
        method: str,
        path: str = "",
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        **options: Any,
    ) -> tuple[int, Any]:
        """Return status and body. ``options`` are aiohttp's: ``params``, ``json``."""
        async with self._session.request(
            method,
            self._base + path,
            headers={"Authorization": "Bearer ann-token"} if headers is None else headers,
            data=data,
            skip_auto_headers=() if "json" in options else ("Content-Type",),
            **options,
        ) as response:
            return response.status, await response.json()

    async def good(self, method: str, path: str = "", **options: Any) -> Any:
        """Return the body of an answer that is a success."""
        status, body = await self.call(method, path, **options)
        assert status == 200, body
        return body
