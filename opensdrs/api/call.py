"""One request to SDRS as its endpoint sees it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from opensdrs.api.bodies import convert, parse, read
from opensdrs.api.query import Query
from opensdrs.api.settings import ApiSettings
from opensdrs.domain.ids import JobId
from opensdrs.iam.caller import Caller
from opensdrs.services.requests import Named
from opensdrs.services.sdrs import Services

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who calls, with which path, query and body."""

    services: Services
    settings: ApiSettings
    caller: Caller
    path: Mapping[str, str]
    query: Query
    body: bytes

    def document(self) -> dict[str, Any]:
        """Return the JSON object of the body. Raises: SDRS.0201."""
        return parse(self.body, self.settings.max_json_depth)

    def read(self, wrapper: str, kind: type[T]) -> T:
        """Return the object under `wrapper`. Raises: SDRS.0201 or the code of the wrong field."""
        return read(self.document(), wrapper, kind)

    def read_whole(self, kind: type[T]) -> T:
        """Return the body itself. Raises: SDRS.0201 or the code of the wrong field."""
        return convert(self.document(), kind)

    def read_name(self, wrapper: str) -> str:
        """Return the new name of a renaming. Raises: SDRS.0201, SDRS.0202."""
        return self.read(wrapper, Named).name

    def read_optional(self, wrapper: str | None, kind: type[T]) -> T:
        """Return the object of a body that may be missing, like those of deletions (MATRIX B1). Raises: SDRS.0201."""
        document = self.document() if self.body.strip() else {}
        if wrapper is None:
            return convert(document, kind)
        return read({wrapper: document.get(wrapper) or {}}, wrapper, kind)


Endpoint = Callable[[Call], Awaitable[Any]]


def job_answer(job_id: JobId) -> dict[str, str]:
    """Return the body of every accepted operation."""
    return {"job_id": job_id}
