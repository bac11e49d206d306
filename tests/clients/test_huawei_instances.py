"""The vendor's SDK: protected instances, one by one and in batches. Source: 5.5."""

import time

import pytest
from huaweicloudsdksdrs import v1 as sdrs

from tests.clients.huawei import Huawei, matches, refusal

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_instance_when_created_then_its_disks_are_pairs(huawei: Huawei) -> None:
    group_id, server_id = huawei.group(), huawei.tenant.server()
    params = sdrs.CreateProtectedInstanceRequestParams(
        server_group_id=group_id, server_id=server_id, name="instance-1", description="of the SDK",
        primary_subnet_id=huawei.tenant.subnet_ids[0], primary_ip_address="10.20.1.77", flavor_ref="s3.medium.2",
        tags=[sdrs.ResourceTag(key="tier", value="front")],
    )  # fmt: skip
    body = sdrs.CreateProtectedInstanceRequestBody(protected_instance=params)
    answer = huawei.client.create_protected_instance(sdrs.CreateProtectedInstanceRequest(body=body))
    job = matches(huawei.done(answer))
    assert (answer.status_code, job.job_type) == (200, "createProtectedInstanceNoCG")
    request = sdrs.ShowProtectedInstanceRequest(job.entities.protected_instance_id)
    instance = matches(huawei.client.show_protected_instance(request)).protected_instance
    assert (instance.name, instance.status, instance.description) == ("instance-1", "available", "of the SDK")
    assert (instance.server_group_id, instance.source_server) == (group_id, server_id)
    assert (instance.priority_station, instance.progress) == ("source", 0)
    assert [link.device for link in instance.attachment] == ["/dev/vda", "/dev/vdb"]
    assert [(tag.key, tag.value) for tag in instance.tags] == [("tier", "front")]
    time.strptime(instance.created_at, "%Y-%m-%d %H:%M:%S.%f")
    dr_server = huawei.tenant.infra("GET", f"/servers/{instance.target_server}")
    assert (dr_server["flavor"], dr_server["status"], dr_server["nics"][0]["ip"]) == (
        "s3.medium.2", "SHUTOFF", "10.20.1.77",
    )  # fmt: skip


@pytest.mark.parametrize("form", ['["{0}"]', "['{0}']", "{0}", "{0},{0}"])
def test_instances_when_listed_by_ids_in_any_form_then_the_one_is_found(huawei: Huawei, form: str) -> None:
    group_id = huawei.group()
    instance_id = huawei.instance(group_id)
    huawei.instance(group_id)
    request = sdrs.ListProtectedInstancesRequest(protected_instance_ids=form.format(instance_id), limit=10, offset=0)
    found = matches(huawei.client.list_protected_instances(request))
    assert (found.count, [row.id for row in found.protected_instances]) == (1, [instance_id])
    request = sdrs.ListProtectedInstancesRequest(server_group_ids=form.format(group_id), status="available", limit=1)
    found = huawei.client.list_protected_instances(request)
    assert (found.count, len(found.protected_instances)) == (2, 1)


def test_instance_when_renamed_then_the_answer_has_the_name(huawei: Huawei) -> None:
    instance_id = huawei.instance(huawei.group())
    body = sdrs.UpdateProtectedInstanceNameRequestBody(sdrs.UpdateProtectedInstanceNameRequestParams(name="renamed"))
    renamed = huawei.client.update_protected_instance_name(sdrs.UpdateProtectedInstanceNameRequest(instance_id, body))
    assert (matches(renamed).protected_instance.id, renamed.protected_instance.name) == (instance_id, "renamed")


def test_instance_when_deleted_with_its_dr_server_then_both_are_gone(huawei: Huawei) -> None:
    instance_id = huawei.instance(huawei.group())
    dr_server = huawei.show_instance(instance_id).target_server
    body = sdrs.DeleteProtectedInstanceRequestBody(delete_target_server=True, delete_target_eip=False)
    job = huawei.done(huawei.client.delete_protected_instance(sdrs.DeleteProtectedInstanceRequest(instance_id, body)))
    assert job.job_type == "deleteProtectedInstanceNoCG"
    error = refusal(lambda: huawei.show_instance(instance_id))
    assert (error.status_code, error.error_code) == (400, "SDRS.1320")
    assert dr_server not in [server["id"] for server in huawei.tenant.infra("GET", "/servers")["servers"]]


def test_instance_when_deleted_without_a_body_then_the_dr_server_stays(huawei: Huawei) -> None:
    instance_id = huawei.instance(huawei.group())
    dr_server = huawei.show_instance(instance_id).target_server
    huawei.done(huawei.client.delete_protected_instance(sdrs.DeleteProtectedInstanceRequest(instance_id)))
    assert huawei.tenant.infra("GET", f"/servers/{dr_server}")["managed_by"] is None


def test_pair_when_detached_and_attached_then_the_instance_shows_it(huawei: Huawei) -> None:
    group_id = huawei.group()
    instance_id = huawei.instance(group_id)
    pair_id = huawei.pair(group_id).entities.replication_pair_id
    params = sdrs.ProtectedInstanceAttachReplicationRequestParams(replication_id=pair_id, device="/dev/vdd")
    body = sdrs.ProtectedInstanceAttachReplicationRequestBody(replication_attachment=params)
    request = sdrs.AttachProtectedInstanceReplicationRequest(instance_id, body)
    job = huawei.done(huawei.client.attach_protected_instance_replication(request))
    assert job.job_type == "attachReplicationPairNew"
    attached = {link.replication: link.device for link in huawei.show_instance(instance_id).attachment}
    assert attached[pair_id] == "/dev/vdd"
    again = refusal(lambda: huawei.client.attach_protected_instance_replication(request))
    assert again.status_code == 400
    detach = sdrs.DetachProtectedInstanceReplicationRequest(instance_id, pair_id)
    job = huawei.done(huawei.client.detach_protected_instance_replication(detach))
    assert job.job_type == "detachReplicationPairNew"
    assert pair_id not in [link.replication for link in huawei.show_instance(instance_id).attachment]


def test_instance_when_the_server_is_unknown_or_taken_then_the_sdk_gets_the_code(huawei: Huawei) -> None:
    group_id, server_id = huawei.group(), huawei.tenant.server(disks=1)
    huawei.instance(group_id, server_id)
    assert refusal(lambda: huawei.instance(group_id, UNKNOWN)).error_code == "SDRS.1326"
    assert refusal(lambda: huawei.instance(group_id, "malformed")).error_code == "SDRS.0210"
    taken = refusal(lambda: huawei.instance(group_id, server_id))
    assert (taken.status_code, taken.error_code) == (400, "SDRS.1305")
    assert refusal(lambda: huawei.instance(UNKNOWN, server_id)).error_code == "SDRS.1013"


def test_instances_when_created_and_deleted_in_a_batch_then_one_job_does_all(huawei: Huawei) -> None:
    group_id = huawei.group()
    servers = [sdrs.ServerInfo(server_id=huawei.tenant.server(disks=1)) for _ in range(2)]
    servers[1].flavor_ref = "s3.medium.2"
    params = sdrs.BatchCreateProtectedInstancesRequestParams(
        name_prefix="batch", server_group_id=group_id, servers=servers, description="several",
        primary_subnet_id=huawei.tenant.subnet_ids[0], tags=[sdrs.ResourceTag(key="k", value="v")],
    )  # fmt: skip
    body = sdrs.BatchCreateProtectedInstancesRequestBody(protected_instances=params)
    answer = huawei.client.batch_create_protected_instances(sdrs.BatchCreateProtectedInstancesRequest(body=body))
    assert answer.status_code == 202
    huawei.done(answer)
    found = huawei.client.list_protected_instances(sdrs.ListProtectedInstancesRequest(server_group_id=group_id))
    assert {row.source_server for row in found.protected_instances} == {server.server_id for server in servers}
    assert {row.status for row in found.protected_instances} == {"available"}
    assert all(row.name.startswith("batch") for row in found.protected_instances)
    assert len({row.name for row in found.protected_instances}) == 2
    assert all([(tag.key, tag.value) for tag in row.tags] == [("k", "v")] for row in found.protected_instances)
    ids = [sdrs.ResourceId(id=row.id) for row in found.protected_instances]
    body = sdrs.BatchDeleteProtectedInstancesRequestBody(protected_instances=ids, delete_target_server=True)
    answer = huawei.client.batch_delete_protected_instances(sdrs.BatchDeleteProtectedInstancesRequest(body=body))
    assert answer.status_code == 202
    huawei.done(answer)
    found = huawei.client.list_protected_instances(sdrs.ListProtectedInstancesRequest(server_group_id=group_id))
    assert (found.count, found.protected_instances) == (0, [])
