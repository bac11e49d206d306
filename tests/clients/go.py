"""What the Go SDK and the Terraform provider on top of it do on the wire, where they are stricter than others.

The calls, the statuses they accept, the headers and their order of signing are those of chnsz/golangsdk and
terraform-provider-huaweicloud; the structs below have the types that their JSON is decoded into. Go fills a string with
"" for null, ignores what it does not know, and fails on everything else. Source: CONTRACT.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import httpx
import msgspec

from tests.clients.go_structs import Job
from tests.clients.lab import AZ1, AZ2, DOMAIN, Tenant, wait_for

T = TypeVar("T")
_GROUP, _INSTANCE = "/server-groups/{group_id}", "/protected-instances/{instance_id}"
_PAIR, _DRILL = "/replications/{pair_id}", "/disaster-recovery-drills/{drill_id}"
_TASKS = "/task-center/failure-jobs"
OK, ACCEPTED, TAGGED = (200,), (202,), (200, 204)
# Name of the Go function, or of the provider's own request (tfh): method, path, statuses that are no error.
CALLS: dict[str, tuple[str, str, tuple[int, ...]]] = {
    "domains.Get": ("GET", "/active-domains", OK),
    "job.Get": ("GET", "/jobs/{job_id}", OK),
    "protectiongroups.Create": ("POST", "/server-groups", OK),
    "protectiongroups.Get": ("GET", _GROUP, OK),
    "protectiongroups.Update": ("PUT", _GROUP, OK),
    "protectiongroups.Delete": ("DELETE", _GROUP, OK),
    "protectiongroups.Enable": ("POST", f"{_GROUP}/action", OK),
    "protectiongroups.Disable": ("POST", f"{_GROUP}/action", OK),
    "protectedinstances.Create": ("POST", "/protected-instances", OK),
    "protectedinstances.Get": ("GET", _INSTANCE, OK),
    "protectedinstances.Update": ("PUT", _INSTANCE, OK),
    "protectedinstances.Delete": ("DELETE", _INSTANCE, OK),
    "attachreplication.Create": ("POST", f"{_INSTANCE}/attachreplication", OK),
    "attachreplication.Delete": ("DELETE", f"{_INSTANCE}/detachreplication/{{pair_id}}", OK),
    "replications.Create": ("POST", "/replications", OK),
    "replications.Get": ("GET", _PAIR, OK),
    "replications.Update": ("PUT", _PAIR, OK),
    "replications.Delete": ("DELETE", _PAIR, OK),
    "drill.Create": ("POST", "/disaster-recovery-drills", OK),
    "drill.Get": ("GET", _DRILL, OK),
    "drill.Update": ("PUT", _DRILL, OK),
    "drill.Delete": ("DELETE", _DRILL, OK),
    "tags.Create": ("POST", f"{_INSTANCE}/tags/action", TAGGED),
    "tags.Delete": ("POST", f"{_INSTANCE}/tags/action", TAGGED),
    "tags.Get": ("GET", f"{_INSTANCE}/tags", OK),
    "tags.List": ("GET", "/protected-instances/tags", OK),
    "tfh.instances_by_tags": ("POST", "/protected-instances/resource_instances/action", OK),
    "tfh.groups": ("GET", "/server-groups", OK),
    "tfh.instances": ("GET", "/protected-instances", OK),
    "tfh.pairs": ("GET", "/replications", OK),
    "tfh.drills": ("GET", "/disaster-recovery-drills", OK),
    "tfh.quotas": ("GET", "/sdrs/quotas", OK),
    "tfh.rpo_statistics": ("GET", "/resource/rpo-statistics", OK),
    "tfh.add_nic": ("POST", f"{_INSTANCE}/nic", OK),
    "tfh.delete_nic": ("POST", f"{_INSTANCE}/nic/delete", OK),
    "tfh.resize": ("POST", f"{_INSTANCE}/resize", (200, 201, 202)),
    "tfh.extend": ("POST", f"{_PAIR}/action", OK),
    "tfh.delete_failure": ("DELETE", f"{_TASKS}/{{job_id}}", (200, 202, 204)),
    "tfh.delete_failures": ("DELETE", f"{_TASKS}/batch", (200, 202, 204)),
    "tfh.delete_failures_in_group": ("DELETE", "/task-center/{group_id}/failure-jobs/batch", (200, 202, 204)),
}  # fmt: skip


class GoError(Exception):
    """The SDK's error: the status was not one that the call accepts."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(answer.text)
        self.status = answer.status_code
        body = answer.json()
        self.code, self.flat_code = body["error"]["code"], body["error_code"]
        self.request_id = answer.headers["X-Request-Id"]


class Go:
    """A client of one project, with a token or signing."""

    def __init__(self, tenant: Tenant, *, is_signing: bool) -> None:
        self.tenant = tenant
        self._is_signing = is_signing

    def call(self, name: str, body: Any = None, query: str = "", **ids: str) -> Any:
        """Make a call; return the JSON of its answer, None for none. Raises: GoError."""
        method, path, ok_codes = CALLS[name]
        path = f"/v1/{self.tenant.project_id}{path.format(**ids)}"
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json", "X-Language": "en-us",
                   "User-Agent": "golangsdk/2.0.0"}  # fmt: skip
        if self._is_signing:
            headers |= _signature(self.tenant, method, path, query, headers, content)
            headers["X-Project-Id"] = self.tenant.project_id  # after signing, so it is not signed
        else:
            headers["X-Auth-Token"] = self.tenant.token()
        url = f"{self.tenant.url}{path}{'?' + query if query else ''}"
        answer = httpx.request(method, url, content=content, headers=headers, timeout=30, trust_env=False)
        if answer.status_code not in ok_codes:
            raise GoError(answer)
        return answer.json() if answer.content else None

    def job(self, answer: Any) -> Job:
        """Wait for the job of an answer, which must succeed."""
        assert list(answer) == ["job_id"]

        def probe() -> Job:
            return decode(self.call("job.Get", job_id=answer["job_id"]), Job)

        job = wait_for(probe, lambda seen: seen.status not in ("INIT", "RUNNING"))
        assert job.status == "SUCCESS", f"Job failed with code {job.error_code}: {job.fail_reason}"
        return job

    def made(self, answer: Any, entity: str) -> str:
        """Wait for the job of a creation; return the id of what it made, which must be a string."""
        made = self.job(answer).entities[entity]
        assert isinstance(made, str)
        return made

    def group(self) -> str:
        """Make a protection group."""
        group = {
            "name": name(), "source_availability_zone": AZ1, "target_availability_zone": AZ2, "domain_id": DOMAIN,
            "source_vpc_id": self.tenant.vpc_id, "dr_type": "migration",
        }  # fmt: skip
        return self.made(self.call("protectiongroups.Create", {"server_group": group}), "server_group_id")

    def instance(self, group_id: str) -> str:
        """Make a protected instance of a new server."""
        instance = {"server_group_id": group_id, "server_id": self.tenant.server(), "name": name()}
        made = self.call("protectedinstances.Create", {"protected_instance": instance})
        return self.made(made, "protected_instance_id")

    def ask_for_pair(self, group_id: str, volume_id: str) -> Any:
        """Ask for a replication pair; return the answer."""
        pair = {"server_group_id": group_id, "volume_id": volume_id, "name": name()}
        return self.call("replications.Create", {"replication": pair})


def name() -> str:
    """A name that nothing else has."""
    return f"go-{secrets.token_hex(3)}"


def _signature(
    tenant: Tenant, method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> dict[str, str]:
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    signed = {name.lower(): value for name, value in headers.items()} | {"x-sdk-date": now}
    names = ";".join(sorted(signed))
    uri = "/".join(quote(unquote(part), safe="-_.~") for part in path.split("/")) + "/"
    pairs = sorted(part.partition("=")[::2] for part in query.split("&")) if query else []
    canonical = "\n".join((
        method,
        uri,
        "&".join(f"{quote(unquote(k), safe='-_.~')}={quote(unquote(v), safe='-_.~')}" for k, v in pairs),
        "".join(f"{name}:{signed[name]}\n" for name in sorted(signed)),
        names,
        hashlib.sha256(body).hexdigest(),
    ))  # fmt: skip
    text = f"SDK-HMAC-SHA256\n{now}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    value = hmac.new(tenant.secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()
    credential = f"SDK-HMAC-SHA256 Access={tenant.access_key}, SignedHeaders={names}, Signature={value}"
    return {"X-Sdk-Date": now, "Authorization": credential}


def decode(document: Any, kind: type[T]) -> T:
    """Decode as encoding/json does."""
    return msgspec.convert(document, kind, strict=True)


def refusal(call: Callable[[], Any]) -> GoError:
    """Make a call that must be refused; both forms of the code must agree (the provider reads either)."""
    try:
        call()
    except GoError as error:
        assert error.code == error.flat_code and error.request_id
        return error
    raise AssertionError("the call was not refused")
