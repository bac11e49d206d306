"""Which test calls which operation through which client: read from the tests' own source, written to a page.

`python -m tests.clients.coverage` writes docs/reference/coverage.md.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from huaweicloudsdksdrs.v1 import SdrsClient
from otcextensions.sdk.sdrs.v1._proxy import Proxy

from opensdrs.api.routes import ROUTES
from tests.clients.go import CALLS

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "coverage.md"
Operation = tuple[str, str]  # method, and path below the project with {} for every parameter
Calls = dict[str, list[str]]  # what is called, and the tests that call it
# The calls of OTC's proxy that are not plain to see in its source: resource, path below the project.
_OTC_PATHS = {
    "protection_group": "/server-groups", "protected_instance": "/protected-instances",
    "replication_pair": "/replications", "dr_drill": "/disaster-recovery-drills",
}  # fmt: skip
_OTC_OTHERS: dict[str, Operation] = {
    "get_job": ("GET", "/jobs/{}"),
    "get_domains": ("GET", "/active-domains"),
    "quotas": ("GET", "/sdrs/quotas"),
    **dict.fromkeys(
        ("enable_protection", "disable_protection", "perform_failover", "perform_planned_failover"),
        ("POST", "/server-groups/{}/action"),
    ),
    "attach_replication_pair": ("POST", "/protected-instances/{}/attachreplication"),
    "detach_replication_pair": ("DELETE", "/protected-instances/{}/detachreplication/{}"),
    "add_nic": ("POST", "/protected-instances/{}/nic"),
    "delete_nic": ("POST", "/protected-instances/{}/nic/delete"),
    "modify_protected_instance": ("POST", "/protected-instances/{}/resize"),
    "expand_replication_pair": ("POST", "/replications/{}/action"),
    "failed_tasks": ("GET", "/task-center/failure-jobs"),
    "delete_failed_task": ("DELETE", "/task-center/failure-jobs/{}"),
    "delete_all_failed_tasks": ("DELETE", "/task-center/failure-jobs/batch"),
    "delete_protection_group_tasks": ("DELETE", "/task-center/{}/failure-jobs/batch"),
}
CLI: dict[str, Operation] = {
    "sdrs active domain list": ("GET", "/active-domains"), "sdrs job show": ("GET", "/jobs/{}"),
}  # fmt: skip
_VERBS = {"create": "POST", "get": "GET", "find": "GET", "update": "PUT", "delete": "DELETE"}


def huawei_methods() -> dict[str, Operation]:
    """Every method of the vendor's SDK that sends a request, and where it sends it: read from the SDK."""
    found = {}
    for name, function in vars(SdrsClient).items():
        if name.endswith("_http_info"):
            source = inspect.getsource(function)
            method = re.search(r'"method": "(\w+)"', source)
            path = re.search(r'"resource_path": "([^"]+)"', source)
            assert method and path
            found[name[1 : -len("_http_info")]] = (method[1], _normal(path[1]))
    return found


def otc_methods() -> dict[str, Operation]:
    """Every method of OTC's proxy, and where it sends its request."""
    names = [name for name, value in vars(Proxy).items() if inspect.isfunction(value) and not name.startswith("_")]
    return {name: _OTC_OTHERS.get(name) or _otc_plain(name) for name in names}


def _otc_plain(name: str) -> Operation:
    for resource, path in _OTC_PATHS.items():
        if name == f"{resource}s":
            return "GET", path
        verb = name.removesuffix(f"_{resource}")
        if verb in _VERBS:
            return _VERBS[verb], path if verb == "create" else f"{path}/{{}}"
    raise KeyError(f"{name} is a method of OTC's proxy that nobody has placed yet")


def go_calls() -> dict[str, Operation]:
    """Every call of the Go SDK and of the provider."""
    return {name: (method, _normal(path)) for name, (method, path, _) in CALLS.items()}


def _normal(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path.removeprefix("/v1/{project_id}"))


def operations() -> set[Operation]:
    """Every operation that the service has."""
    return {(route.method, _normal(route.path)) for route in ROUTES} | {("GET", "/"), ("GET", "/{}")}


def calls(pattern: str, known: set[str]) -> Calls:
    """Return which of the known names are called, and by which tests of the files that match."""
    found: Calls = {}
    for test, node in _tests(pattern):
        names = {inner.func.attr for inner in ast.walk(node)
                 if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute)}  # fmt: skip
        texts = {inner.value for inner in ast.walk(node) if isinstance(inner, ast.Constant)}
        words = " ".join(inner.value for inner in _in_order(node))
        for name in known:
            if name in names or name in texts or (" " in name and name in words) or _is_pattern(name, node):
                found.setdefault(name, []).append(test)
    return found


def _in_order(node: ast.AST) -> list[ast.Constant]:
    found = [row for row in ast.walk(node) if isinstance(row, ast.Constant) and isinstance(row.value, str)]
    return sorted(found, key=lambda row: (row.lineno, row.col_offset))


def _is_pattern(name: str, node: ast.AST) -> bool:
    """Whether a test calls `f"tfh.{kind}"` with this kind among its parameters."""
    prefix, _, kind = name.partition(".")
    texts = {row.value for row in ast.walk(node) if isinstance(row, ast.Constant)}
    return bool(kind) and f"{prefix}." in texts and kind in texts


def _tests(pattern: str) -> Iterator[tuple[str, ast.AST]]:
    """Every test of the files that match, together with the functions of its module that it calls."""
    for path in sorted(HERE.glob(pattern)):
        functions = {node.name: node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
        for name, node in functions.items():
            if name.startswith("test_"):
                called = {row.id for row in ast.walk(node) if isinstance(row, ast.Name)} & set(functions)
                yield f"{path.stem}::{name}", ast.Module([node, *(functions[one] for one in sorted(called))], [])


CLIENTS = {
    "Huawei SDK": ("test_huawei_*.py", huawei_methods),
    "OTC extensions": ("test_otc_*.py", otc_methods),
    "OpenStack CLI": ("test_otc_shipped.py", lambda: CLI),
    "Go SDK, Terraform": ("test_go_*.py", go_calls),
}


def render() -> str:
    """Return the page."""
    known = {client: methods() for client, (_, methods) in CLIENTS.items()}
    called = {client: calls(pattern, set(known[client])) for client, (pattern, _) in CLIENTS.items()}
    names = list(CLIENTS)
    lines = [_HEAD, "", f"| operation | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for method, path in sorted({row for rows in known.values() for row in rows.values()}, key=lambda row: row[::-1]):
        cells = [
            ", ".join(f"`{name}`" for name, row in sorted(known[client].items())
                      if row == (method, path) and name in called[client])
            for client in names
        ]  # fmt: skip
        lines.append(f"| `{method} {path}` | {' | '.join(cells)} |")
    for client in names:
        lines += ["", f"## {client}", "", "| call | tests |", "|---|---|"]
        lines += [f"| `{name}` | {'<br>'.join(sorted(called[client][name]))} |" for name in sorted(called[client])]
    return "\n".join(lines) + "\n"


_HEAD = """# Which client proves which operation

Unmodified clients from PyPI run against the service in `tests/clients`; what the Go SDK and Terraform send and how they
read answers is tested by plain HTTP. Besides, every operation is fuzzed from the API document (`test_schemathesis.py`),
and the functional tests in OTC's own wheel run as they are (`test_otc_shipped.py`). This page is written from the
source of the tests: `python -m tests.clients.coverage`. `{}` is an id; paths are below `/v1/{project_id}`, but for
`/` and `/{}`, the versions."""

if __name__ == "__main__":
    PAGE.write_text(render())
