"""What an officer writes about a programme and its rule."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateField,
    FieldList,
    Form,
    FormField,
    IntegerField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional

from billing.reading import Faults, model_of
from billing.rules import Kind, Limit, Per
from billing.rules import Rule as GrantRule
from marketplace.fields import EurosField
from marketplace.providers.forms import SERVICES
from marketplace.vouchers.models import Programme
from marketplace.vouchers.programmes import Rule


class ProgrammeForm(FlaskForm):
    """A programme: who is entitled, and how much it pays."""

    code = StringField(_("Codice"), validators=[DataRequired(_("Scrivi un codice, per esempio P5")), Length(max=60)])
    name = StringField(_("Nome"), validators=[DataRequired(_("Scrivi il nome del programma")), Length(max=200)])
    service = SelectField(_("Servizio"))
    budget = EurosField(_("Budget di ogni settimana"), validators=[InputRequired(_("Scrivi il budget"))])
    isee_max = EurosField(_("ISEE fino a"))
    percent = StringField(_("Percentuale della quota"), validators=[DataRequired(_("Scrivi la percentuale"))])
    cap = EurosField(_("Al massimo, l'ora e a persona"))
    total = EurosField(_("Budget in tutto"))
    families_max = IntegerField(
        _("Famiglie con il buono, al massimo"), [Optional(), NumberRange(1, 1_000_000, _("Da 1 a 1.000.000"))]
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.service.choices = [(code, gettext(words)) for code, words in SERVICES.items()]

    @classmethod
    def of(cls, programme: Programme) -> "ProgrammeForm":
        """The form as it opens on a programme."""
        return cls(
            data={
                "code": programme.code,
                "name": programme.name,
                "service": programme.service,
                "budget": programme.weekly_budget_cents,
                "isee_max": programme.isee_max_cents,
                "percent": programme.percent.replace(".", ","),
                "cap": programme.cap_cents_per_hour,
                "total": programme.total_budget_cents,
                "families_max": programme.families_max,
            }
        )

    def validate_percent(self, field: StringField) -> None:
        """From 0 to 100, with at most two decimals."""
        text = (field.data or "").strip().removesuffix("%").strip().replace(",", ".")
        if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,2})?", text) or Decimal(text) > 100:
            raise ValidationError(gettext("La percentuale va da 0 a 100"))
        field.data = text

    def rule(self) -> Rule:
        """What was written."""
        return Rule(
            code=self.code.data.strip(),
            name=self.name.data.strip(),
            service=self.service.data,
            weekly_budget_cents=self.budget.data or 0,
            isee_max_cents=self.isee_max.data,
            percent=format(Decimal(self.percent.data).normalize(), "f"),
            cap_cents_per_hour=self.cap.data,
            total_budget_cents=self.total.data,
            families_max=self.families_max.data,
        )


KINDS = {
    Kind.CHARGE: _("Quanto paga la famiglia: il resto lo mette il Comune"),
    Kind.GRANT: _("Quanto mette il Comune"),
    Kind.PERCENT: _("Quale percentuale della quota mette il Comune"),
}
PERIODS = {Per.HOUR: _("l'ora"), Per.DAY: _("al giorno"), Per.WEEK: _("la settimana"), Per.MONTH: _("al mese")}
BANDS_MAX = 6
LIMITS = {
    "person_week": ("person", Per.WEEK),
    "person_month": ("person", Per.MONTH),
    "person_year": ("person", Per.YEAR),
    "household_month": ("household", Per.MONTH),
    "household_year": ("household", Per.YEAR),
}


def _choices(words: Mapping[Any, Any]) -> list[SelectChoice]:
    return [SelectChoice(one.value, label) for one, label in words.items()]


class BandForm(Form):
    """A band of ISEE; without an end it is not there, without an amount the family pays the full price."""

    up_to = EurosField(_("ISEE fino a"))
    first = EurosField(_("Importo"))
    last = EurosField(_("Importo a fine fascia"))


class RuleForm(FlaskForm):
    """A rule of one amount; whoever needs more writes it as text, as `python -m billing subsidy` reads it."""

    kind = RadioField(_("Che cosa dice la regola"), choices=_choices(KINDS), default=Kind.CHARGE.value)
    per = SelectField(_("Gli importi sono"), choices=_choices(PERIODS), default=Per.HOUR.value)
    bands = FieldList(FormField(BandForm), _("Fasce di ISEE"), min_entries=BANDS_MAX, max_entries=BANDS_MAX)
    beyond = EurosField(_("Oltre l'ultima fascia"))
    person_week = EurosField(_("Ogni persona, la settimana"))
    person_month = EurosField(_("Ogni persona, al mese"))
    person_year = EurosField(_("Ogni persona, all'anno"))
    household_month = EurosField(_("Ogni famiglia, al mese"))
    household_year = EurosField(_("Ogni famiglia, all'anno"))
    weeks_year = IntegerField(_("Settimane con buono all'anno, a persona"), [Optional(), NumberRange(1, 53)])
    age_min = IntegerField(_("Età da"), [Optional(), NumberRange(0, 120)])
    age_max = IntegerField(_("Età fino a"), [Optional(), NumberRange(0, 120)])
    residents_only = BooleanField(_("Solo chi risiede nel Comune"))
    disability_only = BooleanField(_("Solo persone con disabilità"))
    isee_waived = BooleanField(_("Con una disabilità l'ISEE non conta"))
    written = TextAreaField(_("La regola come testo (JSON)"), [Length(max=20_000)])
    valid_from = DateField(_("Vale dal"), [Optional()])

    @classmethod
    def of(cls, rule: GrantRule) -> "RuleForm":
        """The form as it opens on a rule; one that it cannot show stands in its text."""
        tariff = rule.tariffs[0]
        fits = len(rule.tariffs) == 1 and not tariff.steps and _is_simple(rule)
        if not fits:
            return cls(data={"written": json.dumps(rule.model_dump(mode="json", exclude_none=True), indent=1)})
        closed = [band for band in tariff.graded if band.up_to is not None]
        beyond = tariff.graded[-1].first if tariff.graded[-1].up_to is None else None
        bands = [{"up_to": _cents(one.up_to), "first": _cents(one.first), "last": _cents(one.last)} for one in closed]
        for band in bands:
            band["last"] = None if band["last"] == band["first"] else band["last"]
        limits = {
            name: int(limit.amount * 100)
            for name, (of, per) in LIMITS.items()
            for limit in rule.limits
            if limit.amount is not None and (limit.of, limit.per) == (of, per)
        }
        weeks = [limit.weeks for limit in rule.limits if limit.weeks is not None]
        asked = rule.model_dump(
            include={"kind", "age_min", "age_max", "residents_only", "disability_only", "isee_waived"}
        )
        blank = [{"up_to": None, "first": None, "last": None}] * (BANDS_MAX - len(bands))
        data = {
            "per": tariff.per,
            "bands": bands + blank,
            "beyond": _cents(beyond),
            "weeks_year": next(iter(weeks), None),
        }
        return cls(data={**asked, **limits, **data})

    def rule(self, name: str) -> GrantRule | None:
        """The rule that was written, or None, with what is wrong beside its field."""
        values = self._as_text() if (self.written.data or "").strip() else self._as_fields()
        if values is None or self.errors:
            return None
        try:
            return model_of({**values, "name": name}, GrantRule)
        except Faults as faults:
            self.written.errors = [gettext("La regola non va: %(why)s", why=line) for line in faults.lines]
            return None

    def _as_text(self) -> dict[str, Any] | None:
        try:
            values = json.loads(self.written.data, parse_float=Decimal)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            self.written.errors = [gettext("Il testo non è un oggetto JSON")]
            return None
        return values

    def _as_fields(self) -> dict[str, Any]:
        """The fields as `rule/1`, with their own faults."""
        bands = list(self._bands())
        beyond = {} if self.beyond.data is None else {"amount": _euros(self.beyond.data)}
        if not bands and self.beyond.data is None:
            self.beyond.errors = [gettext("Scrivi almeno una fascia, o un importo per tutti")]
        kind = Kind(self.kind.data)
        if kind is Kind.PERCENT:
            self._refuse_above_100()
        self.bands.errors = [entry.form.errors for entry in self.bands if entry.form.errors]
        if self.age_min.data is not None and self.age_max.data is not None and self.age_max.data < self.age_min.data:
            self.age_max.errors = [gettext("L'età finale non può essere sotto quella iniziale")]
        limits: list[dict[str, Any]] = [
            {"amount": _euros(self[field].data), "of": of, "per": per.value}
            for field, (of, per) in LIMITS.items()
            if self[field].data is not None
        ]
        if self.weeks_year.data:
            limits.append({"weeks": self.weeks_year.data, "of": "person", "per": Per.YEAR.value})
        return {
            "kind": kind.value,
            "tariffs": [{"per": Per.HOUR.value if kind is Kind.PERCENT else self.per.data, "bands": [*bands, beyond]}],
            "limits": limits,
            "age_min": self.age_min.data,
            "age_max": self.age_max.data,
            "residents_only": self.residents_only.data,
            "disability_only": self.disability_only.data,
            "isee_waived": self.isee_waived.data,
        }

    def _bands(self) -> Iterator[dict[str, Any]]:
        edge = -1
        for band in (entry.form for entry in self.bands):
            if band.up_to.data is None:
                if band.first.data is not None or band.last.data is not None:
                    band.up_to.errors = [gettext("Scrivi fin dove arriva la fascia")]
                continue
            if band.up_to.data <= edge:
                band.up_to.errors = [
                    gettext("Le fasce vanno in ordine, senza sovrapporsi: questa finisce troppo presto")
                ]
            edge = max(edge, band.up_to.data)
            if band.first.data is None and band.last.data is not None:
                band.first.errors = [gettext("Scrivi l'importo a inizio fascia")]
            last = band.first.data if band.last.data is None else band.last.data
            amounts = {} if band.first.data is None else {"first": _euros(band.first.data), "last": _euros(last)}
            yield {"up_to": _euros(band.up_to.data), **amounts}

    def _refuse_above_100(self) -> None:
        for field in [self.beyond, *(field for entry in self.bands for field in (entry.form.first, entry.form.last))]:
            if field.data is not None and field.data > 100_00:
                field.errors = [gettext("Una percentuale non supera 100")]


def _is_simple(rule: GrantRule) -> bool:
    """Whether the form has a field for everything that the rule says."""
    known = set(LIMITS.values())
    closed = [band for band in rule.tariffs[0].bands if band.up_to is not None]
    return (
        len(closed) <= BANDS_MAX
        and all(_has_field(limit, known) for limit in rule.limits)
        and (rule.isee_max, rule.services, rule.order, rule.with_others) == (None, (), 1, True)
    )


def _has_field(limit: Limit, known: set[tuple[str, Per]]) -> bool:
    if limit.amount is not None:
        return (limit.of, limit.per) in known
    return limit.weeks is not None and (limit.of, limit.per) == ("person", Per.YEAR)


def _euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _cents(amount: Decimal | None) -> int | None:
    return None if amount is None else int(amount * 100)


class CorrectionForm(FlaskForm):
    """The right ISEE of a family, and why the one before was wrong."""

    isee = EurosField(_("ISEE giusto"), [InputRequired(_("Scrivi l'ISEE"))])
    from_day = DateField(_("Vale dal"), [InputRequired(_("Scrivi da quando vale"))])
    attestation = StringField(_("Numero dell'attestazione"), [Optional(), Length(max=60)])
    reason = TextAreaField(_("Motivo"), [DataRequired(_("Scrivi il motivo")), Length(max=300)])
