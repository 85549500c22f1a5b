"""What people do on Stripe's own pages: save or use a way to pay, open a provider's account."""

from collections.abc import Mapping

from marketplace.demo.payments.behaviour import Body, confirm_intent, create_intent, emit, get, invalid
from marketplace.demo.payments.store import Store, new_id, timestamp

# What the hosted page offers: name, kind, last digits, how it behaves when it is charged.
METHODS: Mapping[str, tuple[str, str, str]] = {
    "visa": ("card", "4242", "succeeds"),
    "declined": ("card", "0341", "card_declined"),
    "no_funds": ("card", "9995", "insufficient_funds"),
    "authenticate": ("card", "3184", "authentication_required"),
    "disputed": ("card", "0259", "disputed"),
    "iban": ("sepa_debit", "3456", "succeeds"),
    "iban_bounces": ("sepa_debit", "4321", "bounces"),
}


def create_session(store: Store, params: Body, base_url: str) -> Body:
    mode = params.get("mode")
    if mode not in {"setup", "payment"}:
        raise invalid("parameter_invalid", "This stand-in has the modes 'setup' and 'payment' alone.", "mode")
    for needed in ("success_url", "currency" if mode == "setup" else "line_items"):
        if needed not in params:
            raise invalid("parameter_missing", f"Missing required param: {needed}.", needed)
    if "customer" in params:
        get(store, "customer", params["customer"], "customer")
    session_id = new_id("cs_test")
    session = {
        "id": session_id,
        "object": "checkout.session",
        "status": "open",
        "setup_intent": None,
        "url": f"{base_url}/pagina/{session_id}",
        "created": timestamp(),
    }
    return store.put("checkout.session", session | params)


def complete_session(store: Store, session_id: str, choice: str) -> Body:
    """What happens when somebody saves, or pays with, the method `choice` on the hosted page."""
    session = get(store, "checkout.session", session_id)
    if session["status"] != "open":
        return session
    method = _save_method(store, session, choice)
    if session["mode"] == "payment":
        done = {"payment_intent": _pay_on_page(store, session, method)["id"]}
    else:
        setup = {
            "id": new_id("seti"),
            "object": "setup_intent",
            "status": "succeeded",
            "customer": session.get("customer"),
            "payment_method": method["id"],
            "usage": "off_session",
        }
        store.put("setup_intent", setup)
        emit(store, "setup_intent.succeeded", setup)
        done = {"setup_intent": setup["id"]}
    completed = store.put("checkout.session", session | {"status": "complete"} | done)
    emit(store, "checkout.session.completed", completed)
    return completed


def _pay_on_page(store: Store, session: Body, method: Body) -> Body:
    """Somebody is there: what asks for authentication gets it, what is refused stays refused."""
    if method["behaves"] == "authentication_required":
        method = store.put("payment_method", method | {"behaves": "succeeds"})
    amount = sum(int(item["quantity"]) * int(item["price_data"]["unit_amount"]) for item in session["line_items"])
    asked = {"amount": amount, "currency": "eur", "customer": session.get("customer"), "payment_method": method["id"]}
    intent = create_intent(store, asked | session.get("payment_intent_data", {}))
    return confirm_intent(store, intent["id"], {})


def _save_method(store: Store, session: Body, choice: str) -> Body:
    kind, last4, behaves = METHODS[choice]
    method = {
        "id": new_id("pm"),
        "object": "payment_method",
        "type": kind,
        kind: {"last4": last4} | ({"brand": "visa"} if kind == "card" else {}),
        "customer": session.get("customer"),
        "behaves": behaves,
    }
    return store.put("payment_method", method)


def create_account(store: Store, params: Body) -> Body:
    if params.get("type") not in {"express", "standard", "custom"}:
        raise invalid("parameter_invalid", "Invalid type", "type")
    asked = params.get("capabilities", {})
    capabilities = {name: "inactive" for name, wish in asked.items() if wish.get("requested")}
    kept = {name: value for name, value in params.items() if name != "capabilities"}
    account = {"id": new_id("acct"), "object": "account", "metadata": {}, "created": timestamp()}
    return store.put("account", account | kept | {"capabilities": capabilities, "details_submitted": False})


def create_account_link(store: Store, params: Body, base_url: str) -> Body:
    get(store, "account", params["account"], "account")
    link_id = new_id("alink")
    link = {"id": link_id, "object": "account_link", "created": timestamp(), "expires_at": timestamp() + 300}
    link |= {"url": f"{base_url}/conto/{link_id}"}
    store.put("account_link", link | params)
    return link


def complete_onboarding(store: Store, account_id: str) -> Body:
    """What happens when a provider fills in the onboarding page."""
    account = get(store, "account", account_id)
    active = dict.fromkeys(account["capabilities"], "active")
    account = store.put("account", account | {"capabilities": active, "details_submitted": True})
    emit(store, "account.updated", account)
    return account
