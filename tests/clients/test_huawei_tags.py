"""The vendor's SDK: tags of protected instances. Source: 5.8."""

import secrets

import pytest
from huaweicloudsdksdrs import v1 as sdrs

from tests.clients.huawei import Huawei, matches, refusal


def _tags(huawei: Huawei, instance_id: str) -> dict[str, str]:
    answer = huawei.client.list_protected_instance_tags(sdrs.ListProtectedInstanceTagsRequest(instance_id))
    return {tag.key: tag.value for tag in matches(answer).tags}


def _query(action: str, **fields: object) -> sdrs.ListProtectedInstancesByTagsRequest:
    body = sdrs.ListProtectedInstancesByTagsRequestBody(action=action, **fields)
    return sdrs.ListProtectedInstancesByTagsRequest(body=body)


@pytest.mark.parametrize("key", ["tier", "部门", "a-b_c"])
def test_tag_when_added_and_deleted_then_the_instance_follows(huawei: Huawei, key: str) -> None:
    instance_id = huawei.instance(huawei.group())
    body = sdrs.ProtectedInstanceAddTagsRequestBody(tag=sdrs.ResourceTag(key=key, value="值"))
    request = sdrs.AddProtectedInstanceTagsRequest(instance_id, body)
    assert huawei.client.add_protected_instance_tags(request).status_code == 204
    assert _tags(huawei, instance_id) == {key: "值"}
    assert [(tag.key, tag.value) for tag in huawei.show_instance(instance_id).tags] == [(key, "值")]
    delete = sdrs.DeleteProtectedInstanceTagRequest(instance_id, key)
    assert huawei.client.delete_protected_instance_tag(delete).status_code == 204
    assert _tags(huawei, instance_id) == {}
    error = refusal(lambda: huawei.client.delete_protected_instance_tag(delete))
    assert (error.status_code, error.error_code) == (404, "SDRS.2206")


def test_tags_when_changed_in_a_batch_then_a_key_that_exists_gets_the_value(huawei: Huawei) -> None:
    instance_id = huawei.instance(huawei.group(), tags=[sdrs.ResourceTag(key="a", value="old")])
    tags = [sdrs.ResourceTag(key="a", value="new"), sdrs.ResourceTag(key="b", value="")]
    add = sdrs.BatchAddTagsRequestBody(tags=tags, action="create")
    assert huawei.client.batch_add_tags(sdrs.BatchAddTagsRequest(instance_id, add)).status_code == 204
    assert _tags(huawei, instance_id) == {"a": "new", "b": ""}
    gone = [sdrs.DeleteResourceTag(key="a", value="other"), sdrs.DeleteResourceTag(key="b")]
    delete = sdrs.BatchDeleteTagsRequestBody(tags=gone, action="delete")
    assert huawei.client.batch_delete_tags(sdrs.BatchDeleteTagsRequest(instance_id, delete)).status_code == 204
    assert _tags(huawei, instance_id) == {"a": "new"}  # another value deletes nothing (5.8.3)


def test_instances_when_queried_by_tags_then_the_matching_ones_are_found(huawei: Huawei) -> None:
    group_id, key = huawei.group(), f"key-{secrets.token_hex(3)}"
    one = huawei.instance(group_id, name="tagged-1", tags=[sdrs.ResourceTag(key=key, value="x")])
    two = huawei.instance(group_id, name="tagged-2", tags=[sdrs.ResourceTag(key=key, value="y")])
    any_value, only_x = sdrs.TagParams(key=key, values=[]), sdrs.TagParams(key=key, values=["x"])
    request = _query("filter", tags=[any_value], limit="10", offset="0")
    found = matches(huawei.client.list_protected_instances_by_tags(request))
    assert (found.total_count, {row.resource_id for row in found.resources}) == (2, {one, two})
    assert {row.resource_name for row in found.resources} == {"tagged-1", "tagged-2"}
    request = _query("filter", tags=[any_value], not_tags=[only_x], limit="10", offset="0")
    assert [row.resource_id for row in huawei.client.list_protected_instances_by_tags(request).resources] == [two]
    request = _query("filter", tags_any=[only_x], matches=[sdrs.MatchParams(key="resource_name", value="tagged")])
    assert [row.resource_id for row in huawei.client.list_protected_instances_by_tags(request).resources] == [one]
    count = huawei.client.list_protected_instances_by_tags(_query("count", tags=[any_value]))
    assert (count.total_count, count.resources) == (2, None)
    page = huawei.client.list_protected_instances_by_tags(_query("filter", tags=[any_value], limit="1", offset="2"))
    assert (page.total_count, page.resources) == (2, [])


def test_tags_of_the_project_when_listed_then_each_key_has_its_values(huawei: Huawei) -> None:
    group_id, key = huawei.group(), f"key-{secrets.token_hex(3)}"
    for value in ("x", "y", "x"):
        huawei.instance(group_id, tags=[sdrs.ResourceTag(key=key, value=value)])
    request = sdrs.ListProtectedInstancesProjectTagsRequest()
    answer = matches(huawei.client.list_protected_instances_project_tags(request))
    assert [sorted(tag.values) for tag in answer.tags if tag.key == key] == [["x", "y"]]


def test_tag_when_its_key_is_wrong_then_the_sdk_gets_the_code(huawei: Huawei) -> None:
    instance_id = huawei.instance(huawei.group())
    body = sdrs.ProtectedInstanceAddTagsRequestBody(tag=sdrs.ResourceTag(key="a=b", value=""))
    request = sdrs.AddProtectedInstanceTagsRequest(instance_id, body)
    error = refusal(lambda: huawei.client.add_protected_instance_tags(request))
    assert (error.status_code, error.error_code) == (400, "SDRS.2204")
