"""The reference page of the infrastructure API, written from its route tables and structs."""

import dataclasses
import types
import typing
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import inspect as fields_of

from opensdrs.api.infra.call import Route
from opensdrs.api.infra.router import PREFIX, ROUTES
from opensdrs.iam.policy import MINIMUM

_HEAD = """# Infrastructure API

The built-in cloud: servers, volumes and networks of both sites, which SDRS protects but does not own. Plain JSON over
HTTP under `{prefix}`, with the same tokens and signatures as SDRS. This page is written from the route tables
(`python -m opensdrs.api.infra.reference`).

* A list answers an object with one array, for example `{{"servers": [...]}}`; everything else answers the thing itself.
* A creation answers when the thing is there (201), a deletion when it is gone (204).
* Errors are as in SDRS: `{{"error": {{"code", "message"}}, "error_code", "error_msg", "request_id"}}`. `OPENSDRS.0400`:
  a field is wrong; `0404`: no such thing in this project; `0409`: in use, or in the wrong state; `0502`, `0503`: the
  site failed, or does not answer. The message says what to do.
* Times are ISO 8601 in UTC. Unknown fields of a body are refused.
"""


def render() -> str:
    """Return the whole page."""
    parts = [_HEAD.format(prefix=PREFIX.replace(":str", ""))]
    parts.append("| method | path | least role | what it does |\n|---|---|---|---|")
    parts[-1] += "".join(f"\n| {r.method} | `{_path(r)}` | {MINIMUM[r.operation]} | {r.summary} |" for r in ROUTES)
    parts += [_route(route) for route in ROUTES]
    parts.append("## What is answered")
    parts += [_struct(kind) for kind in _answers()]
    return "\n\n".join(parts) + "\n"


def _path(route: Route) -> str:
    return route.path.replace(":str", "")


def _route(route: Route) -> str:
    lines = [f"## {route.method} {_path(route)}", "", route.summary, ""]
    if route.query:
        lines += [f"Query: {', '.join(f'`{name}`' for name in route.query)}", ""]
    if route.body is not None and fields_of.type_info(route.body).fields:  # type: ignore[attr-defined]
        lines += [(route.body.__doc__ or "").strip(), "", _table(route.body), ""]
    answer = "nothing" if route.answer is None else f"`{route.answer.__name__}`"
    return "\n".join([*lines, f"Answers {route.success}: {answer}."])


def _answers() -> list[type[Any]]:
    found: dict[str, type[Any]] = {}
    queue = [route.answer for route in ROUTES if route.answer is not None]
    while queue:
        kind = queue.pop(0)
        if kind.__name__ in found:
            continue
        found[kind.__name__] = kind
        for hint in typing.get_type_hints(kind).values():
            queue += [part for part in (hint, *typing.get_args(hint)) if _is_record(part)]
    return [found[name] for name in sorted(found)]


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and (issubclass(kind, msgspec.Struct) or dataclasses.is_dataclass(kind))


def _struct(kind: type[Any]) -> str:
    return "\n".join([f"### {kind.__name__}", "", (kind.__doc__ or "").strip(), "", _table(kind)])


def _table(kind: type[Any]) -> str:
    info = fields_of.type_info(kind)
    hints = typing.get_type_hints(kind)
    lines = ["| field | type | default |", "|---|---|---|"]
    for field in info.fields:  # type: ignore[attr-defined]
        lines.append(f"| `{field.encode_name}` | {_word(hints[field.name])} | {_default(field)} |")
        element = typing.get_args(hints[field.name])
        if element and _is_record(element[0]) and kind.__module__.endswith("bodies"):
            lines += [
                f"| `{field.encode_name}[].{inner.encode_name}` "
                f"| {_word(typing.get_type_hints(element[0])[inner.name])} | {_default(inner)} |"
                for inner in fields_of.type_info(element[0]).fields  # type: ignore[attr-defined]
            ]
    return "\n".join(lines)


def _default(field: Any) -> str:
    if field.required:
        return "required"
    if field.default_factory is not msgspec.NODEFAULT:
        return "empty"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return "-" if field.default is None else f"`{field.default}`"


def _word(hint: Any) -> str:
    arguments = typing.get_args(hint)
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return " or ".join("null" if part is type(None) else _word(part) for part in arguments)
    if typing.get_origin(hint) in (list, tuple):
        return f"list of {_word(arguments[0])}"
    if typing.get_origin(hint) is dict:
        return "object"
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return f"one of {', '.join(hint)}"
    if hasattr(hint, "__supertype__"):
        return _word(hint.__supertype__)
    return {"str": "string", "int": "integer", "bool": "boolean", "float": "number"}.get(
        hint.__name__, f"`{hint.__name__}`"
    )


if __name__ == "__main__":
    print(render(), end="")
