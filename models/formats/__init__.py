"""Workload files that people have already, and our own: each format is a module."""

from models.formats import aicb, aicb_csv, chakra, connections, toml
from models.formats.file import Format

__all__ = ["FORMATS"]

FORMATS: tuple[Format, ...] = (toml, aicb, aicb_csv, connections, chakra)
