"""What a group says: its messages, what staff do where somebody complains, and how families found each month."""
