"""Compiled functions keep their machine code on disk: beside the program, else where it may write, else nowhere."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def _cache_folder() -> str | None:
    """A folder for the machine code of just these sources: numba itself does not see when a called function changes."""
    here = Path(__file__).parent
    sources = (path.read_bytes() for path in sorted(here.glob("*.py")))
    compiled_sources = [source for source in sources if b"@compiled" in source or b"@inner" in source]
    digest = hashlib.sha256(b"".join(compiled_sources)).hexdigest()[:16]
    places: list[str | Path] = [here / "__pycache__", tempfile.gettempdir()]
    if "VAR" in os.environ:
        places.insert(1, os.environ["VAR"])
    for place in places:
        folder = Path(place) / f"machine-code-{os.getuid()}-{digest}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK) and folder.stat().st_uid == os.getuid():
            return str(folder)
    return None


_config: Any = numba.config
if (_folder := _cache_folder()) is not None and not _config.CACHE_DIR:
    _config.CACHE_DIR = _folder


def compiled(function: F) -> F:
    """`function` as machine code, kept for the next start where a folder can be written."""
    return _as_machine_code(function, {})


def inner(function: F) -> F:
    """The same for what only compiled functions call: without the way in from Python, which takes long to compile."""
    return _as_machine_code(function, {"no_cpython_wrapper": True, "no_cfunc_wrapper": True})


def _as_machine_code(function: F, options: dict[str, bool]) -> F:
    compile_: Any = numba.njit  # its stub knows no wrappers
    try:
        machine = compile_(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # no folder can be written
        machine = compile_(nogil=True, **options)(function)
    return cast(F, machine)
