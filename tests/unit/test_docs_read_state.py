"""Each API's page names the keys that say only whether an item was read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bellwire.apis import APIS

PAGES = Path(__file__).parents[2] / "docs" / "apis"


@pytest.mark.parametrize("api", list(APIS))
def test_the_page_names_the_keys_that_make_no_change(api: str) -> None:
    found = re.search(
        r"^\| Is no \[change\].* \| another value of `([^`]+)` \|$", (PAGES / f"{api}.md").read_text(), re.MULTILINE
    )
    assert found is not None
    assert frozenset(found[1].split()) == APIS[api].READ_STATE
