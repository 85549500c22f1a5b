"""The process's door to Stripe, set once by `create_app`; without it nothing is charged or paid."""

from procrastinate import RetryStrategy

from billing.answers import GatewayUnavailableError
from billing.gateway import Gateway

AGAIN = RetryStrategy(max_attempts=12, exponential_wait=4)

_gateway: list[Gateway] = []


def pay_through(gateway: Gateway | None) -> None:
    """From now on this process charges and pays through `gateway`; None: it cannot."""
    _gateway[:] = [gateway] if gateway else []


def gateway() -> Gateway:
    """The gateway of this process; GatewayUnavailableError where none is set up."""
    if not _gateway:
        raise GatewayUnavailableError("no payment service is set up")
    return _gateway[0]
