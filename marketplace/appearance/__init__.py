"""How a municipality looks and what it says of itself; white words on its colour are always readable."""
