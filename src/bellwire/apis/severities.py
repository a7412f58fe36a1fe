"""How urgent a notification is by its type, where the vendor gives no priority of its own."""

from __future__ import annotations

from bellwire.model import Severity


def severity_of(type_: str) -> Severity:
    """Return error for failures, new issues and regressions, info for the rest."""
    name = type_.lower()
    regressed = any(part.startswith("regress") for part in name.replace("_", ".").split("."))
    return Severity.ERROR if name.endswith(".failed") or name == "issue.new" or regressed else Severity.INFO
