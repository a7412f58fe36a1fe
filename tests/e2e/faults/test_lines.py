"""A line to one receiver that is spoilt in every way, and mended: it loses nothing, and harms nobody else."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from bad_line import Spoilt
from bellwire.assembly import WIDTH
from bellwire.demo.receivers.http import Reply, WebhookReceiver
from certificates import Authority
from fault_scene import QUICK, TROUBLED, a_webhook, playing, staged
from harness import SIGNING_SECRET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bellwire.demo.receivers.http import Request

CHANNEL = f"{TROUBLED}/webhook"
NEVER_BEGAN = {Spoilt.REFUSED, Spoilt.BLACK_HOLE}


def said(status: int, times: int) -> Callable[[list[Request]], bool]:
    """Return a condition: at least so many requests were answered so."""
    return lambda requests: sum(request.status == status for request in requests) >= times


@pytest.mark.parametrize("how", Spoilt)
async def test_a_spoilt_line_loses_nothing_and_holds_up_nobody_else(how: Spoilt, tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        scene.oracle.emit(20)
        await scene.troubled.wait_for(5)
        async with scene.spoilt(how):
            scene.oracle.emit(20)
            verdict = "retry" if how in NEVER_BEGAN else "in_doubt"
            await scene.told(event="delivery_failed", channel=CHANNEL, verdict=verdict)
            scene.oracle.emit(20)
            await scene.steady_has_all()
        scene.oracle.emit(20)
        await scene.oracle.settled(scene.daemon)


async def test_a_receiver_in_trouble_is_tried_again_until_it_is_well(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        for status in (408, 425, 429, 500, 502, 503, 504):
            scene.troubled.otherwise = Reply(status=status)
            scene.oracle.emit(20)
            await scene.troubled.wait_until(said(status, 7))
            await scene.steady_has_all()
        scene.troubled.otherwise = Reply()
        await scene.oracle.settled(scene.daemon)


@pytest.mark.parametrize("status", [429, 503])
async def test_the_pause_that_is_asked_for_holds_for_the_whole_channel(status: int, tmp_path: Path) -> None:
    async with playing(tmp_path, grouped=False) as scene:
        scene.troubled.answer(Reply(status=status, headers={"Retry-After": "2"}))
        scene.oracle.emit(2)  # the first one is dropped
        await scene.troubled.wait_for(1)
        scene.oracle.emit(20)
        await scene.oracle.settled(scene.daemon)
        asked, *others = scene.troubled.messages
        # The answer needs a moment to arrive and to be recorded: what was under way by then may come at once.
        later = [(each.at - asked.at).total_seconds() for each in others]
        assert later[-1] >= 2.0
        assert [seconds for seconds in later if 0.5 < seconds < 2.0] == []


async def test_a_channel_at_fault_keeps_what_waits_until_it_is_mended(tmp_path: Path) -> None:
    async with WebhookReceiver() as elsewhere, playing(tmp_path) as scene:
        for status in (301, 302, 307, 308, 401, 403, 404, 410):
            scene.troubled.otherwise = Reply(status=status, headers={"Location": elsewhere.url})
            scene.oracle.emit(20)
            await scene.told(event="delivery_failed", reason=f"http_{status}", verdict="channel_fault")
            await scene.troubled.wait_until(said(status, 3))  # it is probed
            await scene.steady_has_all()
        scene.troubled.otherwise = Reply()
        await scene.oracle.settled(scene.daemon)
        assert elsewhere.messages == []


async def test_a_token_that_is_revoked_and_mended_loses_none_of_five_hundred(tmp_path: Path) -> None:
    async with playing(tmp_path, grouped=False) as scene:
        scene.troubled.otherwise = Reply(status=401)
        scene.oracle.emit(556)
        await scene.steady_has_all()
        await scene.troubled.wait_for(3)
        refused = list(scene.troubled.messages)
        scene.troubled.otherwise = Reply()
        await scene.oracle.settled(scene.daemon)
        assert len(scene.oracle.wanted) == 500
        # What was under way when the first answer came knocked as well; of all others one at a time, and ever more seldom.
        knocking = (refused[-1].at - refused[0].at).total_seconds()
        assert len(refused) <= 2 * WIDTH["webhook"] + 10 * knocking


async def test_a_certificate_that_nobody_vouches_for_is_refused_until_it_is_changed(tmp_path: Path) -> None:
    ours = Authority(tmp_path)
    (other_folder := tmp_path / "other").mkdir()
    stranger = Authority(other_folder, "stranger")
    async with (
        WebhookReceiver(tls=stranger.server_context()) as impostor,
        staged(tmp_path, tls=ours.server_context()) as scene,
    ):
        tls = {"http_config": {"tls_config": {"ca_file": ours.ca_file}}}
        url = f"https://127.0.0.1:{scene.line.port}/hook"
        scene.daemon.config["receivers"][1] = {"name": TROUBLED, "webhook_configs": [a_webhook(url, **tls)], **QUICK}
        scene.daemon.write()
        await scene.line.lead_to(impostor.port)
        await scene.daemon.start()
        await scene.daemon.streaming()
        scene.oracle.emit(20)
        await scene.told(event="delivery_failed", channel=CHANNEL, verdict="retry")
        assert impostor.messages == []
        await scene.line.lead_to(scene.steady.port)  # it speaks no TLS at all
        await scene.steady_has_all()
        await scene.line.lead_to(scene.troubled.port)
        await scene.oracle.settled(scene.daemon)
        assert impostor.messages == []


async def test_a_name_that_nobody_knows_is_tried_again_until_it_is_mended(tmp_path: Path) -> None:
    async with staged(tmp_path) as scene:
        (webhook,) = scene.daemon.config["receivers"][1]["webhook_configs"]
        scene.daemon.config["receivers"][1]["webhook_configs"] = [a_webhook("http://receiver.invalid/hook")]
        scene.daemon.write()
        await scene.daemon.start()
        await scene.daemon.streaming()
        scene.oracle.emit(20)
        await scene.told(event="delivery_failed", channel=CHANNEL, verdict="retry")
        await scene.steady_has_all()
        scene.daemon.config["receivers"][1]["webhook_configs"] = [webhook]
        scene.daemon.write()
        scene.daemon.signal(signal.SIGHUP)
        await scene.told(event="reloaded")
        await scene.oracle.settled(scene.daemon)


async def test_an_answer_that_is_lost_again_and_again_is_one_delivery_all_the_same(tmp_path: Path) -> None:
    async with playing(tmp_path, grouped=False) as scene:
        scene.troubled.answer(*[Reply(drop=True)] * 30)
        scene.oracle.emit(20)
        await scene.oracle.settled(scene.daemon)
        attempts = {request.headers["bellwire-attempt"] for request in scene.troubled.messages}
        assert {"1", "2"} <= attempts
        assert SIGNING_SECRET not in scene.daemon.output.decode()
