"""The parts that the API document is made of: schemas of types, of parameters, and of what every answer has."""

from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_origin

import msgspec

from opensdrs.api import answers
from opensdrs.api.documents import OneAction
from opensdrs.services import requests

Json = dict[str, Any]
_REF = "#/components/schemas/{name}"
_ID_SHAPE = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}"
ID: Json = {"type": "string", "pattern": f"^({_ID_SHAPE})$"}
_ID_OR_NONE: Json = {"type": "string", "pattern": f"^({_ID_SHAPE})?$"}  # an empty value of a query does not filter
_TEXT: Json = {"type": "string", "minLength": 1}
_NAME: Json = {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"}
_IDS: Json = {"type": "array", "items": {"type": "string"}, "maxItems": 30}  # what is no id is ignored (5.5.3)
_TIME: Json = {"type": "string", "pattern": r"^(20[0-9]{2}-0[1-9]-0[1-9] 0[0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{3})?)?$"}

# Parameters by name; a name of the path or query that is not here is free text. `rpo_resource_type` is `resource_type`.
PARAMETERS: dict[str, Json] = {
    "limit": {"type": "integer", "minimum": 0, "maximum": 1000},
    "offset": {"type": "integer", "minimum": 0, "maximum": 10**19 - 1},
    "marker": ID,
    "server_group_id": ID,
    "server_group_ids": _IDS,
    "protected_instance_id": ID,
    "protected_instance_ids": _IDS,
    "replication_id": ID,
    "disaster_recovery_drill_id": ID,
    "job_id": ID,
    "failure_job_id": ID,
    "volume_id": ID,
    "drill_vpc_id": ID,
    "project_id": ID,
    "start_time": _TIME,
    "end_time": _TIME,
    "api_version": {"type": "string", "enum": ["v1"]},
    "force": {"type": "boolean"},
    "delete_volumes": {"type": "boolean"},
    "tail": {"type": "integer", "minimum": 0, "maximum": 1_000_000},
}
# What the services demand of fields beyond their type; lengths are bytes there, and these are ASCII.
_FIELDS: dict[str, Json] = {
    "name": _NAME,
    "name_prefix": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,59}$"},
    "server_group_id": ID,
    "server_id": ID,
    "volume_id": ID,
    "replication_id": ID,
    "source_vpc_id": ID,
    "drill_vpc_id": ID,
    "device": {"type": "string", "pattern": "^/dev/[sv]d[a-z]$"},
}
_REFUSALS = {
    "400": "The request is wrong, or not possible in the present state; `error.code` says what.",
    "401": "No valid token or signature.",
    "403": "The role does not allow it.",
    "404": "There is no such thing.",
    "405": "The path has no such method.",
    "409": "In use, or in the wrong state.",
    "413": "The body is too large.",
    "500": "The service failed.",
    "502": "The site failed.",
    "503": "The site does not answer.",
}


class Schemas:
    """Turns types and dictionaries of types into schemas, and collects the components that they refer to."""

    def __init__(self) -> None:
        self._kinds: list[Any] = [answers.Error]

    def of(self, kind: Any) -> Json:
        """Return the schema of a type, of a dictionary of types, or of a choice of actions."""
        if isinstance(kind, OneAction):
            properties = {key: self.of(value) for key, value in kind.kinds.items()}
            return {"type": "object", "properties": properties, "minProperties": 1, "maxProperties": 1,
                    "additionalProperties": False}  # fmt: skip
        if isinstance(kind, dict):
            if not kind:
                return {"type": "object"}
            properties = {key: self.of(value) for key, value in kind.items()}
            return {"type": "object", "properties": properties, "required": list(kind)}
        self._kinds += _records(kind)
        ((schema,), _) = msgspec.json.schema_components((kind,), ref_template=_REF)
        return dict(schema)

    def components(self) -> Json:
        """Return every component that has been referred to, with what the services demand of fields."""
        _, found = msgspec.json.schema_components(tuple(self._kinds), ref_template=_REF)
        for name in set(found) & set(vars(requests)):
            for field, demand in _FIELDS.items():
                if field in found[name].get("properties", {}):
                    _demand(found[name]["properties"], field, demand)
        return found


def _demand(properties: Json, field: str, demand: Json) -> None:
    given = properties[field]
    if given == {"type": "string"}:
        properties[field] = dict(demand)
    elif {"type": "string"} in given.get("anyOf", ()):
        given["anyOf"] = [demand if choice == {"type": "string"} else choice for choice in given["anyOf"]]


def _records(kind: Any) -> Iterator[Any]:
    """The structs in a type."""
    if get_origin(kind) is not None:
        for argument in get_args(kind):
            yield from _records(argument)
    elif isinstance(kind, type) and kind not in (int, str, bool, float, type(None)):
        yield kind


def parameters(path: str, query: Iterable[str]) -> list[Json]:
    """Return the parameters of a path like `/x/{id:str}` and of a query."""
    names = [part[1:-1].partition(":")[0] for part in path.split("/") if part.startswith("{")]
    rows: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": PARAMETERS.get(name, _TEXT)} for name in names
    ]
    for name in query:
        if name == "rpo_resource_type":
            schema: Json = {"type": "string", "enum": ["replication", "protected_instance", "server_group"]}
            rows.append({"name": "resource_type", "in": "query", "schema": schema})
        else:
            rows.append({"name": name, "in": "query", "schema": _of_query(name)})
    return rows


def _of_query(name: str) -> Json:
    schema = PARAMETERS.get(name, {"type": "string"})
    return _ID_OR_NONE if schema is ID else schema


def responses(status: int, schema: Json | None, *, refusals: Iterable[str]) -> Json:
    """Return the answers of an operation: the good one, and how it is refused."""
    good: Json = {"description": "Done.", "headers": _HEADERS}
    if schema is not None:
        good["content"] = _json(schema)
    return {str(status): good, **{code: {"$ref": f"#/components/responses/Refused{code}"} for code in refusals}}


def refusals() -> Json:
    """Return the components of all refusals."""
    error = _json({"$ref": _REF.format(name="Error")})
    return {
        f"Refused{code}": {"description": text, "headers": _HEADERS, "content": error}
        for code, text in _REFUSALS.items()
    }


def request_body(schema: Json, *, is_required: bool) -> Json:
    """Return a request's body."""
    return {"required": is_required, "content": _json(schema)}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


_HEADERS: Json = {"X-Request-Id": {"description": "Tell this to the operator.", "schema": {"type": "string"}}}
