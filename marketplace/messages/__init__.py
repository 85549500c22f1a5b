"""Who is told what: a message is kept sealed, sent by a job after the transaction that wanted it, and never twice."""
