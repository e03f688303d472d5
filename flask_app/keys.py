"""The key that signs the cookies of who is logged in."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile


def secret_key(path: Path) -> str:
    """Return the key in the file at *path*, which is made where it is not there yet.

    All processes of a node have the same, and a restart logs nobody out. Who runs the poll on several
    machines, or wants a key of his own, sets ``FLASK_SECRET_KEY``.

    :raises OSError: it can be neither read nor made.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Readable by its owner only, and complete before it has its name.
        with NamedTemporaryFile("w", dir=path.parent) as file:
            file.write(secrets.token_hex(32))
            file.flush()
            with suppress(FileExistsError):  # another process was faster
                os.link(file.name, path)
    return path.read_text()
