"""An address is found however it is written, a near one is told as guessed, and no other is taken."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.places.register import AmbiguousAddress, HouseNumber, Register, UnknownAddress, fold_street, trigrams

ADDRESSES = [
    HouseNumber(street, locality, number, exponent, 44.9, 8.6)
    for street, locality, houses in (
        ("VIA DAZIO", "VALLE SAN BARTOLOMEO", [(90, "H"), (90, ""), (98, "R"), (2, ""), (71, "")]),
        ("VIA ANTONIO GRAMSCI", "CENTRO", [(2, "1"), (2, ""), (2, "BIS")]),
        ("VIA ROMA", "SPINETTA MARENGO", [(5, ""), (7, "")]),
        ("VIA ROMA", "LOBBI", [(5, "")]),
        ("CORSO QUATTRO NOVEMBRE", "ORTI", [(21, "")]),
        ("VIA 4 NOVEMBRE", "ORTI", [(21, "")]),
        ("STRADA PROVINCIALE 82 ALESSANDRIA-SALE", "LOBBI", [(109, "")]),
        ("VIA ALESSANDRO D'ANGENNES", "PISTA", [(6, "")]),
        ("PIAZZA DELLA LIBERTA'", "CENTRO", [(1, "")]),
        ("VIA TORTONA DI SPINETTA MARENGO", "SPINETTA MARENGO", [(68, "A")]),
        ("VIA TORTONA", "CENTRO", [(1, "")]),
        ("VIA BENEDETTO CROCE", "CENTRO", [(1, "")]),
        ("VIA BENEDETTA CROCE", "CENTRO", [(1, "")]),
    )
    for number, exponent in houses
]
REGISTER = Register(ADDRESSES, "Alessandria", "AL")


def found(text: str) -> tuple[str, bool]:
    answer = REGISTER.find(text)
    return str(answer.address), answer.guessed


@pytest.mark.parametrize(
    "text",
    ["Via Dazio 90/H", "via dazio, 90 H", "VIA DAZIO n. 90h", "Via  Dazio   n.90/h", "via dazio n° 90 h",
     "Vìa Dàzio 90-H", "VIA DAZIO, N. 90 / H", "via dazio nr 90h", "Via Dazio 90/H, Valle San Bartolomeo",
     "Via Dazio 90h (Alessandria)", "Via Dazio, 90/H - 15122 Alessandria AL",
     "Valle San Bartolomeo, via Dazio 90 H", "via dazio civico 90h",
     "via dazio, valle san bartolomeo, 90h", "Via Dazio 90/H fraz. Valle San Bartolomeo"],
)  # fmt: skip
def test_writing_does_not_matter(text: str) -> None:
    assert found(text) == ("VIA DAZIO 90/H, VALLE SAN BARTOLOMEO", False)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Via Antonio Gramsci 2/1", "VIA ANTONIO GRAMSCI 2/1, CENTRO"),
        ("Via Antonio Gramsci 2 bis", "VIA ANTONIO GRAMSCI 2/BIS, CENTRO"),
        ("corso quattro novembre 21", "CORSO QUATTRO NOVEMBRE 21, ORTI"),
        ("via 4 novembre 21", "VIA 4 NOVEMBRE 21, ORTI"),
        ("strada provinciale 82 alessandria-sale 109", "STRADA PROVINCIALE 82 ALESSANDRIA-SALE 109, LOBBI"),
        ("Via Alessandro d’Angennes 6", "VIA ALESSANDRO D'ANGENNES 6, PISTA"),
        ("Piazza della Libertà 1", "PIAZZA DELLA LIBERTA' 1, CENTRO"),
        ("via roma 5, spinetta marengo", "VIA ROMA 5, SPINETTA MARENGO"),
        ("via roma 5 lobbi", "VIA ROMA 5, LOBBI"),
        ("via roma 5 15122 Spinetta Marengo (AL)", "VIA ROMA 5, SPINETTA MARENGO"),
    ],
)
def test_numbers_exponents_and_localities_are_told_apart(text: str, address: str) -> None:
    assert found(text) == (address, False)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Via Antonio Gramschi 2/1", "VIA ANTONIO GRAMSCI 2/1, CENTRO"),
        ("Via A. Gramsci 2", "VIA ANTONIO GRAMSCI 2, CENTRO"),
        ("Via Dazio 91", "VIA DAZIO 90, VALLE SAN BARTOLOMEO"),
        ("Via Dazio 90/Z", "VIA DAZIO 90, VALLE SAN BARTOLOMEO"),
        ("Via Dazio 98", "VIA DAZIO 98/R, VALLE SAN BARTOLOMEO"),
        ("Via Dazio 500", "VIA DAZIO 98/R, VALLE SAN BARTOLOMEO"),
        ("Via Dazio 90/H scala B", "VIA DAZIO 90/H, VALLE SAN BARTOLOMEO"),
        ("Via Dazio 90/H, Lobbi", "VIA DAZIO 90/H, VALLE SAN BARTOLOMEO"),
        ("via tortona 68/a, spinetta marengo", "VIA TORTONA DI SPINETTA MARENGO 68/A, SPINETTA MARENGO"),
        ("vie roma 7, spinetta marengo", "VIA ROMA 7, SPINETTA MARENGO"),
    ],
)
def test_what_is_not_exactly_so_is_guessed(text: str, address: str) -> None:
    assert found(text) == (address, True)


@pytest.mark.parametrize("text", ["Contrada Inesistente 4", "Via Benedett Croce 1", "Via Dazio", "", "90", "-", "snc"])
def test_what_is_not_near_one_street_alone_is_unknown(text: str) -> None:
    with pytest.raises(UnknownAddress):
        REGISTER.find(text)


@pytest.mark.parametrize("text", ["via roma 5", "Via Roma 7", "via roma 5, centro", "vie roma 5"])
def test_a_street_in_two_localities_needs_the_locality(text: str) -> None:
    with pytest.raises(AmbiguousAddress, match="LOBBI, SPINETTA MARENGO"):
        REGISTER.find(text)


def test_trigrams_are_those_of_pg_trgm() -> None:
    assert trigrams("cat") == {"  c", " ca", "cat", "at "}
    assert trigrams(fold_street("foo|bar")) == {"  f", " fo", "foo", "oo ", "  b", " ba", "bar", "ar "}


@given(st.text(max_size=80) | st.text("via romdz 0123456789/,.n", max_size=80))
def test_no_text_raises_anything_but_the_two_refusals(text: str) -> None:
    try:
        REGISTER.find(text)
    except (UnknownAddress, AmbiguousAddress) as refusal:
        assert str(refusal)


def test_a_big_register_answers_fast() -> None:
    names = [f"VIA {first} {second}" for first in "ABCDEFGHIJ" for second in map(str, range(500))]
    register = Register(HouseNumber(f"{name} ROSSI", "", n, "", 44.0, 8.0) for name in names for n in range(1, 21))
    register.find("via a 3 rosi 3")
    start = time.perf_counter()
    for number in range(1, 21):
        register.find(f"via b 77 rossi {number}")
    assert time.perf_counter() - start < 2
