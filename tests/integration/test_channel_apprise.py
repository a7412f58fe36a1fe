from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from bellwire.channels.threads import DaemonThreads
from bellwire.demo.receivers import Reply, WebhookReceiver
from bellwire.errors import BellwireError, Verdict
from bellwire.model import Severity
from channel_rigs import a_channel, a_message, an_alert, envelope, failure_of

# Apprise loads a service that imports a module which Python 3.13 no longer has
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


async def test_title_text_and_urgency_reach_the_service() -> None:
    async with WebhookReceiver() as hook, a_channel("apprise", url=f"json://127.0.0.1:{hook.port}/") as channel:
        await channel.send(envelope(channel, a_message(an_alert(severity=Severity.CRITICAL))))

    body = hook.messages[0].json
    assert body["title"] == "Scratches: 12 new results in line-4"
    assert body["type"] == "failure"
    assert "The monitor found 12 new results." in body["message"]
    assert "result_count: 12" in body["message"]
    assert "https://vendor.example/views/7?tab=1&x=2" in body["message"]


async def test_a_failure_is_tried_again_and_tells_what_apprise_tells() -> None:
    async with (
        WebhookReceiver(answers=[500]) as hook,
        a_channel("apprise", url=f"json://127.0.0.1:{hook.port}/") as channel,
    ):
        error = await failure_of(channel, envelope(channel))

    assert (error.verdict, error.reason) == (Verdict.RETRY, "apprise_failed")
    assert "500" in str(error)


async def test_a_request_that_is_not_answered_is_in_doubt() -> None:
    async with (
        WebhookReceiver(answers=[Reply(drop=True)]) as hook,
        a_channel("apprise", url=f"json://127.0.0.1:{hook.port}/") as channel,
    ):
        error = await failure_of(channel, envelope(channel))
        await channel.send(envelope(channel))
        hook.answer(503)
        later = await failure_of(channel, envelope(channel))

    assert (error.verdict, error.reason) == (Verdict.IN_DOUBT, "connection_lost")
    assert later.verdict is Verdict.RETRY


async def test_a_request_that_outlives_apprises_own_time_out_is_in_doubt() -> None:
    answered = asyncio.Event()
    async with (
        WebhookReceiver(answers=[Reply(until=answered)]) as hook,
        a_channel("apprise", url=f"json://127.0.0.1:{hook.port}/?rto=0.2") as channel,
    ):
        error = await failure_of(channel, envelope(channel))
        answered.set()

    assert (error.verdict, error.reason) == (Verdict.IN_DOUBT, "timeout")


async def test_a_connection_that_cannot_be_made_is_none() -> None:
    async with WebhookReceiver() as hook:
        port = hook.port
    async with a_channel("apprise", url=f"json://127.0.0.1:{port}/") as channel:
        error = await failure_of(channel, envelope(channel))

    assert (error.verdict, error.reason) == (Verdict.RETRY, "apprise_failed")


async def test_a_redirect_is_never_followed() -> None:
    async with WebhookReceiver() as hook, WebhookReceiver() as elsewhere:
        hook.answer(Reply(status=307, headers={"Location": elsewhere.url}))
        async with a_channel("apprise", url=f"json://127.0.0.1:{hook.port}/") as channel:
            await failure_of(channel, envelope(channel))

    assert not elsewhere.messages


@pytest.mark.parametrize(
    "parameter", ["retry=3", "optional=yes", "redirect=yes", "wait=9", "Attach=file:///etc/passwd"]
)
async def test_parameters_that_would_undermine_the_ledger_are_refused(parameter: str) -> None:
    with pytest.raises(BellwireError) as caught:
        async with a_channel("apprise", url=f"json://127.0.0.1/MARKED?{parameter}"):
            pass
    assert "MARKED" not in str(caught.value)


async def test_an_address_that_no_service_has_fails_without_being_told() -> None:
    async with a_channel("apprise", url="nosuchservice://MARKED-secret") as channel:
        error = await failure_of(channel, envelope(channel))

    assert "MARKED" not in str(error)


@pytest.mark.parametrize(("on_doubt", "sent"), [("resend", 1), ("dead", 0)])
async def test_what_is_in_doubt_follows_on_doubt(on_doubt: str, sent: int) -> None:
    async with WebhookReceiver() as hook:
        async with a_channel("apprise", url=f"json://127.0.0.1:{hook.port}/", on_doubt=on_doubt) as channel:
            doubtful = envelope(channel, attempt=2, doubtful=True)
            if sent:
                await channel.send(doubtful)
            else:
                error = await failure_of(channel, doubtful)
                assert (error.verdict, error.reason) == (Verdict.MESSAGE_FAULT, "in_doubt")
        assert len(hook.messages) == sent


async def test_no_more_than_the_limit_run_at_once_and_those_that_are_stuck_keep_their_places() -> None:
    threads = DaemonThreads(2, "test")
    release, started = threading.Event(), asyncio.Semaphore(0)
    loop = asyncio.get_running_loop()

    def stuck() -> None:
        loop.call_soon_threadsafe(started.release)
        release.wait(30)

    async def one() -> None:
        await threads.place()
        await threads.run(stuck)

    abandoned = [asyncio.create_task(one()) for _ in range(2)]
    await started.acquire()
    await started.acquire()
    for task in abandoned:
        task.cancel()
    await asyncio.gather(*abandoned, return_exceptions=True)
    third = asyncio.create_task(threads.place())
    await asyncio.sleep(0)

    assert not third.done()
    release.set()
    await asyncio.wait_for(third, 10)


def test_a_thread_that_is_stuck_does_not_hold_up_the_end_of_the_process() -> None:
    program = textwrap.dedent("""
        import asyncio, threading
        from bellwire.channels.threads import DaemonThreads

        async def main():
            threads = DaemonThreads(1, "stuck")
            await threads.place()
            try:
                await asyncio.wait_for(threads.run(threading.Event().wait), 0.1)
            except TimeoutError:
                print("left")

        asyncio.run(main())
    """)
    began = time.monotonic()

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)  # noqa: S603

    assert ended.stdout == "left\n"
    assert time.monotonic() - began < 20
