"""Keys of the contract that this version does not know yet: refused by name, so that nobody trusts them to work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.config import schema

if TYPE_CHECKING:
    from bellwire.config.schema import Section

LATER: dict[type[Section], frozenset[str]] = {
    schema.SlackConfig: frozenset({"app_token", "app_token_file", "thread"}),
}

NOT_YET = "is not supported by this version yet; remove it"
