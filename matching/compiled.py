"""Compiled functions keep their machine code on disk: beside the program, else where it may write, else nowhere."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])
MARKS = (b"@compiled", b"@inner", b"@lean")


def _cache_folder() -> str | None:
    """A folder for the machine code of just these sources: numba itself does not see when a called function changes."""
    here = Path(__file__).parent
    sources = (path.read_bytes() for path in sorted(here.glob("*.py")))
    compiled_sources = [source for source in sources if any(mark in source for mark in MARKS)]
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
# Searches branch at every step: vectors and the compiler's last passes double its work, and gain them nothing.
if "NUMBA_LOOP_VECTORIZE" not in os.environ:
    _config.LOOP_VECTORIZE = 0
if "NUMBA_OPT" not in os.environ:
    _config.OPT = type(_config.OPT)(1)


def compiled(function: F) -> F:
    """`function` as machine code, kept for the next start where a folder can be written."""
    return _as_machine_code(function, {})


def inner(function: F) -> F:
    """The same for what only compiled functions call: without the way in from Python, which takes long to compile."""
    return _as_machine_code(function, {"no_cpython_wrapper": True, "no_cfunc_wrapper": True})


def lean(function: F) -> F:
    """The same for what makes no arrays and returns none: without counting who holds which, there is half as much code.

    Nor does it call any that does. (The compiler refuses one that does.) `_nrt` is numba's word, without a public one.
    """
    return _as_machine_code(function, {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False})


def _as_machine_code(function: F, options: dict[str, bool]) -> F:
    compile_: Any = numba.njit  # its stub knows no wrappers
    try:
        machine = compile_(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # no folder can be written
        machine = compile_(nogil=True, **options)(function)
    machine.get_call_template = _at_one_width(machine.get_call_template)
    return cast(F, machine)


def _at_one_width(find: Callable[..., Any]) -> Callable[..., Any]:
    """Between compiled functions whole numbers have 64 bits: else each is compiled for every constant and width."""
    kinds: Any = numba.types  # its stub knows no widths

    def widened(kind: Any) -> Any:
        kind = kinds.unliteral(kind)
        is_narrow = isinstance(kind, kinds.Integer) and kind.bitwidth < kinds.int64.bitwidth
        return kinds.int64 if is_narrow else kind

    return lambda args, kws: find(tuple(map(widened, args)), {name: widened(kind) for name, kind in kws.items()})
