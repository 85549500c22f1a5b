"""What is left of the theme's style sheet, and that nothing needed is lost."""

import pytest

from marketplace.theme import trim

WORDS = frozenset({"btn", "alert", "alert-", "table", "active"})


@pytest.mark.parametrize(
    ("style", "kept"),
    [
        (".btn{a:b}.carousel{a:b}", ".btn{a:b}"),
        (".carousel,.btn:hover,h1{a:b}", ".btn:hover,h1{a:b}"),
        (".alert-danger{a:b}.alarm{a:b}", ".alert-danger{a:b}"),
        (".btn .unknown{a:b}", ""),
        (".btn:not(.unknown){a:b}", ".btn:not(.unknown){a:b}"),
        (":is(.unknown,.btn) p{a:b}", ":is(.unknown,.btn) p{a:b}"),
        ("@media (min-width:1px){.btn{a:b}.x{a:b}}", "@media (min-width:1px){.btn{a:b}}"),
        ("@media print{.x{a:b}}", ""),
        ("@keyframes x{from{a:b}to{a:c}}", "@keyframes x{from{a:b}to{a:c}}"),
        ('@charset "utf-8";h1{a:b}', '@charset "utf-8";h1{a:b}'),
        ("@font-face{font-family:x;src:url(data:a)}", ""),
        (
            '.btn{background:url("data:image/svg+xml,%3csvg{}")}.x{a:b}',
            '.btn{background:url("data:image/svg+xml,%3csvg{}")}',
        ),
        ("/* .x{ */.btn{a:b}", ".btn{a:b}"),
        ("[type=text],[data-x='a,b']{a:b}", "[type=text],[data-x='a,b']{a:b}"),
    ],
)
def test_only_rules_that_our_pages_can_match_stay(style: str, kept: str) -> None:
    assert trim(style, WORDS) == kept
