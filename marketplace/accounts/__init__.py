"""People, roles and municipalities: who somebody is and for whom they may act; the audit log says what they did."""
