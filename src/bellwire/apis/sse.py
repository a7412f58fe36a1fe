"""Server-Sent Events, read as the WHATWG HTML standard says (section 9.2.6), without I/O: bytes in, events out.

Lines end in LF, CR or CRLF and in nothing else, wherever the bytes happen to be split. What has no blank line after it
is not an event yet, and at the end of the stream never becomes one. The one rule of our own: an event (or a single
line) of more than ``limit`` bytes is given up, reported once, and skipped up to its blank line.
"""

from __future__ import annotations

from typing import NamedTuple

LIMIT = 1024 * 1024
"""The most bytes one event may have, comments not counted."""

_BOM = b"\xef\xbb\xbf"
_RETRY_DIGITS = 16  # more is no time that anybody waits


class ServerSentEvent(NamedTuple):
    """One event. ``last_event_id`` is the last id seen on the stream, in this event or before."""

    data: str
    event: str = "message"
    last_event_id: str = ""


class Oversized(NamedTuple):
    """Stands where an event was that had more bytes than the limit."""

    limit: int


class SseParser:
    """Reads one stream: `feed` it what arrived, in any pieces. Memory is bounded by the limit and the piece."""

    def __init__(self, *, limit: int = LIMIT) -> None:
        self.last_event_id = ""
        self.retry: int | None = None  # milliseconds, the vendor's wish
        self._limit = limit
        self._started = False
        self._after_cr = False
        self._skipping = False  # within an oversized event
        self._line = bytearray()  # the line that has not ended yet
        self._reset()

    def _reset(self) -> None:
        self._open = False  # lines of an event were read that has not ended yet
        self._size = 0
        self._data: list[bytes] = []
        self._event = b""
        self._id: bytes | None = None

    def feed(self, chunk: bytes) -> list[ServerSentEvent | Oversized]:
        """Return the events that ``chunk`` completes, in order."""
        found: list[ServerSentEvent | Oversized] = []
        chunk = self._newlines(self._without_bom(chunk))
        end = chunk.rfind(b"\n") + 1
        if end:
            lines = bytes(self._line) + chunk[:end]
            self._line.clear()
            self._read(lines, found)
        self._line += chunk[end:]
        if not self._skipping and self._too_long(self._line):
            self._give_up(found)
        if self._skipping:
            del self._line[1:]  # what matters is only whether the line is blank
        return found

    def _without_bom(self, chunk: bytes) -> bytes:
        if self._started:
            return chunk
        start = bytes(self._line) + chunk
        self._line.clear()
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._line += start  # too short to tell
            return b""
        self._started = True
        return start.removeprefix(_BOM)

    def _newlines(self, chunk: bytes) -> bytes:
        """Return ``chunk`` with LF for every line end. A CR ends its line at once; an LF after it is its other half."""
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk

    def _read(self, lines: bytes, found: list[ServerSentEvent | Oversized]) -> None:
        """Read whole lines: first the rest of the event that is open, then whole events, then a new one's first lines."""
        if self._open or self._skipping:
            end = 0 if lines.startswith(b"\n") else lines.find(b"\n\n") + 1
            if not end and not lines.startswith(b"\n"):
                self._take_all(lines, found)
                return
            self._take_all(lines[:end], found)
            self._dispatch(found)
            lines = lines[end + 1 :]
        *events, rest = lines.split(b"\n\n")
        for event in events:
            if not event:
                continue  # nothing but blank lines, of which there may be many
            if event.startswith(b"data:") and b"\n" not in event and len(event) < self._limit:
                data = event[6:] if event.startswith(b"data: ") else event[5:]
                found.append(ServerSentEvent(data.decode("utf-8", "replace"), "message", self.last_event_id))
            else:
                self._take_all(event, found)
                self._dispatch(found)
        self._take_all(rest, found)

    def _take_all(self, lines: bytes, found: list[ServerSentEvent | Oversized]) -> None:
        for line in lines.split(b"\n"):
            if self._skipping:
                return
            if self._too_long(line):
                self._give_up(found)
            elif line:
                self._take(line)

    def _take(self, line: bytes) -> None:
        self._open = True
        if line.startswith(b":"):
            return
        self._size += len(line) + 1
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value
        elif name == b"id" and b"\0" not in value:
            self._id = value
        elif name == b"retry" and value.isdigit() and len(value) < _RETRY_DIGITS:
            self.retry = int(value)

    def _too_long(self, line: bytes | bytearray) -> bool:
        """Return whether the open event would be too long with this line, of which comments are no part."""
        before = 0 if line.startswith(b":") else self._size
        return len(line) > 0 and before + len(line) > self._limit

    def _give_up(self, found: list[ServerSentEvent | Oversized]) -> None:
        self._reset()
        self._skipping = True
        found.append(Oversized(self._limit))

    def _dispatch(self, found: list[ServerSentEvent | Oversized]) -> None:
        if self._skipping:
            self._skipping = False
            self._reset()
            return
        if self._id is not None:
            self.last_event_id = self._id.decode("utf-8", "replace")
        if self._data:
            data = b"\n".join(self._data).decode("utf-8", "replace")
            event = self._event.decode("utf-8", "replace") or "message"
            found.append(ServerSentEvent(data, event, self.last_event_id))
        self._reset()
