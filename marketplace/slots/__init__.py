"""Shared slots, who is in them, their dated meetings and who came; nobody pays above the cap that it accepted."""
