from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from pydantic import TypeAdapter
from structlog.testing import capture_logs

from bellwire.cli import main
from bellwire.clock import SystemClock
from bellwire.config.schema import WebConfig
from bellwire.errors import LedgerError, Verdict
from bellwire.ledger.ledger import Ledger
from bellwire.metrics import Metrics
from bellwire.model import AccountKey, Decision, DeliveryState, Destination, MarkState, RouteStep
from bellwire.records import Outcome, Start
from bellwire.web import schemas
from bellwire.web.serve import WebServer
from certificates import Authority
from fake_view import NOW, FakeView, a_balance, a_busy_view, a_delivery, a_mark, a_story, a_try, an_obligation
from fake_view import an_alert as shown_alert
from makers import OPS, PAGER, a_policy, an_alert, an_arrival

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from click.testing import Result

CONFIGURATION = """
storage: {{url: "sqlite:///{folder}/ledger.db"}}
web: {web}
route: {{receiver: ops}}
receivers: [{{name: ops, webhook_configs: [{{url: "http://127.0.0.1:1/"}}]}}]
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with a configuration and a ledger, and how commands are called there."""

    folder: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder}/ledger.db"

    def configure(self, **web: Any) -> None:
        text = CONFIGURATION.format(folder=self.folder, web=json.dumps(web or {"listen": ""}))
        (self.folder / "bellwire.yaml").write_text(text)

    async def call(self, *words: str) -> Result:
        config = ["--config", str(self.folder / "bellwire.yaml")]
        return await asyncio.to_thread(CliRunner().invoke, main, [words[0], *config, *words[1:]])

    async def items(self, *words: str) -> list[dict[str, Any]]:
        result = await self.call(*words, "--json")
        found: list[dict[str, Any]] = json.loads(result.stdout)
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.configure()
    return made


@pytest.fixture
async def ledger(place: Place) -> AsyncIterator[Ledger]:
    opened = await Ledger.open(place.url, lambda last: SystemClock(not_before=last))
    yield opened
    await opened.close()


async def one_of_each(ledger: Ledger) -> None:
    """Record an alert that reached one of its two channels, and one that a rule dropped."""
    steps = (
        RouteStep(route="route.routes[0]", matched=False, failed='severity >= "error"', saw="warning"),
        RouteStep(route="route.routes[1]", matched=True, receiver="pager", note="continue"),
        RouteStep(route="route", matched=True, receiver="ops"),
    )
    destinations = (
        Destination(receiver="pager", route="route.routes[1]"),
        Destination(receiver="ops", route="route"),
    )
    alert = an_alert(upstream_id="item/1", title="Weld seam \x1b[31m 4", message="one\ntwo")
    arrival = an_arrival(PAGER, OPS, alert=alert)
    await ledger.record([replace(arrival, decision=Decision(destinations=destinations, steps=steps)), an_arrival()])
    failed = {"verdict": Verdict.RETRY, "reason": "http_503", "detail": "503 Service Unavailable"}
    for key, outcome in ((PAGER, failed), (OPS, {})):
        policy = a_policy(key)
        (claim,) = (await ledger.claim(policy, 10)).claims
        delivery_id = claim.message.delivery_id
        await ledger.start(policy, [Start(delivery_id=delivery_id, attempts=0, body=b"{}")])
        due = {"due_at": ledger.clock.now()} if outcome else {}
        await ledger.settle(policy, [Outcome(delivery_id=delivery_id, attempt=1, **outcome | due)])  # type: ignore[arg-type]  # one dict for both


class Daemon:
    """A web server that stands in for the daemon: what it says differs from the ledger, so answers tell who gave them."""

    def __init__(self, view: FakeView, **web: Any) -> None:
        self._server = WebServer(view, Metrics(), WebConfig(**{"listen": "127.0.0.1:0"} | web))

    async def __aenter__(self) -> str:
        await self._server.start()
        return self._server.url.rpartition("/")[2]

    async def __aexit__(self, *_error: object) -> None:
        await self._server.stop()


# --- without a daemon ----------------------------------------------------------------------------------------------


async def test_explain_tells_the_story_route_by_route_and_attempt_by_attempt(place: Place, ledger: Ledger) -> None:
    await one_of_each(ledger)
    result = await place.call("explain", "item/1")
    assert result.exit_code == 0
    told = result.stdout
    assert 'no   route.routes[0]: severity >= "error" saw "warning"' in told
    assert "yes  route.routes[1] -> pager (continue)" in told
    assert "so it goes to ops by route" in told
    assert "pager/webhook  pending, http_503" in told
    assert "retry  http_503 503 Service Unavailable" in told
    assert "ops/slack  sent" in told
    assert "none (mark_read: delivered)" in told


async def test_nothing_of_an_alert_moves_the_cursor_of_a_terminal(place: Place, ledger: Ledger) -> None:
    await one_of_each(ledger)
    for command in (("explain", "item/1"), ("alerts",)):
        assert "\x1b" not in (await place.call(*command)).stdout
    assert "message     one two\n" in (await place.call("explain", "item/1")).stdout


async def test_explain_takes_bellwires_own_id_too(place: Place, ledger: Ledger) -> None:
    await one_of_each(ledger)
    (story,) = await place.items("explain", "item/1")
    assert await place.items("explain", story["id"]) == [story]
    assert [each["outcome"] for delivery in story["deliveries"] for each in delivery["tries"]] == ["retry", "sent"]


async def test_explain_exits_1_if_there_is_no_such_alert(place: Place, ledger: Ledger) -> None:
    await one_of_each(ledger)
    result = await place.call("explain", "none")
    assert result.exit_code == 1
    assert result.stderr == "bellwire: there is no alert none: `bellwire alerts` lists the newest\n"
    in_json = await place.call("explain", "none", "--json")
    assert (in_json.exit_code, in_json.stdout) == (1, "[]\n")


async def test_explain_exits_1_and_names_all_that_an_id_may_mean(place: Place, ledger: Ledger) -> None:
    other = AccountKey(name="plant", base_url="https://plant.example")
    await ledger.record([an_arrival(alert=an_alert(upstream_id="7"))])
    await ledger.record([an_arrival(account=other, alert=an_alert(upstream_id="7", account="plant"))])
    result = await place.call("explain", "7")
    assert result.exit_code == 1
    assert "7 may be any of these" in result.stderr
    assert ["vision" in result.stderr, "plant" in result.stderr] == [True, True]


async def test_audit_prints_the_balance(place: Place, ledger: Ledger) -> None:
    await one_of_each(ledger)
    result = await place.call("audit")
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["received", "2"],
        ["in", "flight", "1"],
        ["delivered", "0"],
        ["suppressed", "1"],
        ["dropped", "1"],
        ["dead", "0"],
        ["unaccounted", "0"],
        ["marked", "as", "read", "0"],
        ["being", "marked", "0"],
        ["not", "markable", "0"],
    ]
    (balance,) = await place.items("audit")
    assert balance["unaccounted"] == 0


async def test_alerts_and_deliveries_are_listed_the_newest_first(place: Place, ledger: Ledger) -> None:
    await one_of_each(ledger)
    dropped, sent = await place.items("alerts")
    assert (dropped["suppressed"], sent["upstream_id"]) == ("dropped", "item/1")
    assert await place.items("alerts", "--limit", "1") == [dropped]
    assert await place.items("alerts", "--before", dropped["id"]) == [sent]
    assert [each["state"] for each in await place.items("deliveries", "--state", "pending")] == ["pending"]
    table = (await place.call("deliveries")).stdout.splitlines()
    assert table[0].split("  ")[0] == "CREATED (UTC)"
    assert len(table) == 3


async def test_an_empty_ledger_has_nothing_to_list(place: Place, ledger: Ledger) -> None:
    assert ledger.trouble is None
    assert (await place.call("alerts")).stdout == "no alerts\n"
    assert (await place.call("deliveries")).stdout == "no deliveries\n"
    assert await place.items("alerts") == []


async def test_without_a_ledger_it_says_what_makes_one(place: Place) -> None:
    result = await place.call("alerts")
    assert result.exit_code == 1
    assert "there is no ledger yet" in result.stderr
    assert [path.name for path in place.folder.iterdir()] == ["bellwire.yaml"]


@pytest.mark.parametrize("command", [("explain", "x"), ("audit",), ("alerts",), ("deliveries",)])
async def test_a_bad_configuration_exits_78_with_its_faults(place: Place, command: tuple[str, ...]) -> None:
    (place.folder / "bellwire.yaml").write_text("rout: {}\n")
    result = await place.call(*command)
    assert result.exit_code == 78
    assert "bellwire.yaml:1:1:" in result.stderr


@pytest.mark.parametrize("words", [("deliveries", "--state", "lost"), ("alerts", "--limit", "0"), ("explain",)])
async def test_a_wrong_call_exits_2(place: Place, words: tuple[str, ...]) -> None:
    assert (await place.call(*words)).exit_code == 2


async def test_what_the_ledger_answers_has_the_shape_that_the_api_documents(place: Place, ledger: Ledger) -> None:
    await one_of_each(ledger)
    asked: dict[tuple[str, ...], Any] = {
        ("alerts",): list[schemas.Alert],
        ("deliveries",): list[schemas.Delivery],
        ("explain", "item/1"): list[schemas.Story],
        ("audit",): list[schemas.Audit],
    }
    for words, shape in asked.items():
        TypeAdapter(shape).validate_python(await place.items(*words), extra="forbid")


# --- with one ------------------------------------------------------------------------------------------------------


async def test_a_running_daemon_is_asked_first(place: Place, ledger: Ledger) -> None:
    await one_of_each(ledger)
    view = a_busy_view()
    async with Daemon(view) as listen:
        place.configure(listen=listen)
        assert [alert["id"] for alert in await place.items("alerts")] == [alert["id"] for alert in view.alerts]
        (story,) = await place.items("explain", view.alerts[0]["id"])
        assert story["message"].endswith("Batch 2211.")
        assert [each["reason"] for each in await place.items("deliveries", "--state", "dead")] == ["http_400"]
        assert "received                             3\n" in (await place.call("audit")).stdout
        assert "pager/webhook open" in (await place.call("alerts")).stdout


async def test_explain_tells_all_that_there_is_to_an_alert(place: Place) -> None:
    view = a_busy_view()
    in_doubt = a_delivery(state=DeliveryState.PENDING, in_doubt=True, parts=3, part=2)
    routing = {"suppressed": None, "steps": [], "destinations": [], "errors": ["label_rules[0]: no number"]}
    unfinished = a_try(outcome="unknown", ended_at=None)
    view.stories["hard"] = [
        a_story(
            shown_alert("", read_mark=a_mark(MarkState.FAILED, attempts=3, detail="404 Not Found")),
            routing=routing | {"destinations": [{"receiver": "ops", "route": "route", "group_key": "g=1"}]},
            deliveries=[in_doubt | {"tries": [unfinished]}],
            events=[{"at": NOW, "kind": "reopened", "detail": {"times": 2}}],
            url="https://vision.example/1",
        )
    ]
    view.stories["dropped"] = [a_story(shown_alert(), routing=routing | {"suppressed": "dropped"}, deliveries=[])]
    view.stories["stripped"] = [a_story(shown_alert(), routing={}, message=None)]
    async with Daemon(view) as listen:
        place.configure(listen=listen)
        told = (await place.call("explain", "hard")).stdout
        dropped = (await place.call("explain", "dropped")).stdout
        stripped = (await place.call("explain", "stripped")).stdout
    for line in (
        "(no title)",
        "https://vision.example/1",
        "so it goes to ops by route, in group g=1",
        "a rule failed: label_rules[0]: no number",
        "ops/slack  pending, in doubt, part 2 of 3, due 2026-11-22 09:59:53.250",
        "no end known  unknown",
        "failed 2026-11-22 09:59:56.250, attempts: 3, 404 Not Found",
        "2026-11-22 10:00:05.250  reopened  times: 2",
    ):
        assert line in told
    assert "nothing was to be sent: dropped" in dropped
    assert "nothing is owed to any channel" in dropped
    assert "how it was routed is no longer kept" in stripped


async def test_what_the_daemon_does_not_know_is_not_looked_for_elsewhere(place: Place, ledger: Ledger) -> None:
    await one_of_each(ledger)
    async with Daemon(a_busy_view()) as listen:
        place.configure(listen=listen)
        assert (await place.call("explain", "item/1")).exit_code == 1
        several = await place.call("explain", "twice")
        assert several.exit_code == 1
        assert "may be any of these" in several.stderr


async def test_audit_exits_1_and_says_which_alerts_are_unaccounted_for(place: Place) -> None:
    flaw = {"fault": "settled, but still owed", "alerts": 1, "examples": ["01JALERT"]}
    view = FakeView(balance=a_balance(unaccounted=1, faults=[flaw]))
    async with Daemon(view) as listen:
        place.configure(listen=listen)
        result = await place.call("audit")
        assert result.exit_code == 1
        assert "1 settled, but still owed:\n  bellwire explain 01JALERT\n" in result.stdout
        assert (await place.call("audit", "--json")).exit_code == 1


async def test_the_token_of_the_configuration_is_shown_to_the_daemon(place: Place) -> None:
    view = FakeView(alerts=[shown_alert("from the daemon", obligations=[an_obligation()])])
    async with Daemon(view, token="sesame-4711") as listen:
        place.configure(listen=listen, token="sesame-4711")
        assert [alert["title"] for alert in await place.items("alerts")] == ["from the daemon"]


async def test_the_daemon_is_asked_by_tls_if_it_shows_the_very_certificate(place: Place, ledger: Ledger) -> None:
    await one_of_each(ledger)
    authority = Authority(place.folder)
    tls, other = asdict(authority.certificate("web")), asdict(authority.certificate("other"))
    async with Daemon(FakeView(), tls_config=tls) as listen:
        place.configure(listen=listen, tls_config=tls)
        assert await place.items("alerts") == []
        place.configure(listen=listen, tls_config=other)
        assert len(await place.items("alerts")) == 2


async def test_a_daemon_that_cannot_answer_is_passed_over(place: Place, ledger: Ledger) -> None:
    await one_of_each(ledger)
    view = a_busy_view()
    async with Daemon(view, token="changed-since") as listen:
        place.configure(listen=listen, token="sesame-4711")
        assert len(await place.items("alerts")) == 2
        view.broken = LedgerError("the ledger cannot be read")
        place.configure(listen=listen, token="changed-since")
        with capture_logs() as logged:
            assert len(await place.items("alerts")) == 2
        assert [line["event"] for line in logged] == ["web_request_refused"]


async def test_nothing_on_the_port_or_something_else_makes_no_difference(place: Place, ledger: Ledger) -> None:
    await one_of_each(ledger)
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    place.configure(listen=listen)
    assert len(await place.items("alerts")) == 2

    async def other(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(other, *listen.split(":")):
        assert len(await place.items("alerts")) == 2


async def test_a_daemon_without_a_web_address_is_read_beside(place: Place, ledger: Ledger) -> None:
    await one_of_each(ledger)  # which the ledger of this test still holds open for writing
    assert len(await place.items("alerts")) == 2
    await ledger.record([an_arrival()])
    assert len(await place.items("alerts")) == 3
