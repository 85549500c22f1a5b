"""Receipts as PDF/UA, as fast as one process prints them."""

import json
from datetime import UTC, date, datetime
from typing import Any

from flask import Flask

from marketplace.documents.models import Document, DocumentKind
from marketplace.documents.paper import document_pdf
from marketplace.i18n import init_i18n

ISSUED_ON, AT = date(2026, 12, 8), datetime(2026, 12, 8, tzinfo=UTC)


def print_receipts(count: int) -> int:
    """Print that many different ones; how many bytes they are together."""
    app = Flask(__name__)
    init_i18n(app)
    with app.test_request_context():
        return sum(
            len(document_pdf(_receipt(number), "Reggio Emilia", {"matematica": "maths"})) for number in range(count)
        )


def _receipt(number: int) -> Document:
    """Four meetings, paid by card."""
    rows = [
        {
            "on": f"2026-11-{day:02d}",
            "service": "tutoring",
            "topic": "maths",
            "person": "Luca",
            "minutes": 90,
            "cents": 1300,
        }
        for day in (3, 10, 17, 24)
    ]
    content: dict[str, Any] = {
        "issuer": {
            "name": "Laura Neri",
            "street": "Via Roma 2",
            "postal_code": "42121",
            "town": "Reggio Emilia",
            "province": "RE",
            "tax_code": "NRELRA80A41H223Z",
            "vat_number": None,
            "vat_percent": None,
            "regime": "occasional",
            "is_third_sector": False,
        },
        "payer": {
            "given_name": "Maria",
            "family_name": f"Famiglia {number}",
            "street": "Via Emilia 1",
            "tax_code": "RSSMRA85D41A794Y",
        },
        "statement": f"{number}/2026",
        "month": "2026-11-01",
        "rows": rows,
        "paid": [{"on": "2026-12-08", "cents": 5200, "by_bank": False, "reference": f"pi_{number}"}],
        "notes": [],
        "original": None,
        "taxable_cents": 4800,
        "vat_cents": 0,
        "passed_on_cents": 400,
        "stamp_cents": 0,
    }
    return Document(
        municipality_id="035033",
        kind=DocumentKind.RECEIPT,
        issuer="provider:x",
        year=2026,
        number=number,
        subject=f"receipt:{number}",
        issued_on=ISSUED_ON,
        issued_at=AT,
        total_cents=5200,
        content=json.dumps(content),
    )
