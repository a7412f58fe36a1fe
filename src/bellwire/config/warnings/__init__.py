"""What is legal in a configuration and surely wrong: warnings, which keep nobody from starting.

Each check rather says nothing than something untrue. They are given a configuration that loaded without a fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.config.warnings.branches import branches_of
from bellwire.config.warnings.inhibition import check_inhibition
from bellwire.config.warnings.labels import check_labels
from bellwire.config.warnings.meta import check_meta_receiver
from bellwire.config.warnings.names import check_names
from bellwire.config.warnings.reach import check_reach
from bellwire.config.warnings.slack import check_slack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.finding import Finding
    from bellwire.config.schema import Config


def warnings_of(config: Config) -> Iterator[Finding]:
    """Yield all that is surely wrong."""
    root = branches_of(config.route)
    yield from check_reach(root)
    yield from check_labels(config, root)
    yield from check_names(config)
    yield from check_inhibition(config)
    yield from check_meta_receiver(config)
    yield from check_slack(config)
