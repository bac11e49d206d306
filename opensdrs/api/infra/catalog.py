"""Endpoints of what the cloud offers: flavors, dedicated hosts, storage pools, quotas, sites."""

from opensdrs.api.infra import answers
from opensdrs.api.infra.answers import DedicatedHostAnswer, StoragePoolAnswer, ZoneAnswer
from opensdrs.api.infra.bodies import DedicatedHostBody, FlavorBody, QuotaBody, StoragePoolBody
from opensdrs.api.infra.call import Call, Route
from opensdrs.cloud.catalog import Zone
from opensdrs.domain.infrastructure import DedicatedHost, Flavor, StoragePool
from opensdrs.domain.model import Quota


async def _list_flavors(call: Call[None]) -> dict[str, list[Flavor]]:
    found = await call.cloud.select(Flavor, call.caller.scope, name=call.query.get("name"))
    return {"flavors": sorted(found, key=lambda row: (row.vcpus, row.memory_mib, row.id))}


async def _show_flavor(call: Call[None]) -> Flavor:
    return await call.cloud.get(Flavor, call.id, call.caller.scope)


async def _create_flavor(call: Call[FlavorBody]) -> Flavor:
    body = call.body
    return await call.cloud.catalog.create_flavor(
        Flavor(id=body.id, name=body.name, vcpus=body.vcpus, memory_mib=body.memory_mib)
    )


async def _delete_flavor(call: Call[None]) -> None:
    await call.cloud.catalog.delete_flavor(call.id)


async def _list_hosts(call: Call[None]) -> dict[str, list[DedicatedHostAnswer]]:
    found = await call.cloud.select(DedicatedHost, call.caller.scope, site=call.query.get("availability_zone"))
    return {"dedicated_hosts": [answers.dedicated_host(row) for row in found]}


async def _show_host(call: Call[None]) -> DedicatedHostAnswer:
    return answers.dedicated_host(await call.cloud.get(DedicatedHost, call.id, call.caller.scope))


async def _create_host(call: Call[DedicatedHostBody]) -> DedicatedHostAnswer:
    return answers.dedicated_host(
        await call.cloud.catalog.create_dedicated_host(
            call.caller.project_id, call.body.name, call.body.availability_zone
        )
    )


async def _delete_host(call: Call[None]) -> None:
    await call.cloud.catalog.delete_dedicated_host(call.caller.scope, call.id)


async def _list_pools(call: Call[None]) -> dict[str, list[StoragePoolAnswer]]:
    found = await call.cloud.select(StoragePool, call.caller.scope, site=call.query.get("availability_zone"))
    return {"storage_pools": [answers.storage_pool(row) for row in found]}


async def _show_pool(call: Call[None]) -> StoragePoolAnswer:
    return answers.storage_pool(await call.cloud.get(StoragePool, call.id, call.caller.scope))


async def _create_pool(call: Call[StoragePoolBody]) -> StoragePoolAnswer:
    body = call.body
    return answers.storage_pool(
        await call.cloud.catalog.create_storage_pool(
            call.caller.project_id, body.name, body.availability_zone, body.type, body.capacity_gib
        )
    )


async def _delete_pool(call: Call[None]) -> None:
    await call.cloud.catalog.delete_storage_pool(call.caller.scope, call.id)


async def _set_quota(call: Call[QuotaBody]) -> Quota:
    body = call.body
    return await call.cloud.quotas.set(body.project_id or call.caller.project_id, body.type, body.quota)


async def _list_sites(call: Call[None]) -> dict[str, list[Zone]]:
    return {"sites": await call.cloud.catalog.zones()}


async def _list_zones(call: Call[None]) -> dict[str, list[ZoneAnswer]]:
    zones = await call.cloud.catalog.zones()
    return {"availability_zones": [ZoneAnswer(name=zone.name, is_available=zone.is_reachable) for zone in zones]}


ROUTES: tuple[Route, ...] = (
    Route(method="GET", path="/flavors", operation="infra:list", endpoint=_list_flavors, summary="List flavors.",
          answer=Flavor, query=("name",)),
    Route(method="POST", path="/flavors", operation="infra:administer", endpoint=_create_flavor, body=FlavorBody,
          success=201, summary="Add a flavor for everybody.", answer=Flavor),
    Route(method="GET", path="/flavors/{id:str}", operation="infra:show", endpoint=_show_flavor,
          summary="Show a flavor.", answer=Flavor),
    Route(method="DELETE", path="/flavors/{id:str}", operation="infra:administer", endpoint=_delete_flavor,
          success=204, summary="Remove a flavor that no server has.", answer=None),
    Route(method="GET", path="/dedicated-hosts", operation="infra:list", endpoint=_list_hosts,
          summary="List dedicated hosts.", answer=DedicatedHostAnswer, query=("availability_zone",)),
    Route(method="POST", path="/dedicated-hosts", operation="infra:create", endpoint=_create_host,
          body=DedicatedHostBody, success=201, summary="Reserve a host.", answer=DedicatedHostAnswer),
    Route(method="GET", path="/dedicated-hosts/{id:str}", operation="infra:show", endpoint=_show_host,
          summary="Show a dedicated host.", answer=DedicatedHostAnswer),
    Route(method="DELETE", path="/dedicated-hosts/{id:str}", operation="infra:delete", endpoint=_delete_host,
          success=204, summary="Give a host back.", answer=None),
    Route(method="GET", path="/storage-pools", operation="infra:list", endpoint=_list_pools,
          summary="List storage pools.", answer=StoragePoolAnswer, query=("availability_zone",)),
    Route(method="POST", path="/storage-pools", operation="infra:create", endpoint=_create_pool,
          body=StoragePoolBody, success=201, summary="Reserve a storage pool.", answer=StoragePoolAnswer),
    Route(method="GET", path="/storage-pools/{id:str}", operation="infra:show", endpoint=_show_pool,
          summary="Show a storage pool.", answer=StoragePoolAnswer),
    Route(method="DELETE", path="/storage-pools/{id:str}", operation="infra:delete", endpoint=_delete_pool,
          success=204, summary="Give a storage pool back.", answer=None),
    Route(method="PUT", path="/quotas", operation="infra:administer", endpoint=_set_quota, body=QuotaBody,
          summary="Set a project's quota.", answer=Quota),
    Route(method="GET", path="/sites", operation="infra:list", endpoint=_list_sites,
          summary="Describe the sites: accelerator, images, free space.", answer=Zone),
    Route(method="GET", path="/availability-zones", operation="infra:list", endpoint=_list_zones,
          summary="List availability zones.", answer=ZoneAnswer),
)  # fmt: skip
