"""Families: an applicant, the people in need, their home and their means test; no neighbour ever sees these rows."""
