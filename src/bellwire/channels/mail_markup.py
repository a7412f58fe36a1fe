"""The text of HTML that a template made, for readers of mail who see no HTML. Pure."""

from __future__ import annotations

import re
from html.parser import HTMLParser

BLOCKS = re.compile(r"<(?:p|br|div|table|ul|ol|h[1-6]|pre|hr)\b", re.IGNORECASE)
"""HTML that ends lines by itself."""

_ENDS_LINE = frozenset(
    {"br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "table", "ul", "ol", "pre"}
)
_UNSEEN = frozenset({"style", "script", "title", "head"})
_MANY_LINES = re.compile(r"\n{3,}")


class _Reader(HTMLParser):
    """Gathers text and addresses of links."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN
        if tag in {"br", "hr"}:
            self.pieces.append("\n")
        if tag == "a":
            self._links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        self._unseen = max(0, self._unseen - (tag in _UNSEEN))
        if tag == "a" and self._links:
            link = self._links.pop()
            if link and (not self.pieces or self.pieces[-1].strip() != link):
                self.pieces.append(f" ({link})")
        elif tag in _ENDS_LINE:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(data)


def without_tags(html: str) -> str:
    """Return what is to be read of the HTML; where links lead stands behind them."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    text = "".join(reader.pieces)
    return _MANY_LINES.sub("\n\n", text).strip()
