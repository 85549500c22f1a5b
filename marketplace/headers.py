"""What a browser may do with our pages: run and style by our own files alone, and be framed by nobody."""

from typing import Final
from urllib.parse import urlsplit

from flask import Flask, Response

PAYMENT_PAGES: Final = "https://checkout.stripe.com"


def content_policy(payment_address: str | None) -> str:
    """The Content-Security-Policy; a posted form may end on the payment pages, real or the local stand-in's."""
    parts = urlsplit(payment_address or PAYMENT_PAGES)
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",  # the theme's small drawings stand inside its style sheet
        "font-src": "'self'",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "worker-src": "'self'",
        "form-action": f"'self' {parts.scheme}://{parts.netloc}",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())


def init_headers(app: Flask) -> None:
    """Send the same protective headers with every answer; in production also ask for HTTPS alone."""
    settings = app.config["SETTINGS"]
    policy = content_policy(settings.stripe_base_address)

    @app.after_request
    def protect(answer: Response) -> Response:
        answer.headers.setdefault("Content-Security-Policy", policy)
        answer.headers.setdefault("X-Content-Type-Options", "nosniff")
        answer.headers.setdefault("X-Frame-Options", "DENY")  # for browsers before frame-ancestors
        answer.headers.setdefault("Referrer-Policy", "same-origin")
        answer.headers.setdefault("Permissions-Policy", "geolocation=(self), camera=(), microphone=()")
        if settings.production:
            answer.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        return answer
