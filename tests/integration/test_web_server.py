from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bellwire.config.schema import WebConfig
from bellwire.errors import BellwireError, LedgerError
from bellwire.metrics import Metrics
from bellwire.web.serve import ListenError, WebServer
from certificates import Authority
from fake_view import FakeView, a_busy_view
from web_rig import Client, serving

if TYPE_CHECKING:
    from pathlib import Path


async def test_healthy_answers_though_everything_else_is_broken() -> None:
    async with serving(FakeView(broken=LedgerError("the ledger cannot be read"))) as client:
        answer = await client.get("/-/healthy")
        assert (answer.status, answer.text) == (200, "OK\n")


async def test_ready_is_503_with_the_reasons_a_line_each() -> None:
    view = FakeView(reasons=["the ledger cannot write: disk full", "account vision is connecting"])
    async with serving(view) as client:
        answer = await client.get("/-/ready")
        assert answer.status == 503
        assert answer.text == "the ledger cannot write: disk full\naccount vision is connecting\n"
        assert answer.headers["content-type"].startswith("text/plain")
        asked_for = await client.get("/-/ready", accept="application/json")
        assert (asked_for.status, asked_for.json) == (503, {"ready": False, "reasons": view.reasons})
        view.reasons = []
        assert (await client.get("/-/ready")).status == 200


async def test_metrics_are_in_the_prometheus_text_format() -> None:
    async with serving(a_busy_view()) as client:
        answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'bellwire_deliveries{state="sent"} 24100.0\n' in answer.text
    assert 'bellwire_deliveries{state="merged"} 0.0\n' in answer.text
    assert "bellwire_unaccounted_alerts 0.0\n" in answer.text


async def test_head_is_answered_wherever_get_is() -> None:
    async with serving(a_busy_view()) as client:
        for path in ("/", "/-/healthy", "/metrics", "/api/v1/status", "/static/bellwire.css"):
            answer = await client.send("HEAD", path)
            assert (path, answer.status, answer.body) == (path, 200, b"")


async def test_every_answer_forbids_the_browser_what_our_pages_never_do() -> None:
    async with serving(a_busy_view()) as client:
        for path in ("/", "/api/v1/status", "/metrics", "/alerts/none", "/static/page.js", "/nothing", "/login"):
            headers = (await client.get(path)).headers
            policy = headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';"), path
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("tokens", [{}, {"token": ""}, {"token": "", "read_token": "abcdefghijk"}])
def test_nothing_is_served_to_other_machines_without_a_token(tokens: dict[str, str]) -> None:
    config = WebConfig.model_validate({"listen": "0.0.0.0:0"} | tokens)
    with pytest.raises(BellwireError, match=r"there is no token|is empty"):
        WebServer(FakeView(), Metrics(), config)


async def test_an_address_that_is_taken_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ListenError, match=rf"cannot listen on {listen}: Address already in use: choose another"):
            await WebServer(FakeView(), Metrics(), WebConfig(listen=listen)).start()


async def test_it_starts_and_stops_at_once_and_frees_its_address() -> None:
    server = WebServer(FakeView(), Metrics(), WebConfig(listen="127.0.0.1:0"))
    began = time.monotonic()
    await server.start()
    url = server.url
    client = Client(url)
    assert (await client.get("/-/healthy")).status == 200
    idle = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    await server.stop()
    assert time.monotonic() - began < 2
    with pytest.raises(ConnectionRefusedError):
        await client.get("/-/healthy")
    idle[1].close()
    await server.stop()  # twice is as good as once


async def test_a_request_that_hangs_holds_up_the_stop_for_a_second_at_most() -> None:
    view = FakeView(hold=asyncio.Event())
    server = WebServer(view, Metrics(), WebConfig(listen="127.0.0.1:0"))
    await server.start()
    request = asyncio.create_task(Client(server.url).get("/api/v1/audit"))
    await view.auditing.wait()
    began = time.monotonic()
    await server.stop()
    assert time.monotonic() - began < 3
    await asyncio.gather(request, return_exceptions=True)


async def test_signals_stay_with_whoever_runs_the_loop() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with serving(FakeView()):
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


async def test_an_error_of_ours_is_a_sentence_and_any_other_gives_nothing_away() -> None:
    view = FakeView(broken=LedgerError("the ledger was closed"))
    with capture_logs() as logged:
        async with serving(view) as client:
            answer = await client.get("/api/v1/status")
            assert (answer.status, answer.json) == (503, {"detail": "the ledger was closed"})
            view.broken = RuntimeError("https://user:hunter2@db")
            answer = await client.get("/")
            assert answer.status == 500
            assert "hunter2" not in answer.text
            assert answer.headers["x-frame-options"] == "DENY"
            assert (await client.get("/-/healthy")).status == 200
    assert [line["event"] for line in logged] == ["web_request_refused", "web_request_failed"]


async def test_tls_serves_the_certificate_of_the_configuration(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trust = ssl.create_default_context(cafile=authority.ca_file)
    async with serving(FakeView(), tls_config=asdict(authority.certificate("web"))) as client:
        assert client.url.startswith("https://127.0.0.1:")
        assert (await Client(client.url, trust).get("/-/healthy")).status == 200


async def test_a_certificate_that_is_none_is_said_so(tmp_path: Path) -> None:
    missing = {"cert_file": str(tmp_path / "none.pem"), "key_file": str(tmp_path / "none.pem")}
    server = WebServer(FakeView(), Metrics(), WebConfig(listen="127.0.0.1:0", tls_config=missing))  # type: ignore[arg-type]  # pydantic makes the section
    with pytest.raises(ListenError, match=r"web\.tls_config"):
        await server.start()
