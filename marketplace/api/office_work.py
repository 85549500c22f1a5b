"""What a municipality's programs do with months, files and webhooks, as its officers do."""

from sqlmodel import col

from marketplace.accounts.models import Role
from marketplace.api import webhooks
from marketplace.api.blueprint import blueprint
from marketplace.api.models import Webhook, WebhookDelivery
from marketplace.api.office_work_schemas import (
    DeliveryAnswer,
    DeliveryPage,
    ImportAnswer,
    MonthAnswer,
    MonthPage,
    NewImport,
    NewWebhook,
    ReportAnswer,
    WebhookAnswer,
    WebhookMade,
    WebhookPage,
)
from marketplace.api.serving import operation, page_of, require_unchanged
from marketplace.db import db
from marketplace.documents.settlement import settlement_report
from marketplace.intake import uploads
from marketplace.intake.tables import Source
from marketplace.statements import operations as statements
from marketplace.statements.forms import month_from
from marketplace.statements.models import MonthClosing
from marketplace.statements.queries import closings_of
from marketplace.statements.settlements import find_settlement, owed_by_municipality
from marketplace.web import actor, allow, id_from, now, today


@blueprint.get("/months")
@allow(Role.OFFICER)
@operation("months:read", MonthPage)
def list_months() -> MonthPage:
    """The closed months, newest first."""
    mine = closings_of(actor().municipality_id)
    found, following = page_of(mine, col(MonthClosing.month), col(MonthClosing.id))
    return MonthPage(items=[closed_month(one) for one in found], next=following)


@blueprint.get("/months/<month>")
@allow(Role.OFFICER)
@operation("months:read", MonthAnswer)
def get_month(month: str) -> MonthAnswer:
    """A month that is over: open, closing or closed. 422 for one that is not over."""
    return month_now(month)


@blueprint.post("/months/<month>/close")
@allow(Role.OFFICER)
@operation("months:close", MonthAnswer)
def close_month(month: str) -> MonthAnswer:
    """Have a month closed by a job; twice is once. Ask for the month again to see it closed."""
    before = month_now(month)
    require_unchanged(before)
    if before.state == "open":
        statements.request_closing(db.session, actor(), now(), actor().municipality_id, month_from(month))
    return month_now(month)


@blueprint.get("/months/<month>/report")
@allow(Role.OFFICER)
@operation("months:read", ReportAnswer)
def get_month_report(month: str) -> ReportAnswer:
    """The settlement report of a closed month."""
    closing = statements.get_closing(db.session, actor().municipality_id, month_from(month))
    return ReportAnswer.of(settlement_report(db.session, closing))


def month_now(text: str) -> MonthAnswer:
    """A month as it stands in this request. Raises NotFound, MonthNotOver."""
    month, city = month_from(text), actor().municipality_id
    closing = statements.find_closing(db.session, city, month)
    if closing is not None:
        return closed_month(closing)
    statements.check_month(month, now())
    return MonthAnswer(month=text, state="closing" if statements.is_closing(db.session, city, month) else "open")


def closed_month(closing: MonthClosing) -> MonthAnswer:
    """The answer for a closing."""
    settled = find_settlement(db.session, closing)
    owed = owed_by_municipality(db.session, closing.municipality_id, closing.month) if settled is None else {}
    return MonthAnswer(
        month=f"{closing.month:%Y-%m}",
        state="closed",
        closed_at=closing.closed_at,
        totals=closing.totals,
        owed_cents=sum(owed.values()),
        settled_at=settled.settled_at if settled else None,
    )


@blueprint.post("/imports")
@allow(Role.OFFICER)
@operation("imports:write", ImportAnswer, takes=NewImport)
def send_import(body: NewImport) -> ImportAnswer:
    """Hand in files; a job checks them, and nothing goes in yet."""
    sources = [Source(one.name, one.text.encode()) for one in body.files]
    return ImportAnswer.of(uploads.take_upload(db.session, actor(), now(), sources))


@blueprint.get("/imports/<import_id>")
@allow(Role.OFFICER)
@operation("imports:write", ImportAnswer)
def get_import(import_id: str) -> ImportAnswer:
    """What bringing the files in would do, or did."""
    return ImportAnswer.of(uploads.get_upload(db.session, actor(), id_from(import_id)))


@blueprint.post("/imports/<import_id>/confirm")
@allow(Role.OFFICER)
@operation("imports:write", ImportAnswer)
def confirm_import(import_id: str) -> ImportAnswer:
    """Bring the good rows in."""
    require_unchanged(ImportAnswer.of(uploads.get_upload(db.session, actor(), id_from(import_id))))
    return ImportAnswer.of(uploads.commit_upload(db.session, actor(), now(), today(), id_from(import_id)))


@blueprint.post("/imports/<import_id>/discard")
@allow(Role.OFFICER)
@operation("imports:write", ImportAnswer)
def discard_import(import_id: str) -> ImportAnswer:
    """Throw the files away."""
    require_unchanged(ImportAnswer.of(uploads.get_upload(db.session, actor(), id_from(import_id))))
    uploads.discard_upload(db.session, actor(), now(), id_from(import_id))
    return ImportAnswer.of(uploads.get_upload(db.session, actor(), id_from(import_id)))


@blueprint.get("/webhooks")
@allow(Role.OFFICER)
@operation("webhooks:write", WebhookPage)
def list_webhooks() -> WebhookPage:
    """The addresses that are told, newest first."""
    found, following = page_of(webhooks.webhooks_of(actor()), col(Webhook.created_at), col(Webhook.id))
    return WebhookPage(items=[WebhookAnswer.of(one) for one in found], next=following)


@blueprint.post("/webhooks")
@allow(Role.OFFICER)
@operation("webhooks:write", WebhookMade, takes=NewWebhook)
def register_webhook(body: NewWebhook) -> WebhookMade:
    """Tell an address of changes from now on; the secret that signs is in this answer alone."""
    hook, secret = webhooks.register_webhook(db.session, actor(), now(), body.url, body.events)
    return WebhookMade(webhook=WebhookAnswer.of(hook), secret=secret)


@blueprint.post("/webhooks/<webhook_id>/end")
@allow(Role.OFFICER)
@operation("webhooks:write", WebhookAnswer)
def end_webhook(webhook_id: str) -> WebhookAnswer:
    """Tell an address nothing more; twice is once."""
    return WebhookAnswer.of(webhooks.end_webhook(db.session, actor(), now(), id_from(webhook_id)))


@blueprint.get("/webhook-deliveries")
@allow(Role.OFFICER)
@operation("webhooks:write", DeliveryPage)
def list_deliveries() -> DeliveryPage:
    """What was written to the addresses in the last 30 days, newest first."""
    found, following = page_of(webhooks.deliveries_of(actor()), col(WebhookDelivery.id))
    return DeliveryPage(items=[DeliveryAnswer.of(one) for one in found], next=following)


@blueprint.post("/webhook-deliveries/<delivery_id>/replay")
@allow(Role.OFFICER)
@operation("webhooks:write", DeliveryAnswer)
def replay_delivery(delivery_id: str) -> DeliveryAnswer:
    """Send it once more, with its own id."""
    return DeliveryAnswer.of(webhooks.replay_delivery(db.session, actor(), now(), id_from(delivery_id)))
