"""The HTTP client behind the command: tokens, errors as exceptions, pages, and waiting for jobs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event
from types import TracebackType
from typing import Any, Self

import httpx

from opensdrs.cli.settings import Settings

Json = dict[str, Any]
_TIMEOUT_S = 330.0  # creating a server from a large image answers when it runs
_CONNECT_S = 5.0
_POLL_S = (0.1, 1.0)  # from quick to patient
_PAGE = 1000


class ApiError(Exception):
    """The API refused: its code, its words (which say what to do), and the id of the request."""

    def __init__(self, status: int, code: str, message: str, request_id: str = "") -> None:
        self.status = status
        self.code = code
        self.message = message
        self.request_id = request_id
        super().__init__(f"{code}: {message}")


class Unreachable(Exception):
    """The control plane does not answer; the text says where it was looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as `/jobs/{id}` shows it; `progress` is a percentage."""

    id: str
    type: str
    status: str
    progress: int
    entities: Json
    begin_time: str | None
    end_time: str | None
    error_code: str | None
    fail_reason: str | None

    @property
    def is_over(self) -> bool:
        """Whether the job succeeded or failed."""
        return self.status in ("SUCCESS", "FAIL")


class JobFailed(Exception):
    """The job ended with an error."""

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__(f"{job.error_code}: {job.fail_reason}")


class JobTimeout(Exception):
    """The job was still running when the time was over; it goes on."""


class SdrsClient:
    """One user in one project. Logs in when first used, and again when the token has expired.

    Use as a context manager, or call `close`. Not for several threads.
    """

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings
        timeout = httpx.Timeout(_TIMEOUT_S, connect=_CONNECT_S)
        self._http = httpx.Client(transport=transport, timeout=timeout, trust_env=False)
        self._token: str | None = None
        self._project_id = settings.project_id

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def project_id(self) -> str:
        """The project's id; logs in if only its name is known. Raises: ApiError, Unreachable."""
        if self._project_id is None:
            self.log_in()
        return self._project_id or ""

    def log_in(self) -> str:
        """Get a new token and return it. Raises: ApiError, Unreachable."""
        wanted = self._settings
        project: Json = {"id": wanted.project_id} if wanted.project_id else {"name": wanted.project_name}
        domain = {"domain": {"name": wanted.domain_name}} if wanted.domain_name else {}
        if "name" in project:
            project |= domain
        user = {"name": wanted.username, "password": wanted.password, **domain}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": project},
            }
        }
        answer = self._send("POST", f"{wanted.iam_endpoint}/v3/auth/tokens?nocatalog", body, {})
        _raise_for(answer)
        self._token = answer.headers["X-Subject-Token"]
        self._project_id = answer.json()["token"]["project"]["id"]
        return self._token

    def sdrs(self, method: str, path: str, body: Json | None = None, **query: Any) -> Json:
        """Call SDRS; `path` is relative to the project. Raises: ApiError, Unreachable."""
        return self._call(method, f"{self._settings.endpoint}/v1/{self.project_id}{path}", body, query)

    def infra(self, method: str, path: str, body: Json | None = None, **query: Any) -> Json:
        """Call the infrastructure API; `path` is relative to the project. Raises: ApiError, Unreachable."""
        return self._call(method, f"{self._settings.endpoint}/infra/v1/{self.project_id}{path}", body, query)

    def _call(self, method: str, url: str, body: Json | None, query: Mapping[str, Any]) -> Json:
        given = {name: value for name, value in query.items() if value is not None}
        had_token = self._token is not None
        answer = self._send(method, url, body, given, self._token or self.log_in())
        if answer.status_code == httpx.codes.UNAUTHORIZED and had_token:
            answer = self._send(method, url, body, given, self.log_in())
        _raise_for(answer)
        return {} if not answer.content else dict(answer.json())

    def _send(
        self, method: str, url: str, body: Json | None, query: Mapping[str, Any], token: str | None = None
    ) -> httpx.Response:
        headers = {"X-Auth-Token": token} if token else {}
        try:
            return self._http.request(method, url, json=body, params=query or None, headers=headers)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            place = httpx.URL(url).copy_with(path="/", query=None)
            raise Unreachable(f"no answer from {place} ({error or type(error).__name__})") from error

    def list_all(self, path: str, key: str, **query: Any) -> list[Json]:
        """Return every page of a list of SDRS. Raises: ApiError, Unreachable."""
        found: list[Json] = []
        while True:
            page = self.sdrs("GET", path, limit=_PAGE, offset=len(found), **query)[key]
            found += page
            if len(page) < _PAGE:
                return found

    def get_job(self, job_id: str) -> Job:
        """Return a job. Raises: ApiError, Unreachable."""
        row = self.sdrs("GET", f"/jobs/{job_id}")
        return Job(
            id=row["job_id"],
            type=row["job_type"],
            status=row["status"],
            progress=100 if row["status"] == "SUCCESS" else row.get("progress") or 0,
            entities=row.get("entities") or {},
            begin_time=row.get("begin_time"),
            end_time=row.get("end_time"),
            error_code=row.get("error_code"),
            fail_reason=row.get("fail_reason"),
        )

    def wait_job(self, job_id: str, on_progress: Callable[[Job], None] | None = None, timeout_s: float = 3600.0) -> Job:
        """Wait until the job succeeded; show it to `on_progress` each time it is looked at.

        Raises: JobFailed, JobTimeout, ApiError, Unreachable.
        """
        deadline = time.monotonic() + timeout_s
        pause_s, longest_s = _POLL_S
        while True:
            job = self.get_job(job_id)
            if on_progress is not None:
                on_progress(job)
            if job.status == "SUCCESS":
                return job
            if job.status == "FAIL":
                raise JobFailed(job)
            if time.monotonic() >= deadline:
                raise JobTimeout(f"job {job_id} is {job.status} at {job.progress} % after {timeout_s:g} s; it goes on")
            _pause(pause_s)
            pause_s = min(pause_s * 1.3, longest_s)


def _pause(seconds: float) -> None:
    """Wait; a command has nothing else to do meanwhile."""
    Event().wait(seconds)


def _raise_for(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    request_id = answer.headers.get("X-Request-Id", "")
    try:
        body = answer.json()
        error = body.get("error") or body
        code = error.get("code") or body.get("error_code") or str(answer.status_code)
        message = error.get("message") or body.get("error_msg") or answer.reason_phrase
    except (ValueError, AttributeError):
        code, message = str(answer.status_code), answer.text[:300] or answer.reason_phrase
    raise ApiError(answer.status_code, code, message, request_id)
