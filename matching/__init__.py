"""Matching: an instance in, a plan out; pure, deterministic, and knows nothing of the application.

The verbs: `matching.formats.read_instance`, `matching.solve.solve`, `matching.check.check`; around a plan that stands,
`matching.offers` and `matching.reopen`. What is compiled is loaded when it is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matching.joining import offers
    from matching.reopening import reopen

__all__ = ["offers", "reopen"]


def __getattr__(name: str) -> Any:
    if name == "offers":
        from matching.joining import offers

        return offers
    if name == "reopen":
        from matching.reopening import reopen

        return reopen
    raise AttributeError(name)
