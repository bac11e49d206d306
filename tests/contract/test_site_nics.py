"""The Site contract: network interfaces that come and go while a server runs."""
# ruff: noqa: F811

from dataclasses import replace

from opensdrs.domain.ids import PortId, ServerId, VolumeId
from opensdrs.sites.model import Forward, NicSpec, Power, ServerReport, ServerState
from tests.contract.cable import free_port
from tests.contract.server_bench import is_listening
from tests.contract.site_world import World, server_spec, world  # noqa: F401
from tests.contract.tiny_guest import boot_sector
from tests.waiting import eventually

NICS = tuple(
    NicSpec(port_id=PortId(f"port-{place}"), mac=f"fa:16:3e:00:00:0{place}", ip=f"10.9.{place}.20", position=place,
            cidr=f"10.9.{place}.0/24", gateway=f"10.9.{place}.1")
    for place in range(4)
)  # fmt: skip


class Running:
    """A running server and its NICs."""

    def __init__(self, world: World, server_id: ServerId, volume_id: VolumeId) -> None:
        self.world, self.server_id, self.volume_id = world, server_id, volume_id

    async def have(self, *nics: NicSpec) -> ServerReport:
        spec = server_spec(self.server_id, self.volume_id)
        return await self.world.site("az1").ensure_server(replace(spec, nics=nics))

    async def power(self, power: Power) -> ServerReport:
        return await self.world.site("az1").ensure_power(self.server_id, power)


async def boot(world: World, *nics: NicSpec) -> Running:
    volume_id = await world.make_volume()
    await world.write(volume_id, 0, boot_sector())  # a guest that lets go of what it is asked to
    running = Running(world, await world.make_server(volume_id), volume_id)
    await running.have(*nics)
    await running.power(Power.ON)
    if world.harness.has_servers:
        await eventually(lambda: world.site("az1").get_console(running.server_id, 4096), lambda text: "up" in text)
    return running


def ids(*places: int) -> tuple[PortId, ...]:
    return tuple(NICS[place].port_id for place in places)


async def test_nics_when_added_and_removed_while_it_runs_then_the_server_has_them(world: World) -> None:
    running = await boot(world, NICS[0])
    assert (await running.have(NICS[0], NICS[1], NICS[3])).nics == ids(0, 1, 3)
    assert (await running.have(NICS[0], NICS[1], NICS[3])).nics == ids(0, 1, 3)
    assert (await running.have(NICS[0], NICS[3])).nics == ids(0, 3)
    report = await running.have(NICS[0], NICS[2], NICS[3])
    assert (report.nics, report.state) == (ids(0, 2, 3), ServerState.RUNNING)
    await world.harness.restart_agent("az1")
    assert (await world.server_in("az1", running.server_id)).nics == ids(0, 2, 3)


async def test_nics_when_another_takes_the_place_then_it_is_exchanged(world: World) -> None:
    running = await boot(world, NICS[0], NICS[1])
    other = replace(NICS[2], position=1)
    assert (await running.have(NICS[0], other)).nics == ids(0, 2)


async def test_nics_when_recorded_for_a_stopped_server_then_it_starts_with_them(world: World) -> None:
    running = await boot(world, NICS[0], NICS[1])
    await running.power(Power.KILLED)
    assert (await running.have(NICS[0], NICS[2])).nics == ()
    assert (await running.power(Power.ON)).nics == ids(0, 2)


async def test_nic_when_added_with_a_forward_then_it_listens_until_the_nic_goes(world: World) -> None:
    port = free_port()
    running = await boot(world, NICS[0])
    forward = Forward(address="127.0.0.1", port=port, guest_port=22)
    await running.have(NICS[0], replace(NICS[1], forwards=(forward,)))
    if world.harness.has_servers:
        assert await is_listening(port)
    await running.have(NICS[0], NICS[1])
    assert not await is_listening(port)
    await running.have(NICS[0], replace(NICS[1], forwards=(forward,)))
    await running.have(NICS[0])
    assert not await is_listening(port)
