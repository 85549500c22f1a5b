"""Documents, numbered by a trigger on a counter that is locked until the transaction ends."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import guard, key, refers
from marketplace.sealed import SealedText

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# The counter's row is locked by the first document of a transaction: whoever comes next waits for its end, and takes the
# number after the last that was committed. A number is never given by hand, and never to an earlier day than the last.
FUNCTION = """
create function number_document() returns trigger language plpgsql as $$
declare
  given integer;
begin
  insert into document_counter as c (municipality_id, id, issuer, year, last, issued_on)
    values (new.municipality_id, uuidv7(), new.issuer, new.year, 1, new.issued_on)
    on conflict on constraint document_counter_once do update set last = c.last + 1, issued_on = excluded.issued_on
      where c.issued_on <= excluded.issued_on
    returning last into given;
  if given is null then
    raise exception 'documents of % are dated in order', new.issuer
      using errcode = 'check_violation', constraint = 'document_in_order', table = 'document';
  end if;
  new.number := given;
  return new;
end $$
"""


def upgrade() -> None:
    _tax_profile()
    op.create_table(
        "document_counter",
        *key(),
        sa.Column("issuer", sa.String(length=60), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.UniqueConstraint("municipality_id", "issuer", "year", name="document_counter_once"),
    )
    guard("document_counter")
    _document()
    op.create_table(
        "document_line",
        *key(),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        refers("document", "document_id"),
        refers("statement_line", "line_id"),
        sa.UniqueConstraint("municipality_id", "line_id", name="line_documented_once"),
    )
    op.create_index("document_line_by_document", "document_line", ["municipality_id", "document_id"])
    for table in ("document", "document_line"):
        guard(table, append_only=True)
        mine = (
            "(coalesce(current_setting('app.household', true), '') in ('', household_id::text)"
            " and coalesce(current_setting('app.provider', true), '') in ('', 'nobody'))"
            " or (coalesce(current_setting('app.provider', true), '') = provider_id::text"
            " and coalesce(current_setting('app.household', true), '') in ('', 'nobody'))"
        )
        op.execute(f"create policy own_rows on {table} as restrictive using ({mine}) with check ({mine})")
    op.execute(FUNCTION)
    op.execute(
        "create trigger number_document before insert on document for each row execute function number_document()"
    )
    op.execute("grant execute on all functions in schema public to app")


def _tax_profile() -> None:
    op.create_table(
        "tax_profile",
        *key(),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("regime", sa.String(length=40), nullable=False),
        sa.Column("vat_number", sa.String(length=11), nullable=True),
        sa.Column("vat_percent", sa.String(length=6), nullable=True),
        sa.Column("is_third_sector", sa.Boolean(), nullable=False),
        sa.Column("legal_name", sa.String(length=80), nullable=False),
        sa.Column("street", sa.String(length=60), nullable=False),
        sa.Column("postal_code", sa.String(length=5), nullable=False),
        sa.Column("town", sa.String(length=60), nullable=False),
        sa.Column("province", sa.String(length=2), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            sa.column("regime").in_(("exempt", "ordinary", "flat", "occasional", "libretto")), name="taxregime_known"
        ),
        sa.CheckConstraint("(regime = 'ordinary') = (vat_percent is not null)", name="vat_where_ordinary"),
        sa.CheckConstraint("regime <> 'ordinary' or vat_number is not null", name="vat_number_where_due"),
        refers("provider", "provider_id"),
    )
    op.create_index("tax_profile_newest", "tax_profile", ["municipality_id", "provider_id", "created_at"])
    guard("tax_profile", provider="provider_id", append_only=True)


def _document() -> None:
    op.create_table(
        "document",
        *key(),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=60), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=True),
        sa.Column("provider_id", sa.Uuid(), nullable=True),
        sa.Column("original_id", sa.Uuid(), nullable=True),
        sa.Column("total_cents", sa.BigInteger(), nullable=False),
        sa.Column("stamp_cents", sa.BigInteger(), nullable=False),
        sa.Column("content", SealedText(), nullable=False),
        sa.CheckConstraint(
            sa.column("kind").in_(("receipt", "credit_note", "payout_note", "certificate")), name="documentkind_known"
        ),
        sa.CheckConstraint("year = extract(year from issued_on)", name="document_of_its_year"),
        sa.CheckConstraint("(kind = 'credit_note') = (original_id is not null)", name="credit_names_original"),
        sa.CheckConstraint(
            "kind = 'payout_note' or (kind = 'credit_note') = (total_cents < 0)", name="credit_is_negative"
        ),
        sa.CheckConstraint("num_nonnulls(household_id, provider_id) > 0", name="document_for_somebody"),
        refers("document", "original_id"),
        sa.UniqueConstraint("municipality_id", "issuer", "year", "number", name="document_number_once"),
        sa.UniqueConstraint("municipality_id", "subject", name="documented_once"),
    )
    op.create_index("document_by_household", "document", ["municipality_id", "household_id"])
    op.create_index("document_by_provider", "document", ["municipality_id", "provider_id"])


def downgrade() -> None:
    raise RuntimeError("issued documents are not thrown away")
