"""Channels that are served: each has a lane of its own, which a change of its settings replaces."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bellwire.assembly import WIDTH
from bellwire.dispatch import Dispatch, Lane

if TYPE_CHECKING:
    import random
    from collections.abc import Coroutine, Mapping

    from bellwire.assembly import ChannelPlan
    from bellwire.metrics import Metrics
    from bellwire.model import ChannelKey
    from bellwire.ports import Channel, Clock, DispatchLedger


class Spawn(Protocol):
    """Starts a task of the daemon."""

    def __call__(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """Start it under a name."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What every lane sends with."""

    clock: Clock
    metrics: Metrics
    chance: random.Random
    spawn: Spawn


@dataclass(frozen=True, kw_only=True, slots=True)
class _Service:
    plan: ChannelPlan
    lane: Lane
    dispatch: Dispatch
    task: asyncio.Task[None]


class Services:
    """Serves channels out of ``ledger``. ``purpose`` names the tasks."""

    def __init__(self, ledger: DispatchLedger, means: Means, purpose: str, width: Mapping[str, int] = WIDTH) -> None:
        self._ledger = ledger
        self._means = means
        self._purpose = purpose
        self._width = width
        self._services: dict[ChannelKey, _Service] = {}
        self.leaving: set[asyncio.Task[None]] = set()
        """Lanes that take nothing more, and end once they have sent what they had taken."""

    @property
    def dispatchers(self) -> list[Dispatch]:
        """What sends, a channel each."""
        return [service.dispatch for service in self._services.values()]

    @property
    def lanes(self) -> list[Lane]:
        """The channels that are served."""
        return [service.lane for service in self._services.values()]

    @property
    def ended(self) -> list[ChannelKey]:
        """The channels that should be served, and are not: this must never be."""
        return [key for key, service in self._services.items() if service.task.done()]

    def change(
        self, plans: Mapping[ChannelKey, ChannelPlan], built: Mapping[ChannelKey, Channel]
    ) -> list[asyncio.Task[None]]:
        """Serve the channels of ``plans`` that are not paused; return the lanes that are leaving for it.

        A channel whose plan is as it was notices nothing.
        """
        outdated = [key for key in self._services if self._is_outdated(key, plans)]
        ended = {key: self._dismiss(key) for key in outdated}
        for key, plan in plans.items():
            if not plan.paused and key not in self._services:
                self._serve(key, plan, built[key], ended.get(key))
        return list(ended.values())

    def stop(self) -> None:
        """Let every lane take nothing more."""
        for key in list(self._services):
            self._dismiss(key)

    def _is_outdated(self, key: ChannelKey, plans: Mapping[ChannelKey, ChannelPlan]) -> bool:
        return key not in plans or plans[key].paused or plans[key] != self._services[key].plan

    def _serve(self, key: ChannelKey, plan: ChannelPlan, channel: Channel, before: asyncio.Task[None] | None) -> None:
        """Serve a channel, after whoever served it ``before`` has ended: two would take turns at missing work."""
        means = self._means
        lane = Lane(policy=plan.policy, channel=channel, width=self._width[key.kind])
        dispatch = Dispatch(lane, self._ledger, means.clock, means.metrics, means.chance)
        task = means.spawn(_after(before, dispatch), f"{self._purpose}-{key}")
        self._services[key] = _Service(plan=plan, lane=lane, dispatch=dispatch, task=task)

    def _dismiss(self, key: ChannelKey) -> asyncio.Task[None]:
        service = self._services.pop(key)
        service.dispatch.stop()
        self.leaving.add(service.task)
        service.task.add_done_callback(self.leaving.discard)
        return service.task


async def _after(before: asyncio.Task[None] | None, dispatch: Dispatch) -> None:
    if before is not None:
        await asyncio.wait({before})
    await dispatch.run()
