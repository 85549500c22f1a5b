"""Tests mirror the rooms; journeys/ drive a real browser."""
