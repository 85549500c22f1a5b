"""Programmes, their rules, and the holds on their budgets: what is held and committed never exceeds a week's budget."""
