"""Logs: one line an event, a constant name with fields, as JSON or for a terminal.

A traceback is logged as places, never with the text of the error or the values around it: either may hold a secret.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

import structlog

from bellwire.cli.folding import Folding

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_DEEPEST = 12  # places of a traceback


def configure_logs(log_format: str, level: str) -> Folding:
    """Send Bellwire's events, and other libraries' warnings, to standard error.

    Returns what counts faults that repeat: flush it now and then, and at the end.
    """
    renderer: Any = structlog.processors.JSONRenderer()
    if log_format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"))
    output = structlog.PrintLogger(sys.stderr)
    folding = Folding(lambda event: output.msg(renderer(output, str(event.get("level")), event)))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _places,
            folding,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Foreign()], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)  # else they are lines of another kind among ours
    return folding


class _Foreign(logging.Handler):
    """Passes on that a library complained, and where: its words may hold addresses with tokens in them."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record's logger and place."""
        place = f"{record.module}:{record.lineno}"
        fields: dict[str, Any] = {"exc_info": record.exc_info} if record.exc_info else {}
        structlog.get_logger(record.name).warning("library_warning", logger=record.name, place=place, **fields)


def _places(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Replace the error under ``exc_info`` by its type and the places it came through."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)[-_DEEPEST:]
        event["error_type"] = type(error).__name__
        event["traceback"] = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    return event
