"""Whoever sees a danger says so, unseen by whom it concerns; an officer answers within hours, or all staff are told."""
