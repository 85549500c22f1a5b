"""Tests of places and the register of addresses."""
