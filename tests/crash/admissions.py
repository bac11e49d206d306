"""Every operation of a test world up to its admission: what comes before it is done, its job has not begun."""

from collections.abc import Awaitable, Callable, Mapping

from opensdrs.cloud.volumes import NewVolume
from opensdrs.domain.ids import InstanceId, JobId, PairId
from opensdrs.domain.statuses import Station
from opensdrs.services.requests import (
    Extension,
    InstanceDeletion,
    NewDrill,
    NewGroup,
    NewInstance,
    NewNic,
    NewPair,
    NicDeletion,
    PairAttach,
    PairDeletion,
    Resize,
)
from tests.crash.test_flows import failed_over, protected
from tests.crash.world import AZ1, AZ2, DOMAIN, PROJECT, World

Admission = Callable[[World], Awaitable[JobId]]


async def create_group(at: World) -> JobId:
    wanted = NewGroup(
        name="group-1", source_availability_zone=AZ1, target_availability_zone=AZ2, domain_id=DOMAIN,
        source_vpc_id=at.vpc_id,
    )  # fmt: skip
    return await at.services.groups.create(at.caller, wanted)


async def delete_group(at: World) -> JobId:
    await at.create_group()
    return await at.services.groups.delete(at.caller, at.group_id)


async def start(at: World) -> JobId:
    await at.create_group()
    await at.create_instance()
    return await at.services.group_operations.protect(at.caller, at.group_id)


async def stop(at: World) -> JobId:
    await protected(at)
    return await at.services.group_operations.stop(at.caller, at.group_id)


async def failover(at: World) -> JobId:
    await protected(at)
    return await at.services.group_operations.failover(at.caller, at.group_id)


async def reverse(at: World) -> JobId:
    await protected(at)
    await at.cloud.servers.stop(at.caller.scope, at.server.id)
    return await at.services.group_operations.reverse(at.caller, at.group_id, Station.TARGET)


async def reprotect(at: World) -> JobId:
    await failed_over(at)
    return await at.services.group_operations.protect(at.caller, at.group_id)


async def create_instance(at: World) -> JobId:
    await at.create_group()
    return await _create_instance(at)


async def create_instance_in_protected(at: World) -> JobId:
    await at.create_group()
    await at.create_pair()
    await at.start()
    return await _create_instance(at)


async def _create_instance(at: World) -> JobId:
    wanted = NewInstance(name="instance-1", server_group_id=at.group_id, server_id=at.server.id)
    return await at.services.instance_creation.create(at.caller, wanted)


async def delete_instance(at: World) -> JobId:
    await at.create_group()
    await at.create_instance()
    wanted = InstanceDeletion(delete_target_server=True, delete_target_eip=True)
    return await at.services.instance_deletion.delete(at.caller, InstanceId(at.instance_id), wanted)


async def create_pair(at: World) -> JobId:
    await protected(at)
    volume = await at.cloud.volumes.create(PROJECT, AZ1, NewVolume(name="extra", size_gib=1))
    wanted = NewPair(name="extra", server_group_id=at.group_id, volume_id=volume.id)
    return await at.services.pairs.create(at.caller, wanted)


async def _pair(at: World) -> PairId:
    await protected(at)
    return PairId((await at.create_pair()).resource_id)


async def delete_pair(at: World) -> JobId:
    return await at.services.pairs.delete(at.caller, await _pair(at), PairDeletion(delete_target_volume=True))


async def attach_pair(at: World) -> JobId:
    wanted = PairAttach(replication_id=await _pair(at), device="/dev/vdc")
    return await at.services.attachments.attach(at.caller, at.instance_id, wanted)


async def detach_pair(at: World) -> JobId:
    job = await at.finish(await attach_pair(at))
    return await at.services.attachments.detach(at.caller, at.instance_id, PairId(job.resource_id))


async def create_drill(at: World) -> JobId:
    await protected(at)
    wanted = NewDrill(name="drill-1", server_group_id=at.group_id)
    return await at.services.drill_creation.create(at.caller, wanted)


async def delete_drill(at: World) -> JobId:
    job = await at.finish(await create_drill(at))
    return await at.services.drills.delete(at.caller, job.resource_id)


async def add_nic(at: World) -> JobId:
    await protected(at)
    return await at.services.nics.add(at.caller, at.instance_id, NewNic(subnet_id=at.subnet_id))


async def delete_nic(at: World) -> JobId:
    added = await at.finish(await add_nic(at))
    return await at.services.nics.delete(at.caller, at.instance_id, NicDeletion(nic_id=added.entities["nic_id"]))


async def resize(at: World) -> JobId:
    await protected(at)
    await at.cloud.servers.stop(at.caller.scope, at.server.id)
    return await at.services.resizing.resize(at.caller, at.instance_id, Resize(flavor_id="s3.medium.2"))


async def extend(at: World) -> JobId:
    pair_id = await _pair(at)
    return await at.services.extension.extend(at.caller, pair_id, Extension(new_size=2))


ADMISSIONS: Mapping[str, Admission] = {
    act.__name__: act
    for act in (
        create_group, delete_group, start, stop, failover, reverse, reprotect, create_instance,
        create_instance_in_protected, delete_instance, create_pair, delete_pair, attach_pair, detach_pair,
        create_drill, delete_drill, add_nic, delete_nic, resize, extend,
    )
}  # fmt: skip
