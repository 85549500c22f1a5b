"""Matching: an instance in, a plan out; pure, deterministic, and knows nothing of the application.

The verbs: `matching.formats.read_instance`, `matching.solve.solve`, `matching.check.check`.
"""
