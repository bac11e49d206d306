"""Addresses, ports and elastic IPs: which are given, which never, and how ports change hands."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from opensdrs.cloud.addresses import check_address, host_addresses, parse_cidr
from opensdrs.cloud.eips import EipPool, add_eip
from opensdrs.cloud.networks import Networks, add_port, add_subnet, add_vpc, exchange_ports, remove_vpc
from opensdrs.domain.errors import Refused
from opensdrs.domain.ids import ProjectId, ServerId, SiteName, SubnetId, VpcId
from opensdrs.domain.infrastructure import Eip, Flavor, Port, Server, ServerStatus, Subnet, Vpc
from opensdrs.store import rows
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import SYSTEM, Scope
from opensdrs.store.tables import METADATA, ports

PROJECT = ProjectId("p" * 32)


def _subnet(cidr: str = "192.168.0.0/24", gateway: str = "192.168.0.1") -> Subnet:
    return Subnet(
        id=SubnetId("s"), project_id=PROJECT, vpc_id=VpcId("v"), name="s", cidr=cidr, gateway_ip=gateway, created_at=0.0
    )


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/cloud.db")
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    yield database
    await database.close()


async def _network(connection: Connection, cidr: str = "192.168.0.0/24") -> tuple[Vpc, Subnet]:
    vpc = await add_vpc(connection, project_id=PROJECT, name="vpc", cidr="192.168.0.0/16")
    return vpc, await add_subnet(connection, vpc=vpc, name="subnet", cidr=cidr)


async def _server(connection: Connection, vpc: Vpc, name: str) -> ServerId:
    if await rows.find(connection, Flavor, "f", SYSTEM) is None:
        await rows.insert(connection, Flavor(id="f", name="f", vcpus=1, memory_mib=128))
    server = Server(
        id=ServerId(name),
        project_id=PROJECT,
        name=name,
        site=SiteName("az1"),
        status=ServerStatus.SHUTOFF,
        flavor_id="f",
        vpc_id=vpc.id,
        isolated=False,
        dedicated_host_id=None,
        managed_by=None,
        created_at=time.time(),
        updated_at=time.time(),
    )
    await rows.insert(connection, server)
    return server.id


def test_host_addresses_when_listed_then_the_reserved_ones_are_left_out() -> None:
    found = list(host_addresses(_subnet("192.168.0.0/28")))
    assert found[0] == "192.168.0.4"
    assert found[-1] == "192.168.0.14"
    assert len(found) == 11


def test_host_addresses_when_the_gateway_is_elsewhere_then_it_is_left_out_too() -> None:
    assert "192.168.0.9" not in list(host_addresses(_subnet("192.168.0.0/28", "192.168.0.9")))


@pytest.mark.parametrize(
    "address", ["192.168.0.0", "192.168.0.1", "192.168.0.2", "192.168.0.3", "192.168.0.255", "10.0.0.5", "x", ""]
)
def test_check_address_when_it_cannot_be_had_then_refused(address: str) -> None:
    with pytest.raises(Refused) as refusal:
        check_address(_subnet(), address)
    assert refusal.value.kind.code == "SDRS.0219"


@pytest.mark.parametrize("cidr", ["8.8.8.0/24", "10.0.0.0/7", "10.0.0.0/29", "10.0.0.1/24", "net", "::/64", ""])
def test_parse_cidr_when_not_a_private_network_then_refused(cidr: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_cidr(cidr)
    assert refusal.value.kind.code == "OPENSDRS.0400"


async def test_add_port_when_no_address_is_asked_for_then_the_next_free_one(database: Database) -> None:
    async with database.write() as connection:
        vpc, subnet = await _network(connection)
        server = await _server(connection, vpc, "a")
        first = await add_port(connection, subnet=subnet, server_id=server, position=0)
        await add_port(connection, subnet=subnet, server_id=server, position=1, ip="192.168.0.5")
        third = await add_port(connection, subnet=subnet, server_id=server, position=2)
    assert (first.ip, third.ip) == ("192.168.0.4", "192.168.0.6")
    assert first.mac.startswith("fa:16:3e:") and first.mac != third.mac


async def test_add_port_when_the_address_is_taken_then_refused(database: Database) -> None:
    async with database.write() as connection:
        vpc, subnet = await _network(connection)
        server = await _server(connection, vpc, "a")
        await add_port(connection, subnet=subnet, server_id=server, position=0, ip="192.168.0.9")
        with pytest.raises(Refused, match="taken"):
            await add_port(connection, subnet=subnet, server_id=server, position=1, ip="192.168.0.9")


async def test_add_port_when_the_subnet_is_full_then_refused(database: Database) -> None:
    async with database.write() as connection:
        vpc, subnet = await _network(connection, "192.168.0.0/28")
        server = await _server(connection, vpc, "a")
        for position in range(11):
            await add_port(connection, subnet=subnet, server_id=server, position=position)
        with pytest.raises(Refused, match="no free address"):
            await add_port(connection, subnet=subnet, server_id=server, position=11)


async def test_exchange_ports_when_servers_have_different_numbers_then_all_change_hands(database: Database) -> None:
    async with database.write() as connection:
        vpc, subnet = await _network(connection)
        a, b = await _server(connection, vpc, "a"), await _server(connection, vpc, "b")
        c = await _server(connection, vpc, "c")
        of_a = [await add_port(connection, subnet=subnet, server_id=a, position=position) for position in range(2)]
        of_b = [await add_port(connection, subnet=subnet, server_id=b, position=0)]
        of_c = [await add_port(connection, subnet=subnet, server_id=c, position=0)]
        await exchange_ports(connection, a, b)

        async def held(server: ServerId) -> list[tuple[str, int]]:
            found = await rows.select(connection, Port, SYSTEM, ports.c.server_id == server)
            return [(port.id, port.position) for port in sorted(found, key=lambda port: port.position)]

        assert await held(b) == [(of_a[0].id, 0), (of_a[1].id, 1)]
        assert await held(a) == [(of_b[0].id, 0)]
        assert await held(c) == [(of_c[0].id, 0)]


async def test_add_subnet_when_ranges_overlap_or_leave_the_vpc_then_refused(database: Database) -> None:
    async with database.write() as connection:
        vpc, _ = await _network(connection)
        for cidr in ("192.168.0.128/25", "10.1.0.0/24"):
            with pytest.raises(Refused):
                await add_subnet(connection, vpc=vpc, name="other", cidr=cidr)


async def test_remove_vpc_when_a_server_has_a_port_in_it_then_refused(database: Database) -> None:
    async with database.write() as connection:
        vpc, subnet = await _network(connection)
        server = await _server(connection, vpc, "a")
        await add_port(connection, subnet=subnet, server_id=server, position=0)
        with pytest.raises(Refused, match="network interfaces"):
            await remove_vpc(connection, vpc.id)


async def test_networks_when_another_project_asks_then_not_found(database: Database) -> None:
    networks = Networks(database)
    vpc = await networks.create_vpc(PROJECT, "mine", "10.0.0.0/16")
    with pytest.raises(Refused) as refusal:
        await networks.delete_vpc(Scope(ProjectId("another")), vpc.id)
    assert refusal.value.kind.code == "OPENSDRS.0404"
    await networks.delete_vpc(Scope(PROJECT), vpc.id)


async def test_add_eip_when_the_pool_is_a_single_address_then_ports_count_up(database: Database) -> None:
    pool = EipPool(network="127.0.0.1", first_port=20000, last_port=20001)
    async with database.write() as connection:
        given = [await add_eip(connection, pool, PROJECT, 22) for _ in range(2)]
        assert [(eip.address, eip.port) for eip in given] == [("127.0.0.1", 20000), ("127.0.0.1", 20001)]
        with pytest.raises(Refused, match="allocated"):
            await add_eip(connection, pool, PROJECT, 22)
        await rows.delete(connection, Eip, [given[0].id])
        assert (await add_eip(connection, pool, PROJECT, 80)).port == 20000


async def test_add_eip_when_the_pool_is_a_network_then_each_has_an_address_of_its_own(database: Database) -> None:
    pool = EipPool(network="127.20.0.0/29", first_port=8080, last_port=8080)
    async with database.write() as connection:
        given = [await add_eip(connection, pool, PROJECT, 80) for _ in range(6)]
        assert len({eip.address for eip in given}) == 6
        assert {eip.port for eip in given} == {8080}


@pytest.mark.parametrize("port", [0, 65536, -1])
async def test_add_eip_when_a_port_is_not_one_then_refused(database: Database, port: int) -> None:
    async with database.write() as connection:
        with pytest.raises(Refused):
            await add_eip(connection, EipPool(), PROJECT, port)
