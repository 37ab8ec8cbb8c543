"""What the durable files of several parts need."""

from __future__ import annotations

import os


def sync_folder(folder: str) -> None:
    """Make the names in a folder durable. OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
