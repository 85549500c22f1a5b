"""Stamp duty and VAT of a receipt, the pagoPA notice, the caps of Libretto Famiglia."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.invoice import split_vat, stamp_cents
from billing.libretto import Cap, Worked, titles, uses
from billing.pagopa import BadNoticeError, is_notice_number, notice_number, notices_in, qr_text

CREDITOR = "00145920351"


@pytest.mark.parametrize(
    ("untaxed", "is_third_sector", "stamp"), [(7747, False, 0), (7748, False, 200), (7748, True, 0), (0, False, 0)]
)
def test_stamp_duty_is_due_above_its_threshold_and_not_of_the_third_sector(
    untaxed: int, is_third_sector: bool, stamp: int
) -> None:
    assert stamp_cents(untaxed, is_third_sector) == stamp


def test_vat_is_inside_the_total() -> None:
    assert split_vat(10500, Decimal(5)) == (10000, 500)
    assert split_vat(-10500, Decimal(5)) == (-10000, -500)


@given(st.integers(-(10**9), 10**9), st.sampled_from(["4", "5", "10", "22"]))
def test_taxable_and_vat_sum_to_the_total_and_agree_to_the_cent(total: int, percent: str) -> None:
    taxable, vat = split_vat(total, Decimal(percent))
    assert taxable + vat == total
    assert abs(taxable * Decimal(percent) / 100 - vat) <= 1


def test_the_notice_of_the_golden_test() -> None:
    assert notice_number("01", "0000000000123") == "301000000000012373"


@given(st.integers(0, 99), st.integers(0, 10**13 - 1), st.integers(0, 17), st.integers(1, 9))
def test_a_notice_with_one_wrong_digit_does_not_check(segregation: int, base: int, place: int, shift: int) -> None:
    number = notice_number(f"{segregation:02d}", f"{base:013d}")
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    assert is_notice_number(number)
    assert not is_notice_number(wrong)


@given(st.integers(0, 10**13 - 1), st.sampled_from(["{}", "avviso {} novembre", "/RFB/{}/108.00/TXT/estratto", "n.{}"]))
def test_a_notice_is_found_in_any_words_whole_in_groups_or_as_its_iuv(base: int, words: str) -> None:
    number = notice_number("01", f"{base:013d}")
    grouped = " ".join(number[start : start + 4] for start in range(0, 18, 4))
    for written in (number, grouped, number[1:]):
        assert number in notices_in(words.format(written), "01")
        assert number not in notices_in(words.format(written), "02")
    wrong = f"{number[:-1]}{(int(number[-1]) + 1) % 10}"
    assert number not in notices_in(words.format(wrong), "01")


def test_the_code_on_a_notice_has_the_official_form() -> None:
    assert qr_text("301000000000012373", CREDITOR, 8050) == f"PAGOPA|002|301000000000012373|{CREDITOR}|8050"
    assert qr_text("301000000000012373", CREDITOR, 5).endswith("|05")


@pytest.mark.parametrize(
    ("number", "creditor", "cents"),
    [
        ("301000000000012374", CREDITOR, 1),
        ("301000000000012373", "00145920352", 1),
        ("301000000000012373", CREDITOR, 0),
    ],
)
def test_a_code_that_no_bank_would_read_is_not_made(number: str, creditor: str, cents: int) -> None:
    with pytest.raises(BadNoticeError):
        qr_text(number, creditor, cents)


def test_a_notice_is_made_of_digits() -> None:
    with pytest.raises(BadNoticeError):
        notice_number("1", "0000000000123")


def test_a_title_pays_ten_euros_and_an_hour_at_most() -> None:
    assert titles(1000, 60) == 1
    assert titles(1001, 60) == 2
    assert titles(1000, 61) == 2


def test_a_warning_comes_at_eighty_per_cent_of_a_cap_and_not_before() -> None:
    used = {use.cap: use for use in uses([Worked("w", "u", 249_000, 0)])}
    assert (used[Cap.PAIR].used, used[Cap.PAIR].percent, used[Cap.PAIR].is_near) == (199_200, 79, False)
    used = {use.cap: use for use in uses([Worked("w", "u", 250_000, 0)])}
    assert (used[Cap.PAIR].percent, used[Cap.PAIR].is_near, used[Cap.PAIR].is_over) == (80, True, False)
    assert used[Cap.WORKER].percent == 40
    assert not used[Cap.WORKER].is_near


def test_hours_between_two_have_a_cap_of_their_own_and_the_fullest_comes_first() -> None:
    first = uses([Worked("w", "u", 0, 281 * 60), Worked("w", "v", 10_000, 60)])[0]
    assert (first.cap, first.worker, first.user, first.is_over) == (Cap.PAIR_HOURS, "w", "u", True)


def test_a_workers_cap_is_over_all_its_users() -> None:
    every = uses([Worked("w", "u", 300_000, 0), Worked("w", "v", 330_000, 0)])
    worker = next(use for use in every if use.cap is Cap.WORKER)
    assert (worker.used, worker.is_over) == (504_000, True)
