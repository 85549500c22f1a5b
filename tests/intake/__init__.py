"""Tests of the import contract."""
