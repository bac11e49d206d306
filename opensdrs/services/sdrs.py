"""All services of SDRS in one object, for the API."""

from collections.abc import Mapping
from dataclasses import dataclass

from opensdrs.jobs.outbox import Outbox
from opensdrs.services.attachments import AttachmentService
from opensdrs.services.base import Clock
from opensdrs.services.domains import DomainService
from opensdrs.services.drill_creation import DrillCreation
from opensdrs.services.drills import DrillService
from opensdrs.services.failures import FailureService
from opensdrs.services.group_operations import GroupOperations
from opensdrs.services.groups import GroupService
from opensdrs.services.instance_creation import InstanceCreation
from opensdrs.services.instances import InstanceService
from opensdrs.services.jobs import JobService
from opensdrs.services.pairs import PairService
from opensdrs.services.quotas import DEFAULT_QUOTAS, Quotas
from opensdrs.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the API calls."""

    groups: GroupService
    group_operations: GroupOperations
    instances: InstanceService
    instance_creation: InstanceCreation
    attachments: AttachmentService
    pairs: PairService
    drills: DrillService
    drill_creation: DrillCreation
    jobs: JobService
    failures: FailureService
    domains: DomainService
    quotas: Quotas


def build_services(
    database: Database, outbox: Outbox, clock: Clock, *, default_quotas: Mapping[str, int] = DEFAULT_QUOTAS
) -> Services:
    """Build every service. `default_quotas`: by `server_groups` and `replications`; -1 is unlimited."""
    quotas = Quotas(database, default_quotas)
    return Services(
        groups=GroupService(database, outbox, clock, quotas),
        group_operations=GroupOperations(database, outbox, clock),
        instances=InstanceService(database, outbox, clock),
        instance_creation=InstanceCreation(database, outbox, clock, quotas),
        attachments=AttachmentService(database, outbox, clock),
        pairs=PairService(database, outbox, clock, quotas),
        drills=DrillService(database, outbox, clock),
        drill_creation=DrillCreation(database, outbox, clock),
        jobs=JobService(database),
        failures=FailureService(database),
        domains=DomainService(database),
        quotas=quotas,
    )
