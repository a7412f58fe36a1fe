"""The vendors' APIs, client side: one file a vendor, and one client that speaks them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.apis.atp import Atp
from bellwire.apis.elan import Elan
from bellwire.apis.owlmetry import Owlmetry
from bellwire.apis.qualytics import Qualytics
from bellwire.apis.visual_layer import VisualLayer

if TYPE_CHECKING:
    from bellwire.apis.dialect import Dialect

APIS: dict[str, type[Dialect]] = {
    "visual_layer": VisualLayer,
    "qualytics": Qualytics,
    "owlmetry": Owlmetry,
    "elan": Elan,
    "atp": Atp,
}
