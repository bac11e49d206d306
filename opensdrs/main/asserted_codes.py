"""Which test raises which code: read from the tests themselves, so that it cannot drift.

A code counts for a test function that names it, in its body, in its decorators (tables of cases), or in a table of
its module that the function uses by name. A code that is only written into a row (`error_code=...`) does not count.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2] / "tests"
_FOLDERS = ("contract", "crash", "unit")
_CODE = re.compile(r"SDRS\.\d{4}")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def asserted_codes() -> dict[str, tuple[str, ...]]:
    """Return the tests that raise each code, as `tests/file.py::name`, sorted."""
    found: dict[str, set[str]] = {}
    for path in sorted(path for folder in _FOLDERS for path in (TESTS / folder).rglob("test_*.py")):
        tree = ast.parse(path.read_text())
        tables = _tables(tree)
        for function in tree.body:
            if isinstance(function, Function) and function.name.startswith("test_"):
                for code in _codes_of(function, tables):
                    found.setdefault(code, set()).add(f"{path.relative_to(TESTS.parent)}::{function.name}")
    return {code: tuple(sorted(tests)) for code, tests in sorted(found.items())}


def _tables(tree: ast.Module) -> dict[str, set[str]]:
    """Return the codes in each table of a module, by the table's name."""
    tables: dict[str, set[str]] = {}
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Name):
                tables[target.id] = set(_constants(node))
    return tables


def _codes_of(function: Function, tables: dict[str, set[str]]) -> set[str]:
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    return set(_constants(function)).union(*(tables[name] for name in names & tables.keys()))


def _constants(tree: ast.AST) -> Iterator[str]:
    written = {
        id(keyword.value)
        for keyword in ast.walk(tree)
        if isinstance(keyword, ast.keyword) and keyword.arg == "error_code"
    }
    for node in ast.walk(tree):
        if id(node) not in written and isinstance(node, ast.Constant) and _CODE.fullmatch(str(node.value)):
            yield str(node.value)
