"""Endpoints of volumes."""

from dataclasses import asdict

from opensdrs.api.infra import answers
from opensdrs.api.infra.answers import AttachmentAnswer, UriAnswer, VolumeAnswer
from opensdrs.api.infra.bodies import ChangeBody, VolumeBody
from opensdrs.api.infra.call import Call, Route
from opensdrs.cloud.volumes import NewVolume
from opensdrs.domain.ids import VolumeId
from opensdrs.domain.infrastructure import Volume


async def _render(call: Call[object], found: list[Volume]) -> list[VolumeAnswer]:
    attached = await call.cloud.attachments_of(found)
    return [
        answers.volume(
            row,
            [
                AttachmentAnswer(server_id=one.server_id, volume_id=one.volume_id, device=one.device)
                for one in attached
                if one.volume_id == row.id
            ],
        )
        for row in found
    ]


async def _list(call: Call[None]) -> dict[str, list[VolumeAnswer]]:
    found = await call.cloud.select(
        Volume,
        call.caller.scope,
        name=call.query.get("name"),
        site=call.query.get("availability_zone"),
        managed_by=call.query.get("managed_by"),
        status=call.query.get("status"),
    )
    return {"volumes": await _render(call, found)}


async def _show(call: Call[None]) -> VolumeAnswer:
    return (await _render(call, [await call.cloud.get(Volume, call.id, call.caller.scope)]))[0]


async def _create(call: Call[VolumeBody]) -> VolumeAnswer:
    body = call.body
    new = NewVolume(
        name=body.name,
        size_gib=body.size_gib,
        type=body.type,
        shared=body.shared,
        bootable=body.bootable,
        encrypted=body.encrypted,
        image=body.image,
        storage_pool_id=body.storage_pool_id,
    )
    made = await call.cloud.volumes.create(call.caller.project_id, body.availability_zone, new)
    return (await _render(call, [made]))[0]


async def _change(call: Call[ChangeBody]) -> VolumeAnswer:
    body = call.body
    changed = await call.cloud.volumes.change(
        call.caller.scope, VolumeId(call.id), name=body.name, attributes=body.attributes
    )
    return (await _render(call, [changed]))[0]


async def _delete(call: Call[None]) -> None:
    await call.cloud.volumes.delete(call.caller.scope, VolumeId(call.id))


async def _uri(call: Call[None]) -> UriAnswer:
    return UriAnswer(**asdict(await call.cloud.volumes.open(call.caller.scope, VolumeId(call.id))))


_ONE = "/volumes/{id:str}"
ROUTES: tuple[Route, ...] = (
    Route(method="GET", path="/volumes", operation="infra:list", endpoint=_list, summary="List volumes.",
          answer=VolumeAnswer, query=("name", "availability_zone", "managed_by", "status")),
    Route(method="POST", path="/volumes", operation="infra:create", endpoint=_create, body=VolumeBody, success=201,
          summary="Create a volume of 1 to 32768 GiB; answers when it exists.", answer=VolumeAnswer),
    Route(method="GET", path=_ONE, operation="infra:show", endpoint=_show, summary="Show a volume.",
          answer=VolumeAnswer),
    Route(method="PATCH", path=_ONE, operation="infra:update", endpoint=_change, body=ChangeBody,
          summary="Rename a volume or set its attributes.", answer=VolumeAnswer),
    Route(method="DELETE", path=_ONE, operation="infra:delete", endpoint=_delete, success=204,
          summary="Delete a volume and its data.", answer=None),
    Route(method="GET", path=f"{_ONE}/uri", operation="infra:open", endpoint=_uri, answer=UriAnswer,
          summary="Give the NBD URI that opens the volume for tools."),
)  # fmt: skip
