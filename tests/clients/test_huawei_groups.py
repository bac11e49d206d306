"""The vendor's SDK: protection groups and everything that is done to them. Source: 5.4."""

import secrets
import time

import pytest
from huaweicloudsdksdrs import v1 as sdrs

from tests.clients.huawei import Huawei, matches, refusal
from tests.clients.lab import AZ1, AZ2, DOMAIN, DOMAIN_NAME

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def _body(huawei: Huawei, **fields: str) -> sdrs.CreateProtectionGroupRequest:
    wanted = {
        "name": f"group-{secrets.token_hex(3)}", "source_availability_zone": AZ1, "target_availability_zone": AZ2,
        "domain_id": DOMAIN, "source_vpc_id": huawei.tenant.vpc_id, "description": "made by the SDK",
    } | fields  # fmt: skip
    params = sdrs.CreateProtectionGroupRequestParams(**wanted)
    return sdrs.CreateProtectionGroupRequest(body=sdrs.CreateProtectionGroupRequestBody(server_group=params))


def test_group_when_created_then_it_is_shown_in_full_and_listed(huawei: Huawei) -> None:
    answer = huawei.client.create_protection_group(_body(huawei, name="Group_1", dr_type="migration"))
    assert answer.status_code == 200
    job = matches(huawei.done(answer))
    assert job.job_type == "createProtectionGroupNoCG"
    shown = huawei.client.show_protection_group(sdrs.ShowProtectionGroupRequest(job.entities.server_group_id))
    group = matches(shown).server_group
    assert (group.name, group.status, group.description) == ("Group_1", "available", "made by the SDK")
    assert (group.source_availability_zone, group.target_availability_zone) == (AZ1, AZ2)
    assert (group.domain_id, group.domain_name, group.dr_type) == (DOMAIN, DOMAIN_NAME, "migration")
    assert (group.priority_station, group.source_vpc_id) == ("source", huawei.tenant.vpc_id)
    assert (group.progress, group.protected_instance_num, group.replication_num) == (0, 0, 0)
    assert (group.protection_type, group.server_type) == ("replication-pair", "ECS")
    assert (group.protected_status, group.replication_status, group.health_status) == (None, None, None)
    time.strptime(group.created_at, "%Y-%m-%d %H:%M:%S.%f")
    listed = huawei.client.list_protection_groups(
        sdrs.ListProtectionGroupsRequest(limit=1, offset=0, status="available", name="roup_1", availability_zone=AZ1)
    )
    assert (matches(listed).count, [row.id for row in listed.server_groups]) == (1, [group.id])
    beyond = huawei.client.list_protection_groups(sdrs.ListProtectionGroupsRequest(limit=10, offset=10_000))
    assert beyond.server_groups == []
    abnormal = huawei.client.list_protection_groups(sdrs.ListProtectionGroupsRequest(query_type="status_abnormal"))
    assert group.id not in [row.id for row in abnormal.server_groups]


def test_group_when_renamed_then_the_answer_and_the_group_have_the_name(huawei: Huawei) -> None:
    group_id = huawei.group()
    body = sdrs.UpdateProtectionGroupNameRequestBody(sdrs.UpdateProtectionGroupNameRequestParams(name="new-name"))
    renamed = huawei.client.update_protection_group_name(sdrs.UpdateProtectionGroupNameRequest(group_id, body))
    assert (matches(renamed).server_group.id, renamed.server_group.name) == (group_id, "new-name")
    assert huawei.show_group(group_id).name == "new-name"


def test_group_when_deleted_then_it_is_not_found(huawei: Huawei) -> None:
    group_id = huawei.group()
    job = huawei.done(huawei.client.delete_protection_group(sdrs.DeleteProtectionGroupRequest(group_id)))
    assert (job.job_type, job.entities.server_group_id) == ("deleteProtectionGroupNoCG", group_id)
    error = refusal(lambda: huawei.show_group(group_id))
    assert (error.status_code, error.error_code) == (400, "SDRS.1013")


def test_group_when_protected_and_stopped_then_the_jobs_have_parts(huawei: Huawei) -> None:
    group_id = huawei.group()
    huawei.instance(group_id)
    started = sdrs.StartProtectionGroupRequestBody(start_server_group={})
    answer = huawei.client.start_protection_group(sdrs.StartProtectionGroupRequest(group_id, started))
    job = huawei.done(answer)
    assert (answer.status_code, job.job_type) == (200, "startProtectionGroupNoCG")
    assert job.entities.server_group_id == group_id
    assert [matches(part).status for part in job.entities.sub_jobs] == ["SUCCESS"] * len(job.entities.sub_jobs)
    group = matches(huawei.show_group(group_id))
    assert (group.status, group.progress, group.replication_num) == ("protected", 100, 2)
    stopped = sdrs.StopProtectionGroupRequestBody(stop_server_group={})
    job = huawei.done(huawei.client.stop_protection_group(sdrs.StopProtectionGroupRequest(group_id, stopped)))
    assert job.job_type == "stopProtectionGroupNoCG"
    assert huawei.show_group(group_id).status == "available"


def test_group_when_failed_over_and_protected_again_then_the_other_site_is_production(huawei: Huawei) -> None:
    group_id = huawei.group()
    huawei.instance(group_id)
    huawei.protect(group_id)
    body = sdrs.FailoverProtectionGroupRequestBody(failover_server_group={})
    request = sdrs.StartFailoverProtectionGroupRequest(group_id, body)
    job = huawei.done(huawei.client.start_failover_protection_group(request))
    assert job.job_type == "failoverProtectionGroupNoCG"
    group = huawei.show_group(group_id)
    assert (group.status, group.priority_station) == ("failed-over", "target")
    assert huawei.protect(group_id).job_type == "reprotectProtectionGroupNoCG"
    group = huawei.show_group(group_id)
    assert (group.status, group.priority_station) == ("protected", "target")


def test_group_when_reversed_then_the_sites_swap_and_swap_back(huawei: Huawei) -> None:
    group_id, server_id = huawei.group(), huawei.tenant.server()
    huawei.instance(group_id, server_id)
    huawei.protect(group_id)
    huawei.tenant.stop(server_id)
    for station in ("target", "source"):
        params = sdrs.ReverseProtectionGroupRequestParams(priority_station=station)
        body = sdrs.ReverseProtectionGroupRequestBody(reverse_server_group=params)
        request = sdrs.StartReverseProtectionGroupRequest(group_id, body)
        job = huawei.done(huawei.client.start_reverse_protection_group(request))
        assert job.job_type == "reverseProtectionGroupNoCG"
        group = huawei.show_group(group_id)
        assert (group.status, group.priority_station) == ("protected", station)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": "not a name"}, "SDRS.0202"),
        ({"source_availability_zone": "nowhere"}, "SDRS.0203"),
        ({"source_vpc_id": UNKNOWN}, "SDRS.0204"),
        ({"domain_id": UNKNOWN}, "SDRS.0205"),
        ({"description": "<>"}, "SDRS.0212"),
    ],
)
def test_group_when_a_field_is_wrong_then_the_sdk_gets_its_code(
    huawei: Huawei, fields: dict[str, str], code: str
) -> None:
    error = refusal(lambda: huawei.client.create_protection_group(_body(huawei, **fields)))
    assert (error.status_code, error.error_code) == (400, code)


def test_group_when_the_operation_does_not_fit_its_status_then_it_is_refused(huawei: Huawei) -> None:
    group_id = huawei.group()
    body = sdrs.StopProtectionGroupRequestBody(stop_server_group={})
    error = refusal(lambda: huawei.client.stop_protection_group(sdrs.StopProtectionGroupRequest(group_id, body)))
    assert (error.status_code, error.error_code) == (400, "SDRS.1002")
    assert "available" in error.error_msg
