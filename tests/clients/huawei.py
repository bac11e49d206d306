"""The vendor's Python SDK, connected in both of its ways, and the requests that several tests make with it."""

import secrets
from collections.abc import Callable
from typing import Any

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdksdrs import v1 as sdrs
from huaweicloudsdksdrs.v1 import SdrsClient

from tests.clients.lab import AZ1, AZ2, DOMAIN, Tenant, wait_for


class Huawei:
    """A client of one project."""

    def __init__(self, client: SdrsClient, tenant: Tenant) -> None:
        self.client = client
        self.tenant = tenant

    def finished(self, job_id: str) -> Any:
        """Poll a job to its end; return it."""
        request = sdrs.ShowJobStatusRequest(job_id=job_id)
        return wait_for(lambda: self.client.show_job_status(request), lambda job: job.status in ("SUCCESS", "FAIL"))

    def done(self, answer: Any) -> Any:
        """Poll the job of an answer, which must succeed; return the job."""
        job = self.finished(answer.job_id)
        assert job.status == "SUCCESS", (job.error_code, job.fail_reason)
        assert (job.error_code, job.fail_reason) == (None, None)
        return job

    def group(self, name: str = "", **fields: str) -> str:
        """Make a protection group."""
        wanted = {
            "name": name or f"group-{secrets.token_hex(3)}", "source_availability_zone": AZ1, "domain_id": DOMAIN,
            "target_availability_zone": AZ2, "source_vpc_id": self.tenant.vpc_id, "dr_type": "migration",
        } | fields  # fmt: skip
        params = sdrs.CreateProtectionGroupRequestParams(**wanted)
        body = sdrs.CreateProtectionGroupRequestBody(server_group=params)
        job = self.done(self.client.create_protection_group(sdrs.CreateProtectionGroupRequest(body=body)))
        return str(job.entities.server_group_id)

    def instance(self, group_id: str, server_id: str = "", **fields: Any) -> str:
        """Make a protected instance; of a new server unless one is given."""
        params = sdrs.CreateProtectedInstanceRequestParams(
            server_group_id=group_id, server_id=server_id or self.tenant.server(),
            **({"name": f"instance-{secrets.token_hex(3)}"} | fields),
        )  # fmt: skip
        body = sdrs.CreateProtectedInstanceRequestBody(protected_instance=params)
        job = self.done(self.client.create_protected_instance(sdrs.CreateProtectedInstanceRequest(body=body)))
        return str(job.entities.protected_instance_id)

    def pair(self, group_id: str, volume_id: str = "", name: str = "pair-1") -> Any:
        """Ask for a replication pair, of a new disk unless one is given; return its job when it has ended."""
        params = sdrs.CreateReplicationRequestParams(
            server_group_id=group_id, volume_id=volume_id or self.tenant.volume(), name=name
        )
        body = sdrs.CreateReplicationRequestBody(replication=params)
        return self.finished(self.client.create_replication(sdrs.CreateReplicationRequest(body=body)).job_id)

    def protect(self, group_id: str) -> Any:
        """Enable a group's protection; return the job."""
        body = sdrs.StartProtectionGroupRequestBody(start_server_group={})
        request = sdrs.StartProtectionGroupRequest(server_group_id=group_id, body=body)
        return self.done(self.client.start_protection_group(request))

    def show_group(self, group_id: str) -> Any:
        """Return a group."""
        return self.client.show_protection_group(sdrs.ShowProtectionGroupRequest(group_id)).server_group

    def show_instance(self, instance_id: str) -> Any:
        """Return an instance."""
        return self.client.show_protected_instance(sdrs.ShowProtectedInstanceRequest(instance_id)).protected_instance


def signed(tenant: Tenant) -> Huawei:
    """Sign with the access key; the project is looked up by the name of the region."""
    credentials = BasicCredentials(tenant.access_key, tenant.secret_key).with_iam_endpoint(tenant.url)
    builder = SdrsClient.new_builder().with_http_config(HttpConfig.get_default_config())
    return Huawei(builder.with_credentials(credentials).with_region(Region(tenant.project, tenant.url)).build(), tenant)


def with_token(tenant: Tenant) -> Huawei:
    """Send a token: an Authorization header of another scheme keeps the SDK from signing."""
    credentials = BasicCredentials("unused", "unused", tenant.project_id)
    builder = SdrsClient.new_builder().with_http_config(HttpConfig.get_default_config())
    client = builder.with_credentials(credentials).with_endpoint(tenant.url).build()
    client.preset_headers = {"X-Auth-Token": tenant.token(), "Authorization": "token"}
    return Huawei(client, tenant)


def refusal(call: Callable[[], Any]) -> ClientRequestException:
    """Make a call that the service must refuse; return the SDK's exception, which must be complete."""
    try:
        call()
    except ClientRequestException as error:
        assert error.error_msg and error.error_code and error.request_id
        return error
    raise AssertionError("the call was not refused")


def matches(model: Any) -> Any:
    """Check every attribute of a model, and of those in it, against the type that the SDK documents; return it."""
    for name, type_name in model.openapi_types.items():
        value = getattr(model, name)
        if value is not None:
            _check(value, type_name, f"{type(model).__name__}.{name}")
    return model


def _check(value: Any, type_name: str, where: str) -> None:
    if type_name.startswith("list["):
        assert isinstance(value, list), (where, value)
        for element in value:
            _check(element, type_name[5:-1], where)
    elif hasattr(value, "openapi_types"):
        assert type(value).__name__ == type_name, where
        matches(value)
    else:
        expected = {"str": str, "int": int, "bool": bool, "object": dict}[type_name]
        assert type(value) is expected, (where, value)
