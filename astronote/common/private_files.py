"""Files with personal data that commands write: their owner alone may read them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any


def open_for_owner_alone(path: Path, mode: str, **options: Any) -> IO[Any]:
    """Open a file to write; a new one can be read by the user who runs the command alone.

    Args:
        path: of the file; one that exists keeps its permissions.
        mode: as of `open`, such as `wb`.
        options: further arguments of `open`.
    """
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600), **options)
