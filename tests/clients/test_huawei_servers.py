"""The vendor's SDK: NICs, flavors and sizes of what is protected. Source: 5.5.8, 5.5.9, 5.5.10, 5.6.5."""

import pytest
from huaweicloudsdksdrs import v1 as sdrs

from tests.clients.huawei import Huawei, refusal

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def _servers(huawei: Huawei, instance_id: str) -> list[dict[str, object]]:
    instance = huawei.show_instance(instance_id)
    return [
        huawei.tenant.infra("GET", f"/servers/{server_id}")
        for server_id in (instance.source_server, instance.target_server)
    ]


def test_nic_when_added_and_deleted_then_both_servers_have_it_and_lose_it(huawei: Huawei) -> None:
    instance_id = huawei.instance(huawei.group())
    group = sdrs.SecurityGroupsParams(id=UNKNOWN)
    body = sdrs.ProtectedInstanceAddNicRequestBody(
        subnet_id=huawei.tenant.subnet_ids[1], security_groups=[group], ip_address="10.20.2.50"
    )
    answer = huawei.client.add_protected_instance_nic(sdrs.AddProtectedInstanceNicRequest(instance_id, body))
    job = huawei.done(answer)
    assert (answer.status_code, job.job_type) == (200, "addNicNew")
    for server in _servers(huawei, instance_id):
        assert [nic["subnet_id"] for nic in server["nics"]] == huawei.tenant.subnet_ids
    assert _servers(huawei, instance_id)[0]["nics"][1]["ip"] == "10.20.2.50"
    body = sdrs.ProtectedInstanceDeleteNicRequestBody(nic_id=job.entities.nic_id)
    request = sdrs.DeleteProtectedInstanceNicRequest(instance_id, body)
    assert huawei.done(huawei.client.delete_protected_instance_nic(request)).job_type == "deleteNicNew"
    assert [len(server["nics"]) for server in _servers(huawei, instance_id)] == [1, 1]


def test_nic_when_the_subnet_or_the_nic_is_unknown_then_it_is_refused(huawei: Huawei) -> None:
    instance_id = huawei.instance(huawei.group())
    body = sdrs.ProtectedInstanceAddNicRequestBody(subnet_id=UNKNOWN)
    add = sdrs.AddProtectedInstanceNicRequest(instance_id, body)
    assert refusal(lambda: huawei.client.add_protected_instance_nic(add)).status_code == 400
    delete = sdrs.DeleteProtectedInstanceNicRequest(
        instance_id, sdrs.ProtectedInstanceDeleteNicRequestBody(nic_id=UNKNOWN)
    )
    assert refusal(lambda: huawei.client.delete_protected_instance_nic(delete)).status_code == 400


@pytest.mark.parametrize(
    ("fields", "flavors"),
    [
        ({"flavor_ref": "s3.medium.2"}, ["s3.medium.2", "s3.medium.2"]),
        ({"production_flavor_ref": "s3.medium.2"}, ["s3.medium.2", "s3.small.1"]),
        ({"dr_flavor_ref": "s3.medium.2"}, ["s3.small.1", "s3.medium.2"]),
    ],
)
def test_instance_when_resized_then_the_servers_have_the_flavors(
    huawei: Huawei, fields: dict[str, str], flavors: list[str]
) -> None:
    server_id = huawei.tenant.server(disks=1)
    huawei.tenant.stop(server_id)
    instance_id = huawei.instance(huawei.group(), server_id)
    params = sdrs.ResizeProtectedInstanceRequestParams(**fields)
    body = sdrs.ResizeProtectedInstanceRequestBody(resize=params)
    answer = huawei.client.resize_protected_instance(sdrs.ResizeProtectedInstanceRequest(instance_id, body))
    assert (answer.status_code, huawei.done(answer).job_type) == (200, "resizeProtectedInstanceNew")
    assert [server["flavor"] for server in _servers(huawei, instance_id)] == flavors
    assert huawei.show_instance(instance_id).status == "available"


def test_instance_when_resized_to_an_unknown_flavor_then_it_is_refused(huawei: Huawei) -> None:
    instance_id = huawei.instance(huawei.group())
    params = sdrs.ResizeProtectedInstanceRequestParams(flavor_ref="no.such.flavor")
    body = sdrs.ResizeProtectedInstanceRequestBody(resize=params)
    request = sdrs.ResizeProtectedInstanceRequest(instance_id, body)
    assert refusal(lambda: huawei.client.resize_protected_instance(request)).status_code == 400


@pytest.mark.parametrize("is_protected", [False, True])
def test_pair_when_extended_then_both_disks_have_the_size(huawei: Huawei, is_protected: bool) -> None:
    group_id = huawei.group()
    pair_id = huawei.pair(group_id).entities.replication_pair_id
    if is_protected:
        huawei.protect(group_id)
    params = sdrs.ExtendReplicationRequestParams(new_size=4)
    body = sdrs.ExtendReplicationRequestBody(extend_replication=params)
    answer = huawei.client.expand_replication(sdrs.ExpandReplicationRequest(pair_id, body))
    assert (answer.status_code, huawei.done(answer).job_type) == (200, "expandReplicationPairNew")
    pair = huawei.client.show_replication(sdrs.ShowReplicationRequest(pair_id)).replication
    assert (pair.record_metadata.volume_size, pair.status) == (4, "protected" if is_protected else "available")
    sizes = [huawei.tenant.infra("GET", f"/volumes/{volume}")["size_gib"] for volume in pair.volume_ids.split(",")]
    assert sizes == [4, 4]


def test_pair_when_extended_to_less_then_it_is_refused(huawei: Huawei) -> None:
    pair_id = huawei.pair(huawei.group()).entities.replication_pair_id
    params = sdrs.ExtendReplicationRequestParams(new_size=1)
    request = sdrs.ExpandReplicationRequest(pair_id, sdrs.ExtendReplicationRequestBody(extend_replication=params))
    error = refusal(lambda: huawei.client.expand_replication(request))
    assert (error.status_code, error.error_code) == (400, "SDRS.0201")
