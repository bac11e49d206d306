"""Endpoints of VPCs, subnets, ports and elastic IPs."""

from opensdrs.api.infra import answers
from opensdrs.api.infra.answers import EipAnswer, PortAnswer, SubnetAnswer, VpcAnswer
from opensdrs.api.infra.bodies import AssociateBody, EipBody, NoBody, SubnetBody, VpcBody
from opensdrs.api.infra.call import Call, Route
from opensdrs.domain.errors import refused
from opensdrs.domain.ids import EipId, PortId, SubnetId, VpcId
from opensdrs.domain.infrastructure import Eip, Port, Server, Subnet, Vpc


async def _list_vpcs(call: Call[None]) -> dict[str, list[VpcAnswer]]:
    found = await call.cloud.select(Vpc, call.caller.scope, name=call.query.get("name"))
    return {"vpcs": [answers.vpc(row) for row in found]}


async def _show_vpc(call: Call[None]) -> VpcAnswer:
    return answers.vpc(await call.cloud.get(Vpc, call.id, call.caller.scope))


async def _create_vpc(call: Call[VpcBody]) -> VpcAnswer:
    return answers.vpc(await call.cloud.networks.create_vpc(call.caller.project_id, call.body.name, call.body.cidr))


async def _delete_vpc(call: Call[None]) -> None:
    await call.cloud.networks.delete_vpc(call.caller.scope, VpcId(call.id))


async def _list_subnets(call: Call[None]) -> dict[str, list[SubnetAnswer]]:
    found = await call.cloud.select(
        Subnet, call.caller.scope, vpc_id=call.query.get("vpc_id"), name=call.query.get("name")
    )
    return {"subnets": [answers.subnet(row) for row in found]}


async def _show_subnet(call: Call[None]) -> SubnetAnswer:
    return answers.subnet(await call.cloud.get(Subnet, call.id, call.caller.scope))


async def _create_subnet(call: Call[SubnetBody]) -> SubnetAnswer:
    body = call.body
    return answers.subnet(
        await call.cloud.networks.create_subnet(call.caller.scope, body.vpc_id, body.name, body.cidr, body.gateway_ip)
    )


async def _delete_subnet(call: Call[None]) -> None:
    await call.cloud.networks.delete_subnet(call.caller.scope, SubnetId(call.id))


async def _list_ports(call: Call[None]) -> dict[str, list[PortAnswer]]:
    found = await call.cloud.select(
        Port, call.caller.scope, server_id=call.query.get("server_id"), subnet_id=call.query.get("subnet_id")
    )
    return {"ports": [answers.port(row) for row in found]}


async def _show_port(call: Call[None]) -> PortAnswer:
    return answers.port(await call.cloud.get(Port, call.id, call.caller.scope))


async def _eip(call: Call[object], row: Eip) -> EipAnswer:
    if row.port_id is None:
        return answers.eip(row)
    return answers.eip(row, (await call.cloud.get(Port, row.port_id, call.caller.scope)).server_id)


async def _list_eips(call: Call[None]) -> dict[str, list[EipAnswer]]:
    found = await call.cloud.select(Eip, call.caller.scope, port_id=call.query.get("port_id"))
    return {"eips": [await _eip(call, row) for row in found]}


async def _show_eip(call: Call[None]) -> EipAnswer:
    return await _eip(call, await call.cloud.get(Eip, call.id, call.caller.scope))


async def _allocate(call: Call[EipBody]) -> EipAnswer:
    return answers.eip(await call.cloud.eips.allocate(call.caller.project_id, call.body.guest_port, call.body.port))


async def _associate(call: Call[AssociateBody]) -> EipAnswer:
    port_id = call.body.port_id
    if (port_id is None) == (call.body.server_id is None):
        raise refused("OPENSDRS.0400", "give either port_id or server_id")
    if port_id is None:
        server = await call.cloud.get(Server, call.body.server_id or "", call.caller.scope)
        primary = await call.cloud.select(Port, call.caller.scope, server_id=server.id, position=0)
        if not primary:
            raise refused("OPENSDRS.0409", f"server {server.name} has no network interface")
        port_id = PortId(primary[0].id)
    return await _eip(call, await call.cloud.eips.associate(call.caller.scope, EipId(call.id), port_id))


async def _disassociate(call: Call[NoBody]) -> EipAnswer:
    return await _eip(call, await call.cloud.eips.disassociate(call.caller.scope, EipId(call.id)))


async def _release(call: Call[None]) -> None:
    await call.cloud.eips.release(call.caller.scope, EipId(call.id))


ROUTES: tuple[Route, ...] = (
    Route(method="GET", path="/vpcs", operation="infra:list", endpoint=_list_vpcs, summary="List VPCs.",
          answer=VpcAnswer, query=("name",)),
    Route(method="POST", path="/vpcs", operation="infra:create", endpoint=_create_vpc, body=VpcBody, success=201,
          summary="Create a VPC.", answer=VpcAnswer),
    Route(method="GET", path="/vpcs/{id:str}", operation="infra:show", endpoint=_show_vpc, summary="Show a VPC.",
          answer=VpcAnswer),
    Route(method="DELETE", path="/vpcs/{id:str}", operation="infra:delete", endpoint=_delete_vpc, success=204,
          summary="Delete a VPC with its empty subnets.", answer=None),
    Route(method="GET", path="/subnets", operation="infra:list", endpoint=_list_subnets, summary="List subnets.",
          answer=SubnetAnswer, query=("vpc_id", "name")),
    Route(method="POST", path="/subnets", operation="infra:create", endpoint=_create_subnet, body=SubnetBody,
          success=201, summary="Create a subnet inside a VPC.", answer=SubnetAnswer),
    Route(method="GET", path="/subnets/{id:str}", operation="infra:show", endpoint=_show_subnet,
          summary="Show a subnet.", answer=SubnetAnswer),
    Route(method="DELETE", path="/subnets/{id:str}", operation="infra:delete", endpoint=_delete_subnet, success=204,
          summary="Delete an empty subnet.", answer=None),
    Route(method="GET", path="/ports", operation="infra:list", endpoint=_list_ports, summary="List ports.",
          answer=PortAnswer, query=("server_id", "subnet_id")),
    Route(method="GET", path="/ports/{id:str}", operation="infra:show", endpoint=_show_port, summary="Show a port.",
          answer=PortAnswer),
    Route(method="GET", path="/eips", operation="infra:list", endpoint=_list_eips, summary="List elastic IPs.",
          answer=EipAnswer, query=("port_id",)),
    Route(method="POST", path="/eips", operation="infra:create", endpoint=_allocate, body=EipBody, success=201,
          summary="Allocate an elastic IP.", answer=EipAnswer),
    Route(method="GET", path="/eips/{id:str}", operation="infra:show", endpoint=_show_eip,
          summary="Show an elastic IP.", answer=EipAnswer),
    Route(method="DELETE", path="/eips/{id:str}", operation="infra:delete", endpoint=_release, success=204,
          summary="Release an elastic IP that leads nowhere.", answer=None),
    Route(method="POST", path="/eips/{id:str}/associate", operation="infra:associate", endpoint=_associate,
          body=AssociateBody, summary="Let an elastic IP lead to a port.", answer=EipAnswer),
    Route(method="POST", path="/eips/{id:str}/disassociate", operation="infra:disassociate", endpoint=_disassociate,
          body=NoBody, summary="Let an elastic IP lead nowhere.", answer=EipAnswer),
)  # fmt: skip
