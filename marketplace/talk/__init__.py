"""What the members of a group and its professional write to each other, and what staff do where somebody complains."""
