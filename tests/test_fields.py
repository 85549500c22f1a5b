"""What people type into money and tax-code fields becomes one exact value or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict
from wtforms import Form

from marketplace.fields import EurosField, TaxCodeField, cents_from, euros_from


class Price(Form):
    amount = EurosField("Prezzo")
    code = TaxCodeField("Codice fiscale")


@pytest.mark.parametrize(
    ("text", "cents"),
    [("12,50", 1250), ("12.5", 1250), ("€ 12", 1200), ("14.500", 1_450_000), ("1.234,5", 123_450), ("0", 0)],
)
def test_euros_are_read_as_people_write_them(text, cents):
    assert cents_from(text) == cents


@pytest.mark.parametrize("text", ["", "-1", "12,505", "dodici", "1e3", "١٢", "12,5,0", "99999999999"])
def test_what_is_no_amount_is_none(text):
    assert cents_from(text) is None


@given(st.integers(0, 10**11))
def test_an_amount_shown_again_is_the_same_amount(cents):
    assert cents_from(euros_from(cents)) == cents


def test_a_wrong_amount_stays_in_its_field():
    form = Price(MultiDict({"amount": "dodici", "code": ""}))
    assert not form.validate()
    assert 'value="dodici"' in form.amount()


@pytest.mark.parametrize("code", ["RSSMRA85D41A794Y", "rss mra 85d41 a794y", "RSSMRA85D41A79QV"])
def test_tax_codes_and_omocodes_stand(code):
    assert Price(MultiDict({"amount": "", "code": code})).validate()


@pytest.mark.parametrize("code", ["RSSMRA85D41A794X", "RSSMRA85", "00743110157"])
def test_a_tax_code_with_a_wrong_check_character_is_refused(code):
    assert not Price(MultiDict({"amount": "", "code": code})).validate()
