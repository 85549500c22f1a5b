"""Matching: an instance in, a plan out; pure, deterministic, and knows nothing of the application."""
