"""The OpenStack SDK with the OTC extensions, connected with a password, and the requests that several tests make."""

import secrets
from typing import Any

import openstack
from openstack.connection import Connection

from tests.clients.lab import ACCOUNT, AZ1, AZ2, DOMAIN, REGION, Tenant, wait_for


def settings(tenant: Tenant) -> dict[str, Any]:
    """How the service is reached: the `auth` and the region of a clouds.yaml."""
    auth = {
        "auth_url": f"{tenant.url}/v3", "username": tenant.user, "password": tenant.password,
        "user_domain_name": ACCOUNT, "project_name": tenant.project, "project_domain_name": ACCOUNT,
    }  # fmt: skip
    return {"auth": auth, "region_name": REGION, "interface": "public", "vendor_hook": "otcextensions.sdk:load"}


def connect(tenant: Tenant) -> Connection:
    """Log in through Keystone and find the service in the catalog."""
    return openstack.connect(load_yaml_config=False, load_envvars=False, **settings(tenant))


class Otc:
    """A connection of one project; `sdrs` is the proxy under test."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.sdrs: Any = connect(tenant).sdrs

    def finished(self, job_id: str) -> Any:
        """Poll a job to its end; return it."""
        return wait_for(lambda: self.sdrs.get_job(job_id), lambda job: job.status in ("SUCCESS", "FAIL"))

    def done(self, answer: Any) -> Any:
        """Poll the job of a created resource or of a plain answer, which must succeed; return the job."""
        if not hasattr(answer, "job_id"):
            assert answer.status_code == 200, answer.text
        job = self.finished(answer.job_id if hasattr(answer, "job_id") else answer.json()["job_id"])
        assert job.status == "SUCCESS", (job.error_code, job.fail_reason)
        return job

    def group(self) -> str:
        """Make a protection group."""
        made = self.sdrs.create_protection_group(
            name=f"group-{secrets.token_hex(3)}", source_availability_zone=AZ1, target_availability_zone=AZ2,
            domain_id=DOMAIN, source_vpc_id=self.tenant.vpc_id, dr_type="migration",
        )  # fmt: skip
        return str(self.done(made).entities.server_group_id)

    def instance(self, group_id: str, server_id: str = "") -> str:
        """Make a protected instance; of a new server unless one is given. The SDK's job does not have the new id."""
        name = f"instance-{secrets.token_hex(3)}"
        made = self.sdrs.create_protected_instance(
            name=name, server_group_id=group_id, server_id=server_id or self.tenant.server()
        )
        self.done(made)
        return str(self.sdrs.find_protected_instance(name).id)

    def pair(self, group_id: str, volume_id: str = "") -> str:
        """Make a replication pair; of a new disk unless one is given."""
        name = f"pair-{secrets.token_hex(3)}"
        made = self.sdrs.create_replication_pair(
            name=name, server_group_id=group_id, volume_id=volume_id or self.tenant.volume()
        )
        self.done(made)
        return str(self.sdrs.find_replication_pair(name).id)
