"""The configuration as people may see it: what was written, as YAML, without secrets."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import RoundTripRepresenter

if TYPE_CHECKING:
    from ruamel.yaml.nodes import ScalarNode

    from bellwire.config.schema import Config


def shown(config: Config) -> str:
    """Return YAML with what the file, the environment and `BELLWIRE__` variables say; defaults are left out."""
    document: dict[str, Any] = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    yaml = YAML()
    yaml.Representer = _Plain
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    written = io.StringIO()
    yaml.dump(document, written)
    return written.getvalue()


class _Plain(RoundTripRepresenter):
    """Writes out what is nothing on purpose: a route that drops."""

    def represent_none(self, _: None) -> ScalarNode:
        """Return ``null``."""
        return self.represent_scalar("tag:yaml.org,2002:null", "null")


_Plain.add_representer(type(None), _Plain.represent_none)
