"""The request id: taken from the request if it is sane, else made up; on every answer as `X-Request-Id`."""

import re
import uuid
from typing import Any

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

_HEADER = b"x-request-id"
_SANE = re.compile(r"[A-Za-z0-9._-]{8,64}")


def request_id_of(scope: Any) -> str:
    """Return the id of this request; the same every time."""
    state = scope["state"]
    known = state.get("request_id")
    if isinstance(known, str):
        return known
    given = next((value.decode("latin-1") for name, value in scope["headers"] if name.lower() == _HEADER), "")
    request_id = given if _SANE.fullmatch(given) else uuid.uuid4().hex
    state["request_id"] = request_id
    return request_id


async def add_request_id(message: Message, scope: Scope) -> None:
    """Put the id on an answer that is about to go out."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        headers["X-Request-Id"] = request_id_of(scope)
