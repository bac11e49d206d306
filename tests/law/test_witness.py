"""The witness rules hold in every state that any interleaving can reach, up to a stated depth."""

import pytest

from opensdrs.domain import witness as rules
from opensdrs.domain.errors import Superseded
from opensdrs.domain.statuses import Station
from opensdrs.domain.witness import Copy, NotInSync
from tests.law.witness_model import World, actions, start, violations

DEPTH = 13


def search(first: World, depth: int) -> tuple[int, list[str] | None]:
    """Visit every state within `depth` actions; return how many there are, and a path to a violation if any."""
    paths: dict[World, tuple[World, str] | None] = {first: None}
    frontier = [first]
    for _ in range(depth):
        following = []
        for world in frontier:
            for name, after in actions(world):
                if after in paths:
                    continue
                paths[after] = (world, name)
                if violations(after):
                    return len(paths), _path(paths, after)
                following.append(after)
        frontier = following
    return len(paths), None


def _path(paths: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    names = [violations(world)[0]]
    step = paths[world]
    while step is not None:
        names.append(step[1])
        step = paths[step[0]]
    return names[::-1]


def test_promise_in_every_interleaving_then_holds() -> None:
    states, path = search(start(), DEPTH)
    assert path is None, " -> ".join(path or [])
    assert states > 150_000, "the search became shallow: the model lost actions"


def test_search_when_a_rule_is_missing_then_finds_the_loss() -> None:
    """The search can fail: without the incident, a controller that slept through a failover loses writes."""
    late = start(checks_incident=False)
    for name in (
        "link lost", "source notices", "degrade starts", "degrade step 1", "link back", "source reconnects",
        "prove starts", "prove step 1", "prove step 2", "promote starts", "promote step 1",
    ):  # fmt: skip
        late = dict(actions(late))[name]
    _, path = search(late, 4)
    assert path is not None


def test_promote_when_not_in_sync_then_refused() -> None:
    register = rules.initial(0.0)
    with pytest.raises(NotInSync):
        rules.promote(register, 1, 1.0)
    forced = rules.promote(register, 1, 1.0, force=True)
    assert (forced.owner, forced.epoch, forced.copy) == (Station.TARGET, 2, Copy.STALE)


@pytest.mark.parametrize("transition", [rules.record_stale, rules.record_syncing, rules.record_in_sync, rules.renew])
def test_transition_when_epoch_is_old_then_superseded(transition: object) -> None:
    register = rules.renew(rules.initial(0.0), 1, 0.0)
    with pytest.raises(Superseded):
        transition(register, 1, 1.0)  # type: ignore[operator]


def test_every_transition_moves_the_revision() -> None:
    register = rules.initial(0.0)
    for transition in (rules.record_syncing, rules.record_in_sync, rules.record_stale, rules.renew):
        after = transition(register, register.epoch, 1.0)
        assert after.revision == register.revision + 1
        register = after
