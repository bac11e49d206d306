"""Request bodies: strict JSON to the structs of `services.requests`, and the code for what is wrong with a field.

Missing or wrongly typed: the code of the field, with its parent's name where that matters, else SDRS.0201 (MATRIX A7).
Unknown fields are ignored; a key that stands twice is refused, because nobody can tell which one was meant.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

import msgspec

from opensdrs.domain.errors import refused

T = TypeVar("T")

_FIELD_CODES: Mapping[str, str] = {
    "name": "SDRS.0202",
    "description": "SDRS.0212",
    "source_availability_zone": "SDRS.0203",
    "target_availability_zone": "SDRS.0203",
    "domain_id": "SDRS.0205",
    "source_vpc_id": "SDRS.0204",
    "drill_vpc_id": "SDRS.0204",
    "server_group_id": "SDRS.0207",
    "server_id": "SDRS.0210",
    "volume_id": "SDRS.0211",
    "replication_id": "SDRS.0213",
    "priority_station": "SDRS.0216",
    "cluster_id": "SDRS.0218",
    "primary_ip_address": "SDRS.0219",
    "primary_subnet_id": "SDRS.1335",
    "dedicated_host_id": "SDRS.0227",
    "tenancy": "SDRS.0228",
    "flavorRef": "SDRS.1353",
    "production_flavorRef": "SDRS.1356",
    "dr_flavorRef": "SDRS.1353",
    "production_dedicated_host_id": "SDRS.0227",
    "dr_dedicated_host_id": "SDRS.0227",
    "subnet_id": "SDRS.1335",
    "ip_address": "SDRS.0219",
    "nic_id": "SDRS.0223",
    "name_prefix": "SDRS.0202",
    "servers.server_id": "SDRS.1360",
    "protected_instances.id": "SDRS.0208",
    "key": "SDRS.2204",
    "value": "SDRS.2207",
    "values": "SDRS.2207",
    "matches.key": "SDRS.2214",
    "matches.value": "SDRS.2217",
    "limit": "SDRS.2220",
    "replication_model": "SDRS.0224",
    "offset": "SDRS.0222",
}
_NULL_CODES: Mapping[str, str] = {
    "key": "SDRS.2205",
    "value": "SDRS.2208",
    "values": "SDRS.2208",
    "matches.key": "SDRS.2213",
    "matches.value": "SDRS.2216",
}
_MISSING_CODES: Mapping[str, str] = {**_FIELD_CODES, **_NULL_CODES, "volume_id": "SDRS.1803"}  # MATRIX A6
_MISSING = re.compile(r"missing required field `(\w+)`")
_PATH = re.compile(r"at `\$([^`]*)`")
_INDEX = re.compile(r"\[[^\]]*\]")
_IS_NULL = "got `null`"


def parse(body: bytes, max_depth: int) -> dict[str, Any]:
    """Return the JSON object of a body. Raises: SDRS.0201."""
    try:
        document = json.loads(body, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        _refuse("the JSON is nested too deeply")
    except ValueError as error:
        _refuse(f"the body is not valid JSON: {error}")
    if not isinstance(document, dict):
        _refuse("the body is not a JSON object")
    _check_values(document, max_depth)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("an object names the same key twice")
    return document


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _check_values(document: Any, max_depth: int) -> None:
    """Raises: SDRS.0201 for too deep a nesting, and for text that no database can hold."""
    level = [document]
    for _ in range(max_depth + 1):
        below: list[Any] = []
        for value in level:
            if isinstance(value, str):
                _check_text(value)
            elif isinstance(value, dict):
                below += value.keys()
                below += value.values()
            elif isinstance(value, list):
                below += value
        if not below:
            return
        level = below
    _refuse("the JSON is nested too deeply")


def _check_text(text: str) -> None:
    if "\x00" in text:
        _refuse("text contains a NUL character")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        _refuse("text contains half of a surrogate pair")


def read(document: Mapping[str, Any], wrapper: str, kind: type[T]) -> T:
    """Return the object under `wrapper` as `kind`. Raises: SDRS.0201, or the code of the wrong field."""
    inner = document.get(wrapper)
    if not isinstance(inner, dict):
        _refuse(f"the body has no object {wrapper}")
    return convert(inner, kind)


def convert(inner: Mapping[str, Any], kind: type[T]) -> T:
    """Return an object as `kind`. Raises: SDRS.0201, or the code of the wrong field."""
    try:
        return msgspec.convert(inner, kind, strict=True)
    except msgspec.ValidationError as error:
        text = str(error)
    if missing := _MISSING.search(text):
        raise refused(_code(_MISSING_CODES, [*_path(text), missing[1]]), f"{missing[1]} is missing")
    codes = {**_FIELD_CODES, **_NULL_CODES} if _IS_NULL in text else _FIELD_CODES
    raise refused(_code(codes, _path(text)), text)


def _path(text: str) -> list[str]:
    """Return the names of the fields down to the one that an error is about."""
    found = _PATH.search(text)
    return [name for name in _INDEX.sub("", found[1]).split(".") if name] if found else []


def _code(codes: Mapping[str, str], path: list[str]) -> str:
    """Return the code of a field: by its name below its parent's, else by its name alone, else SDRS.0201."""
    return codes.get(".".join(path[-2:])) or codes.get("".join(path[-1:])) or "SDRS.0201"


def _refuse(detail: str) -> NoReturn:
    raise refused("SDRS.0201", detail)
