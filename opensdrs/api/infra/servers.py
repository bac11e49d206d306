"""Endpoints of servers."""

from opensdrs.api.infra import answers
from opensdrs.api.infra.answers import AttachmentAnswer, ConsoleAnswer, ServerAnswer
from opensdrs.api.infra.bodies import AttachBody, ChangeBody, DiskBody, NoBody, ServerBody, StopBody
from opensdrs.api.infra.call import Call, Route
from opensdrs.cloud.plans import NewNic, NewServer
from opensdrs.cloud.volumes import NewVolume
from opensdrs.domain.ids import ServerId, SiteName, VolumeId
from opensdrs.domain.infrastructure import Server

_CONSOLE_BYTES = 16 * 1024


def _id(call: Call[object]) -> ServerId:
    return ServerId(call.id)


async def _render(call: Call[object], server: Server) -> ServerAnswer:
    return answers.server((await call.cloud.view([server]))[0])


async def _list(call: Call[None]) -> dict[str, list[ServerAnswer]]:
    found = await call.cloud.select(
        Server,
        call.caller.scope,
        name=call.query.get("name"),
        site=call.query.get("availability_zone"),
        managed_by=call.query.get("managed_by"),
        status=call.query.get("status"),
    )
    followed = await call.cloud.servers.follow(found)
    return {"servers": [answers.server(view) for view in await call.cloud.view(followed)]}


async def _show(call: Call[None]) -> ServerAnswer:
    server = await call.cloud.get(Server, call.id, call.caller.scope)
    followed = await call.cloud.servers.follow([server])
    return await _render(call, followed[0] if followed else server)


async def _create(call: Call[ServerBody]) -> ServerAnswer:
    body = call.body
    new = NewServer(
        name=body.name,
        site=SiteName(body.availability_zone),
        flavor_id=body.flavor_id,
        vpc_id=body.vpc_id,
        nics=tuple(NewNic(subnet_id=nic.subnet_id, ip=nic.ip) for nic in body.nics),
        disks=tuple(_disk(body.name, number, disk) for number, disk in enumerate(body.volumes)),
        dedicated_host_id=body.dedicated_host_id,
        attributes=body.attributes,
    )
    return await _render(call, await call.cloud.servers.create(call.caller.project_id, new, is_started=body.start))


def _disk(server_name: str, number: int, body: DiskBody) -> VolumeId | NewVolume:
    if body.volume_id is not None:
        return body.volume_id
    return NewVolume(
        name=body.name or f"{server_name}-{'system' if number == 0 else f'data-{number}'}"[:64],
        size_gib=body.size_gib,
        type=body.type,
        shared=body.shared,
        bootable=body.bootable,
        encrypted=body.encrypted,
        image=body.image,
        storage_pool_id=body.storage_pool_id,
    )


async def _change(call: Call[ChangeBody]) -> ServerAnswer:
    body = call.body
    changed = await call.cloud.servers.change(call.caller.scope, _id(call), name=body.name, attributes=body.attributes)
    return await _render(call, changed)


async def _delete(call: Call[None]) -> None:
    await call.cloud.servers.delete(
        call.caller.scope, _id(call), force=call.flag("force"), delete_volumes=call.flag("delete_volumes")
    )


async def _start(call: Call[NoBody]) -> ServerAnswer:
    return await _render(call, await call.cloud.servers.start(call.caller.scope, _id(call)))


async def _stop(call: Call[StopBody]) -> ServerAnswer:
    return await _render(call, await call.cloud.servers.stop(call.caller.scope, _id(call), force=call.body.force))


async def _console(call: Call[None]) -> ConsoleAnswer:
    tail_bytes = call.number("tail", _CONSOLE_BYTES)
    return ConsoleAnswer(output=await call.cloud.servers.console(call.caller.scope, _id(call), tail_bytes))


async def _attach(call: Call[AttachBody]) -> AttachmentAnswer:
    made = await call.cloud.attachments.attach(call.caller.scope, _id(call), call.body.volume_id, call.body.device)
    return AttachmentAnswer(server_id=made.server_id, volume_id=made.volume_id, device=made.device)


async def _detach(call: Call[None]) -> None:
    await call.cloud.attachments.detach(call.caller.scope, _id(call), VolumeId(call.path["volume_id"]))


_ONE = "/servers/{id:str}"
ROUTES: tuple[Route, ...] = (
    Route(method="GET", path="/servers", operation="infra:list", endpoint=_list, summary="List servers.",
          answer=ServerAnswer, query=("name", "availability_zone", "managed_by", "status")),
    Route(method="POST", path="/servers", operation="infra:create", endpoint=_create, body=ServerBody, success=201,
          summary="Create a server, with its disks and NICs; answers when it runs.", answer=ServerAnswer),
    Route(method="GET", path=_ONE, operation="infra:show", endpoint=_show, summary="Show a server.",
          answer=ServerAnswer),
    Route(method="PATCH", path=_ONE, operation="infra:update", endpoint=_change, body=ChangeBody,
          summary="Rename a server or set its attributes.", answer=ServerAnswer),
    Route(method="DELETE", path=_ONE, operation="infra:delete", endpoint=_delete, success=204,
          summary="Kill and delete a server; `force` also when SDRS relies on it.", answer=None,
          query=("force", "delete_volumes")),
    Route(method="POST", path=f"{_ONE}/start", operation="infra:power", endpoint=_start, body=NoBody,
          summary="Start a server.", answer=ServerAnswer),
    Route(method="POST", path=f"{_ONE}/stop", operation="infra:power", endpoint=_stop, body=StopBody,
          summary="Stop a server.", answer=ServerAnswer),
    Route(method="GET", path=f"{_ONE}/console", operation="infra:console", endpoint=_console, query=("tail",),
          summary="Show the last `tail` bytes of the serial console.", answer=ConsoleAnswer),
    Route(method="POST", path=f"{_ONE}/volumes", operation="infra:attach", endpoint=_attach, body=AttachBody,
          summary="Attach a volume that is in no replication pair.", answer=AttachmentAnswer),
    Route(method="DELETE", path=f"{_ONE}/volumes/{{volume_id:str}}", operation="infra:detach", endpoint=_detach,
          success=204, summary="Detach a volume.", answer=None),
)  # fmt: skip
