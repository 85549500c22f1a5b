"""What a municipality's programs are answered and may send about months, files and webhooks."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from marketplace.api.models import Webhook, WebhookDelivery
from marketplace.api.schemas import Answer, Next
from marketplace.documents.settlement import Report
from marketplace.intake.models import Upload, UploadState
from marketplace.intake.uploads import files_of

Month = Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]


class MonthAnswer(Answer):
    """A month: `open`, `closing` (a job is at it) or `closed`; `owed_cents` is what the municipality owes for it."""

    month: Month
    state: Annotated[str, Field(pattern="^(open|closing|closed)$")]
    closed_at: datetime | None = None
    totals: dict[str, Any] = Field(default_factory=dict)
    owed_cents: int | None = None
    settled_at: datetime | None = None


class MonthPage(Answer):
    """Closed months, newest first."""

    items: list[MonthAnswer]
    next: Next


class ReportRow(Answer):
    """One account of a closed month: who pays (`family`, `programme`, `guarantee`) or is due."""

    kind: str
    name: str
    meetings: int
    cents: int


class ReportAnswer(Answer):
    """A closed month's settlement report from the ledger; who pays and who is due sum to the same."""

    month: Month
    of_municipality_cents: int
    rows: list[ReportRow]

    @classmethod
    def of(cls, report: Report) -> "ReportAnswer":
        """The answer for a report."""
        rows = [ReportRow.model_validate(one) for one in report.rows]
        return cls(month=f"{report.closing.month:%Y-%m}", of_municipality_cents=report.of_municipality_cents, rows=rows)


class SentFile(Answer):
    """A CSV file of the city's, as text."""

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00/\\]+$")]
    text: Annotated[str, Field(min_length=1, max_length=10_000_000)]


class NewImport(Answer):
    """Files to check; nothing goes in before the import is confirmed."""

    files: Annotated[list[SentFile], Field(min_length=1, max_length=10)]


class FileAnswer(Answer):
    """What bringing a file in would do, or did, in rows."""

    name: str
    kind: str
    is_refused: bool
    rows: int
    new: int
    changed: int
    same: int
    stopped: int
    warnings: int


class ImportAnswer(Answer):
    """Files of the city's: `checking`, `checked`, then `imported` or `discarded`."""

    id: UUID
    state: UploadState
    created_at: datetime
    decided_at: datetime | None
    files: list[FileAnswer]

    @classmethod
    def of(cls, row: Upload) -> "ImportAnswer":
        """The answer for a row."""
        counts = ("name", "kind", "rows", "new", "changed", "same", "stopped", "warnings")
        files = [
            FileAnswer(is_refused=one.refusal is not None, **{name: getattr(one, name) for name in counts})
            for one in files_of(row)
        ]
        return cls(id=row.id, state=row.state, created_at=row.created_at, decided_at=row.decided_at, files=files)


class WebhookAnswer(Answer):
    """An address that is told of changes of state."""

    id: UUID
    url: str
    events: list[str]
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, row: Webhook) -> "WebhookAnswer":
        """The answer for a row."""
        fields = {name: getattr(row, name) for name in cls.model_fields}
        return cls(**fields)


class WebhookPage(Answer):
    """The addresses that are told, newest first."""

    items: list[WebhookAnswer]
    next: Next


class NewWebhook(Answer):
    """An address and what it is told of."""

    url: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^https?://[!-~]+$")]
    events: Annotated[list[Annotated[str, Field(max_length=60)]], Field(min_length=1, max_length=20)]


class WebhookMade(Answer):
    """A new address with the secret that signs, which is not told again."""

    webhook: WebhookAnswer
    secret: str


class DeliveryAnswer(Answer):
    """One change of state for one address; `failure` is why the last attempt was not taken."""

    id: UUID
    webhook_id: UUID
    subject: str
    subject_id: UUID
    before: str
    after: str
    at: datetime
    delivered_at: datetime | None
    attempts: int
    failure: str

    @classmethod
    def of(cls, row: WebhookDelivery) -> "DeliveryAnswer":
        """The answer for a row."""
        return cls.model_validate({name: getattr(row, name) for name in cls.model_fields})


class DeliveryPage(Answer):
    """Deliveries of the last 30 days, newest first."""

    items: list[DeliveryAnswer]
    next: Next
