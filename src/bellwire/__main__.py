"""``bellwire`` and ``python -m bellwire``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    # The log's library loads it, where it is installed, for tracebacks of a kind that we never show: 5 MB, and 0.1 s.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]  # so that importing it says that it is not there
    from bellwire.cli import main as command  # noqa: PLC0415 - not before that

    command(prog_name="bellwire")


if __name__ == "__main__":
    main()
