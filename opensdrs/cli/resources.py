"""The kinds of things that the command lists, shows, makes and deletes, as one table."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """An option of a creation: `key` in the body. `refers` names the kind whose name or id it takes."""

    key: str
    help: str
    option: str = ""
    type: type = str
    required: bool = False
    refers: str = ""
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """The option as it is typed."""
        return f"--{self.option or self.key.replace('_', '-')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A yes/no option of a deletion."""

    key: str
    option: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind. `wrapper` is the object in SDRS bodies; `create` is None where there is no plain creation."""

    name: str
    title: str
    api: Literal["sdrs", "infra"]
    path: str
    key: str
    columns: tuple[str, ...]
    wrapper: str = ""
    create: tuple[Field, ...] | None = None
    is_named: bool = True
    filters: tuple[Field, ...] = ()
    is_deletable: bool = True
    switches: tuple[Switch, ...] = ()
    renames: Literal["PUT", "PATCH", ""] = ""


_ZONE = Field(key="availability_zone", option="az", help="Availability zone.", required=True)
_SIZE = Field(key="size_gib", option="size", type=int, help="Size in GiB.", required=True)
_TYPE = Field(key="type", help="Type of disk.", choices=("SSD", "GPSSD", "SAS"))
_GROUP = Field(key="server_group_id", option="group", help="Protection group.", required=True, refers="group")
_DESCRIPTION = Field(key="description", help="What it is for.")
_IN_GROUP = Field(key="server_group_id", option="group", help="Only of this protection group.", refers="group")
_STATUS = Field(key="status", help="Only with this status.")
_IN_ZONE = Field(key="availability_zone", option="az", help="Only of this availability zone.")

RESOURCES: tuple[Resource, ...] = (
    Resource(
        name="server", title="servers", api="infra", path="/servers", key="servers", renames="PATCH",
        columns=("id", "name", "status", "availability_zone", "flavor", "nics.ip", "managed_by"),
        filters=(_IN_ZONE, _STATUS),
        switches=(
            Switch(key="force", option="force", help="Also when a protected instance or drill relies on it."),
            Switch(key="delete_volumes", option="delete-volumes", help="Also delete its disks that are in no pair."),
        ),
    ),
    Resource(
        name="volume", title="volumes", api="infra", path="/volumes", key="volumes", renames="PATCH",
        columns=("id", "name", "status", "availability_zone", "size_gib", "type", "attachments.server_id",
                 "managed_by"),
        filters=(_IN_ZONE, _STATUS),
        create=(
            _ZONE, _SIZE, _TYPE, Field(key="image", help="Image to start from; makes it bootable."),
            Field(key="shared", type=bool, help="Several servers may attach it."),
            Field(key="bootable", type=bool, help="A server may boot from it."),
            Field(key="encrypted", type=bool, help="Mark it as encrypted."),
            Field(key="storage_pool_id", option="storage-pool", help="Storage pool.", refers="storage-pool"),
        ),
    ),
    Resource(
        name="vpc", title="VPCs", api="infra", path="/vpcs", key="vpcs", columns=("id", "name", "cidr"),
        create=(Field(key="cidr", help="Range, for example 10.0.0.0/16.", required=True),),
    ),
    Resource(
        name="subnet", title="subnets", api="infra", path="/subnets", key="subnets",
        columns=("id", "name", "cidr", "gateway_ip", "vpc_id"),
        filters=(Field(key="vpc_id", option="vpc", help="Only of this VPC.", refers="vpc"),),
        create=(
            Field(key="vpc_id", option="vpc", help="VPC.", required=True, refers="vpc"),
            Field(key="cidr", help="Range inside the VPC's.", required=True),
            Field(key="gateway_ip", option="gateway", help="Gateway; the first address unless given."),
        ),
    ),
    Resource(
        name="port", title="ports", api="infra", path="/ports", key="ports", is_deletable=False, is_named=False,
        columns=("id", "ip", "mac", "position", "server_id", "subnet_id"),
        filters=(Field(key="server_id", option="server", help="Only of this server.", refers="server"),),
    ),
    Resource(
        name="eip", title="elastic IPs", api="infra", path="/eips", key="eips", is_named=False,
        columns=("id", "address", "port", "guest_port", "server_id"),
        create=(
            Field(key="guest_port", type=int, help="Port of the guest that it leads to.", required=True),
            Field(key="port", type=int, help="Port on the host; a free one unless given."),
        ),
    ),
    Resource(
        name="flavor", title="flavors", api="infra", path="/flavors", key="flavors",
        columns=("id", "vcpus", "memory_mib"),
        create=(
            Field(key="id", help="Id.", required=True),
            Field(key="vcpus", type=int, help="Processors.", required=True),
            Field(key="memory_mib", option="memory", type=int, help="Memory in MiB.", required=True),
        ),
    ),
    Resource(
        name="dedicated-host", title="dedicated hosts", api="infra", path="/dedicated-hosts", key="dedicated_hosts",
        columns=("id", "name", "availability_zone"), create=(_ZONE,),
    ),
    Resource(
        name="storage-pool", title="storage pools", api="infra", path="/storage-pools", key="storage_pools",
        columns=("id", "name", "availability_zone", "type", "capacity_gib"),
        create=(
            _ZONE, Field(key="type", help="Type of disks.", choices=("SSD", "GPSSD", "SAS"), required=True),
            Field(key="capacity_gib", option="capacity", type=int, help="Capacity in GiB.", required=True),
        ),
    ),
    Resource(
        name="group", title="protection groups", api="sdrs", path="/server-groups", key="server_groups",
        wrapper="server_group", renames="PUT", filters=(_STATUS,),
        columns=("id", "name", "status", "priority_station", "source_availability_zone", "target_availability_zone",
                 "progress"),
    ),
    Resource(
        name="instance", title="protected instances", api="sdrs", path="/protected-instances",
        key="protected_instances", wrapper="protected_instance", renames="PUT", filters=(_IN_GROUP, _STATUS),
        columns=("id", "name", "status", "source_server", "target_server"),
        create=(
            _GROUP, Field(key="server_id", option="server", help="Server.", required=True, refers="server"),
            _DESCRIPTION, Field(key="flavorRef", option="flavor", help="Flavor of the DR server."),
            Field(key="primary_subnet_id", option="subnet", help="Subnet of the DR server.", refers="subnet"),
            Field(key="primary_ip_address", option="ip", help="Address of the DR server."),
            Field(key="cluster_id", option="storage-pool", help="Storage pool of the DR disks.",
                  refers="storage-pool"),
        ),
        switches=(
            Switch(key="delete_target_server", option="delete-server", help="Also delete the DR server."),
            Switch(key="delete_target_eip", option="delete-eip", help="Also release the DR server's elastic IPs."),
        ),
    ),
    Resource(
        name="pair", title="replication pairs", api="sdrs", path="/replications", key="replications",
        wrapper="replication", renames="PUT", filters=(_IN_GROUP, _STATUS),
        columns=("id", "name", "status", "replication_status", "progress", "fault_level"),
        create=(
            _GROUP, Field(key="volume_id", option="volume", help="Volume.", required=True, refers="volume"),
            _DESCRIPTION,
        ),
        switches=(Switch(key="delete_target_volume", option="delete-volume", help="Also delete the DR disk."),),
    ),
    Resource(
        name="drill", title="DR drills", api="sdrs", path="/disaster-recovery-drills",
        key="disaster_recovery_drills", wrapper="disaster_recovery_drill", renames="PUT",
        filters=(_IN_GROUP, _STATUS),
        columns=("id", "name", "status", "server_group_id", "drill_servers.drill_server_id"),
        create=(_GROUP, Field(key="drill_vpc_id", option="vpc", help="VPC; a new one unless given.", refers="vpc")),
    ),
)  # fmt: skip

BY_NAME: dict[str, Resource] = {row.name: row for row in RESOURCES}
