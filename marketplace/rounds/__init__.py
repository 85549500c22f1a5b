"""Rounds: open needs become an instance, a plan and proposed slots; one at a time, reproducible for ever."""
