"""A local stand-in for Stripe: answers on the loopback alone, remembers everything it did, and moves no money.

It takes exactly the parameters that the SDK's own types allow, keeps idempotency keys, signs its webhooks, and can be
told to decline, delay, duplicate, reorder, ask for authentication, dispute, or hang up after the deed.
"""
