from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)

from bellwire.config.schema import WebConfig
from bellwire.metrics import Metrics
from bellwire.web import schemas, schemas_insight, schemas_silences
from bellwire.web.app import create_web
from fake_view import FakeView, a_busy_view, an_alert
from web_rig import serving


async def test_the_status_has_everything_that_the_page_shows() -> None:
    async with serving(a_busy_view()) as client:
        answer = (await client.get("/api/v1/status")).json
    assert answer["ready"] is False
    assert [account["state"] for account in answer["accounts"]] == ["streaming", "backing_off", "stopped"]
    assert answer["totals"]["alerts.received"] == 12_408
    assert answer["now"] == "2026-11-22T10:00:05.250000Z"


async def test_alerts_are_read_page_by_page() -> None:
    view = FakeView(alerts=[an_alert() for _ in range(5)][::-1])
    async with serving(view) as client:
        first = (await client.get("/api/v1/alerts?limit=3")).json
        rest = (await client.get(f"/api/v1/alerts?limit=3&before={first[-1]['id']}")).json
    assert [alert["id"] for alert in first + rest] == [alert["id"] for alert in view.alerts]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", f"before={'0' * 27}"])
async def test_a_wrong_parameter_is_answered_with_what_is_wrong(query: str) -> None:
    async with serving(FakeView()) as client:
        answer = await client.get(f"/api/v1/alerts?{query}")
    assert answer.status == 422
    assert answer.json["detail"][0]["loc"][-1] in query


async def test_an_alert_is_explained_by_any_id_even_one_with_slashes() -> None:
    view = a_busy_view()
    view.stories["group/17 ü"] = next(iter(view.stories.values()))
    async with serving(view) as client:
        by_vendor = await client.get("/api/v1/alerts/group%2F17%20%C3%BC")
        assert by_vendor.json["title"] == "Weld seam: 3 new results in Line 4"
        assert by_vendor.json["routing"]["steps"][0]["saw"] == "warning"
        assert (await client.get("/api/v1/alerts/none")).json == {"detail": "there is no such alert"}


@pytest.mark.parametrize("path", ["/api/v1/alerts/twice", "/api/v1/alerts/twice/messages"])
async def test_an_id_of_several_accounts_is_answered_with_the_candidates(path: str) -> None:
    async with serving(a_busy_view()) as client:
        answer = await client.get(path)
    assert answer.status == 409
    assert [each["account"] for each in answer.json["candidates"]] == ["vision", "plant"]


async def test_an_alerts_messages_are_shown_as_each_channel_would_send_them() -> None:
    view = a_busy_view()
    named = {"receiver": "ops", "channel": "apprise", "name": "", "error": None}
    sent = named | {"body": b'{"title": "Weld", "body": "three frames"}'}
    view.closer.found = [sent, sent | {"body": None, "error": "this channel is in the configuration no more"}]
    async with serving(view) as client:
        answer = await client.get(f"/api/v1/alerts/{view.alerts[0]['id']}/messages")
        assert (await client.get("/api/v1/alerts/none/messages")).status == 404
    nothing = {"html": None, "body": None}
    assert answer.json == [
        named | nothing | {"title": "Weld", "text": "three frames"},
        named | nothing | {"title": None, "text": None, "error": "this channel is in the configuration no more"},
    ]


async def test_a_dry_run_says_so() -> None:
    async with serving(FakeView(dry_run=True)) as dry, serving(FakeView()) as real:
        told = [(await client.get("/api/v1/status")).json["dry_run"] for client in (dry, real)]
    assert told == [True, False]


async def test_deliveries_are_filtered_by_state() -> None:
    async with serving(a_busy_view()) as client:
        assert len((await client.get("/api/v1/deliveries")).json) == 2
        assert [each["reason"] for each in (await client.get("/api/v1/deliveries?state=dead")).json] == ["http_400"]
        assert (await client.get("/api/v1/deliveries?state=lost")).status == 422


async def test_the_audit_adds_up() -> None:
    async with serving(a_busy_view()) as client:
        balance = (await client.get("/api/v1/audit")).json
    assert balance["received"] == sum(balance["states"].values())
    assert balance["unaccounted"] == 0


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/api/v1/status", schemas.Status),
        ("/api/v1/alerts", list[schemas.Alert]),
        ("/api/v1/deliveries", list[schemas.Delivery]),
        ("/api/v1/silences", list[schemas_silences.Silence]),
        ("/api/v1/routes", schemas_insight.Routes),
        ("/api/v1/routes/try?label=severity%3Derror", schemas_insight.Trial),
        ("/api/v1/config", schemas_insight.Configuration),
        ("/api/v1/actions", list[schemas_insight.Action]),
        ("/api/v1/history", list[schemas_insight.Minute]),
        ("/api/v1/audit", schemas.Audit),
        ("/api/v1/alerts/{id}", schemas.Story),
        ("/api/v1/alerts/{id}/messages", list[schemas_insight.ChannelMessage]),
        ("/api/v1/alerts/twice", schemas.Ambiguity),
    ],
)
async def test_answers_have_the_documented_shape_and_not_a_field_more(path: str, shape: Any) -> None:
    view = a_busy_view()
    async with serving(view) as client:
        answer = await client.get(path.replace("{id}", view.alerts[0]["id"]))
    TypeAdapter(shape).validate_python(answer.json, extra="forbid")


async def test_the_api_page_shows_every_call_and_loads_nothing_from_elsewhere() -> None:
    async with serving(FakeView()) as client:
        document = (await client.get("/api/openapi.json")).json
        page = await client.get("/api/docs")
    assert page.status == 200
    calls = [f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods]
    assert [call for call in calls if f"{call}<" not in page.text] == []
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    assert "https://" not in page.text


HALF, DEEP = '"\\ud800"', "[" * 100_000 + "]" * 100_000
SILENCE = {"matchers": '["a=b"]', "duration": '"1h"', "author": '"kim"', "comment": '"planned"'}
REPLAY = {"deliveries": '["x"]', "dry_run": "true"}


@pytest.mark.parametrize(
    ("path", "whole", "name", "value", "place", "why"),
    [
        ("silences", SILENCE, "author", HALF, ["author"], "half of a character"),
        ("silences", SILENCE, "comment", '"a \\udc00 b"', ["comment"], "half of a character"),
        ("silences", SILENCE, "matchers", f'["a=b", {HALF}]', ["matchers", 1], "half of a character"),
        ("silences", SILENCE, "duration", "1e400", ["duration"], "too large for a number"),
        ("silences", SILENCE, "duration", "NaN", ["duration"], "too large for a number, or is none"),
        ("silences", SILENCE, "x", "-Infinity", ["x"], "too large for a number, or is none"),
        ("silences", SILENCE, "x", "9" * 400, ["x"], "too large for a number"),
        ("silences", SILENCE, "x", "9" * 5000, ["x"], "too large for a number"),
        ("silences", SILENCE, "x", DEEP, [], "nested too deeply"),
        ("silences", SILENCE, "x", '{"y": {"\\ud800": 1}}', ["x", "y"], "a key that holds half of a character"),
        ("silences", SILENCE, "starts_at", '"0001-01-01T00:00:00+14:00"', ["starts_at"], "years 1970 to 8999"),
        ("silences", SILENCE, "starts_at", '"9999-12-31T23:59:59Z"', ["starts_at"], "years 1970 to 8999"),
        ("silences", SILENCE, "ends_at", '"9999-12-31T23:59:59-14:00"', ["ends_at"], "years 1970 to 8999"),
        ("deliveries/replay", REPLAY, "deliveries", f"[{HALF}]", ["deliveries", 0], "half of a character"),
        ("deliveries/replay", REPLAY, "x", "1e400", ["x"], "too large for a number"),
        ("deliveries/abandon", REPLAY, "deliveries", f"[{HALF}]", ["deliveries", 0], "half of a character"),
        ("deliveries/abandon", REPLAY, "x", "1e400", ["x"], "too large for a number"),
    ],
)
async def test_what_cannot_be_written_down_again_is_refused_by_the_name_of_its_field(
    path: str, whole: dict[str, str], name: str, value: str, place: list[str | int], why: str
) -> None:
    view = a_busy_view()
    body = ", ".join(f'"{key}": {said}' for key, said in (whole | {name: value}).items())
    async with serving(view) as client:
        answer = await client.send("POST", f"/api/v1/{path}", f"{{{body}}}", content_type="application/json")
    assert answer.status == 422
    (fault,) = answer.json["detail"]
    assert fault["loc"] == ["body", *place]
    assert why in fault["msg"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('{"matchers": [', "is no JSON: "),
        (json.dumps({"matchers": ["a=b"]}).encode("utf-16"), "no JSON in UTF-8"),
        (b'"\xff"', "no JSON in UTF-8"),
    ],
)
async def test_what_is_no_json_is_refused_as_such(body: str | bytes, why: str) -> None:
    async with serving(a_busy_view()) as client:
        answer = await client.send("POST", "/api/v1/silences", body, content_type="application/vnd.x+json")
    assert answer.status == 422
    assert why in answer.json["detail"][0]["msg"]


async def test_a_refusal_does_not_say_again_what_was_sent() -> None:
    async with serving(a_busy_view()) as client:
        answer = await client.send("POST", "/api/v1/silences", b"\xff\xfe", content_type="text/plain")
        assert answer.status == 422
        assert [sorted(fault) for fault in answer.json["detail"]] == [["loc", "msg", "type"]]


@pytest.mark.parametrize("query", ["alerts?since=", "alerts?until=", "routes/try?label=a%3Db&at="])
@pytest.mark.parametrize("at", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "9000-01-01"])
async def test_a_time_that_cannot_be_reckoned_with_is_refused_by_name(query: str, at: str) -> None:
    async with serving(a_busy_view()) as client:
        answer = await client.get(f"/api/v1/{query}{at}")
    assert answer.status == 400
    name = query.removesuffix("=").rpartition("?")[2].rpartition("&")[2]
    assert answer.json["detail"].startswith(f"{name}: lies too far away: write a time of the years 1970 to 8999")


async def test_a_replay_may_not_look_back_further_than_time_goes() -> None:
    async with serving(a_busy_view()) as client:
        body = '{"dead": true, "since": "99999999d"}'
        answer = await client.send("POST", "/api/v1/deliveries/replay", body, content_type="application/json")
    assert (answer.status, answer.json["detail"][:35]) == (400, "since: is longer than a hundred yea")


TOKEN = "sesame-4711"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.parametrize("token", [None, TOKEN], ids=["open", "guarded"])
def test_the_openapi_document_is_true_whatever_is_asked(token: str | None) -> None:
    app = create_web(a_busy_view(), Metrics(), WebConfig(listen="127.0.0.1:0", token=token))  # type: ignore[arg-type]  # pydantic makes the secret
    schema = schemathesis.openapi.from_dict(_document(app))
    schema.app = app
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(operations) > 15
    for operation in operations:

        @settings(
            max_examples=8,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), right=st.booleans())
        def ask(case: schemathesis.Case[Any], right: bool) -> None:  # noqa: FBT001 - drawn
            headers = {"Host": "localhost"} | ({"Authorization": f"Bearer {TOKEN}"} if token and right else {})
            case.call_and_validate(headers=headers, checks=CHECKS, excluded_checks=[ignored_auth])

        ask()


def _document(app: Any) -> dict[str, Any]:
    document: dict[str, Any] = app.openapi()
    return document
