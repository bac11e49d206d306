"""The habits of the house that a machine can check."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for folder in ("opensdrs", "tests", "bench") for path in (ROOT / folder).rglob("*.py"))


def test_files_are_small() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in SOURCES}
    assert not {path: length for path, length in lengths.items() if length > 400}
    long = [path for path, length in lengths.items() if length > 300]
    assert len(long) <= len(lengths) * 0.05, long


@pytest.mark.parametrize(
    "word", [r"unittest\.mock", r"MagicMock", r"\bNotImplementedError\b", r"\bTODO\b", r"\bFIXME\b"]
)
def test_words_that_have_no_place_here(word: str) -> None:
    here = Path(__file__)
    found = [path.relative_to(ROOT) for path in SOURCES if path != here and re.search(word, path.read_text())]
    assert not found


def test_nothing_in_the_loop_sleeps_unbounded() -> None:
    found = [path.relative_to(ROOT) for path in SOURCES if path != Path(__file__) and "time.sleep(" in path.read_text()]
    assert not found


def test_every_module_says_what_it_is() -> None:
    silent = [
        path.relative_to(ROOT)
        for path in (ROOT / "opensdrs").rglob("*.py")
        if not path.read_text().lstrip().startswith(('"""', "'''"))
    ]
    assert not silent


def test_shell_scripts_parse() -> None:
    for script in ("run", ".ci/run"):
        subprocess.run(["bash", "-n", str(ROOT / script)], check=True)
