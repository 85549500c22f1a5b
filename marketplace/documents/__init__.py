"""Receipts, credit notes, payout notes, certificates: numbered by the database without gaps, and never changed."""
