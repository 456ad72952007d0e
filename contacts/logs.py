"""Log lines: which batch, campaign and store they are about, as text or as JSON, without numbers.

Settings choose the formatter; code that works on a batch says so once with `log_context`.
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

_about: ContextVar[dict[str, Any] | None] = ContextVar("about", default=None)
_NUMBER = re.compile(r"\+\d{7,15}")


def _context() -> dict[str, Any]:
    return _about.get() or {}


@contextmanager
def log_context(**about: Any) -> Iterator[None]:
    """Name what the lines logged inside are about, such as `batch=7, store=3`."""
    token = _about.set(_context() | about)
    try:
        yield
    finally:
        _about.reset(token)


def mask_numbers(text: str) -> str:
    """Hide phone numbers that got into a line all the same."""
    return _NUMBER.sub("+•••", text)


class TextFormatter(logging.Formatter):
    """`time level logger: [store=3 batch=7] message`."""

    def format(self, record: logging.LogRecord) -> str:
        about = " ".join(f"{name}={value}" for name, value in _context().items())
        line = super().format(record)
        return mask_numbers(f"{about}: {line}" if about else line)

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_context(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return mask_numbers(json.dumps(line, default=str, ensure_ascii=False))
