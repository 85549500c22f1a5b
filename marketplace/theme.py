"""The theme's style sheet without the rules that no page of ours can match: a sixth of its weight, the same look.

A rule stays unless a class it asks for is written nowhere in our templates, scripts and code; a word that ends in `-`
(`alert-{{ tone }}`) stands for all classes that begin so. Whatever is in doubt stays.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
BOUNDARY: Final = re.compile(r""""[^"]*"|'[^']*'|[{};]""")
CLASS: Final = re.compile(r"\.([A-Za-z_][\w-]*)")
EITHER: Final = re.compile(r":(?:not|has|is|where)\((?:[^()]|\([^()]*\))*\)")
COMMA: Final = re.compile(r",(?![^(\[]*[)\]])")
WORD: Final = re.compile(r"[A-Za-z_][\w-]*")
GROUPS: Final = ("@media", "@supports")


def words_of(files: Iterable[Path]) -> frozenset[str]:
    """Every word in these files: whatever could be a class."""
    return frozenset(word for file in files for word in WORD.findall(file.read_text()))


def trim(style: str, words: frozenset[str]) -> str:
    """The rules of `style` that pages made of these `words` could match; fonts written into it are left out."""
    beginnings = tuple(word for word in words if word.endswith("-"))
    return "".join(_kept(COMMENT.sub("", style.removeprefix("\ufeff")), words, beginnings))


def _kept(style: str, words: frozenset[str], beginnings: tuple[str, ...]) -> Iterator[str]:
    for head, body in _rules(style):
        if head.startswith(GROUPS):
            inner = "".join(_kept(body, words, beginnings))
            if inner:
                yield f"{head}{{{inner}}}"
        elif head.startswith("@"):
            if not head.startswith("@font-face"):
                yield f"{head}{{{body}}}" if body else head
        elif selectors := [one for one in COMMA.split(head) if _can_match(one, words, beginnings)]:
            yield f"{','.join(selectors)}{{{body}}}"


def _can_match(selector: str, words: frozenset[str], beginnings: tuple[str, ...]) -> bool:
    classes = CLASS.findall(EITHER.sub("", selector))
    return all(name in words or name.startswith(beginnings) for name in classes)


def _rules(style: str) -> Iterator[tuple[str, str]]:
    """(what stands before the braces, what stands inside); a statement without braces comes with its semicolon."""
    start, inside, depth = 0, 0, 0
    head = ""
    for boundary in BOUNDARY.finditer(style):
        mark = boundary.group()
        if mark == "{":
            if depth == 0:
                head, inside = style[start : boundary.start()].strip(), boundary.end()
            depth += 1
        elif mark == "}":
            depth -= 1
            if depth == 0:
                yield head, style[inside : boundary.start()]
                start = boundary.end()
        elif mark == ";" and depth == 0:
            yield style[start : boundary.end()].strip(), ""
            start = boundary.end()
