"""Make Taurus' own copy of the workspace.

The control volume is read-only for this container, and Taurus writes a changed JMX beside the original. Small files are
copied; large ones (data) are linked, because a copy would take their size a second time from the pod's disk.
"""

import os
import shutil
from pathlib import Path

LINKED_FROM = 16 * 1024 * 1024


def lay(source: Path, target: Path, linked_from: int = LINKED_FROM) -> None:
    """Copy the tree `source` to `target`; files of `linked_from` bytes and more become symbolic links."""
    target.mkdir(parents=True, exist_ok=True)
    for folder, folders, files in os.walk(source):
        place = target / Path(folder).relative_to(source)
        for name in folders:
            (place / name).mkdir(exist_ok=True)
        for name in files:
            file = Path(folder, name)
            if file.stat().st_size >= linked_from:
                (place / name).symlink_to(file)
            else:
                # Without the mode: the copy belongs to this user and stays writable.
                shutil.copyfile(file, place / name)
