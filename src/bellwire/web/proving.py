"""``/-/proof``: answers a command's challenge, before it tells its token. See `bellwire.web.proof`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from bellwire.web.proof import HEADER, LONGEST, PATH, proof, same_machine

if TYPE_CHECKING:
    from bellwire.config.schema import WebConfig


def proof_router(config: WebConfig) -> APIRouter:
    """Return the route: one proof a line, one for each token there is."""
    router = APIRouter(include_in_schema=False)
    tokens = [token.get_secret_value() for token in (config.token, config.read_token) if token]

    @router.get(PATH)
    async def prove(request: Request) -> Response:
        challenge = request.headers.get(HEADER, "")
        client, server = request.scope.get("client"), request.scope.get("server")
        if not tokens or not client or not server or not same_machine(client, server):
            # elsewhere, tokens could be tried on an answer of ours for as long as anyone likes
            return PlainTextResponse("Only programs of this machine are answered.\n", 404)
        if not 0 < len(challenge) <= LONGEST:
            return PlainTextResponse(f"A header {HEADER} of at most {LONGEST} characters is needed.\n", 400)
        ends = (tuple(client), tuple(server))
        return PlainTextResponse("".join(f"{proof(token, challenge, *ends)}\n" for token in tokens))

    return router
