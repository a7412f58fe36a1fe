"""One alert tried on the rules: each route, and what stands between it and a message."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bellwire.ledger.trying import Overcast, overcast
from bellwire.rehearsal.standing import Standing, standing
from bellwire.routing.inhibition import falls_under
from bellwire.routing.rules import route

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

    from bellwire.model import Alert, Decision
    from bellwire.routing.rules import Rules

    Ask = Callable[[Callable[[Connection], Overcast]], Overcast]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What would become of an alert. ``standings`` are those of the decision's destinations, in their order."""

    alert: Alert
    decision: Decision
    standings: tuple[Standing, ...]
    overcast: Overcast = field(default_factory=Overcast)


def try_alert(rules: Rules, alert: Alert, at: datetime, ask: Ask | None) -> Trial:
    """Route the alert and look at windows as of ``at``; at silences, shadows and repeats too where a ledger can be asked."""
    routed, decision = route(alert, rules)
    under, raised = falls_under(rules.inhibit_rules, routed)
    if raised:
        decision = replace(decision, errors=(*decision.errors, *raised))
    found = Overcast()
    if ask is not None:
        found = ask(lambda connection: overcast(connection, routed, under, decision.destinations, at))
    standings = tuple(standing(rules, each, at) for each in decision.destinations)
    return Trial(alert=routed, decision=decision, standings=standings, overcast=found)
