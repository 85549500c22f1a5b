"""A family's need and its availability; a need is whole or it is a draft."""
