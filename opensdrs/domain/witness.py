"""The witness: one small register per protection group that says who may write and whether the DR copy is complete.

Three rules carry the promise that no acknowledged write is lost:

1. A production site acknowledges a write that is not on the other site only after the witness durably holds
   `copy = stale` for the current epoch.
2. `promote` succeeds only from `copy = in_sync`, or with an explicit, audited `force`; the owner changes, epoch + 1.
3. A site that holds an older epoch is superseded: it fences itself and never asks to be `in_sync`.

Every transition is a pure function from a register to its successor; storage applies it by compare-and-set on
`revision`. That is what makes `record_in_sync` safe: the caller reads the register, *then* obtains the site's proof,
*then* writes; a `stale` recorded in between has moved the revision, and the write fails.

Source: dataplane design, section 1. Searched exhaustively by `tests/law/test_witness.py`.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from opensdrs.domain.errors.kind import Superseded
from opensdrs.domain.statuses import Station


class Copy(StrEnum):
    """What is known of the copy at the DR site."""

    IN_SYNC = "in_sync"  # every acknowledged write is there
    STALE = "stale"  # acknowledged writes may be missing
    SYNCING = "syncing"  # a copy is under way; the DR side is not consistent


class NotInSync(Exception):
    """A promotion was asked for, but the copy is not known to be complete."""

    def __init__(self, copy: Copy) -> None:
        self.copy = copy
        super().__init__(f"the copy at the DR site is {copy}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """The register of one group. `since` is seconds since the Unix epoch, when `copy` took its present value."""

    epoch: int
    owner: Station
    copy: Copy
    revision: int
    since: float


def initial(now: float) -> Witness:
    """Return the register of a new group: the source owns it, and nothing is at the DR site."""
    return Witness(epoch=1, owner=Station.SOURCE, copy=Copy.STALE, revision=1, since=now)


def _check_epoch(register: Witness, epoch: int) -> None:
    if epoch != register.epoch:
        raise Superseded("witness", epoch, register.epoch)


def _move(register: Witness, copy: Copy, now: float) -> Witness:
    since = register.since if register.copy is copy else now
    return replace(register, copy=copy, revision=register.revision + 1, since=since)


def record_stale(register: Witness, epoch: int, now: float) -> Witness:
    """Rule 1: after this is durable, the production site of `epoch` may acknowledge unreplicated writes.

    Always moves the revision, also when the copy was stale before: a proof obtained earlier is void.

    Raises: Superseded for any other epoch (rule 3).
    """
    _check_epoch(register, epoch)
    return _move(register, Copy.STALE, now)


def record_syncing(register: Witness, epoch: int, now: float) -> Witness:
    """A copy towards the DR site begins. Raises: Superseded for any other epoch."""
    _check_epoch(register, epoch)
    return _move(register, Copy.SYNCING, now)


def record_in_sync(register: Witness, epoch: int, now: float) -> Witness:
    """The site proved, after `register` was read, that every pair of the group is synchronous.

    Raises: Superseded for any other epoch (rule 3).
    """
    _check_epoch(register, epoch)
    return _move(register, Copy.IN_SYNC, now)


def promote(register: Witness, epoch: int, now: float, *, force: bool = False) -> Witness:
    """Rule 2: hand the group to the other site. The new DR copy is stale until it has been synchronised.

    Raises: NotInSync unless the copy is in sync or `force` is given; Superseded for any other epoch.
    """
    _check_epoch(register, epoch)
    if register.copy is not Copy.IN_SYNC and not force:
        raise NotInSync(register.copy)
    return Witness(
        epoch=register.epoch + 1,
        owner=register.owner.other,
        copy=Copy.STALE,
        revision=register.revision + 1,
        since=now,
    )


def renew(register: Witness, epoch: int, now: float) -> Witness:
    """Begin a new epoch under the same owner: protection is enabled, re-enabled or disabled.

    Whoever still acts on the former arrangement is superseded at the sites.

    Raises: Superseded.
    """
    _check_epoch(register, epoch)
    return Witness(
        epoch=register.epoch + 1, owner=register.owner, copy=Copy.STALE, revision=register.revision + 1, since=now
    )


def swap(register: Witness, epoch: int, now: float) -> Witness:
    """Planned failover: both sites were proved identical with nobody writing; roles change, the copy stays in sync.

    The former production site has given up its role before this is called (see `Site.demote`).

    Raises: NotInSync, Superseded.
    """
    promoted = promote(register, epoch, now)
    return replace(promoted, copy=Copy.IN_SYNC)
