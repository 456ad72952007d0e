#!/usr/bin/env python
"""Entry point of every command; turns start-up and connection failures into one clear line."""

import os
import sys


def main() -> int:
    """Run the command; return its exit status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "astronote.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        print("astronote: Django is not installed here; run `make .venv` first", file=sys.stderr)
        return 1

    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.db import NotSupportedError, OperationalError
    from redis.exceptions import ConnectionError as RedisConnectionError

    try:
        settings.INSTALLED_APPS  # noqa: B018 - reading one setting loads them all
        execute_from_command_line(sys.argv)
    except (
        ImproperlyConfigured,
        NotSupportedError,
        OperationalError,
        RedisConnectionError,
    ) as error:
        if os.environ.get("ASTRONOTE_TRACEBACK"):
            raise
        print(f"astronote: {explain(error)}", file=sys.stderr)
        return 1
    return 0


def explain(error: Exception) -> str:
    """A line for the operator, or one per variable: what was wrong, with what, what to do."""
    from redis.exceptions import ConnectionError as RedisConnectionError

    from astronote import environment

    lines = (str(error).strip() or type(error).__name__).splitlines()
    first_line = lines[0]
    if type(error).__name__ == "ImproperlyConfigured":
        return first_line if len(lines) == 1 else "\n- ".join(["to set:", *lines])
    if type(error).__name__ == "NotSupportedError":
        return f"{first_line} DATABASE_URL names the server."
    if isinstance(error, RedisConnectionError):
        return environment.build_unreachable_message("Redis", "REDIS_URL", first_line)
    return environment.build_unreachable_message("PostgreSQL", "DATABASE_URL", first_line)


if __name__ == "__main__":
    sys.exit(main())
