"""Secrets that stand in files of their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bellwire.config.files import FileError, read_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Folders:
    """What relative paths begin at: those of secrets, and all others."""

    secrets: Path
    files: Path

    @classmethod
    def of(cls, config: Path, environ: Mapping[str, str]) -> Folders:
        """Return the folders for a configuration file: its own, and the service manager's for credentials if given."""
        own = config.absolute().parent
        credentials = environ.get("CREDENTIALS_DIRECTORY")
        return cls(secrets=Path(credentials) if credentials else own, files=own)

    def read(self, name: str) -> str:
        """Return the text of a secret's file without the line ends at its end; FileError if there is none."""
        path = self.secrets / name
        try:
            content = read_bytes(path, MAX_BYTES)
        except FileError as error:
            msg = f"{path} {error}"
            raise FileError(msg) from None
        try:
            text = content.decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError:
            text = None
        # out here, so that the decoder's error, which holds the secret, is no context of ours
        if text is None:
            msg = f"{path} is no UTF-8 text: save it as UTF-8"
            raise FileError(msg)
        if not text.strip():
            msg = f"{path} is empty: put the secret into it"
            raise FileError(msg)
        return text
