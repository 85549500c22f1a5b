"""Start pages: the public one, and each role's own; the highest room, which may read all the others."""
