"""What callers ask for, decoded but not yet checked: the fields of the request bodies. Source: 5.4 - 5.7."""

import msgspec

from opensdrs.domain.ids import GroupId, InstanceId, PairId, PortId, ServerId, SubnetId, VolumeId, VpcId
from opensdrs.domain.statuses import Station


class NewGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-9."""

    name: str
    source_availability_zone: str
    target_availability_zone: str
    domain_id: str
    source_vpc_id: VpcId
    description: str | None = None
    dr_type: str | None = None
    replication_model: str | None = None


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A new name: Tables 5-12, 5-26, 5-47, 5-56."""

    name: str


class NewTag(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-17."""

    key: str
    value: str


class NewInstance(msgspec.Struct, frozen=True, kw_only=True, rename={"flavor_id": "flavorRef"}):
    """Table 5-16."""

    name: str
    server_group_id: GroupId
    server_id: ServerId
    description: str | None = None
    cluster_id: str | None = None
    primary_subnet_id: SubnetId | None = None
    primary_ip_address: str | None = None
    flavor_id: str | None = None
    tenancy: str | None = None
    dedicated_host_id: str | None = None
    tags: list[NewTag] | None = None


class NewServer(msgspec.Struct, frozen=True, kw_only=True, rename={"flavor_id": "flavorRef"}):
    """Table 5-35."""

    server_id: ServerId
    flavor_id: str | None = None


class NewInstances(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-34: protected instances of several servers, alike but for what stands in `servers`."""

    name_prefix: str
    server_group_id: GroupId
    servers: list[NewServer]
    description: str | None = None
    cluster_id: str | None = None
    primary_subnet_id: SubnetId | None = None
    tenancy: str | None = None
    dedicated_host_id: str | None = None
    tags: list[NewTag] | None = None


class Reversal(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-15: the site that shall be in production afterwards."""

    priority_station: Station


class InstanceDeletion(msgspec.Struct, frozen=True, kw_only=True):
    """What else goes with an instance (5.5.2)."""

    delete_target_server: bool | None = None
    delete_target_eip: bool | None = None


class InstanceRef(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-37."""

    id: InstanceId


class InstancesDeletion(msgspec.Struct, frozen=True, kw_only=True):
    """Several instances, and what else goes with them (5.5.12)."""

    protected_instances: list[InstanceRef]
    delete_target_server: bool | None = None
    delete_target_eip: bool | None = None


class UnwantedTag(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-68: without a value the key is enough."""

    key: str
    value: str | None = None


class TagChange(msgspec.Struct, frozen=True, kw_only=True):
    """Tags to add or to delete (5.8.2, 5.8.3)."""

    action: str | None = None
    tags: list[UnwantedTag] | None = None


class TagMatch(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-59: a key and its possible values; none or null: any."""

    key: str
    values: list[str] | None


class FieldMatch(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-60."""

    key: str
    value: str


class TagQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which instances shall be found (5.8.1)."""

    action: str | None = None
    limit: int | str | None = None
    offset: int | str | None = None
    matches: list[FieldMatch] | None = None
    tags: list[TagMatch] | None = None
    tags_any: list[TagMatch] | None = None
    not_tags: list[TagMatch] | None = None
    not_tags_any: list[TagMatch] | None = None


class NewPair(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-38."""

    name: str
    server_group_id: GroupId
    volume_id: VolumeId
    description: str | None = None
    cluster_id: str | None = None
    replication_model: str | None = None


class PairDeletion(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-39."""

    server_group_id: GroupId | None = None
    delete_target_volume: bool | None = None


class PairAttach(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-31."""

    replication_id: PairId
    device: str


class SecurityGroupRef(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-32."""

    id: str


class NewNic(msgspec.Struct, frozen=True, kw_only=True):
    """A NIC to add (5.5.8). Nothing filters traffic here, so the security groups have no effect."""

    subnet_id: SubnetId
    security_groups: list[SecurityGroupRef] | None = None
    ip_address: str | None = None


class NicDeletion(msgspec.Struct, frozen=True, kw_only=True):
    """A NIC to delete (5.5.9)."""

    nic_id: PortId


class Resize(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "flavor_id": "flavorRef",
        "production_flavor_id": "production_flavorRef",
        "dr_flavor_id": "dr_flavorRef",
    },
):
    """Table 5-33."""

    flavor_id: str | None = None
    production_flavor_id: str | None = None
    dr_flavor_id: str | None = None
    production_dedicated_host_id: str | None = None
    dr_dedicated_host_id: str | None = None


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-46. What stands after a decimal point does not count (MATRIX B11)."""

    new_size: int | float


class NewDrill(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-51."""

    name: str
    server_group_id: GroupId
    drill_vpc_id: VpcId | None = None


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What a list shall show. Empty fields do not filter; `name` matches anywhere. Source: the lists of 5.4 - 5.7."""

    limit: int = 1000
    offset: int = 0
    marker: str | None = None
    status: str | None = None
    name: str | None = None
    query_type: str | None = None
    availability_zone: str | None = None
    group_ids: tuple[GroupId, ...] = ()
    instance_ids: tuple[InstanceId, ...] = ()
    volume_id: VolumeId | None = None
    drill_vpc_id: VpcId | None = None


class FailureFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What the task centre shall show (5.9.1). Without a group: failures of the groups themselves (MATRIX D3)."""

    limit: int = 1000
    offset: int = 0
    marker: str | None = None
    failure_status: str | None = None
    resource_name: str | None = None
    resource_type: str | None = None
    group_id: GroupId | None = None


class RpoFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of the history shall be shown. Times in seconds since the Unix epoch."""

    resource_type: str
    limit: int = 1000
    offset: int = 0
    start: float | None = None
    end: float | None = None
