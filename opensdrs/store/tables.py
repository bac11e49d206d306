"""The tables. One per row class of `domain`; the column names are the field names.

Changing a table needs a migration (`store/migrations/versions/`); `tests/contract/test_store.py` compares both.
"""

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Double, ForeignKey, Index, Integer, String, Text, UniqueConstraint

METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[str]:
    return Column("id", String(64), primary_key=True)


def _project() -> Column[str]:
    return Column("project_id", String(64), nullable=False, index=True)


def _text(name: str, *, nullable: bool = False, index: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable, index=index)


def _time(name: str, *, nullable: bool = False) -> Column[float]:
    return Column(name, Double, nullable=nullable)


def _number(name: str, default: int = 0) -> Column[int]:
    return Column(name, sa.BigInteger, nullable=False, default=default)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, default=False)


def _json(name: str) -> Column[object]:
    return Column(name, sa.JSON, nullable=False, default=dict)


def _ref(name: str, target: str, *, nullable: bool = False, unique: bool = False) -> Column[str]:
    return Column(name, String(64), ForeignKey(target), nullable=nullable, index=not unique, unique=unique)


def _table(name: str, *columns: sa.schema.SchemaItem) -> sa.Table:
    return sa.Table(name, METADATA, *columns)


def _created() -> Column[float]:
    return _time("created_at")


def _updated() -> Column[float]:
    return _time("updated_at")


active_domains = _table(
    "active_domains", _id(), _text("name"), _text("description"), _flag("sold_out"),
    _text("local_site"), _text("remote_site"),
)  # fmt: skip
groups = _table(
    "groups", _id(), _project(), _text("name"), _text("description", nullable=True), _text("status"),
    _text("source_site"), _text("target_site"), _text("domain_id"), _text("domain_name"),
    _text("source_vpc_id"), _text("target_vpc_id"), _text("dr_type"), _text("priority_station"),
    Column("link_timeout_s", Double, nullable=False), _created(), _updated(), _time("last_drill_at", nullable=True),
)  # fmt: skip
witnesses = _table(
    "witnesses", Column("group_id", String(64), ForeignKey("groups.id"), primary_key=True), _number("epoch"),
    _text("owner"), _text("copy"), _number("revision"), _time("since"),
)  # fmt: skip
# When copies were behind that should not have been: kept when the group is gone, so no foreign key.
sync_history = _table(
    "sync_history", _id(), _project(), Column("group_id", String(64), nullable=False, index=True),
    Column("instance_count", Integer, nullable=False), Column("pair_count", Integer, nullable=False),
    _time("since"), _time("until", nullable=True),
)  # fmt: skip
instances = _table(
    "instances", _id(), _project(), _ref("group_id", "groups.id"), _text("name"), _text("description", nullable=True),
    _text("status"), _text("source_server_id"), _text("target_server_id"),
    _created(), _updated(), _json("metadata"),
)  # fmt: skip
pairs = _table(
    "pairs", _id(), _project(), _ref("group_id", "groups.id"), _text("name"), _text("description", nullable=True),
    _text("status"), _text("replication_status"), Column("progress", Integer, nullable=False), _text("fault_level"),
    _text("source_volume_id", index=True), _text("target_volume_id", index=True),
    _text("failure_detail", nullable=True), _created(), _updated(),
    _number("total_bytes"), _number("copied_bytes"), _number("sent_bytes"),
)  # fmt: skip
pair_attachments = _table(
    "pair_attachments", _id(), _ref("pair_id", "pairs.id"), _ref("instance_id", "instances.id"), _text("device"),
    UniqueConstraint("instance_id", "device"), UniqueConstraint("pair_id", "instance_id"),
)  # fmt: skip
drills = _table(
    "drills", _id(), _project(), _ref("group_id", "groups.id"), _text("name"), _text("status"),
    _text("drill_vpc_id"), _created(), _updated(),
)  # fmt: skip
drill_servers = _table(
    "drill_servers", _id(), _ref("drill_id", "drills.id"), _text("instance_id"), _text("server_id"),
)  # fmt: skip
tags = _table(
    "tags", _id(), _project(), _ref("instance_id", "instances.id"), _text("key"), _text("value"),
    UniqueConstraint("instance_id", "key"),
)  # fmt: skip
jobs = _table(
    "jobs", _id(), _project(), _text("job_type"), _text("status", index=True), _text("resource_type"),
    _text("resource_id", index=True), _text("resource_name"), _text("group_id", nullable=True, index=True),
    Column("parent_id", String(64), ForeignKey("jobs.id"), nullable=True, index=True),
    _json("params"), _json("entities"), Column("progress", Integer, nullable=False), _text("step"),
    _time("begin_time"), _time("end_time", nullable=True), _text("error_code", nullable=True),
    _text("fail_reason", nullable=True), _text("request_id"), _flag("dismissed"), _flag("enqueued"),
)  # fmt: skip
quotas = _table("quotas", _id(), _project(), _text("type"), Column("quota", Integer, nullable=False))

flavors = _table(
    "flavors", _id(), _text("name"), Column("vcpus", Integer, nullable=False),
    Column("memory_mib", Integer, nullable=False),
)  # fmt: skip
vpcs = _table("vpcs", _id(), _project(), _text("name"), _text("cidr"), _created())
subnets = _table(
    "subnets", _id(), _project(), _ref("vpc_id", "vpcs.id"), _text("name"), _text("cidr"), _text("gateway_ip"),
    _created(),
)  # fmt: skip
ports = _table(
    "ports", _id(), _project(), _ref("subnet_id", "subnets.id"), _ref("server_id", "servers.id", nullable=True),
    Column("position", Integer, nullable=False), _text("mac"), _text("ip"), _created(),
    UniqueConstraint("subnet_id", "ip"),
)  # fmt: skip
eips = _table(
    "eips", _id(), _project(), _text("address"), Column("port", Integer, nullable=False),
    Column("guest_port", Integer, nullable=False), _ref("port_id", "ports.id", nullable=True), _created(),
    UniqueConstraint("address", "port"),
)  # fmt: skip
dedicated_hosts = _table("dedicated_hosts", _id(), _project(), _text("name"), _text("site"), _created())
storage_pools = _table(
    "storage_pools", _id(), _project(), _text("name"), _text("site"), _text("type"),
    Column("capacity_gib", Integer, nullable=False), _text("status"), _created(),
)  # fmt: skip
servers = _table(
    "servers", _id(), _project(), _text("name"), _text("site"), _text("status"), _ref("flavor_id", "flavors.id"),
    _ref("vpc_id", "vpcs.id"), _flag("isolated"), _text("dedicated_host_id", nullable=True),
    _text("managed_by", nullable=True, index=True), _created(), _updated(), _time("started_at", nullable=True),
    _json("attributes"),
)  # fmt: skip
volumes = _table(
    "volumes", _id(), _project(), _text("name"), _text("site"), _text("status"),
    Column("size_gib", Integer, nullable=False), _text("type"), _flag("shared"), _flag("bootable"), _flag("encrypted"),
    _text("image", nullable=True), _text("storage_pool_id", nullable=True),
    _text("managed_by", nullable=True, index=True), _created(), _updated(), _json("attributes"),
)  # fmt: skip
attachments = _table(
    "attachments", _id(), _ref("server_id", "servers.id"), _ref("volume_id", "volumes.id"), _text("device"),
    UniqueConstraint("server_id", "device"), UniqueConstraint("server_id", "volume_id"),
)  # fmt: skip

# Servers and volumes may be deleted natively while an instance or a pair still names them: no foreign keys there.
# One name for one living resource where the wire says so; a second creation at the same moment loses here.
Index("uq_instances_source_server", instances.c.source_server_id, unique=True)
Index("uq_pairs_source_volume", pairs.c.source_volume_id, unique=True)
Index("ix_jobs_project_begin", jobs.c.project_id, jobs.c.begin_time)
Index("ix_sync_history_project_until", sync_history.c.project_id, sync_history.c.until)
