"""The vendors' APIs, client side: one file a vendor, and one client that speaks them all."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from bellwire.apis.atp import Atp
from bellwire.apis.elan import Elan
from bellwire.apis.owlmetry import Owlmetry
from bellwire.apis.qualytics import Qualytics
from bellwire.apis.visual_layer import VisualLayer

if TYPE_CHECKING:
    from bellwire.apis.dialect import Dialect
    from bellwire.config.schema import AccountConfig

APIS: dict[str, type[Dialect]] = {
    "visual_layer": VisualLayer,
    "qualytics": Qualytics,
    "owlmetry": Owlmetry,
    "elan": Elan,
    "atp": Atp,
}


def faults(account: AccountConfig) -> list[tuple[str, str]]:
    """Return what is wrong with an account for its API: a path within the account, and a message for people."""
    dialect = APIS.get(account.api)
    if dialect is None:
        return [("api", f"is no known API{_nearest(account.api, APIS)}; known are {', '.join(APIS)}")]
    known = dialect.PARAMS
    unknown = [
        (
            f"params.{name}",
            f"is no filter of {account.api}{_nearest(name, known)}; known are {', '.join(sorted(known))}",
        )
        for name in account.params
        if name not in known
    ]
    return unknown + dialect.faults(account)


def _nearest(name: str, known: dict[str, type[Dialect]] | frozenset[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {close[0]}?" if close else ""
