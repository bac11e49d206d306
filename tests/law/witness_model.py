"""A small world in which the witness rules are searched exhaustively: two sites, a link, and controllers that stall.

Everything that can interleave is an action: writes, link loss and return, site crash and return, and each single step
of a controller's programs (degrade, prove, promote), any of which may stop for ever or go on much later. The register
moves by the real functions of `opensdrs.domain.witness`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from opensdrs.domain import witness as rules
from opensdrs.domain.errors import Superseded
from opensdrs.domain.statuses import Station
from opensdrs.domain.witness import Copy, NotInSync, Witness

MOST_WRITES = 3
MOST_PROGRAMS = 2


@dataclass(frozen=True, slots=True)
class SiteState:
    """`limbo`: written locally, neither at the peer nor acknowledged. `incident` counts link losses seen here."""

    epoch: int
    mode: str  # mirror, replica, record, fenced, closed (after a crash)
    copy: frozenset[int] = frozenset()
    limbo: frozenset[int] = frozenset()
    is_consistent: bool = True
    is_alive: bool = True
    is_waiting: bool = False
    is_degraded: bool = False
    incident: int = 0


@dataclass(frozen=True, slots=True)
class Program:
    """A controller at work: what it does, how far it is, and what it saw."""

    kind: str
    step: int
    epoch: int
    incident: int = 0
    seen: Witness | None = None


@dataclass(frozen=True, slots=True)
class World:
    """One state of everything. Without `checks_incident` the site does not check it, to show why it is there."""

    register: Witness
    source: SiteState
    target: SiteState
    link: bool = True
    acked: frozenset[int] = frozenset()
    written: int = 0
    programs: tuple[Program, ...] = ()
    checks_incident: bool = True

    def site(self, station: Station) -> SiteState:
        return self.source if station is Station.SOURCE else self.target

    def put(self, station: Station, **changes: object) -> "World":
        name = station.value
        return replace(self, **{name: replace(self.site(station), **changes)})


def start(*, checks_incident: bool = True) -> World:
    """A protected group, in sync."""
    register = rules.record_in_sync(rules.initial(0.0), 1, 0.0)
    return World(register, SiteState(1, "mirror"), SiteState(1, "replica"), checks_incident=checks_incident)


def violations(world: World) -> list[str]:
    """The promise, as invariants of every reachable state."""
    found = []
    owner, other = world.site(world.register.owner), world.site(world.register.owner.other)
    if not world.acked <= owner.copy or not owner.is_consistent:
        found.append("an acknowledged write is not at the site that owns the group")
    if world.register.copy is Copy.IN_SYNC and not (world.acked <= other.copy and other.is_consistent):
        found.append("the witness says in_sync, but the copy misses an acknowledged write")
    return found


def actions(world: World) -> Iterator[tuple[str, World]]:
    """Every single thing that can happen next."""
    for station in Station:
        yield from _site_actions(world, station)
    yield ("link lost", replace(world, link=False)) if world.link else ("link back", replace(world, link=True))
    yield from _program_actions(world)


def _is_connected(world: World, station: Station) -> bool:
    peer = world.site(station.other)
    return world.link and peer.is_alive and peer.mode == "replica" and world.site(station).mode == "mirror"


def _site_actions(world: World, station: Station) -> Iterator[tuple[str, World]]:
    site, name = world.site(station), station.value
    if not site.is_alive:
        yield f"{name} returns", world.put(station, is_alive=True, mode="closed", is_waiting=False, is_degraded=False)
        return
    yield f"{name} crashes", world.put(station, is_alive=False)
    if site.mode not in ("mirror", "record"):
        return
    if world.written < MOST_WRITES:
        yield f"{name} writes", _write(world, station)
    if site.mode == "mirror":
        yield from _mirror_actions(world, station)


def _write(world: World, station: Station) -> World:
    site, number = world.site(station), world.written
    world = replace(world, written=number + 1)
    local = site.copy | {number}
    if site.mode == "record" or site.is_degraded:
        return replace(world.put(station, copy=local), acked=world.acked | {number})
    if _is_connected(world, station) and not site.is_waiting:
        peer = world.site(station.other)
        world = world.put(station, copy=local).put(station.other, copy=peer.copy | {number})
        return replace(world, acked=world.acked | {number})
    return world.put(station, copy=local, limbo=site.limbo | {number})


def _mirror_actions(world: World, station: Station) -> Iterator[tuple[str, World]]:
    site, name = world.site(station), station.value
    peer = world.site(station.other)
    if not _is_connected(world, station):
        if not site.is_waiting and not site.is_degraded:
            yield f"{name} notices", world.put(station, is_waiting=True, incident=site.incident + 1)
        return
    if site.is_waiting and not site.is_degraded:  # what waited goes on
        resent = world.put(station, is_waiting=False, limbo=frozenset())
        resent = resent.put(station.other, copy=peer.copy | site.limbo)
        yield f"{name} reconnects", replace(resent, acked=world.acked | site.limbo)
    if site.is_degraded and world.register.copy is not Copy.IN_SYNC:
        if peer.is_consistent:
            yield f"{name} resync begins", world.put(station.other, is_consistent=False)
        else:
            done = world.put(station, is_degraded=False, is_waiting=False)
            yield f"{name} resync ends", done.put(station.other, copy=site.copy, is_consistent=True)


def _program_actions(world: World) -> Iterator[tuple[str, World]]:
    if len(world.programs) < MOST_PROGRAMS:
        yield from _new_programs(world)
    for index, program in enumerate(world.programs):
        rest = world.programs[:index] + world.programs[index + 1 :]
        after, following = _PROGRAMS[program.kind](world, program)
        programs = rest if following is None else (*rest, following)
        yield f"{program.kind} step {program.step}", replace(after, programs=programs)
        yield f"{program.kind} dies", replace(world, programs=rest)


def _new_programs(world: World) -> Iterator[tuple[str, World]]:
    epoch, owner = world.register.epoch, world.site(world.register.owner)
    started = [Program("promote", 1, epoch), Program("prove", 1, epoch, seen=world.register)]
    if owner.is_alive and owner.is_waiting and not owner.is_degraded:
        started.append(Program("degrade", 1, owner.epoch, incident=owner.incident))
    for program in started:
        yield f"{program.kind} starts", replace(world, programs=(*world.programs, program))


def _degrade(world: World, program: Program) -> tuple[World, Program | None]:
    """Step 1: the witness records stale (rule 1). Step 2: the site lets go, if it is still the same incident."""
    if program.step == 1:
        try:
            register = rules.record_stale(world.register, program.epoch, 0.0)
        except Superseded:
            return world, None
        return replace(world, register=register), replace(program, step=2)
    station = Station.SOURCE if program.epoch == 1 else Station.TARGET
    site = world.site(station)
    is_same = site.is_waiting and site.incident == program.incident
    may = site.is_alive and site.mode == "mirror" and site.epoch == program.epoch
    if not may or (world.checks_incident and not is_same):
        return world, None
    acked = replace(world, acked=world.acked | site.limbo)
    return acked.put(station, is_degraded=True, limbo=frozenset()), None


def _prove(world: World, program: Program) -> tuple[World, Program | None]:
    """The register was read at the start. Step 1: the site's proof. Step 2: compare-and-set."""
    assert program.seen is not None
    station = program.seen.owner
    site = world.site(station)
    if program.step == 1:
        is_quiet = not site.is_waiting and not site.is_degraded and not site.limbo
        is_proof = site.is_alive and site.epoch == program.epoch and is_quiet and _is_connected(world, station)
        proved = is_proof and world.site(station.other).is_consistent
        return world, replace(program, step=2) if proved else None
    if world.register.revision != program.seen.revision:
        return world, None
    return replace(world, register=rules.record_in_sync(program.seen, program.epoch, 0.0)), None


def _promote(world: World, program: Program) -> tuple[World, Program | None]:
    """Step 1: the pivot at the witness. Step 2: the DR site takes over. Step 3: the old one is fenced, if it lives."""
    if program.step == 1:
        try:
            register = rules.promote(world.register, program.epoch, 0.0)
        except (NotInSync, Superseded):
            return world, None
        return replace(world, register=register), replace(program, step=2)
    new = world.register.owner
    if program.step == 2:
        site = world.site(new)
        if not site.is_alive or site.epoch > program.epoch:
            return world, None
        return world.put(new, mode="record", epoch=program.epoch + 1), replace(program, step=3)
    old = new.other
    if world.site(old).is_alive:
        return world.put(old, mode="fenced", epoch=program.epoch + 1), None
    return world, None


_PROGRAMS: dict[str, Callable[[World, Program], tuple[World, Program | None]]] = {
    "degrade": _degrade,
    "prove": _prove,
    "promote": _promote,
}
