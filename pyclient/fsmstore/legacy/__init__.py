"""Readers of the old stores: a table, dumps of it, and shelves. They read, and decide nothing."""

from .backup import Backup
from .dump import DEFAULT_TABLE, DumpReader, TableName
from .errors import SourceUnreadable
from .items import MACHINE, Item
from .shelf import Shelf, find_shelf
from .sources import Sources
from .spool import SHARED_SESSION, Spool, spooling
from .table import read_table

__all__ = [
    "DEFAULT_TABLE",
    "MACHINE",
    "SHARED_SESSION",
    "Backup",
    "DumpReader",
    "Item",
    "Shelf",
    "SourceUnreadable",
    "Sources",
    "Spool",
    "TableName",
    "find_shelf",
    "read_table",
    "spooling",
]
