"""Billing: who pays how much, to the cent; pure but for the payment gateway."""
