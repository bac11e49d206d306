"""Writes the reference pages from the tables that the service runs on: `python -m opensdrs.main.reference`.

`tests/law/test_reference.py` fails when a page is older than its table.
"""

import inspect
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from opensdrs.domain.errors import CATALOGUE, REFERENCE
from opensdrs.domain.errors.accounting import IMPOSSIBLE, RAISED
from opensdrs.domain.operations import GROUP_STATUSES_FOR, OPERATIONS, Resource
from opensdrs.flows.table import FLOWS
from opensdrs.main import agent_config, config
from opensdrs.main.asserted_codes import asserted_codes

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
_TITLES = {
    Resource.GROUP: "Protection group",
    Resource.INSTANCE: "Protected instance",
    Resource.PAIR: "Replication pair",
    Resource.DRILL: "DR drill",
}


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    return _row(*head) + _row(*("---" for _ in head)) + "".join(_row(*row) for row in rows)


def statuses() -> str:
    """Operations and the statuses that they lead through, with a diagram per resource."""
    page = "# Statuses\n\nGenerated from `opensdrs/domain/operations.py`.\n"
    for resource, title in _TITLES.items():
        mine = [row for row in OPERATIONS if row.resource is resource]
        page += f"\n## {title}\n\n"
        page += _table(
            ("operation", "allowed in", "meanwhile", "then", "if it fails"),
            (
                (row.action, ", ".join(sorted(row.allowed)) or "new", row.pending, row.done or "gone", row.failed)
                for row in mine
            ),
        )
        page += "\n```mermaid\nstateDiagram-v2\n"
        for row in mine:
            sources = sorted(row.allowed) or ["[*]"]
            page += "".join(f"    {_node(source)} --> {_node(row.pending)}: {row.action}\n" for source in sources)
            page += f"    {_node(row.pending)} --> {_node(row.done or '[*]')}\n"
            page += f"    {_node(row.pending)} --> {_node(row.failed)}: fails\n"
        page += "```\n"
    page += "\n## In which statuses of its group an operation on a part may start\n\n"
    return page + _table(
        ("job type", "status of the group"),
        ((job_type, ", ".join(sorted(allowed))) for job_type, allowed in GROUP_STATUSES_FOR.items()),
    )


def _node(status: str) -> str:
    return status if status == "[*]" else status.replace("-", "_")


def flows() -> str:
    """The steps of every job type."""
    page = "# Flows\n\nGenerated from `opensdrs/flows/`. "
    page += "Before the pivot a failed flow undoes what it did; after it only forward.\n"
    for job_type, flow in FLOWS.items():
        page += f"\n## {job_type}\n\n"
        page += _table(
            ("step", "what it brings about", "time limit", ""),
            (
                (
                    step.name,
                    _first_line(step.act),
                    f"{step.timeout_s:g} s" if step.timeout_s else "while it moves",
                    "pivot" if step.is_pivot else f"undo: {_first_line(step.undo)}" if step.undo else "",
                )
                for step in flow.steps
            ),
        )
    return page


def _first_line(action: Callable[..., Any]) -> str:
    return (inspect.getdoc(action) or "").partition("\n")[0]


def errors() -> str:
    """The error catalogue: every code, when it is raised or why it cannot be, and a test that raises it."""
    raised = asserted_codes()
    page = "# Errors\n\nGenerated from `opensdrs/domain/errors/` and from the tests. "
    page += "Every answer with an error has the code, the message and what to do.\n\n"
    known = sorted(CATALOGUE.values(), key=lambda row: row.code)
    page += _table(
        ("code", "HTTP", "message", "what to do"), ((row.code, row.http, row.message, row.remedy) for row in known)
    )
    page += f'\n## When\n\n{len(RAISED)} of the {len(REFERENCE)} codes of the API reference are raised. "job": '
    page += "a job fails with it. Test: one of those that raise it.\n\n"
    page += _table(
        ("code", "when it is raised", "test"),
        ((code, RAISED[code], f"`{raised.get(code, ('',))[0]}`") for code in sorted(RAISED)),
    )
    page += "\n## Codes that cannot happen here\n\n"
    return page + _table(("code", "why not"), sorted(IMPOSSIBLE.items()))


def configuration() -> str:
    """Every key of the two configuration files."""
    page = "# Configuration\n\nGenerated from `opensdrs/main/`. TOML; an unknown key stops the start.\n"
    for title, tree, module in (
        ("Control plane: `python -m opensdrs serve --config FILE`", config.Config, config),
        ("Agent: `python -m opensdrs agent --config FILE`", agent_config.AgentTree, agent_config),
    ):
        page += f"\n## {title}\n"
        page += _struct(tree, "", inspect.getsource(module))
    return page


def _struct(kind: type[msgspec.Struct], prefix: str, source: str) -> str:
    rows: list[tuple[object, ...]] = []
    nested: list[tuple[str, type[msgspec.Struct]]] = []
    for field in msgspec.structs.fields(kind):
        inner = _inner_struct(field.type)
        if inner is not None:
            nested.append((f"{prefix}{field.name}.", inner))
        elif field.name != "folder":
            rows.append((f"`{prefix}{field.name}`", _default(field), _reason(field.name, kind, source)))
    page = f"\n{(inspect.getdoc(kind) or '').strip()}\n\n" + _table(("key", "default", "why"), rows) if rows else ""
    return page + "".join(_struct(inner, name, source) for name, inner in nested)


def _inner_struct(annotation: Any) -> type[msgspec.Struct] | None:
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if inspect.isclass(candidate) and issubclass(candidate, msgspec.Struct):
            return candidate
    return None


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default is not msgspec.NODEFAULT:
        return f"`{field.default!r}`"
    return "needed" if field.default_factory is msgspec.NODEFAULT else "empty"


def _reason(name: str, kind: type, source: str) -> str:
    """The comment beside the field, which is where the reason is kept."""
    body = source[source.index(f"class {kind.__name__}(") :]
    found = re.search(rf"^    {name}: .*?  # (.*)$", body.partition("\n\n\n")[0], re.MULTILINE)
    return found[1] if found else ""


PAGES: dict[str, Callable[[], str]] = {
    "statuses.md": statuses,
    "flows.md": flows,
    "errors.md": errors,
    "configuration.md": configuration,
}


def write() -> None:
    """Write every page."""
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make())


if __name__ == "__main__":
    write()
