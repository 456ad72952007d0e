"""A person in places outside the tables: Redis, sessions, and files that programs have left.

Nothing there names anybody on purpose. What does, such as the text of an error that RQ keeps, is
deleted: a job is only a hint, and a session only a login.
"""

from __future__ import annotations

import base64
import contextlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from astronote.models import Session
from astronote.operations import registry
from astronote.operations.personal_data import PlaceKind
from astronote.queues import jobs
from compliance.traces import Traces
from contacts.importing import rewriting

# By the order of bytes: a file without a mark of its order is no error then.
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")


def declared_place_patterns(kind: PlaceKind) -> list[str]:
    """The patterns of the declared places of a kind."""
    return [place.pattern for place in registry.personal_places if place.kind == kind]


# Redis


def declared_redis_keys_naming_person(traces: Traces) -> list[str]:
    """The keys that name the person, or whose values do."""
    redis = jobs.redis_connection()
    return sorted(
        key.decode("utf-8", "replace") for key in _iter_redis_keys_naming_person(redis, traces)
    )


def delete_redis_values_of_person(traces: Traces) -> int:
    """Delete what names the person; return of how many keys.

    Of a list or set only the members go that name the person, of any other key all.
    """
    redis = jobs.redis_connection()
    keys = list(_iter_redis_keys_naming_person(redis, traces))
    for key in keys:
        remove = _REMOVE_MEMBER.get(redis.type(key))
        if remove is None or _value_names_person(traces, key):
            redis.delete(key)
            continue
        for member in _iter_values_of_redis_key(redis, key):
            if _value_names_person(traces, member):
                remove(redis, key, member)
    return len(keys)


_REMOVE_MEMBER: dict[bytes, Callable[[Any, bytes, bytes], Any]] = {
    b"list": lambda redis, key, member: redis.lrem(key, 0, member),
    b"set": lambda redis, key, member: redis.srem(key, member),
    b"zset": lambda redis, key, member: redis.zrem(key, member),
}


def _iter_redis_keys_naming_person(redis: Any, traces: Traces) -> Iterator[bytes]:
    seen: set[bytes] = set()
    for pattern in declared_place_patterns(PlaceKind.REDIS):
        for key in redis.scan_iter(pattern, count=1000):
            if key not in seen:
                seen.add(key)
                if _value_names_person(traces, key) or any(
                    _value_names_person(traces, v) for v in _iter_values_of_redis_key(redis, key)
                ):
                    yield key


def _iter_values_of_redis_key(redis: Any, key: bytes) -> Iterator[bytes]:
    """What a key holds; of a hash or stream the names of its fields, too."""
    match redis.type(key):
        case b"string":
            yield redis.get(key) or b""
        case b"list":
            yield from redis.lrange(key, 0, -1)
        case b"set":
            yield from redis.smembers(key)
        case b"zset":
            yield from redis.zrange(key, 0, -1)
        case b"hash":
            for name, value in redis.hgetall(key).items():
                yield from (name, value)
        case b"stream":
            for _, fields in redis.xrange(key):
                for name, value in fields.items():
                    yield from (name, value)


def _value_names_person(traces: Traces, value: bytes) -> bool:
    return any(traces.are_in(text) for text in _iter_decoded_texts(value))


def _iter_decoded_texts(value: bytes) -> Iterator[str]:
    """A value as text; RQ compresses the texts of errors, and writes some in base64."""
    packed = [value]
    with contextlib.suppress(ValueError):
        packed.append(base64.b64decode(value, validate=True))
    for one in packed:
        yield one.decode("utf-8", "replace")
        try:
            yield zlib.decompress(one).decode("utf-8", "replace")
        except zlib.error:
            continue


# Sessions


def session_keys_naming_person(traces: Traces) -> list[str]:
    """The keys of the sessions whose data name the person."""
    return [
        session.session_key
        for session in Session.objects.iterator()
        if traces.are_in(session.get_decoded())
    ]


def end_sessions_naming_person(traces: Traces) -> int:
    """End the sessions whose data name the person; return how many."""
    return Session.objects.filter(pk__in=session_keys_naming_person(traces)).delete()[0]


# Files


def declared_temporary_files_naming_person(traces: Traces) -> list[Path]:
    """The files in this machine's folder for temporary files that name the person."""
    folder = Path(tempfile.gettempdir())
    found = [
        path for pattern in declared_place_patterns(PlaceKind.FILE) for path in folder.glob(pattern)
    ]
    return sorted(
        path
        for path in found
        if _is_file_of_this_user(path) and _is_person_named_in_readable_file(path, traces)
    )


def delete_temp_files_of_person(traces: Traces) -> int:
    """Delete the files that name the person; return how many."""
    paths = declared_temporary_files_naming_person(traces)
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)


def _is_file_of_this_user(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_uid == os.getuid()
    except OSError:
        return False  # it is gone, or nobody may look at it


def _is_person_named_in_readable_file(path: Path, traces: Traces) -> bool:
    try:
        return any(traces.are_in(text) for text in _iter_overlapping_texts_in_each_encoding(path))
    except (*rewriting.DAMAGED, OSError):
        return False  # damaged, or gone


def _iter_overlapping_texts_in_each_encoding(path: Path) -> Iterator[str]:
    """All text in a file: plain, compressed or a workbook."""
    if zipfile.is_zipfile(path):
        yield from rewriting.iter_overlapping_texts_of_workbook(path)
        return
    with path.open("rb") as file:
        is_packed = file.read(2) == b"\x1f\x8b"
    for encoding in ENCODINGS:
        yield from rewriting.iter_overlapping_texts_of_csv(path, encoding, compressed=is_packed)
