"""Running an installation: what failed for good, what is wrong with the set-up; none of it shows a family's data."""
