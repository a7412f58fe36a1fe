"""Telling a request that may have arrived from one that did not, where Apprise only says that it failed.

Nearly all of Apprise's services go over `requests`, which raises what tells the two apart before Apprise swallows it: so the
adapter by which its sessions send takes a note on the way. One send has one thread, and so have the notes.
"""

from __future__ import annotations

import threading
from typing import Any

import requests.sessions
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError, ConnectionError, ReadTimeout, RequestException  # noqa: A004 - its name
from urllib3.exceptions import ProtocolError


class _Notes(threading.local):
    doubt = ""


_notes = _Notes()


def forget() -> None:
    """Begin a send in this thread."""
    _notes.doubt = ""


def doubt() -> str:
    """Return why a request of this thread's send may have arrived though it failed: timeout, connection_lost or nothing."""
    return _notes.doubt


class _NotingAdapter(HTTPAdapter):
    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        try:
            return super().send(*args, **kwargs)
        except RequestException as error:
            _notes.doubt = _notes.doubt or _doubt_of(error)
            raise


def _doubt_of(error: RequestException) -> str:
    if isinstance(error, ReadTimeout):
        return "timeout"
    # a connection that could not be made is a MaxRetryError, one that broke while it was used a ProtocolError
    lost = isinstance(error, ConnectionError) and error.args and isinstance(error.args[0], ProtocolError)
    return "connection_lost" if lost or isinstance(error, ChunkedEncodingError) else ""


# every session mounts what this name stands for, and Apprise's services make theirs inside `requests`
requests.sessions.HTTPAdapter = _NotingAdapter  # type: ignore[attr-defined]  # a name of its own use
