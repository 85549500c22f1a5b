"""Every failure mode that the documentation lists has its tests, under the names that it gives."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs" / "failure-modes.md"
ROW = re.compile(r"^\| (\d+) \|", re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_there_are_fifteen_and_each_names_a_test() -> None:
    rows = [line for line in TABLE.read_text().splitlines() if ROW.match(line)]
    assert [int(ROW.match(row)[1]) for row in rows] == list(range(1, 16))
    assert all(NAMED.search(row) for row in rows)


def test_each_named_test_is_there() -> None:
    gone = [
        f"{path}::{name}"
        for path, name in NAMED.findall(TABLE.read_text())
        if not (ROOT / path).exists() or f"def {name}(" not in (ROOT / path).read_text()
    ]
    assert gone == []
