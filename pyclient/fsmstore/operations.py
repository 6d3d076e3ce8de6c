"""What each method of a store does, written once for both clients."""

from __future__ import annotations

from .base_operations import Steps
from .batch_operations import BatchOperations
from .errors import MIGRATE_HINT, SchemaMismatch
from .import_operations import ImportOperations
from .machine_operations import MachineOperations
from .past_operations import PastOperations
from .report_operations import ReportOperations
from .turn_operations import TurnOperations

SUPPORTED_RELEASES = ("0.1",)
"""The releases of schema ``fsm`` (major.minor) that this client knows."""


class Operations(
    PastOperations, BatchOperations, TurnOperations, MachineOperations, ReportOperations, ImportOperations
):
    """All operations of one store; see BaseOperations."""

    release_known = False

    def check_release(self) -> Steps[None]:
        """Ask once for the schema's release, and refuse to go on with one that this client does not know."""
        release = yield from self.schema_release()
        if ".".join(release.split(".")[:2]) not in SUPPORTED_RELEASES:
            raise SchemaMismatch(
                "the release of schema fsm is not one that this client knows",
                detail={"schema_release": release, "supported_releases": list(SUPPORTED_RELEASES)},
                hint=f"Install the client of that release, or bring the schema to one of these. {MIGRATE_HINT}",
            )
        self.release_known = True
