"""The contract engine's own face of the store: its context, its machine, its save and load, its monitor.

Everything here stands on `fsmstore.SessionStore`, and nothing here decides whether a save is legal: the database does.
"""

from .context import SwisperContext
from .generations import SERIALIZATION_VERSION, UnsupportedSerialization, generation_of
from .machine import ContractStateMachine, Step
from .monitor import FSMStateMonitor
from .store import UnifiedSessionStore
from .template import InvalidTemplate, Template, UnknownTemplate, template_name, template_path

__all__ = [
    "SERIALIZATION_VERSION",
    "ContractStateMachine",
    "FSMStateMonitor",
    "InvalidTemplate",
    "Step",
    "SwisperContext",
    "Template",
    "UnifiedSessionStore",
    "UnknownTemplate",
    "UnsupportedSerialization",
    "generation_of",
    "template_name",
    "template_path",
]
