"""What the OpenAPI page says is held against what the server does, by generated calls, well and badly formed."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from bellwire.reference.faces import FACES
from bellwire.reference.serve import serving
from bellwire.reference.settings import ReferenceSettings, User

USERS = (User(name="ann", tokens=("ann-token",), keys=(("ann-token", "secret"),)),)  # a service's key too
AUTHORIZATION = {"Authorization": "Bearer ann-token"}
ENDLESS = "/api/v1/(notifications/stream|client/events)"
SWITCHES = "/control/(traps|faults)"  # which turn the rest into what it is not

bounded = settings(
    max_examples=6,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def check_operations(url: str, mode: GenerationMode, only: str = "") -> set[str]:
    """Call every operation but endless ones and switches, or only some, with generated parameters, and return which there were."""
    whole = schemathesis.openapi.from_url(f"{url}/openapi.json")
    schema = whole.include(path_regex=only) if only else whole.exclude(path_regex=f"{ENDLESS}|{SWITCHES}")
    schema.config.generation.allow_extra_parameters = False  # they are ignored, as vendors do
    schema.config.generation.with_security_parameters = False  # each call is made with a good token
    checked = set()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()

        @bounded
        @given(case=operation.as_strategy(generation_mode=mode))
        def call(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(headers=AUTHORIZATION)

        try:
            call()
        except Unsatisfiable:  # it takes texts or nothing, and any text is a good one: there is nothing to get wrong
            assert mode is GenerationMode.NEGATIVE
        else:
            checked.add(operation.label)
    return checked


@pytest.mark.parametrize("mode", list(GenerationMode))
async def test_generated_calls_find_no_answer_that_the_page_does_not_promise(mode: GenerationMode) -> None:
    async with serving(ReferenceSettings(users=USERS, atp_polls_per_minute=None)) as server:
        for api in FACES:
            server.emit(api, "ann", [{}] * 5)
        checked = await asyncio.to_thread(check_operations, server.url, mode)

    assert {"GET /visual_layer/api/v1/notifications", "POST /control/{api}/{user}/items"} <= checked
    assert not [entry for entry in server.log.entries() if entry.status is None or entry.status >= 500]


@pytest.mark.parametrize("mode", list(GenerationMode))
async def test_generated_switches_get_no_answer_that_the_page_does_not_promise(mode: GenerationMode) -> None:
    async with serving(ReferenceSettings(users=USERS)) as server:
        checked = await asyncio.to_thread(check_operations, server.url, mode, SWITCHES)

    assert {"POST /control/faults", "DELETE /control/faults/{number}", "PUT /control/traps"} <= checked


JSON = {"Content-Type": "application/json"}
FRAMEWORK = {422: ["detail"]}
PROBLEM = {400: ["code", "details", "message", "request_id"]}
HOSTILE = {
    "half a character": '"\\ud800"',
    "a key with half a character": '{"\\udc00": 1}',
    "a number without an end": "1e400",
    "a whole number without an end": "1" + "0" * 400,
    "no number": "NaN",
    "less than any number": "-Infinity",
    "a bottomless list": "[" * 100_000 + "]" * 100_000,
}


@pytest.mark.parametrize(
    ("method", "path", "body", "form"),
    [
        ("PATCH", "/qualytics/api/user-notifications/acknowledge", '[{"id": %s}]', FRAMEWORK),
        ("PATCH", "/qualytics/api/user-notifications/acknowledge", "%s", FRAMEWORK),
        ("POST", "/elan/v1/notifications/read", '{"notification_ids": [%s]}', FRAMEWORK),
        ("PATCH", "/owlmetry/v1/notifications/x", '{"read": %s}', {400: ["code", "error", "message", "statusCode"]}),
        ("POST", "/atp/api/v1/client/notifications/acknowledge", '{"notification_ids": [%s]}', PROBLEM),
        ("POST", "/atp/api/v1/notifications", '{"context": {"title": %s}}', PROBLEM),
        ("PATCH", "/atp/api/v1/notifications/x", '{"status": %s}', PROBLEM),
        ("POST", "/control/visual_layer/ann/items", '[{"title": %s}]', FRAMEWORK),
        ("PATCH", "/control/atp/ann/items/x", '{"title": %s}', FRAMEWORK),
        ("PUT", "/control/traps", '{"owlmetry.limit_coerced": %s}', FRAMEWORK),
        ("POST", "/control/faults", '{"kind": "status", "status": %s}', FRAMEWORK),
    ],
)
async def test_what_no_json_can_hold_is_refused_in_each_vendors_form(
    method: str, path: str, body: str, form: dict[int, list[str]]
) -> None:
    async with (
        serving(ReferenceSettings(users=USERS)) as server,
        aiohttp.ClientSession(headers=AUTHORIZATION) as session,
    ):
        server.emit("atp", "ann", [{"id": "x"}])
        for what, value in HOSTILE.items():
            sent = (body % value).encode()
            async with session.request(method, server.url + path, data=sent, headers=JSON) as answer:
                told = {answer.status: sorted(await answer.json())}
            assert (what, told) == (what, form)
        assert len(server.items("atp", "ann")) == 1


@pytest.mark.parametrize("api", list(FACES))
@pytest.mark.parametrize("depth", [255, 800, 1000])
async def test_an_item_that_is_nested_deeply_is_refused_or_shown(api: str, depth: int) -> None:
    items = f"/control/{api}/ann/items"
    async with serving(ReferenceSettings(users=USERS)) as server, aiohttp.ClientSession(server.url) as session:
        body = f'[{{"id": {"[" * depth + "]" * depth}}}]'
        async with session.post(f"{items}?complete=false", data=body) as answer:
            assert answer.status in {201, 422}
            shown = answer.status == 201
        async with session.get(items) as answer:
            assert len((await answer.read()).split(b'"seq"')) - 1 == shown
