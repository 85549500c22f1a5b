"""Compiled functions keep their machine code on disk: beside the program, else where it may write, else nowhere."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def _choose_cache() -> None:
    """Name a folder for machine code before numba is imported, unless one is named or the program's own will do."""
    if "NUMBA_CACHE_DIR" in os.environ or os.access(Path(__file__).parent, os.W_OK):
        return
    base = os.environ.get("VAR")
    for folder in (Path(base) if base else None, Path(tempfile.gettempdir())):
        if folder and folder.is_dir() and os.access(folder, os.W_OK):
            os.environ["NUMBA_CACHE_DIR"] = str(folder / f"numba-{os.getuid()}")
            return


_choose_cache()

from numba import njit  # noqa: E402  (the folder is read when numba is imported)


def compiled(function: F) -> F:
    """`function` as machine code, kept for the next start where a folder can be written."""
    machine: Any
    try:
        machine = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder can be written
        machine = njit(nogil=True)(function)
    return cast(F, machine)
