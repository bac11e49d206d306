"""The rules of the Go SDK and of Terraform, with a token and with the signature that Go makes."""

import secrets

import pytest

from tests.clients.go import Go, decode, name, refusal
from tests.clients.go_structs import Drill, Group, Instance, Pair
from tests.clients.lab import AZ1, AZ2, DOMAIN, Lab, wait_for

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_domains_when_read_then_the_data_source_finds_the_first_of_the_name(go: Go) -> None:
    domains = go.call("domains.Get")["domains"]
    (found,) = [row for row in domains if row["name"] == "az1-az2"]
    assert (found["id"], found["sold_out"]) == (DOMAIN, False)
    assert found["remote_replication_cluster"] == {"availability_zone": AZ2}


def test_creations_when_polled_then_the_new_ids_are_in_the_entities(go: Go) -> None:
    wanted = {
        "name": name(), "source_availability_zone": AZ1, "target_availability_zone": AZ2, "domain_id": DOMAIN,
        "source_vpc_id": go.tenant.vpc_id,
    }  # fmt: skip
    made = go.call("protectiongroups.Create", {"server_group": wanted})
    group_id = go.made(made, "server_group_id")
    instance = {"server_group_id": group_id, "server_id": go.tenant.server(), "name": name(), "description": "of Go"}
    made = go.call("protectedinstances.Create", {"protected_instance": instance})
    instance_id = go.made(made, "protected_instance_id")
    pair = {"server_group_id": group_id, "volume_id": go.tenant.volume(), "name": name(), "description": "of Go"}
    pair_id = go.made(go.call("replications.Create", {"replication": pair}), "replication_pair_id")
    assert len({group_id, instance_id, pair_id}) == 3


def test_group_when_created_enabled_disabled_and_deleted_then_every_answer_is_200(go: Go) -> None:
    group_id = go.group()
    go.instance(group_id)
    group = decode(go.call("protectiongroups.Get", group_id=group_id)["server_group"], Group)
    assert (group.status, group.domain_name, group.protected_instance_num) == ("available", "az1-az2", 1)
    started = go.job(go.call("protectiongroups.Enable", {"start-server-group": {}}, group_id=group_id))
    for part in started.entities["sub_jobs"]:
        decode(part["entities"], dict[str, str])
    assert decode(go.call("protectiongroups.Get", group_id=group_id)["server_group"], Group).status == "protected"
    go.job(go.call("protectiongroups.Disable", {"stop-server-group": {}}, group_id=group_id))
    renamed = go.call("protectiongroups.Update", {"server_group": {"name": "renamed"}}, group_id=group_id)
    assert decode(renamed["server_group"], Group).name == "renamed"
    in_use = refusal(lambda: go.call("protectiongroups.Delete", group_id=group_id))
    assert (in_use.status, in_use.code) == (400, "SDRS.1001")
    empty = go.group()
    go.job(go.call("protectiongroups.Delete", group_id=empty))
    gone = refusal(lambda: go.call("protectiongroups.Get", group_id=empty))
    assert (gone.status, gone.code) == (400, "SDRS.1013")


def test_instance_when_deleted_with_an_empty_object_then_it_is_gone(go: Go) -> None:
    instance_id = go.instance(go.group())
    instance = decode(go.call("protectedinstances.Get", instance_id=instance_id)["protected_instance"], Instance)
    assert [link.device for link in instance.attachment] == ["/dev/vda", "/dev/vdb"]
    body = {"protected_instance": {"name": "renamed"}}
    renamed = go.call("protectedinstances.Update", body, instance_id=instance_id)
    assert decode(renamed["protected_instance"], Instance).name == "renamed"
    go.job(go.call("protectedinstances.Delete", {}, instance_id=instance_id))
    assert refusal(lambda: go.call("protectedinstances.Get", instance_id=instance_id)).code == "SDRS.1320"


def test_pair_when_created_attached_detached_and_deleted_then_entities_are_strings_only(go: Go) -> None:
    group_id, volume_id = go.group(), go.tenant.volume()
    instance_id = go.instance(group_id)
    entities = [go.job(go.ask_for_pair(group_id, volume_id)).entities]
    pair_id = entities[0]["replication_pair_id"]
    pair = decode(go.call("replications.Get", pair_id=pair_id)["replication"], Pair)
    assert pair.volume_ids.split(",")[0] == volume_id and pair.volume_ids.count(",") == 1
    assert pair.record_metadata.volume_size == 1
    body = {"replicationAttachment": {"replication_id": pair_id, "device": "/dev/vdc"}}
    entities.append(go.job(go.call("attachreplication.Create", body, instance_id=instance_id)).entities)
    attached = decode(go.call("protectedinstances.Get", instance_id=instance_id)["protected_instance"], Instance)
    assert ("/dev/vdc", pair_id) in [(link.device, link.replication) for link in attached.attachment]
    detached = go.call("attachreplication.Delete", instance_id=instance_id, pair_id=pair_id)
    entities.append(go.job(detached).entities)
    renamed = go.call("replications.Update", {"replication": {"name": "renamed"}}, pair_id=pair_id)
    assert decode(renamed["replication"], Pair).record_metadata.volume_size == 1
    entities.append(go.job(go.call("replications.Delete", {"replication": {}}, pair_id=pair_id)).entities)
    for row in entities:
        decode(row, dict[str, str | None])
    gone = refusal(lambda: go.call("replications.Get", pair_id=pair_id))
    assert (gone.status, gone.flat_code) == (400, "SDRS.1608")


def test_detaching_what_is_not_there_then_the_provider_knows_the_code(go: Go) -> None:
    instance_id = go.instance(go.group())
    error = refusal(lambda: go.call("attachreplication.Delete", instance_id=instance_id, pair_id="malformed"))
    assert error.flat_code == "SDRS.0213"
    error = refusal(lambda: go.call("attachreplication.Delete", instance_id="malformed", pair_id=UNKNOWN))
    assert error.flat_code == "SDRS.0208"


def test_drill_when_created_then_its_vpc_is_stable(go: Go) -> None:
    group_id = go.group()
    go.instance(group_id)
    go.job(go.call("protectiongroups.Enable", {"start-server-group": {}}, group_id=group_id))
    body = {"disaster_recovery_drill": {"server_group_id": group_id, "name": name()}}
    drill_id = go.made(go.call("drill.Create", body), "disaster_recovery_drill_id")
    drill = decode(go.call("drill.Get", drill_id=drill_id)["disaster_recovery_drill"], Drill)
    body = {"disaster_recovery_drill": {"name": "renamed"}}
    renamed = decode(go.call("drill.Update", body, drill_id=drill_id)["disaster_recovery_drill"], Drill)
    assert (renamed.name, renamed.drill_vpc_id) == ("renamed", drill.drill_vpc_id)
    go.job(go.call("drill.Delete", drill_id=drill_id))
    assert refusal(lambda: go.call("drill.Get", drill_id=drill_id)).code == "SDRS.1902"


@pytest.mark.parametrize("kind", ["groups", "instances", "pairs", "drills"])
def test_lists_when_read_until_a_page_is_empty_then_each_row_comes_once(go: Go, kind: str) -> None:
    group_id = go.group()
    go.instance(group_id)
    key = {"groups": "server_groups", "instances": "protected_instances", "pairs": "replications",
           "drills": "disaster_recovery_drills"}[kind]  # fmt: skip
    found: list[str] = []
    while True:
        page = go.call(f"tfh.{kind}", query=f"limit=2&offset={len(found)}")
        if not page[key]:
            break
        found += [row["id"] for row in page[key]]
    assert len(found) == len(set(found)) == page["count"]


def test_lists_when_filters_are_not_encoded_then_they_are_understood(go: Go) -> None:
    group_id = go.group()
    go.instance(group_id)
    assert go.call("tfh.groups", query="name=go-&status=available")["count"] >= 1
    assert go.call("tfh.instances", query=f"server_group_ids=['{group_id}']")["count"] == 1
    assert go.call("tfh.pairs", query=f"server_group_ids=['{group_id}','{UNKNOWN}']")["count"] == 2
    assert go.call("tfh.drills", query=f"server_group_id={group_id}")["count"] == 0


def test_tags_when_set_read_and_removed_then_the_provider_converges(go: Go) -> None:
    instance_id, value = go.instance(go.group()), secrets.token_hex(3)
    tag = {"key": "tf", "value": value}
    go.call("tags.Create", {"action": "create", "tags": [tag]}, instance_id=instance_id)
    assert go.call("tags.Get", instance_id=instance_id)["tags"] == [tag]
    assert value in {row["key"]: row["values"] for row in go.call("tags.List")["tags"]}["tf"]
    found: list[str] = []
    while True:  # the data source counts with integers, and has no limit
        body = {"action": "filter", "offset": len(found), "tags": [{"key": "tf", "values": [value]}]}
        page = go.call("tfh.instances_by_tags", body)
        if not page["resources"]:
            break
        found += [row["resource_id"] for row in page["resources"]]
    assert found == [instance_id]
    go.call("tags.Delete", {"action": "delete", "tags": [tag]}, instance_id=instance_id)
    assert go.call("tags.Get", instance_id=instance_id)["tags"] == []


def test_quotas_and_statistics_when_read_then_numbers_are_numbers(go: Go) -> None:
    for row in go.call("tfh.quotas")["quotas"]["resources"]:
        assert [type(row[name]) for name in ("used", "quota", "min", "max")] == [int] * 4
    statistics = go.call("tfh.rpo_statistics", query="limit=10&offset=0")
    assert isinstance(statistics["count"], int) and isinstance(statistics["resource_rpo_statistics"], list)


def test_failures_when_dismissed_in_each_way_then_none_is_left(go: Go) -> None:
    group_id = go.group()
    jobs = [go.ask_for_pair(group_id, go.tenant.too_large_volume())["job_id"] for _ in range(2)]
    for job_id in jobs:
        wait_for(lambda job=job_id: go.call("job.Get", job_id=job), lambda job: job["status"] == "FAIL")
    go.call("tfh.delete_failure", job_id=jobs[0])
    go.call("tfh.delete_failures_in_group", group_id=group_id)
    job_id = go.tenant.failing_job_id
    wait_for(lambda: go.call("job.Get", job_id=job_id), lambda job: job["status"] == "FAIL")
    go.call("tfh.delete_failures")
    assert go.tenant.ask("GET", "/task-center/failure-jobs").json()["count"] == 0


def test_call_when_its_body_was_changed_after_signing_then_it_is_401(service: Lab) -> None:
    tenant = service.tenants["go"]
    stranger = Go(service.tenants["otc"], is_signing=True)
    assert refusal(lambda: Go(tenant, is_signing=True).call("job.Get", job_id="0" * 32)).status == 404
    stranger.tenant.access_key, kept = tenant.access_key, stranger.tenant.access_key
    try:
        error = refusal(lambda: stranger.call("domains.Get"))
    finally:
        stranger.tenant.access_key = kept
    assert (error.status, error.code) == (401, "APIGW.0301")
