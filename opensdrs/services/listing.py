"""Conditions that several lists share."""

from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum

import sqlalchemy as sa

from opensdrs.domain.errors import refused
from opensdrs.domain.operations import is_abnormal
from opensdrs.domain.statuses import GroupStatus, Station
from opensdrs.services.requests import Filter
from opensdrs.store import tables
from opensdrs.store.rows import Where

_NO_DRILL_S = timedelta(days=90).total_seconds()  # "The default duration is 3 months" (5.4.2)


def basic(table: sa.Table, wanted: Filter, statuses: type[StrEnum]) -> list[Where]:
    """Return the conditions on status, name and abnormality."""
    where: list[Where] = []
    if wanted.status:
        where.append(table.c.status == wanted.status)
    if wanted.name:
        where.append(table.c.name.icontains(wanted.name, autoescape=True))
    if wanted.query_type == "status_abnormal":
        where.append(table.c.status.in_([status for status in statuses if is_abnormal(status)]))
    return where


def in_production_at(site: str) -> Where:
    """Return the condition on `groups`: its present production site is `site`."""
    groups = tables.groups
    return sa.or_(
        sa.and_(groups.c.priority_station == Station.SOURCE, groups.c.source_site == site),
        sa.and_(groups.c.priority_station == Station.TARGET, groups.c.target_site == site),
    )


def of_groups(table: sa.Table, wanted: Filter) -> list[Where]:
    """Return the conditions of a part of a group on its group and on the group's production site."""
    where: list[Where] = []
    if wanted.group_ids:
        where.append(table.c.group_id.in_(wanted.group_ids))
    if wanted.availability_zone:
        there = sa.select(tables.groups.c.id).where(in_production_at(wanted.availability_zone))
        where.append(table.c.group_id.in_(there))
    return where


def group_conditions(wanted: Filter, now: float) -> list[Where]:
    """Return the conditions of the list of groups (5.4.2)."""
    groups = tables.groups
    where = basic(groups, wanted, GroupStatus)
    if wanted.availability_zone:
        where.append(in_production_at(wanted.availability_zone))
    if wanted.query_type == "stop_protected":
        where.append(groups.c.status == GroupStatus.AVAILABLE)
    if wanted.query_type == "period_no_dr_drill":
        where.append(sa.or_(groups.c.last_drill_at.is_(None), groups.c.last_drill_at < now - _NO_DRILL_S))
    return where


def check_query_type(query_type: str | None, allowed: Iterable[str]) -> None:
    """Raises: SDRS.0201 for a word that is neither `general` nor one of `allowed`."""
    if query_type and query_type not in {"general", *allowed}:
        raise refused("SDRS.0201", f"query_type is general or one of {', '.join(allowed)}")
