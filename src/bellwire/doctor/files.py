"""Who may read the configuration's secrets, and who may change the configuration."""

from __future__ import annotations

import asyncio
import stat
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from bellwire.config.document import parse
from bellwire.config.overrides import override
from bellwire.config.schema import Config
from bellwire.config.secrets import Folders
from bellwire.config.shape import FILE, Kind, secret_of, shapes
from bellwire.doctor.diagnosis import Check, Diagnosis, failed, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bellwire.config.places import Document, Loc
    from bellwire.config.schema import Section
    from bellwire.config.shape import Shape
    from bellwire.doctor.diagnosis import Patient

_PRIVATE_KEY = "key_file"


@dataclass(slots=True)
class Secrets:
    """Where a configuration's secrets are: the files it names, and whether it holds any itself."""

    files: set[Path] = field(default_factory=set)
    inline: bool = False


def check_files(patient: Patient) -> Iterator[Check]:
    """Yield one check of all files."""
    yield Check(name="files", subject=str(patient.path), look=partial(_look, patient))


async def _look(patient: Patient) -> list[Diagnosis]:
    return await asyncio.to_thread(lambda: list(_permissions(patient)))


def _permissions(patient: Patient) -> Iterator[Diagnosis]:
    document = parse(patient.path.read_text("utf-8-sig"), str(patient.path), patient.environ)
    override(document, patient.environ)
    secrets = find_secrets(document, Folders.of(patient.path, patient.environ))
    exposed = sorted(path for path in secrets.files if _others_may(path, stat.S_IROTH))
    for path in exposed:
        yield warning(f"{path} holds a secret, and every user of this machine may read it", f"chmod o-r {path}")
    if secrets.inline and _others_may(patient.path, stat.S_IROTH):
        text = f"{patient.path} holds secrets itself, and every user of this machine may read it"
        yield warning(text, f"chmod o-r {patient.path}, or move the secrets to files (`…_file`)")
    for path in sorted({patient.path, *secrets.files}):
        if _others_may(path, stat.S_IWOTH):
            yield failed(f"every user of this machine may change {path}", f"chmod o-w {path}")
    if not exposed:
        yield ok(f"files with secrets: {len(secrets.files)}; not every user may read them")


def find_secrets(document: Document, folders: Folders) -> Secrets:
    """Return where the document's secrets are. What an environment variable brings is in neither place."""
    found = Secrets()
    _section(document, Config, document.data, (), (folders, found))
    return found


def _section(
    document: Document, model: type[Section], data: dict[str, Any], loc: Loc, ways: tuple[Folders, Secrets]
) -> None:
    folders, found = ways
    known = shapes(model)
    for key, value in data.items():
        place = (*loc, key)
        if secret_of(key, model) and isinstance(value, str):
            found.files.add(folders.secrets / value)
        elif key == _PRIVATE_KEY and isinstance(value, str):
            found.files.add(folders.files / value)
        elif key in known and not key.endswith(FILE):
            _value(document, known[key], value, place, ways)


def _value(document: Document, shape: Shape, value: Any, loc: Loc, ways: tuple[Folders, Secrets]) -> None:
    if shape.kind is Kind.SECTION and isinstance(value, dict) and shape.model:
        _section(document, shape.model, value, loc, ways)
    elif shape.kind is Kind.LIST and isinstance(value, list) and shape.item:
        for index, item in enumerate(value):
            _value(document, shape.item, item, (*loc, index), ways)
    elif shape.kind is Kind.MAPPING and isinstance(value, dict) and shape.item:
        for key, item in value.items():
            _value(document, shape.item, item, (*loc, key), ways)
    elif shape.kind is Kind.SECRET and value and loc not in document.interpolated:
        ways[1].inline = True


def _others_may(path: Path, permission: int) -> bool:
    """Return whether every user has the permission, on the file and on the way to it."""
    try:
        path = path.resolve(strict=True)
        passable = all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)
        return passable and bool(path.stat().st_mode & permission)
    except OSError:
        return False
