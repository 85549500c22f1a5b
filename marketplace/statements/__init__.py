"""Months: sessions become statement lines, ledger entries, payments and payouts; a closed month never changes."""
