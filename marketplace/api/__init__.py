"""What programs may do, under `/api/v1`: the features' own operations with the pages' own permissions, as JSON.

A caller is known by a key alone, never by a cookie, and does what its owner's role and the key's scopes both allow.
"""
