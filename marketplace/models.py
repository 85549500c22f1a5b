"""Every table of the application, gathered for Alembic and for whoever must know them all."""

from marketplace.accounts import models as accounts
from marketplace.api import models as api
from marketplace.documents import models as documents
from marketplace.households import models as households
from marketplace.intake import models as intake
from marketplace.messages import models as messages
from marketplace.needs import models as needs
from marketplace.operating import models as operating
from marketplace.places import models as places
from marketplace.providers import models as providers
from marketplace.rounds import models as rounds
from marketplace.safety import models as safety
from marketplace.slots import extra_models as extras
from marketplace.slots import models as slots
from marketplace.statements import models as statements
from marketplace.talk import models as talk
from marketplace.vouchers import models as vouchers

__all__ = [
    "accounts",
    "api",
    "documents",
    "extras",
    "households",
    "intake",
    "messages",
    "needs",
    "operating",
    "places",
    "providers",
    "rounds",
    "safety",
    "slots",
    "statements",
    "talk",
    "vouchers",
]
