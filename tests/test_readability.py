"""What families read is easy: Gulpease of 60 at least, page by page, over the sentences that the catalogue has of it.

Gulpease (Lucisano and Piemontese, 1988): 89 + (300 × sentences - 10 × letters) / words; from 60 on, whoever has
finished middle school reads without effort.
"""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file

ROOT = Path(__file__).parents[1]
KEYWORDS = {"_": None, "ngettext": (1, 2)}
FOLDERS = ("accounts", "households", "needs", "prices", "slots")
FAMILY_PAGES = [
    *sorted(
        path.relative_to(ROOT / "templates").as_posix()
        for folder in FOLDERS
        for path in (ROOT / "templates" / folder).glob("*.html")
    ),
    "home/family.html",
    "home/public.html",
    "home/vouchers.html",
    "macros/hours.html",
    "pages/questions.html",
    "statements/contest_line.html",
    "statements/statement.html",
    "statements/statements.html",
]
ENOUGH = 60
SENTENCE = 4  # words: labels and headings are shorter, and would flatter a page
WORDS_ENOUGH = 20  # fewer say nothing about a page
LONG, LONG_ENOUGH = 12, 45  # a single sentence of so many words must be readable too
PLACE = re.compile(r"%\(\w+\)s|%%")


def sentences_of(page: str) -> list[str]:
    """The Italian sentences of a template, each place filled with a word."""
    found = []
    for _line, message, _comments, _context in extract_from_file("jinja2", ROOT / "templates" / page, KEYWORDS):
        texts = (message,) if isinstance(message, str) else message
        for text in texts:
            found += re.split(r"(?<=[.!?:;])\s+", PLACE.sub("cosa", text))
    return [one for one in found if count_words(one) >= SENTENCE]


def count_words(sentence: str) -> int:
    """Words, as the index counts them."""
    return len(re.findall(r"\w+", sentence))


def gulpease(sentences: list[str]) -> float:
    """The index of these sentences together."""
    words = [word for one in sentences for word in re.findall(r"\w+", one)]
    return 89 + (300 * len(sentences) - 10 * sum(map(len, words))) / len(words)


@pytest.mark.parametrize("page", FAMILY_PAGES)
def test_a_family_s_page_is_easy_to_read(page: str) -> None:
    sentences = sentences_of(page)
    if sum(map(count_words, sentences)) >= WORDS_ENOUGH:
        assert gulpease(sentences) >= ENOUGH
    hard = [one for one in sentences if count_words(one) >= LONG and gulpease([one]) < LONG_ENOUGH]
    assert not hard


def test_the_index_tells_easy_from_hard() -> None:
    assert gulpease(["Il gatto dorme.", "La casa è blu."]) > 100
    assert gulpease(["L'amministrazione comunale provvederà tempestivamente all'accreditamento dei richiedenti"]) < 40
