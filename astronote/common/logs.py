"""Formatters of log lines, as text or JSON, with their context and without phone numbers.

Code that works on a batch names it once with `log_context`; LOG_FORMAT chooses the formatter.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

_fields: ContextVar[dict[str, Any] | None] = ContextVar("fields", default=None)
_NUMBER = re.compile(r"\+\d{7,15}")


def _current_log_fields() -> dict[str, Any]:
    return _fields.get() or {}


@contextmanager
def log_context(**fields: Any) -> Iterator[None]:
    """Add fields such as `batch=7, store=3` to the lines that are logged inside."""
    token = _fields.set(_current_log_fields() | fields)
    try:
        yield
    finally:
        _fields.reset(token)


def mask_e164_numbers(text: str) -> str:
    """Hide phone numbers in E.164 form."""
    return _NUMBER.sub("+•••", text)


class NumberMaskingTextFormatter(logging.Formatter):
    """`time level logger: [store=3 batch=7] message`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line of text."""
        context = " ".join(f"{name}={value}" for name, value in _current_log_fields().items())
        line = super().format(record)
        return mask_e164_numbers(f"{context}: {line}" if context else line)

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")


class NumberMaskingJsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_current_log_fields(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return mask_e164_numbers(json.dumps(line, default=str, ensure_ascii=False))
