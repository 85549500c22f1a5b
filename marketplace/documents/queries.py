"""What the pages about documents read; row-level security leaves a family and a provider only their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from marketplace.documents.models import Document, DocumentKind, TaxProfile
from marketplace.errors import NotFound

LISTED_MAX = 200


def get_document(session: Session, municipality_id: str, document_id: UUID) -> Document:
    """A document that this session may see; raises NotFound."""
    document = session.get(Document, (municipality_id, document_id))
    if document is None:
        raise NotFound
    return document


def list_documents(
    session: Session,
    municipality_id: str,
    *,
    household_id: UUID | None = None,
    provider_id: UUID | None = None,
    kinds: Sequence[DocumentKind] = tuple(DocumentKind),
    before: UUID | None = None,
) -> list[Document]:
    """The newest documents, of a household or of a provider where one is given, older than `before`; 200 at most."""
    wanted = documents_of(municipality_id, household_id=household_id, provider_id=provider_id)
    wanted = wanted.where(col(Document.kind).in_(kinds))
    if before is not None:
        wanted = wanted.where(col(Document.id) < before)
    return list(session.exec(wanted.order_by(col(Document.id).desc()).limit(LISTED_MAX)))


def documents_of(
    municipality_id: str, *, household_id: UUID | None = None, provider_id: UUID | None = None
) -> SelectOfScalar[Document]:
    """A municipality's documents, of a household or of a provider where one is given."""
    wanted = select(Document).where(Document.municipality_id == municipality_id)
    if household_id is not None:
        wanted = wanted.where(Document.household_id == household_id)
    return wanted if provider_id is None else wanted.where(Document.provider_id == provider_id)


def find_tax_profile(session: Session, municipality_id: str, provider_id: UUID) -> TaxProfile | None:
    """What a provider said last of its tax."""
    return session.exec(
        select(TaxProfile)
        .where(TaxProfile.municipality_id == municipality_id, TaxProfile.provider_id == provider_id)
        .order_by(col(TaxProfile.created_at).desc(), col(TaxProfile.id).desc())
        .limit(1)
    ).first()


@dataclass(frozen=True, slots=True)
class Numbered:
    """How many documents an issuer has numbered in a year, and what they add up to."""

    issuer_name: str
    year: int
    last: int
    total_cents: int
    stamp_cents: int


def list_numbered(session: Session, municipality_id: str) -> list[Numbered]:
    """Every issuer's years, the newest first; the municipality's own name is empty."""
    rows = session.connection().execute(
        text("""
            select coalesce(p.name, '') as issuer_name, d.year, max(d.number) as last,
                   sum(d.total_cents)::bigint as total_cents, sum(d.stamp_cents)::bigint as stamp_cents
            from document d left join provider p on p.municipality_id = d.municipality_id
              and d.issuer = 'provider:' || p.id
            where d.municipality_id = :city group by d.issuer, p.name, d.year
            order by d.year desc, p.name nulls first"""),
        {"city": municipality_id},
    )
    return [Numbered(**row._mapping) for row in rows]


def list_without_profile(session: Session, municipality_id: str) -> list[tuple[str, int]]:
    """Providers of paid lines that have not said how they stand with tax: name, and how many families wait."""
    rows = session.connection().execute(
        text("""
            select p.name, count(distinct l.household_id) from statement s
            join statement_line l on l.municipality_id = s.municipality_id and l.statement_id = s.id and l.net_cents > 0
            join provider p on p.municipality_id = l.municipality_id and p.id = l.provider_id
            where s.municipality_id = :city and s.state = 'paid' and not exists (select 1 from tax_profile t
              where t.municipality_id = p.municipality_id and t.provider_id = p.id)
            group by p.id, p.name order by 2 desc, 1"""),
        {"city": municipality_id},
    )
    return [(row[0], row[1]) for row in rows]
