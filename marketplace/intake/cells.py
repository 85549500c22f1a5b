"""Each cell is read into one exact value or raises the `Fault` that the report names; none raises anything else."""

import datetime as dt
import re
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal

import email_validator
from babel import Locale
from stdnum import exceptions as stdnum_exceptions
from stdnum.it import codicefiscale

from marketplace.intake.report import Code, Fault
from marketplace.places.register import fold
from marketplace.words import N_

GRID_MINUTES = 15
NOTE_CHARACTERS_MAX = 2000
CODE_CHARACTERS_MAX = 60
NUMBER_CHARACTERS_MAX = 40
AMOUNT_EUROS_MAX = Decimal(10_000_000_000)
LANGUAGES = frozenset(name for name in map(str, Locale("en").languages) if len(name) in (2, 3))
SERVICES = {"ripetizioni": "tutoring", "babysitter": "babysitting", "assistenza": "home_care"}
_CURRENCY = r"(?:€|euro|eur)"
_SCHOOLS = {
    **dict.fromkeys(("primaria", "elementare", "elementari"), (0, 5)),
    **dict.fromkeys(("media", "medie"), (5, 3)),
    **dict.fromkeys(("superiore", "superiori"), (8, 5)),
}
_ORDINALS = {"prima": 1, "seconda": 2, "terza": 3, "quarta": 4, "quinta": 5, "i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5}


def split_list(text: str) -> list[str]:
    """The entries of a cell that holds several, separated by `,` or `|` (or `;` or a new line)."""
    return [entry for part in re.split(r"[,|;\r\n]", text) if (entry := part.strip())]


def line(longest: int) -> Callable[[str], str]:
    """Reads one line of text of at most so many characters."""

    def read(text: str) -> str:
        if len(text) > longest:
            raise Fault(
                Code.OUT_OF_RANGE, N_("Il testo è troppo lungo: accorcialo a %(longest)s caratteri."), longest=longest
            )
        return text if text.isalnum() else " ".join(text.split())

    return read


short_text = line(200)
person_name = line(120)
street_name = line(150)
place_name = line(120)
phone = line(40)
exponent = line(20)


def note(text: str) -> str:
    """Free text, new lines kept."""
    if len(text) > NOTE_CHARACTERS_MAX:
        raise Fault(Code.OUT_OF_RANGE, N_("La nota è troppo lunga: accorciala a 2.000 caratteri."))
    return text


def code(text: str) -> str:
    """A row's own key, exactly as written."""
    if len(text) > CODE_CHARACTERS_MAX:
        raise Fault(Code.OUT_OF_RANGE, N_("Il codice è troppo lungo: accorcialo a 60 caratteri."))
    return text


def number(text: str, *, thousands: bool = False) -> Decimal:
    """A decimal number, comma or point; with `thousands`, a separator before three digits parts thousands."""
    shown = re.sub(r"\s", " ", re.sub(r"[−–]", "-", text)).strip()
    match = re.fullmatch(r"([+-]?) ?([0-9][0-9.,' ]*)", shown)
    if not match or len(shown) > NUMBER_CHARACTERS_MAX:
        raise _no_number(text)
    digits = match[2]
    if re.fullmatch(r"[1-9][0-9]{0,2}(?:(?:\.[0-9]{3})+|(?:,[0-9]{3})+)", digits) and thousands:
        digits = re.sub(r"[.,]", "", digits)
    elif re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+", digits):
        digits = digits.replace(".", "")
    elif re.fullmatch(r"[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]+", digits):
        digits = digits.replace(",", "")
    elif re.fullmatch(r"[0-9]{1,3}(?:[' ][0-9]{3})+(?:[.,][0-9]+)?", digits):
        digits = re.sub(r"[' ]", "", digits)
    if not re.fullmatch(r"[0-9]+(?:[.,][0-9]+)?", digits):
        raise _no_number(text)
    value = Decimal(digits.replace(",", "."))
    return -value if match[1] == "-" else value


def _no_number(text: str) -> Fault:
    return Fault(
        Code.INVALID_NUMBER, N_("«%(cell)s» non è un numero: scrivi solo cifre, per esempio 12,50."), cell=text
    )


def _within(value: Decimal, low: Decimal | int, high: Decimal | int, text: str) -> None:
    if not low <= value <= high:
        raise Fault(
            Code.OUT_OF_RANGE,
            N_("«%(cell)s» è fuori dai limiti: scrivi un valore da %(low)s a %(high)s."),
            cell=text,
            low=str(low).replace(".", ","),
            high=str(high).replace(".", ","),
        )


def whole(low: int, high: int, unit: str = "") -> Callable[[str], int]:
    """Reads a whole number between two limits; `unit` is a word that may follow it."""

    def read(text: str) -> int:
        value = number(re.sub(rf"\s*(?:{unit})\.?$", "", text, flags=re.IGNORECASE) if unit else text)
        if value != value.to_integral_value():
            raise Fault(
                Code.INVALID_NUMBER, N_("«%(cell)s» non è un numero intero: scrivilo senza decimali."), cell=text
            )
        _within(value, low, high, text)
        return int(value)

    return read


def decimal(low: int, high: int, unit: str = "") -> Callable[[str], Decimal]:
    """Reads a decimal number between two limits; `unit` is a word or sign that may follow it."""

    def read(text: str) -> Decimal:
        value = number(re.sub(rf"\s*(?:{unit})\.?$", "", text, flags=re.IGNORECASE) if unit else text)
        _within(value, low, high, text)
        if value != round(value, 6):
            raise Fault(Code.INVALID_NUMBER, N_("«%(cell)s» ha troppi decimali: arrotondalo."), cell=text)
        return value

    return read


def cents(low: str, high: str | Decimal, *, thousands: bool = False) -> Callable[[str], int]:
    """Reads euros between two limits into whole cents; `thousands` for amounts a year or a week."""

    def read(text: str) -> int:
        shown = re.sub(rf"^\s*{_CURRENCY}\s*|\s*{_CURRENCY}(?:\s*/\s*(?:h|ora))?\s*\.?$", "", text, flags=re.IGNORECASE)
        if re.match(rf"\s*[-−–]\s*{_CURRENCY}", text, re.IGNORECASE):
            shown = re.sub(_CURRENCY, "", text, flags=re.IGNORECASE)
        try:
            value = number(shown, thousands=thousands)
        except Fault as fault:
            raise Fault(
                Code.INVALID_NUMBER,
                N_("«%(cell)s» non è un importo: scrivi gli euro in cifre, per esempio 12,50."),
                cell=text,
            ) from fault
        _within(value, Decimal(low), Decimal(high), text)
        if value != round(value, 2):
            raise Fault(
                Code.INVALID_NUMBER, N_("«%(cell)s» ha più di due decimali: scrivi euro e centesimi."), cell=text
            )
        return int(value * 100)

    return read


price = cents("0.01", "200")
rate = cents("0", "200")
amount = cents("0", AMOUNT_EUROS_MAX, thousands=True)
percent = decimal(0, 100, "%")
kilometres = decimal(0, 50, "km")
age = whole(0, 110, "anni|anno")


def house_number(text: str) -> int:
    """The number of a house, without its exponent."""
    return int(text) if len(text) <= 6 and text.isascii() and text.isdigit() else whole(0, 999_999)(text)


def degrees(limit: int) -> Callable[[str], float]:
    """Reads a coordinate in degrees, at most `limit` either way."""

    def read(text: str) -> float:
        if not re.fullmatch(r"[+-]?[0-9]{1,9}(?:[.,][0-9]{1,20})?", text):
            raise Fault(
                Code.INVALID_NUMBER,
                N_("«%(cell)s» non è una coordinata: scrivi i gradi in cifre, per esempio 44,9586803."),
                cell=text,
            )
        value = float(text.replace(",", "."))
        if abs(value) > limit:
            raise Fault(
                Code.OUT_OF_RANGE,
                N_("«%(cell)s» è fuori dai limiti: scrivi le coordinate in gradi (ETRF2000)."),
                cell=text,
            )
        return value

    return read


latitude = degrees(90)
longitude = degrees(180)


def duration(text: str) -> int:
    """Minutes from `90`, `1h30` or `1,5 h`: 30 to 720, a multiple of 15."""
    shown = fold(text)
    minutes: Decimal
    if match := re.fullmatch(r"([0-9]{1,3}) ?(?:h|ore|ora|:) ?(?:e )?([0-5][0-9])(?: ?(?:m|min|minuti|'))?\.?", shown):
        minutes = Decimal(match[1]) * 60 + Decimal(match[2])
    elif match := re.fullmatch(r"(.+?) ?(?:h|ore|ora)\.?", shown):
        minutes = number(match[1]) * 60
    else:
        minutes = number(re.sub(r" ?(?:m|min|minuti|')\.?$", "", shown))
    _within(minutes, 30, 720, text)
    if minutes % GRID_MINUTES:
        raise Fault(
            Code.INVALID_NUMBER,
            N_("La durata «%(cell)s» non è un multiplo di 15 minuti: scrivi per esempio 90 oppure 1h30."),
            cell=text,
        )
    return int(minutes)


def level(text: str) -> int:
    """The school year, 1 to 13, from `3 primaria`, `2 media`, `4 superiore`."""
    match = re.fullmatch(
        r"([1-5]|[a-z]+)[ao°^.]* ?(primaria|elementare|media|superiore|elementari|medie|superiori)", fold(text)
    )
    year = (int(match[1]) if match[1].isdigit() else _ORDINALS.get(match[1], 0)) if match else 0
    before, years = _SCHOOLS[match[2]] if match else (0, 0)
    if not 1 <= year <= years:
        raise Fault(
            Code.INVALID_NUMBER,
            N_("La classe «%(cell)s» non si legge: scrivi per esempio 3 primaria, 2 media o 4 superiore."),
            cell=text,
        )
    return before + year


def languages(text: str) -> tuple[str, ...]:
    """ISO codes of languages, each once, in the order written."""
    codes = tuple(dict.fromkeys(entry for entry in re.split(r"[,|;/\s]+", fold(text)) if entry))
    if not codes or not LANGUAGES.issuperset(codes):
        raise Fault(
            Code.INVALID_NUMBER,
            N_("Le lingue «%(cell)s» non si leggono: scrivi i codici di due lettere, per esempio it|ar."),
            cell=text,
        )
    return codes


def services(text: str) -> tuple[str, ...]:
    """The services named in a cell, each once."""
    names = [fold(entry) for entry in split_list(text)]
    if not names or not SERVICES.keys() >= set(names):
        raise Fault(
            Code.UNKNOWN_SERVICE,
            N_("Il servizio «%(cell)s» non c'è: scrivi ripetizioni, babysitter o assistenza."),
            cell=text,
        )
    return tuple(dict.fromkeys(SERVICES[name] for name in names))


def service(text: str) -> str:
    """The one service named in a cell."""
    found = services(text)
    if len(found) > 1:
        raise Fault(Code.UNKNOWN_SERVICE, N_("«%(cell)s»: scrivi un solo servizio, e una riga per ognuno."), cell=text)
    return found[0]


def subjects(known: Mapping[str, str]) -> Callable[[str], tuple[str, ...]]:
    """Reads subjects by the municipality's words for them."""
    by_word = {fold(word): topic for word, topic in known.items()}

    def read(text: str) -> tuple[str, ...]:
        words = [fold(entry) for entry in split_list(text)]
        if not words or not by_word.keys() >= set(words):
            raise Fault(
                Code.UNKNOWN_SUBJECT,
                N_("La materia «%(cell)s» non è nell'elenco del Comune: scrivi una di %(known)s."),
                cell=text,
                known=", ".join(known),
            )
        return tuple(dict.fromkeys(by_word[word] for word in words))

    return read


def subject(known: Mapping[str, str]) -> Callable[[str], str]:
    """Reads one subject by the municipality's words for them."""
    read_all = subjects(known)

    def read(text: str) -> str:
        found = read_all(text)
        if len(found) > 1:
            raise Fault(
                Code.UNKNOWN_SUBJECT, N_("«%(cell)s»: scrivi una sola materia, e una riga per ognuna."), cell=text
            )
        return found[0]

    return read


def words(text: str) -> tuple[str, ...]:
    """Free words of a list, folded, each once."""
    return tuple(dict.fromkeys(fold(entry) for entry in split_list(short_text(text))))


def yes_no(text: str) -> bool:
    """`si` or `no`."""
    shown = fold(text).rstrip("'")
    if shown in ("si", "s", "x", "vero", "true", "1"):
        return True
    if shown in ("no", "n", "falso", "false", "0"):
        return False
    raise Fault(Code.INVALID_NUMBER, N_("«%(cell)s» non si legge: scrivi si oppure no."), cell=text)


def tax_code(text: str) -> str:
    """A codice fiscale whose check character is right, omocodes too, in capitals without spaces."""
    try:
        return str(codicefiscale.validate(re.sub(r"\s", "", text)))
    except stdnum_exceptions.ValidationError as error:
        raise Fault(
            Code.INVALID_TAX_CODE, N_("Il codice fiscale «%(cell)s» non è valido: ricopialo dalla tessera."), cell=text
        ) from error


def email(text: str) -> str:
    """An e-mail address that is well formed; nobody is asked whether it exists."""
    try:
        return email_validator.validate_email(text, check_deliverability=False, test_environment=True).normalized
    except email_validator.EmailNotValidError as error:
        raise Fault(
            Code.INVALID_EMAIL,
            N_("L'indirizzo e-mail «%(cell)s» non è valido: scrivilo come nome@esempio.it."),
            cell=text,
        ) from error


def date(text: str) -> dt.date:
    """A day from `gg/mm/aaaa` or ISO, in the years 1900 to 2199."""
    if match := re.fullmatch(r"([0-9]{1,2})([/.-])([0-9]{1,2})\2([0-9]{4})(?: 0?0:00(?::00)?)?", text):
        day, month, year = int(match[1]), int(match[3]), int(match[4])
    elif match := re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]00:00(?::00)?)?", text):
        year, month, day = (int(part) for part in match.groups())
    else:
        year = month = day = 0
    try:
        if 1900 <= year < 2200:
            return dt.date(year, month, day)
    except ValueError:
        pass
    raise Fault(
        Code.INVALID_DATE, N_("La data «%(cell)s» non si legge: scrivila come 31/12/2026 oppure 2026-12-31."), cell=text
    )


def venue_codes(known: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    """Reads the codes of venues that the municipality has."""

    def read(text: str) -> tuple[str, ...]:
        codes = tuple(dict.fromkeys(split_list(text)))
        unknown = [one for one in codes if one not in known]
        if unknown:
            raise Fault(
                Code.UNKNOWN_VENUE,
                N_("La sede «%(cell)s» non c'è: scrivi il codice di una sede di sedi.csv, o aggiungila lì."),
                cell=", ".join(unknown),
            )
        return codes

    return read
