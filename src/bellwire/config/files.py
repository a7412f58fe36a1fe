"""Reading the small files that a configuration names, and saying what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.errors import BellwireError

if TYPE_CHECKING:
    from pathlib import Path


class FileError(BellwireError):
    """A file cannot be used; the text says why and what to do, without the file's name."""


def read_bytes(path: Path, most: int) -> bytes:
    """Return what is in an ordinary file of at most so many bytes; FileError if it cannot be had.

    Pipes and devices are not opened: some never end, and some wait for ever.
    """
    content, problem = b"", ""
    try:
        if path.exists() and not path.is_file():
            problem = "is no ordinary file: name one"
        else:
            with path.open("rb") as file:
                content = file.read(most + 1)
    except OSError as error:
        problem = f"cannot be read ({error.strerror}): create it, and let Bellwire's user read it"
    except ValueError:
        problem = "is no path: a path has no NUL character"
    if len(content) > most:
        problem = f"is larger than {most // 1024} KiB: name another"
    if problem:
        raise FileError(problem)
    return content
