"""The vendor's SDK: replication pairs and DR drills. Source: 5.6, 5.7."""

import time

import pytest
from huaweicloudsdksdrs import v1 as sdrs

from tests.clients.huawei import Huawei, matches, refusal

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_pair_when_created_then_both_disks_and_their_types_are_shown(huawei: Huawei) -> None:
    group_id, volume_id = huawei.group(), huawei.tenant.volume(size_gib=3)
    params = sdrs.CreateReplicationRequestParams(
        server_group_id=group_id, volume_id=volume_id, name="pair-1", description="of the SDK"
    )
    body = sdrs.CreateReplicationRequestBody(replication=params)
    answer = huawei.client.create_replication(sdrs.CreateReplicationRequest(body=body))
    job = matches(huawei.done(answer))
    assert (answer.status_code, job.job_type) == (200, "createReplicationPairNoCG")
    pair_id = job.entities.replication_pair_id
    pair = matches(huawei.client.show_replication(sdrs.ShowReplicationRequest(pair_id))).replication
    assert (pair.name, pair.description, pair.status) == ("pair-1", "of the SDK", "available")
    assert (pair.server_group_id, pair.attachment, pair.progress) == (group_id, [], 0)
    production, dr = pair.volume_ids.split(",")
    assert (production, pair.replication_status, pair.fault_level) == (volume_id, "inactive", "0")
    assert huawei.tenant.infra("GET", f"/volumes/{dr}")["availability_zone"] == "az2"
    record = pair.record_metadata
    assert (record.volume_size, record.multiattach, record.bootable, record.volume_type) == (3, False, False, "SSD")
    time.strptime(pair.created_at, "%Y-%m-%dT%H:%M:%S.%f")
    request = sdrs.ListReplicationsRequest(
        server_group_id=group_id, name="pair", status="available", limit=5, offset=0, availability_zone="az1"
    )
    listed = matches(huawei.client.list_replications(request))
    assert (listed.count, [row.id for row in listed.replications]) == (1, [pair_id])


def test_pairs_when_listed_by_instance_then_its_pairs_are_found(huawei: Huawei) -> None:
    group_id = huawei.group()
    instance_id = huawei.instance(group_id)
    huawei.pair(group_id)
    attached = {link.replication for link in huawei.show_instance(instance_id).attachment}
    for filters in ({"protected_instance_id": instance_id}, {"protected_instance_ids": f'["{instance_id}"]'}):
        found = huawei.client.list_replications(sdrs.ListReplicationsRequest(server_group_id=group_id, **filters))
        assert {row.id for row in found.replications} == attached


def test_pair_when_renamed_then_the_size_stays_a_number(huawei: Huawei) -> None:
    pair_id = huawei.pair(huawei.group()).entities.replication_pair_id
    body = sdrs.UpdateReplicationNameRequestBody(sdrs.UpdateReplicationNameRequestParams(name="renamed"))
    renamed = huawei.client.update_replication_name(sdrs.UpdateReplicationNameRequest(pair_id, body))
    assert (matches(renamed).replication.name, renamed.replication.record_metadata.volume_size) == ("renamed", 1)


def test_pair_when_deleted_with_its_disk_then_both_are_gone(huawei: Huawei) -> None:
    group_id = huawei.group()
    pair_id = huawei.pair(group_id).entities.replication_pair_id
    shown = huawei.client.show_replication(sdrs.ShowReplicationRequest(pair_id)).replication
    params = sdrs.DeleteReplicationRequestParams(server_group_id=group_id, delete_target_volume=True)
    body = sdrs.DeleteReplicationRequestBody(replication=params)
    job = huawei.done(huawei.client.delete_replication(sdrs.DeleteReplicationRequest(pair_id, body)))
    assert job.job_type == "deleteReplicationPairNoCG"
    error = refusal(lambda: huawei.client.show_replication(sdrs.ShowReplicationRequest(pair_id)))
    assert (error.status_code, error.error_code) == (400, "SDRS.1608")
    volumes = {volume["id"] for volume in huawei.tenant.infra("GET", "/volumes")["volumes"]}
    production, dr = shown.volume_ids.split(",")
    assert (production in volumes, dr in volumes) == (True, False)


@pytest.mark.parametrize(("volume_id", "code"), [("", "SDRS.0211"), ("malformed", "SDRS.0211"), (UNKNOWN, "SDRS.0211")])
def test_pair_when_the_volume_is_wrong_then_the_sdk_gets_the_code(huawei: Huawei, volume_id: str, code: str) -> None:
    params = sdrs.CreateReplicationRequestParams(server_group_id=huawei.group(), volume_id=volume_id, name="pair-1")
    body = sdrs.CreateReplicationRequestBody(replication=params)
    error = refusal(lambda: huawei.client.create_replication(sdrs.CreateReplicationRequest(body=body)))
    assert (error.status_code, error.error_code) == (400, code)


def test_drill_when_created_renamed_and_deleted_then_its_servers_come_and_go(huawei: Huawei) -> None:
    group_id = huawei.group()
    instance_id = huawei.instance(group_id)
    huawei.protect(group_id)
    params = sdrs.CreateDisasterRecoveryDrillRequestParams(server_group_id=group_id, name="drill-1")
    body = sdrs.CreateDisasterRecoveryDrillRequestBody(disaster_recovery_drill=params)
    answer = huawei.client.create_disaster_recovery_drill(sdrs.CreateDisasterRecoveryDrillRequest(body=body))
    assert (answer.status_code, huawei.done(answer).job_type) == (200, "createDisasterRecoveryDrill")
    request = sdrs.ListDisasterRecoveryDrillsRequest(
        server_group_id=group_id, name="drill", status="available", limit=1
    )
    listed = matches(huawei.client.list_disaster_recovery_drills(request))
    assert listed.count == 1
    drill_id = listed.disaster_recovery_drills[0].id
    request = sdrs.ShowDisasterRecoveryDrillRequest(drill_id)
    drill = matches(huawei.client.show_disaster_recovery_drill(request)).disaster_recovery_drill
    assert (drill.name, drill.status, drill.server_group_id) == ("drill-1", "available", group_id)
    assert [server.protected_instance for server in drill.drill_servers] == [instance_id]
    assert huawei.tenant.infra("GET", f"/servers/{drill.drill_servers[0].drill_server_id}")["isolated"] is True
    assert drill.drill_vpc_id not in ("", None, huawei.tenant.vpc_id)
    by_vpc = sdrs.ListDisasterRecoveryDrillsRequest(drill_vpc_id=drill.drill_vpc_id)
    assert huawei.client.list_disaster_recovery_drills(by_vpc).count == 1
    name = sdrs.UpdateDisasterRecoveryDrillNameRequestParams(name="drill-2")
    body = sdrs.UpdateDisasterRecoveryDrillNameRequestBody(disaster_recovery_drill=name)
    request = sdrs.UpdateDisasterRecoveryDrillNameRequest(drill_id, body)
    renamed = matches(huawei.client.update_disaster_recovery_drill_name(request)).disaster_recovery_drill
    assert (renamed.id, renamed.name, renamed.drill_vpc_id) == (drill_id, "drill-2", drill.drill_vpc_id)
    deleted = huawei.client.delete_disaster_recovery_drill(sdrs.DeleteDisasterRecoveryDrillRequest(drill_id))
    assert huawei.done(deleted).job_type == "deleteDisasterRecoveryDrill"
    show = sdrs.ShowDisasterRecoveryDrillRequest(drill_id)
    error = refusal(lambda: huawei.client.show_disaster_recovery_drill(show))
    assert (error.status_code, error.error_code) == (400, "SDRS.1902")
