"""What callers ask for, decoded but not yet checked: the fields of the request bodies. Source: 5.4 - 5.7."""

import msgspec

from opensdrs.domain.ids import GroupId, InstanceId, PairId, ServerId, SubnetId, VolumeId, VpcId
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


class Reversal(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-15: the site that shall be in production afterwards."""

    priority_station: Station


class InstanceDeletion(msgspec.Struct, frozen=True, kw_only=True):
    """What else goes with an instance (5.5.2)."""

    delete_target_server: bool | None = None
    delete_target_eip: bool | None = None


class NewPair(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-38."""

    name: str
    server_group_id: GroupId
    volume_id: VolumeId
    description: str | None = None
    cluster_id: str | None = None


class PairDeletion(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-39."""

    server_group_id: GroupId | None = None
    delete_target_volume: bool | None = None


class PairAttach(msgspec.Struct, frozen=True, kw_only=True):
    """Table 5-31."""

    replication_id: PairId
    device: str


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
