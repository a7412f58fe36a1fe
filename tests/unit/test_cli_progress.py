from __future__ import annotations

import io
import threading

from bellwire.cli.backup import human
from bellwire.cli.progress import AFTER, Bar, Patience


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Work:
    """A bar whose clock the test turns."""

    def __init__(self, output: io.StringIO) -> None:
        self.now = 0.0
        self.output = output
        self.bar = Bar("copying", output, lambda: self.now)

    def at(self, seconds: float, done: int, total: int = 200) -> str:
        self.now = seconds
        before = len(self.output.getvalue())
        self.bar(done, total)
        return self.output.getvalue()[before:]


def test_what_takes_less_than_a_second_shows_no_bar() -> None:
    work = Work(Terminal())
    assert work.at(0.5, 100) == ""
    work.bar.clear()
    assert work.output.getvalue() == ""


def test_what_takes_longer_shows_how_far_it_is_and_leaves_nothing() -> None:
    work = Work(Terminal())
    assert "copying [###############               ]  50%" in work.at(AFTER, 100)
    assert work.at(AFTER + 0.01, 101) == ""  # not at every step
    assert "100%" in work.at(AFTER + 1, 200)
    work.bar.clear()
    assert work.output.getvalue().endswith("\r\x1b[K")


def test_a_pipe_never_holds_a_bar() -> None:
    work = Work(io.StringIO())
    assert work.at(AFTER + 5, 100) == ""


def test_nothing_to_do_is_no_error() -> None:
    assert "0%" in Work(Terminal()).at(AFTER, 0, 0)


def test_what_has_no_known_end_shows_how_long_it_has_taken_and_leaves_nothing() -> None:
    now = iter(range(100))
    output = Terminal()
    drawn = threading.Event()
    write = output.write

    def noted(text: str) -> int:
        drawn.set()
        return write(text)

    output.write = noted  # type: ignore[method-assign]  # to know when it has drawn
    waiting = Patience("asking", output, lambda: float(next(now)))
    thread = threading.Thread(target=waiting.run, args=(0.001,))
    thread.start()
    assert drawn.wait(10)
    waiting.end()
    thread.join()
    assert "asking … 1 s" in output.getvalue()
    assert output.getvalue().endswith("\r\x1b[K")


def test_what_ends_at_once_shows_nothing() -> None:
    output = Terminal()
    waiting = Patience("asking", output)
    waiting.end()
    waiting.run()
    assert output.getvalue() == ""


def test_sizes_are_written_as_people_read_them() -> None:
    assert [human(size) for size in (0, 999, 1500, 12_300_000, 5e15)] == [
        "0 B",
        "999 B",
        "1.5 KB",
        "12.3 MB",
        "5000.0 TB",
    ]
