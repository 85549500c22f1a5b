"""Invented people: names from the many who live in the cities, tax codes that pass the check and belong to nobody."""

import random
import string

from stdnum.it import codicefiscale

GIVEN = (
    *("Giulia", "Sara", "Amina", "Chiara", "Elena", "Fatima", "Francesca", "Ines", "Irina", "Laura", "Lucia", "Maria"),
    *("Marta", "Mei", "Nadia", "Olena", "Paola", "Sofia", "Teresa", "Valentina", "Ahmed", "Alessandro", "Andrea"),
    *("Carlo", "Davide", "Enrico", "Giovanni", "Hassan", "Ion", "Kevin", "Luca", "Marco", "Matteo", "Omar", "Paolo"),
    *("Pietro", "Roberto", "Stefano", "Tommaso", "Youssef"),
)
FAMILY = (
    *("Amadei", "Barbieri", "Bassi", "Benassi", "Bertani", "Bianchi", "Campani", "Catellani", "Chen", "Davoli"),
    *("Diallo", "El Amrani", "Ferrari", "Ferretti", "Fontana", "Gallo", "Gherardi", "Grassi", "Hoxha", "Iori"),
    *("Kaur", "Lusuardi", "Manfredi", "Mattioli", "Melloni", "Montanari", "Neri", "Okafor", "Pavarini", "Popescu"),
    *("Prandi", "Rinaldi", "Rossi", "Sassi", "Serri", "Singh", "Spaggiari", "Tondelli", "Vezzani", "Zanni"),
)
MONTHS = "ABCDEHLMPRST"


def make_tax_code(rng: random.Random, cadastral_code: str) -> str:
    """A tax code whose six letters are no name's: it passes the check character, and nobody has it."""
    letters = "".join(rng.choices(string.ascii_uppercase, k=6))
    born = f"{rng.randint(50, 95)}{rng.choice(MONTHS)}{rng.choice([rng.randint(1, 28), rng.randint(41, 68)]):02d}"
    body = f"{letters}{born}{cadastral_code}"
    return f"{body}{codicefiscale.calc_check_digit(body)}"
