"""What a new lab starts with: networks, servers and disks, made through the public API."""

from dataclasses import dataclass

from opensdrs.lab.api import Api, Json
from opensdrs.lab.layout import IMAGE, SITES

LEDGER_PORT, CHECK_PORT = 7000, 7001


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The lab's main VPC and its first subnet."""

    vpc_id: str
    subnet_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerServer:
    """A server that runs a ledger, and where it is reached."""

    server_id: str
    data_volume_id: str
    address: str
    port: int
    check_address: str
    check_port: int


async def ensure_network(api: Api) -> Network:
    """The VPC 10.20.0.0/16 with two subnets, and a second VPC."""
    vpcs = {vpc["name"]: vpc for vpc in (await api.infra("GET", "/vpcs"))["vpcs"]}
    main = vpcs.get("main") or await api.infra("POST", "/vpcs", {"name": "main", "cidr": "10.20.0.0/16"})
    if "second" not in vpcs:
        await api.infra("POST", "/vpcs", {"name": "second", "cidr": "10.30.0.0/16"})
    found = (await api.infra("GET", f"/subnets?vpc_id={main['id']}"))["subnets"]
    subnets = {subnet["name"]: subnet for subnet in found}
    for name, cidr in (("front", "10.20.1.0/24"), ("back", "10.20.2.0/24")):
        if name not in subnets:
            body = {"vpc_id": main["id"], "name": name, "cidr": cidr}
            subnets[name] = await api.infra("POST", "/subnets", body)
    return Network(vpc_id=main["id"], subnet_id=subnets["front"]["id"])


async def create_ledger_server(api: Api, network: Network, name: str = "ledger-1") -> LedgerServer:
    """A running server with a system disk and a data disk, and elastic IPs to its ledger and to its check."""
    server = await api.infra(
        "POST",
        "/servers",
        {
            "name": name,
            "availability_zone": SITES[0],
            "flavor_id": "s3.nano.1",
            "vpc_id": network.vpc_id,
            "nics": [{"subnet_id": network.subnet_id}],
            "volumes": [{"size_gib": 1, "image": IMAGE, "bootable": True}, {"size_gib": 1}],
        },
    )
    port_id = server["nics"][0]["port_id"]
    eips = {}
    for guest_port in (LEDGER_PORT, CHECK_PORT):
        eip = await api.infra("POST", "/eips", {"guest_port": guest_port})
        eips[guest_port] = await api.infra("POST", f"/eips/{eip['id']}/associate", {"port_id": port_id})
    data = next(volume for volume in server["volumes"] if volume["device"] == "/dev/vdb")
    return LedgerServer(
        server_id=server["id"],
        data_volume_id=data["volume_id"],
        address=eips[LEDGER_PORT]["address"],
        port=eips[LEDGER_PORT]["port"],
        check_address=eips[CHECK_PORT]["address"],
        check_port=eips[CHECK_PORT]["port"],
    )


async def find_by_name(api: Api, kind: str, name: str) -> Json | None:
    """Return the user's own resource of that name, if there is one."""
    found = (await api.infra("GET", f"/{kind}?name={name}"))[kind]
    return next((row for row in found if not row.get("managed_by")), None)
