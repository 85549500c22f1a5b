"""Condiviso: the application around the matching and the billing engines."""
