"""The lab's way to the public API: the command line's client, without blocking the event loop."""

import asyncio
from collections.abc import Callable
from typing import Any

from opensdrs.cli.client import ApiError, SdrsClient, Unreachable
from opensdrs.cli.settings import Settings
from opensdrs.lab.identity import DOMAIN, Account

_POLL_S = 0.05
Json = dict[str, Any]

__all__ = ["Api", "ApiError", "JobError", "Json", "Unreachable"]


class JobError(Exception):
    """A job failed; the text is its code and reason."""


class Api:
    """One account's client. Use it as an async context manager."""

    def __init__(self, endpoint: str, account: Account) -> None:
        self._client = SdrsClient(
            Settings(
                endpoint=endpoint,
                iam_endpoint=endpoint,
                username=account.user,
                password=account.password,
                domain_name=DOMAIN,
                project_id=account.project_id,
            )
        )

    async def __aenter__(self) -> "Api":
        await asyncio.to_thread(self._client.log_in)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._client.close()

    async def sdrs(self, method: str, path: str, body: Json | None = None) -> Json:
        """Call SDRS; `path` is relative to the project. Raises: ApiError, Unreachable."""
        return await asyncio.to_thread(self._client.sdrs, method, path, body)

    async def infra(self, method: str, path: str, body: Json | None = None) -> Json:
        """Call the infrastructure API; `path` is relative to the project. Raises: ApiError, Unreachable."""
        return await asyncio.to_thread(self._client.infra, method, path, body)

    async def finish(self, job: Json, progress: Callable[[Json], None] | None = None) -> Json:
        """Wait for a job; show it to `progress` each time it is looked at. Raises: JobError, ApiError, Unreachable."""
        while True:
            seen = await self.sdrs("GET", f"/jobs/{job['job_id']}")
            if progress is not None:
                progress(seen)
            if seen["status"] == "SUCCESS":
                return seen
            if seen["status"] == "FAIL":
                raise JobError(f"{seen['job_type']} failed with {seen['error_code']}: {seen['fail_reason']}")
            await asyncio.sleep(_POLL_S)

    async def operate(self, group_id: str, action: str, **fields: str) -> Json:
        """Start an action on a protection group; return its job. Raises: ApiError, Unreachable."""
        return await self.sdrs("POST", f"/server-groups/{group_id}/action", {action: fields})
