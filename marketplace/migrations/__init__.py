"""Alembic's scripts: the schema, and the guards (triggers, policies) that no application code can step over."""
