"""What a press does: the ledger is changed, whoever pressed is answered, and the message shows who it was."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog

from bellwire.buttons import wording
from bellwire.buttons.likeness import likenesses
from bellwire.channels.slack_answers import SlackAnswers
from bellwire.channels.slack_buttons import Button, read_press
from bellwire.errors import LedgerError
from bellwire.ledger import reading
from bellwire.ledger.pressing import Order
from bellwire.records import NewSilence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bellwire.channels.slack_buttons import Press
    from bellwire.config.schema import SlackConfig
    from bellwire.http import HttpPool
    from bellwire.ledger.ledger import Ledger
    from bellwire.model import Alert, ChannelKey

log = structlog.get_logger(__name__)

_SILENCE = timedelta(hours=1)
_EXPLAINED = 3  # alerts


class Desk:
    """Takes what is pressed in one app's messages. ``channels`` are those whose messages it may act on.

    It is told anew after each reload: ``page`` is where people find Bellwire's pages, None if nowhere.
    """

    def __init__(self, ledger: Ledger, pool: HttpPool) -> None:
        self._ledger = ledger
        self._pool = pool
        self.channels: Mapping[ChannelKey, SlackConfig] = {}
        self.page: str | None = None

    async def take(self, payload: Any) -> None:
        """Do what was pressed, and answer. What cannot be answered is logged."""
        press = read_press(payload)
        if press is None or not self.channels:
            log.warning("slack_press_unreadable")
            return
        settings = next(iter(self.channels.values()))
        try:
            key, told = await self._do(press)
            settings = self.channels.get(key, settings) if key else settings
        except LedgerError as error:
            log.error("slack_press_failed", button=str(press.button), error=str(error))
            told, key = wording.FAILED, None
        except Exception:
            log.exception("slack_press_failed", button=str(press.button))
            told, key = wording.FAILED, None
        answers, now = SlackAnswers(settings, self._pool), self._ledger.clock.wall()
        await answers.tell(press, told, now)
        if key is not None and press.button is not Button.EXPLAIN:
            await answers.show(press, wording.lines(await self._ledger.presses.deeds(press.delivery_id)), now)

    async def _do(self, press: Press) -> tuple[ChannelKey | None, str]:
        """Return which channel the message is of, None where nothing was done, and what to answer."""
        found = await self._ledger.presses.look(press.delivery_id) if press.delivery_id else None
        if found is None:
            return None, wording.OLD if press.button else wording.UNKNOWN
        key, alerts = found
        if key not in self.channels or not alerts:
            return None, wording.NOTHING if key in self.channels else wording.ELSEWHERE
        if press.button is None:
            return None, wording.UNKNOWN
        log.info("slack_button_pressed", button=press.button.value, by=press.who, delivery=press.delivery_id)
        match press.button:
            case Button.MARK_READ:
                return key, wording.marked(await self._ledger.presses.mark_read(_order(press)))
            case Button.SILENCE:
                return key, await self._silence(press, alerts)
            case Button.EXPLAIN:
                return key, await self._explain(press, key, alerts)

    async def _silence(self, press: Press, alerts: Sequence[Alert]) -> str:
        now = self._ledger.clock.wall()
        silences = [
            NewSilence(
                matchers=matchers,
                starts_at=now,
                ends_at=now + _SILENCE,
                author=press.who,
                comment=f"a button in Slack, of message {press.delivery_id}",
                how=_how(press),
            )
            for matchers in likenesses(alerts)
        ]
        ids = await self._ledger.presses.silence(_order(press, silences))
        return wording.silenced(silences, ids, self.page)

    async def _explain(self, press: Press, key: ChannelKey, alerts: Sequence[Alert]) -> str:
        some = [alert.id for alert in alerts[:_EXPLAINED]]
        stories = await self._ledger.ask(
            lambda connection: [reading.explain_alert(connection, alert_id) for alert_id in some]
        )
        detail = {"delivery": press.delivery_id, "alerts": len(alerts)}
        await self._ledger.note_action(press.who, "alerts_explained", detail, _how(press))
        return wording.explained(stories, key._asdict(), len(alerts), self.page)


def _order(press: Press, silences: Sequence[NewSilence] = ()) -> Order:
    return Order(
        delivery=press.delivery_id, who=press.who, user=press.user_id, how=_how(press), silences=tuple(silences)
    )


def _how(press: Press) -> str:
    """Return what is known of whoever pressed: Slack says who it was."""
    return f"Slack user {press.user_id}"
