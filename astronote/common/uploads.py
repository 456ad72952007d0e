"""Uploaded files on disk, without a name: a process that is killed leaves nothing of them."""

from __future__ import annotations

import tempfile
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler


class UnnamedFileUploadHandler(FileUploadHandler):
    """Writes what is too large for memory to a temporary file without a name."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begin with the next file of a request."""
        super().new_file(*args, **kwargs)
        self.file = UploadedFile(
            tempfile.TemporaryFile(),
            self.file_name,
            self.content_type,
            charset=self.charset,
            content_type_extra=self.content_type_extra,
        )

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Write the bytes."""
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile[bytes]:
        """The file, to be read from its start."""
        self.file.seek(0)
        self.file.size = file_size
        return self.file
