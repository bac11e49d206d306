"""The caller of a request, as every service sees it."""

from dataclasses import dataclass

from opensdrs.domain.ids import ProjectId
from opensdrs.store.rows import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated user acting in one project. `is_system`: may manage infrastructure that no project owns."""

    user_id: str
    user_name: str
    project_id: ProjectId
    project_name: str
    roles: frozenset[str]
    request_id: str
    is_system: bool = False

    @property
    def scope(self) -> Scope:
        """What the caller may see in the store."""
        return Scope(self.project_id)
