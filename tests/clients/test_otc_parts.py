"""The OTC extensions: protected instances, replication pairs and DR drills."""

import pytest
from openstack import exceptions

from tests.clients.lab import wait_for
from tests.clients.otc import Otc

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def _gone(otc: Otc, get: object, resource_id: str) -> str:
    """Poll until a resource is not there any more; return the code of the answer."""

    def probe() -> str:
        try:
            get(resource_id)  # type: ignore[operator]
        except exceptions.BadRequestException as error:
            return str(error.response.json()["error_code"])
        return ""

    return wait_for(probe, bool)


def test_instance_when_created_then_the_sdk_finds_it(otc: Otc) -> None:
    group_id, server_id = otc.group(), otc.tenant.server()
    made = otc.sdrs.create_protected_instance(
        name="otc-instance", server_group_id=group_id, server_id=server_id, description="of OTC",
        primary_subnet_id=otc.tenant.subnet_ids[0], primary_ip_address="10.20.1.66", flavorRef="s3.medium.2",
    )  # fmt: skip
    otc.done(made)
    found = otc.sdrs.find_protected_instance("otc-instance")
    instance = otc.sdrs.get_protected_instance(found.id)
    assert (instance.source_server, instance.status, instance.progress) == (server_id, "available", 0)
    assert [link.device for link in instance.attachment] == ["/dev/vda", "/dev/vdb"]
    assert otc.sdrs.update_protected_instance(instance.id, name="otc-renamed").name == "otc-renamed"


def test_instances_when_listed_with_python_lists_then_repeated_keys_are_understood(otc: Otc) -> None:
    group_id = otc.group()
    ids = {otc.instance(group_id), otc.instance(group_id)}
    found = otc.sdrs.protected_instances(server_group_ids=[group_id, UNKNOWN])
    assert {row.id for row in found} == ids
    assert {row.id for row in otc.sdrs.protected_instances(protected_instance_ids=list(ids), limit=1)} == ids


def test_instance_when_deleted_then_the_dr_server_goes_too(otc: Otc) -> None:
    instance_id = otc.instance(otc.group())
    dr_server = otc.sdrs.get_protected_instance(instance_id).target_server
    otc.sdrs.delete_protected_instance(instance_id, delete_target_server=True)
    assert _gone(otc, otc.sdrs.get_protected_instance, instance_id) == "SDRS.1320"
    assert dr_server not in [server["id"] for server in otc.tenant.infra("GET", "/servers")["servers"]]


def test_pair_when_attached_and_detached_then_the_instance_shows_it(otc: Otc) -> None:
    group_id = otc.group()
    instance_id, pair_id = otc.instance(group_id), otc.pair(group_id)
    job = otc.done(otc.sdrs.attach_replication_pair(instance_id, pair_id, "/dev/vde"))
    assert job.job_type == "attachReplicationPairNew"
    links = {link.replication: link.device for link in otc.sdrs.get_protected_instance(instance_id).attachment}
    assert links[pair_id] == "/dev/vde"
    otc.done(otc.sdrs.detach_replication_pair(instance_id, pair_id))
    assert pair_id not in [link.replication for link in otc.sdrs.get_protected_instance(instance_id).attachment]


def test_nic_when_added_and_deleted_then_both_jobs_succeed(otc: Otc) -> None:
    instance_id = otc.instance(otc.group())
    server_id = otc.sdrs.get_protected_instance(instance_id).source_server
    job = otc.done(otc.sdrs.add_nic(instance_id, otc.tenant.subnet_ids[1], security_groups=[{"id": UNKNOWN}]))
    assert job.job_type == "addNicNew"
    nic_id = otc.tenant.infra("GET", f"/servers/{server_id}")["nics"][1]["port_id"]
    assert otc.done(otc.sdrs.delete_nic(instance_id, nic_id)).job_type == "deleteNicNew"


def test_instance_when_modified_then_the_servers_have_the_flavor(otc: Otc) -> None:
    server_id = otc.tenant.server(disks=1)
    otc.tenant.stop(server_id)
    instance_id = otc.instance(otc.group(), server_id)
    job = otc.done(otc.sdrs.modify_protected_instance(instance_id, flavor="s3.medium.2"))
    assert job.job_type == "resizeProtectedInstanceNew"
    assert otc.tenant.infra("GET", f"/servers/{server_id}")["flavor"] == "s3.medium.2"


def test_pair_when_created_then_the_sdk_finds_and_renames_it(otc: Otc) -> None:
    group_id, volume_id = otc.group(), otc.tenant.volume(size_gib=2)
    made = otc.sdrs.create_replication_pair(name="otc-pair", server_group_id=group_id, volume_id=volume_id)
    otc.done(made)
    pair = otc.sdrs.get_replication_pair(otc.sdrs.find_replication_pair("otc-pair").id)
    assert (pair.status, pair.record_metadata.volume_size, pair.fault_level) == ("available", 2, "0")
    assert pair.volume_ids.split(",")[0] == volume_id
    assert [row.id for row in otc.sdrs.replication_pairs(server_group_ids=[group_id], limit=1)] == [pair.id]
    assert otc.sdrs.update_replication_pair(pair.id, name="otc-renamed").name == "otc-renamed"


def test_pair_when_expanded_then_it_has_the_size(otc: Otc) -> None:
    pair_id = otc.pair(otc.group())
    job = otc.done(otc.sdrs.expand_replication_pair(pair_id, 3))
    assert job.job_type == "expandReplicationPairNew"
    assert otc.sdrs.get_replication_pair(pair_id).record_metadata.volume_size == 3


def test_pair_when_deleted_then_it_is_gone(otc: Otc) -> None:
    group_id = otc.group()
    pair_id = otc.pair(group_id)
    otc.sdrs.delete_replication_pair(pair_id, server_group_id=group_id, delete_target_volume=True)
    assert _gone(otc, otc.sdrs.get_replication_pair, pair_id) == "SDRS.1608"


def test_drill_when_created_renamed_and_deleted_then_the_sdk_follows(otc: Otc) -> None:
    group_id = otc.group()
    instance_id = otc.instance(group_id)
    otc.done(otc.sdrs.enable_protection(group_id))
    otc.done(otc.sdrs.create_dr_drill(name="otc-drill", server_group_id=group_id))
    drill_id = otc.sdrs.find_dr_drill("otc-drill").id
    drill = otc.sdrs.get_dr_drill(drill_id)
    assert [server.protected_instance for server in drill.drill_servers] == [instance_id]
    assert [row.id for row in otc.sdrs.dr_drills(server_group_id=group_id, limit=1)] == [drill_id]
    assert otc.sdrs.update_dr_drill(drill_id, name="otc-renamed").name == "otc-renamed"
    otc.sdrs.delete_dr_drill(drill_id)
    assert _gone(otc, otc.sdrs.get_dr_drill, drill_id) == "SDRS.1902"


def test_instance_when_the_request_is_wrong_then_the_sdk_raises_with_the_text(otc: Otc) -> None:
    with pytest.raises(exceptions.BadRequestException, match="server") as caught:
        otc.instance(otc.group(), UNKNOWN)
    assert caught.value.response.json()["error"]["code"] == "SDRS.1326"
