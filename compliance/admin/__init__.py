"""Retention and the record of processing in the admin."""

from compliance.admin import retention

__all__ = ["retention"]
