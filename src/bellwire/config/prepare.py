"""From what the file says to what the schema takes: unknown keys out, secrets' files read, paths made absolute.

It walks the document along the schema and changes it in place; all that is wrong is reported to the document.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from bellwire.config import schema
from bellwire.config.files import FileError
from bellwire.config.places import path_text
from bellwire.config.shape import FILE, Kind, names, secret_of, shapes

if TYPE_CHECKING:
    from collections.abc import Collection

    from bellwire.config.places import Document, Loc
    from bellwire.config.schema import Section
    from bellwire.config.secrets import Folders
    from bellwire.config.shape import Shape

# beside the values of mappings, a number may stand for text here
_NUMBERS_AS_TEXT = {
    (schema.MatcherConfig, "value"),
    *((schema.TimeIntervalSpec, key) for key in ("days_of_month", "months", "years")),
}


def prepare(document: Document, folders: Folders, needed: Collection[Loc] | None = None) -> None:
    """Make ``document.data`` ready for `Config`.

    A secret whose file cannot be read, or whose variable is not set, is a fault if it is among those ``needed`` (None: all
    are). Else something stands in for it that no server takes, and `Document.unread` says why.
    """
    _Preparation(document, folders, needed).section(schema.Config, document.data, ())


class _Preparation:
    def __init__(self, document: Document, folders: Folders, needed: Collection[Loc] | None) -> None:
        self._document = document
        self._folders = folders
        self._needed = needed

    def section(self, model: type[Section], data: dict[str, Any], loc: Loc) -> None:
        known = shapes(model)
        for key in [key for key in data if key not in known]:
            self._strange_key(model, data, loc, key)
        for key, shape in known.items():
            if key not in data:
                continue
            place = (*loc, key)
            if (model, key) in _NUMBERS_AS_TEXT:
                data[key] = self._as_text(data[key], place)
            data[key] = self._value(shape, data[key], place)
            if shape.kind is Kind.TEXT and key.endswith(FILE):
                data[key] = self._absolute(data[key], place)

    def _strange_key(self, model: type[Section], data: dict[str, Any], loc: Loc, key: str) -> None:
        """Deal with a key that the schema does not have; it is gone from ``data`` afterwards."""
        value = data.pop(key)
        secret = secret_of(key, model)
        if secret:
            self._secret_file(model, data, loc, secret, value)
        else:
            self._unknown_key(model, loc, key)

    def _unknown_key(self, model: type[Section], loc: Loc, key: str) -> None:
        nearest = difflib.get_close_matches(key, names(model), 1)
        if nearest:
            meant = secret_of(nearest[0], model) or nearest[0]
            self._document.broken.add((*loc, meant))  # whose absence needs no mention then
            self._document.report((*loc, key), f"unknown key, did you mean {nearest[0]}?", key=True)
        else:
            known = ", ".join(names(model))
            self._document.report((*loc, key), f"unknown key: remove it; known here are {known}", key=True)

    def _secret_file(self, model: type[Section], data: dict[str, Any], loc: Loc, secret: str, name: object) -> None:
        place, file_place = (*loc, secret), (*loc, secret + FILE)
        stand_in, needed = "?", True
        several = shapes(model)[secret].kind is Kind.LIST
        if secret in data:
            self._document.report(file_place, f"stands beside {secret}: keep one of the two", key=True)
            return
        self._document.renamed[place] = file_place
        if self._is_spared(place, file_place):
            self._document.broken.add(place)
            data[secret] = [_stand_in(place)] if several else _stand_in(place)
            return
        if not isinstance(name, str) or not name:
            problem = "must be the path of a file"
        else:
            try:
                text = self._folders.read(name)
            except FileError as error:
                problem = str(error)
                needed = self._needed is None or place in self._needed
            else:
                data[secret] = [line.strip() for line in text.splitlines() if line.strip()] if several else text
                return
        if not needed:
            self._document.leave_unread(file_place, problem)
            stand_in = _stand_in(place)
        elif not self._document.is_broken(file_place):
            self._document.report(file_place, problem)
        self._document.broken.add(place)
        data[secret] = [stand_in] if several else stand_in

    def _value(self, shape: Shape, value: object, loc: Loc) -> object:
        if shape.kind is Kind.SECRET:
            return self._secret(value, loc)
        if shape.secret and value == []:
            return [self._empty_secret(loc)]
        if shape.kind is Kind.SECTION and isinstance(value, dict) and shape.model:
            self.section(shape.model, value, loc)
        elif shape.kind is Kind.LIST and isinstance(value, list) and shape.item:
            return [self._value(shape.item, item, (*loc, index)) for index, item in enumerate(value)]
        elif shape.kind is Kind.MAPPING and isinstance(value, dict):
            return {key: self._entry(shape, item, (*loc, key)) for key, item in value.items()}
        elif shape.kind is Kind.TEXT:
            return self._as_brought(value, loc)
        return value

    def _as_brought(self, value: object, loc: Loc) -> object:
        """Return as text what a variable brings into text, though it looks like a number."""
        return self._document.texts[loc] if loc in self._document.interpolated else value

    def _secret(self, value: object, loc: Loc) -> object:
        """Return a secret; one that is empty would guard, sign or prove nothing, and nobody would notice."""
        if self._is_spared(loc):
            return _stand_in(loc)
        value = self._as_brought(value, loc)
        nothing = value is None and self._document.texts.get(loc) == ""  # `null` is written on purpose
        empty = nothing or (isinstance(value, str) and not value.strip())
        return self._empty_secret(loc) if empty and not self._document.is_broken(loc) else value

    def _empty_secret(self, loc: Loc) -> str:
        """Report that a secret is empty, unless nobody needs it; return what stands in for it."""
        message = f"is empty: {self._remedy(loc)}"
        if self._needed is None or loc in self._needed:
            self._document.report(loc, message)
        else:
            self._document.leave_unread(loc, message)
        self._document.broken.add(loc)
        return _stand_in(loc)

    def _remedy(self, loc: Loc) -> str:
        """Return how a secret that is empty gets a value, or is taken back."""
        place = self._document.values.get(loc)
        if place and place.file.startswith("$"):
            return "give the variable a value, or unset it"
        what = "its variable" if loc in self._document.interpolated else "it"
        return f"give {what} a value, or remove it"

    def _entry(self, shape: Shape, value: object, loc: Loc) -> object:
        """Return what a mapping holds under one of its keys."""
        text = self._as_text(value, loc)
        secret = shape.item is not None and shape.item.kind is Kind.SECRET
        return self._secret(text, loc) if secret else text

    def _is_spared(self, loc: Loc, written: Loc | None = None) -> bool:
        """Return whether the secret at ``loc`` names variables that are not set, and nobody needs it.

        ``written`` is the place of its file's name, if that is what the configuration has.
        """
        where = written or loc
        if self._needed is None or loc in self._needed or where not in self._document.unset:
            return False
        self._document.leave_unset(where)
        return True

    def _as_text(self, value: object, loc: Loc) -> object:
        """Return a scalar as it was written, so that ``tier: 1`` and ``id: 007`` mean what they look like."""
        if isinstance(value, list):
            return [self._as_text(item, (*loc, index)) for index, item in enumerate(value)]
        if value is None or isinstance(value, dict | str):
            return value
        return self._document.texts.get(loc, value)

    def _absolute(self, value: object, loc: Loc) -> object:
        if isinstance(value, str) and not value:
            self._document.report(loc, "is empty: name a file, or remove it")
            self._document.broken.add(loc)
        return str(self._folders.files / value) if isinstance(value, str) else value


def _stand_in(place: Loc) -> str:
    return f"\0{path_text(place)}"  # no header and no address may hold a NUL; and no two are alike
