"""The generated pages are as new as the tables they are generated from."""

import pytest

from opensdrs.main.reference import FOLDER, PAGES


@pytest.mark.parametrize("name", list(PAGES))
def test_page_when_its_table_changed_then_generated_anew(name: str) -> None:
    hint = "run `python -m opensdrs.main.reference`"
    assert (FOLDER / name).read_text() == PAGES[name](), hint
