"""A real Chromium on a served view: pages at two widths, and what a browser's console and axe-core say of them."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from playwright.async_api import Page

    from bellwire.web.serve import WebServer

    Open: TypeAlias = Callable[..., Awaitable["Visit"]]

SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
DESK, HAND = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
WIDTHS = pytest.mark.parametrize("size", [DESK, HAND], ids=["desk", "hand"])

_AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
_SERIOUS = {"serious", "critical"}


class Visit:
    """A page that is open on a running server; ``complaints`` are what the browser's console said."""

    def __init__(self, page: Page, url: str, server: WebServer | None = None) -> None:
        self.page = page
        self.url = url
        self.server = server
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def go(self, path: str = "/") -> None:
        await self.page.goto(self.url + path)

    async def fits(self) -> bool:
        """Return whether nothing has to be scrolled sideways."""
        fits: bool = await self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        return fits

    async def barriers(self) -> list[str]:
        """Return what axe-core finds that would keep someone out: rule and place."""
        # evaluated from outside, so that the page's own policy need not let it in
        await self.page.evaluate(_AXE)
        found: dict[str, Any] = await self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{each['id']}: {node['html'][:160]}"
            for each in found["violations"]
            if each["impact"] in _SERIOUS
            for node in each["nodes"]
        ]
