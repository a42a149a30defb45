"""What took long to make is kept in a folder, named by what went into it."""

import fcntl
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

__all__ = ["kept"]


def kept(parent: Path, content: object, fill: Callable[[Path], None]) -> Path:
    """Folder under ``parent`` that ``fill`` has filled, now or earlier, for the same ``content``.

    A folder appears when it is complete: work that was cut short leaves one that ends in
    ``.partial``, and is done again. Of several processes one does the work, the others wait.

    Parameters
    ----------
    content : object
        All that the result depends on; equal if its ``repr`` is.
    fill : callable
        Gets an empty folder, beside which the finished one will stand.
    """
    folder = parent / hashlib.sha256(repr(content).encode()).hexdigest()[:16]
    parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            fill(partial)
            partial.rename(folder)
    return folder
