"""All services of SDRS in one object, for the API."""

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
from opensdrs.services.instance_deletion import InstanceDeletions
from opensdrs.services.instances import InstanceService
from opensdrs.services.jobs import JobService
from opensdrs.services.nics import NicService
from opensdrs.services.pair_extension import ExtensionService
from opensdrs.services.pairs import PairService
from opensdrs.services.quotas import Limits, Quotas
from opensdrs.services.resizing import ResizeService
from opensdrs.services.rpo import RpoService
from opensdrs.services.tags import TagService
from opensdrs.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the API calls."""

    groups: GroupService
    group_operations: GroupOperations
    instances: InstanceService
    instance_creation: InstanceCreation
    instance_deletion: InstanceDeletions
    tags: TagService
    attachments: AttachmentService
    nics: NicService
    resizing: ResizeService
    pairs: PairService
    extension: ExtensionService
    drills: DrillService
    drill_creation: DrillCreation
    jobs: JobService
    failures: FailureService
    domains: DomainService
    quotas: Quotas
    rpo: RpoService


def build_services(database: Database, outbox: Outbox, clock: Clock, *, limits: Limits | None = None) -> Services:
    """Build every service. `limits`: what a project may have."""
    chosen = limits or Limits()
    quotas = Quotas(database, chosen)
    return Services(
        groups=GroupService(database, outbox, clock, quotas),
        group_operations=GroupOperations(database, outbox, clock),
        instances=InstanceService(database, outbox, clock),
        instance_creation=InstanceCreation(database, outbox, clock, quotas),
        instance_deletion=InstanceDeletions(database, outbox, clock),
        tags=TagService(database, clock),
        attachments=AttachmentService(database, outbox, clock),
        nics=NicService(database, outbox, clock, chosen.nics_per_instance),
        resizing=ResizeService(database, outbox, clock),
        pairs=PairService(database, outbox, clock, quotas),
        extension=ExtensionService(database, outbox, clock),
        drills=DrillService(database, outbox, clock),
        drill_creation=DrillCreation(database, outbox, clock, quotas),
        jobs=JobService(database),
        failures=FailureService(database),
        domains=DomainService(database),
        quotas=quotas,
        rpo=RpoService(database, clock),
    )
