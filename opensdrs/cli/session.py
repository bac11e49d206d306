"""What a command works with: the client, the output, and names turned into ids."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import httpx

from opensdrs.cli.client import Job, Json, SdrsClient
from opensdrs.cli.output import Output
from opensdrs.cli.resources import BY_NAME, Resource
from opensdrs.cli.settings import read_settings

_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class NotFound(Exception):
    """No resource has this name, or several have."""


class Session:
    """One run of the command. The client is made when it is first needed, so that `--help` needs no settings."""

    def __init__(self, *, env_file: Path | None, output: Output, transport: httpx.BaseTransport | None = None) -> None:
        self.output = output
        self._env_file = env_file
        self._transport = transport
        self._client: SdrsClient | None = None

    @property
    def client(self) -> SdrsClient:
        """The client. Raises: SettingsError."""
        if self._client is None:
            self._client = SdrsClient(read_settings(env_file=self._env_file), self._transport)
        return self._client

    def close(self) -> None:
        """Close the client's connections."""
        if self._client is not None:
            self._client.close()

    def list(self, resource: Resource, **query: Any) -> list[Json]:
        """Return all of a kind."""
        if resource.api == "sdrs":
            return self.client.list_all(resource.path, resource.key, **query)
        found: list[Json] = self.client.infra("GET", resource.path, **query)[resource.key]
        return found

    def call(self, resource: Resource) -> Callable[..., Json]:
        """Return the client's method for the kind's API."""
        return self.client.sdrs if resource.api == "sdrs" else self.client.infra

    def find_id(self, kind: str, text: str) -> str:
        """Return the id of what `text` names: an id itself, or a name that only one has. Raises: NotFound."""
        resource = BY_NAME[kind]
        if _ID.fullmatch(text) or kind == "flavor":
            return text
        named = [row for row in self.list(resource, name=text) if row.get("name") == text]
        # A DR copy has the name of what it is a copy of: the user's own comes first.
        own = [row for row in named if not row.get("managed_by")]
        chosen = own if len(own) == 1 else named
        if len(chosen) == 1:
            return str(chosen[0]["id"])
        if not chosen:
            raise NotFound(f"none of the {resource.title} has the name {text!r}. See: sdrs {kind} list")
        ids = ", ".join(row["id"] for row in chosen)
        raise NotFound(f"{len(chosen)} {resource.title} have the name {text!r}; use an id: {ids}")

    def get(self, kind: str, text: str) -> Json:
        """Return one resource by name or id. Raises: NotFound, ApiError."""
        resource = BY_NAME[kind]
        shown = self.call(resource)("GET", f"{resource.path}/{self.find_id(kind, text)}")
        row: Json = shown[resource.wrapper] if resource.wrapper else shown
        return row

    def finish(self, answer: Json, title: str, *, wait: bool) -> Job | None:
        """Wait for the job of an accepted operation, with a bar; show it. Raises: JobFailed, JobTimeout."""
        job_id = str(answer["job_id"])
        if not wait:
            self.output.show({"job_id": job_id})
            return None
        with self.output.progress(title) as move:
            job = self.client.wait_job(job_id, move)
        entities = {name: value for name, value in job.entities.items() if isinstance(value, str)}
        self.output.show({"job_id": job.id, "status": job.status, **entities})
        return job

    def confirm(self, question: str, *, is_sure: bool) -> None:
        """Ask a person; scripts are not asked. Raises: click.Abort."""
        if not is_sure and self.output.is_interactive:
            click.confirm(question, abort=True, err=True)
