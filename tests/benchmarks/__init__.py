"""Measurements at full size: run by their own commands, never by `make test`."""
