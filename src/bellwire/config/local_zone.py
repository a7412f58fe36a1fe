"""The machine's own time zone, as Alertmanager's ``location: Local`` has it."""

from __future__ import annotations

import zoneinfo
from datetime import UTC
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

_FILE = "/etc/localtime"


@cache  # intervals of one zone must stay equal over a reload; that the machine moved is seen at the next start
def local_zone(variable: str | None, file: str = _FILE) -> tzinfo:
    """Return the zone that ``$TZ`` names, or whose file it is; that of ``file`` where it is not set; UTC where there is none."""
    name = file if variable is None else variable.removeprefix(":")
    try:
        if not name.startswith("/"):
            return zoneinfo.ZoneInfo(name)
        with Path(name).open("rb") as opened:
            return zoneinfo.ZoneInfo.from_file(opened, key="Local")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
