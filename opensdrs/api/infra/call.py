"""One request to the infrastructure API as its endpoint sees it, and one row of the route table."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from opensdrs.cloud.cloud import Cloud
from opensdrs.domain.errors import refused
from opensdrs.iam.caller import Caller

B_co = TypeVar("B_co", covariant=True)
_TRUE, _FALSE = frozenset({"true", "1", "yes", ""}), frozenset({"false", "0", "no"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[B_co]):
    """Who calls, with which path, query and body."""

    cloud: Cloud
    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: B_co

    @property
    def id(self) -> str:
        """The id in the path."""
        return self.path["id"]

    def flag(self, name: str) -> bool:
        """Return a yes or no of the query; False without one. Raises: OPENSDRS.0400."""
        text = self.query.get(name)
        if text is None or text.lower() in _FALSE:
            return False
        if text.lower() not in _TRUE:
            raise refused("OPENSDRS.0400", f"{name}: {text[:20]!r} is not true or false")
        return True

    def number(self, name: str, default: int) -> int:
        """Return a number of the query. Raises: OPENSDRS.0400."""
        text = self.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 12):
            raise refused("OPENSDRS.0400", f"{name}: {text[:20]!r} is not a number")
        return int(text)


Endpoint = Callable[[Call[Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row: `operation` is the policy's word, `body` the request's struct, `answer` what documents the answer."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    operation: str
    endpoint: Endpoint
    summary: str
    answer: Any
    body: type[Any] | None = None
    query: tuple[str, ...] = ()
    success: int = 200
