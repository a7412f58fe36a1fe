"""``bellwire replay`` and ``bellwire deliveries abandon``: on the ledger's file, and through a daemon."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from bellwire.cli import main
from bellwire.cli.person import login
from bellwire.clock import SystemClock
from bellwire.ledger.ledger import Ledger
from bellwire.model import ChannelKey, DeliveryState
from fake_view import FakeView, some_letters
from ledger_rig import DEAD, deliveries, send, states, story
from makers import a_policy, an_arrival, ids
from web_rig import serving

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from bellwire.records import LetterOrder

PAGER, OPS = ChannelKey(receiver="pager", kind="webhook"), ChannelKey(receiver="ops", kind="webhook")
GONE = ChannelKey(receiver="gone", kind="webhook")
CONFIGURATION = """
storage: {{url: "sqlite:///{folder}/ledger.db"}}
web: {web}
route: {{receiver: ops}}
receivers:
  - {{name: ops, webhook_configs: [{{url: "http://127.0.0.1:1/"}}]}}
  - {{name: pager, webhook_configs: [{{url: "http://127.0.0.1:1/"}}]}}
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with a configuration, and how commands are called there."""

    folder: Path

    def configure(self, **web: Any) -> None:
        text = CONFIGURATION.format(folder=self.folder, web=json.dumps(web or {"listen": ""}))
        (self.folder / "bellwire.yaml").write_text(text)

    async def call(self, *words: str) -> Result:
        config = ["--config", str(self.folder / "bellwire.yaml")]
        return await asyncio.to_thread(CliRunner().invoke, main, [*words, *config])

    async def ledger(self) -> Ledger:
        return await Ledger.open(f"sqlite:///{self.folder}/ledger.db", lambda last: SystemClock(not_before=last))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.configure()
    return made


async def some_dead(place: Place, *keys: ChannelKey) -> tuple[list[str], list[str]]:
    """Make a ledger with an alert that died at each of these channels; return the deliveries and the alerts."""
    ledger = await place.ledger()
    try:
        alert_ids = []
        for key in keys:
            alert_ids += ids(await ledger.record([an_arrival(key)]))
            await send(ledger, a_policy(key), **DEAD)
        return [each["id"] for each in await deliveries(ledger, DeliveryState.DEAD)], alert_ids
    finally:
        await ledger.close()


async def states_of(place: Place) -> dict[str, int]:
    ledger = await place.ledger()
    try:
        return await states(ledger)
    finally:
        await ledger.close()


# --- without a daemon ------------------------------------------------------------------------------------------------


async def test_a_dead_delivery_is_replayed_in_the_ledgers_file(place: Place) -> None:
    (dead,), (alert_id,) = await some_dead(place, PAGER)
    result = await place.call("replay", dead)
    assert (result.exit_code, result.stderr) == (0, "")
    first, second, last = result.stdout.splitlines()
    assert first == f"{dead}  pager/webhook, 1 alert, http_400"
    assert second.startswith("  -> pager/webhook  01")
    assert last == "replayed 1 delivery with 1 alert"
    assert await states_of(place) == {"in_flight": 1}
    told = (await place.call("explain", alert_id)).stdout
    assert "replay for" in told
    assert f"delivery replayed by {login()} (the ledger's file, as user {os.getuid()})" in told


async def test_all_dead_ones_are_replayed_to_another_receiver(place: Place) -> None:
    dead, _ = await some_dead(place, PAGER, GONE)
    result = await place.call("replay", "--dead", "--to", "ops", "--json")
    letters = json.loads(result.stdout)
    assert [each["id"] for each in letters] == dead
    assert [[(new["receiver"], new["alerts"]) for new in each["replays"]] for each in letters] == [[("ops", 1)]] * 2


async def test_a_dry_run_changes_nothing(place: Place) -> None:
    (dead,), _ = await some_dead(place, PAGER)
    result = await place.call("replay", "--dead", "--dry-run")
    assert result.stdout.splitlines()[-1] == "would replay 1 delivery with 1 alert"
    result = await place.call("deliveries", "abandon", dead, "--dry-run")
    assert result.stdout.splitlines()[-1] == "would abandon 1 delivery with 1 alert"
    assert await states_of(place) == {"dead": 1}


async def test_dead_deliveries_are_listed_and_abandoned(place: Place) -> None:
    dead, alert_ids = await some_dead(place, PAGER, OPS)
    listed = await place.call("deliveries", "--state", "dead", "--json")
    assert [each["id"] for each in json.loads(listed.stdout)] == dead[::-1]
    result = await place.call("deliveries", "abandon", *dead)
    assert result.stdout.splitlines()[-1] == "abandoned 2 deliveries with 2 alerts"
    assert json.loads((await place.call("deliveries", "--state", "dead", "--json")).stdout) == []
    ledger = await place.ledger()
    try:
        assert (await story(ledger, alert_ids[0]))["suppressed"] == "abandoned"
    finally:
        await ledger.close()


@pytest.mark.parametrize("words", [("replay",), ("deliveries", "abandon")])
async def test_an_unknown_id_exits_1_and_nothing_is_done(place: Place, words: tuple[str, ...]) -> None:
    (dead,), _ = await some_dead(place, PAGER)
    result = await place.call(*words, dead, "01NOSUCH")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "bellwire: there is no delivery 01NOSUCH\n"
    assert await states_of(place) == {"dead": 1}


async def test_what_is_of_a_removed_channel_is_left_and_said(place: Place) -> None:
    (of_pager, of_gone), _ = await some_dead(place, PAGER, GONE)
    result = await place.call("replay", "--dead")
    assert result.exit_code == 0
    assert of_pager in result.stdout
    assert result.stderr == (
        "bellwire: left 1 delivery of channels that are in the configuration no more: --to says who gets them\n"
    )
    refused = await place.call("replay", of_gone)
    assert refused.exit_code == 1
    assert "--to says who gets it instead" in refused.stderr


async def test_an_unknown_receiver_exits_2_with_the_nearest(place: Place) -> None:
    await some_dead(place, PAGER)
    result = await place.call("replay", "--dead", "--to", "opps")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "there is no receiver opps: did you mean ops?" in result.stderr
    assert await states_of(place) == {"dead": 1}


@pytest.mark.parametrize(("name", "nearest"), [("pagr", "pager"), ("gon", "gone")])
async def test_dead_ones_of_an_unknown_receiver_exit_2_with_the_nearest(place: Place, name: str, nearest: str) -> None:
    await some_dead(place, PAGER, GONE)
    result = await place.call("replay", "--dead", "--receiver", name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"there is no receiver {name}: did you mean {nearest}?" in result.stderr
    assert await states_of(place) == {"dead": 2}


async def test_dead_ones_of_a_receiver_that_is_gone_are_known(place: Place) -> None:
    await some_dead(place, GONE)
    result = await place.call("replay", "--dead", "--receiver", "gone", "--to", "ops")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "replayed 1 delivery with 1 alert")
    assert (await place.call("replay", "--dead", "--receiver", "ops")).exit_code == 0


async def test_nothing_dead_is_no_fault(place: Place) -> None:
    await some_dead(place)
    result = await place.call("replay", "--dead")
    assert (result.exit_code, result.stdout) == (0, "replayed 0 deliveries with 0 alerts\n")


async def test_without_a_ledger_it_makes_none(place: Place) -> None:
    result = await place.call("replay", "--dead")
    assert result.exit_code == 1
    assert "there is no ledger yet" in result.stderr
    assert [path.name for path in place.folder.iterdir()] == ["bellwire.yaml"]


async def test_a_ledger_that_a_daemon_without_a_web_address_holds_is_left_alone(place: Place) -> None:
    (dead,), _ = await some_dead(place, PAGER)
    ledger = await place.ledger()
    try:
        result = await place.call("replay", dead)
        assert result.exit_code == 1
        assert "another process has this ledger open" in result.stderr
        assert await states(ledger) == {"dead": 1}
    finally:
        await ledger.close()


@pytest.mark.parametrize(
    "words",
    [
        ("replay",),
        ("replay", "01X", "--dead"),
        ("replay", "01X", "--receiver", "ops"),
        ("replay", "--dead", "--since", "soon"),
        ("replay", "--dead", "--since", "99999999d"),
        ("deliveries", "abandon"),
    ],
)
async def test_a_wrong_call_exits_2(place: Place, words: tuple[str, ...]) -> None:
    assert (await place.call(*words)).exit_code == 2


# --- with one --------------------------------------------------------------------------------------------------------


class Parts(FakeView):
    """Answers each order with the next of these."""

    def __init__(self, *parts: dict[str, Any]) -> None:
        super().__init__()
        self.parts = list(parts)

    async def replay(self, order: LetterOrder) -> dict[str, Any]:
        self.letters = self.parts.pop(0)
        return await super().replay(order)


async def test_a_running_daemon_does_it_part_by_part_and_knows_who_asks(place: Place) -> None:
    nothing: dict[str, Any] = {"deliveries": [], "skipped": 0, "misnamed": [], "unknown": [], "refused": []}
    view = Parts(nothing | {"alerts": 3, "next": "01A.01B"}, nothing | {"alerts": 2, "next": None})
    async with serving(view) as client:
        place.configure(listen=client.url.rpartition("/")[2])
        told = await place.call("replay", "--dead", "--since", "2h", "--to", "ops")
        view.letters = some_letters(unknown=["there is no delivery 01X"])
        unknown = await place.call("deliveries", "abandon", "01X")
    assert (told.exit_code, told.stdout) == (0, "replayed 0 deliveries with 5 alerts\n")
    first, second = (order for action, order in view.orders if action == "replay")
    assert (first.deliveries, first.since, first.to, first.dry) == (None, 7200.0, "ops", False)
    assert (first.who, first.how) == (login(), "no token asked for, from 127.0.0.1")
    assert (second.after, second.until) == ("01A", "01B")
    assert (unknown.exit_code, unknown.stderr) == (1, "bellwire: there is no delivery 01X\n")


async def test_a_running_daemon_that_knows_no_such_receiver_exits_2(place: Place) -> None:
    view = FakeView()
    view.letters = some_letters(misnamed=["there is no receiver pagr: did you mean pager?"])
    async with serving(view) as client:
        place.configure(listen=client.url.rpartition("/")[2])
        result = await place.call("replay", "--dead", "--receiver", "pagr")
    assert result.exit_code == 2
    assert "there is no receiver pagr: did you mean pager?" in result.stderr


# --- the API ---------------------------------------------------------------------------------------------------------

JSON = {"content_type": "application/json"}


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("replay", {"deliveries": ["01X"]}, 200),
        ("replay", {"dead": True, "receiver": "ops", "since": "1h", "dry_run": True}, 200),
        ("replay", {}, 400),
        ("replay", {"deliveries": ["01X"], "dead": True}, 400),
        ("replay", {"deliveries": ["01X"], "receiver": "ops"}, 400),
        ("replay", {"dead": True, "since": "soon"}, 400),
        ("replay", {"dead": True, "recieved": 1}, 422),
        ("abandon", {"deliveries": ["01X"]}, 200),
        ("abandon", {"deliveries": []}, 422),
        ("abandon", {"dead": True}, 422),
    ],
)
async def test_the_api_takes_whole_orders_only(action: str, body: dict[str, Any], status: int) -> None:
    view = FakeView()
    async with serving(view) as client:
        answer = await client.send("POST", f"/api/v1/deliveries/{action}", json.dumps(body), **JSON)
    assert answer.status == status
    assert len(view.orders) == (status == 200)


async def test_what_cannot_be_done_is_409_and_what_there_is_not_404() -> None:
    view = FakeView(letters=some_letters(refused=["01X was sent"]))
    async with serving(view) as client:
        body = json.dumps({"deliveries": ["01X"]})
        refused = await client.send("POST", "/api/v1/deliveries/abandon", body, **JSON)
        view.letters = some_letters(unknown=["there is no delivery 01X"])
        unknown = await client.send("POST", "/api/v1/deliveries/replay", body, **JSON)
    assert (refused.status, refused.json) == (409, {"detail": "01X was sent"})
    assert (unknown.status, unknown.json) == (404, {"detail": "there is no delivery 01X"})


async def test_who_may_only_look_and_another_sites_page_change_nothing() -> None:
    view = FakeView()
    body = json.dumps({"deliveries": ["01X"]})
    async with serving(view, token="operator", read_token="reader") as client:
        for headers in (
            {"authorization": "Bearer reader"},
            {"authorization": "Bearer operator", "origin": "https://evil.example"},
            {"authorization": "Bearer operator", "sec_fetch_site": "cross-site"},
        ):
            answer = await client.send("POST", "/api/v1/deliveries/replay", body, **JSON, **headers)
            assert answer.status == 403
    assert view.orders == []
