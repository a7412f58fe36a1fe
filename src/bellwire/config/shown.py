"""The configuration as people may see it: what was written, as YAML, without secrets."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from bellwire.config.schema import Config

HIDDEN = "**********"

_TELLING = re.compile(r"auth|token|secret|key|cookie|password|credential", re.IGNORECASE)
"""Names of headers whose values may be secrets, though the schema takes any text."""


def shown(config: Config) -> str:
    """Return YAML with what the file, the environment and `BELLWIRE__` variables say; defaults are left out."""
    document: dict[str, Any] = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for account in document.get("accounts", []):
        if headers := account.get("headers"):
            account["headers"] = {name: HIDDEN if _TELLING.search(name) else headers[name] for name in headers}
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    written = io.StringIO()
    yaml.dump(document, written)
    return written.getvalue()
