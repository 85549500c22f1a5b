"""What is due a document gets one, once: receipts and credit notes of paid lines, notes of payouts, certificates."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Row as Found
from sqlalchemy import insert, text
from sqlmodel import Session, col, select
from uuid_utils.compat import uuid7

from billing.invoice import split_vat, stamp_cents
from marketplace.accounts.policy import get_policy
from marketplace.documents.models import Document, DocumentKind, DocumentLine, TaxProfile, TaxRegime
from marketplace.households.models import Household
from marketplace.providers.models import Provider
from marketplace.slots.calendar import local_day
from marketplace.statements.months import first_day

MUNICIPALITY = "municipality"

# Lines of paid statements that are on no document, by statement, provider and, of what was given back, by the receipt
# that it was on: that makes a credit note. What is given back of a line without a receipt lowers this one's.
_LINES = """
with bare as (
  select l.*, s.month, s.year, s.number from statement s
  join statement_line l on l.municipality_id = s.municipality_id and l.statement_id = s.id
  where s.municipality_id = :city and s.state = 'paid' and s.month = :month and l.net_cents <> 0
    and (cast(:statement as uuid) is null or s.id = :statement)
    and not exists (select 1 from document_line d where d.municipality_id = l.municipality_id and d.line_id = l.id)
    and exists (select 1 from (select regime from tax_profile t where t.municipality_id = l.municipality_id
      and t.provider_id = l.provider_id order by t.created_at desc, t.id desc limit 1) t where t.regime <> 'libretto'))
select l.statement_id, l.provider_id, l.household_id, l.month, l.year, l.number, was.document_id as original_id,
       sum(l.net_cents)::bigint as total_cents, sum(l.provider_cents)::bigint as service_cents,
       array_agg(l.id) as line_ids,
       json_agg(json_build_object('on', mt.held_on, 'service', sl.service, 'topic', sl.topic, 'person', pe.name,
         'minutes', coalesce(x.end_minute - x.start_minute, m.end_minute - m.start_minute),
         'cents', l.net_cents) order by mt.held_on, l.id) as rows
from bare l
join meeting mt on mt.municipality_id = l.municipality_id and mt.id = l.meeting_id
left join extra_session x on x.municipality_id = mt.municipality_id and x.id = mt.extra_id
join slot sl on sl.municipality_id = mt.municipality_id and sl.id = mt.slot_id
join membership m on m.municipality_id = l.municipality_id and m.id = l.membership_id
join need n on n.municipality_id = m.municipality_id and n.id = m.need_id
left join person pe on pe.municipality_id = n.municipality_id and pe.id = n.person_id
left join lateral (
  select d.document_id from statement_line k
  join document_line d on d.municipality_id = k.municipality_id and d.line_id = k.id
  where l.net_cents < 0 and k.municipality_id = l.municipality_id and k.meeting_id = l.meeting_id
    and k.membership_id = l.membership_id and k.net_cents > 0 and k.statement_id <> l.statement_id
  order by k.id desc limit 1) was on true
group by 1, 2, 3, 4, 5, 6, 7
having was.document_id is not null or sum(l.net_cents) > 0
order by l.provider_id, l.number, was.document_id nulls first
"""
_MONTHS = """
select distinct s.month from statement s
join statement_line l on l.municipality_id = s.municipality_id and l.statement_id = s.id
where s.municipality_id = :city and s.state = 'paid' and l.net_cents <> 0
  and (cast(:statement as uuid) is null or s.id = :statement)
  and not exists (select 1 from document_line d where d.municipality_id = l.municipality_id and d.line_id = l.id)
order by 1
"""
_PAID = """
select p.statement_id, e.booked_on, p.cents, p.bank_line_id is not null as by_bank,
       coalesce(nullif(b.notice, ''), b.reference, p.stripe_intent_id) as reference,
       coalesce(b.notice, '') <> '' as by_notice
from payment p
left join bank_line b on b.municipality_id = p.municipality_id and b.id = p.bank_line_id
join ledger_entry e on e.municipality_id = p.municipality_id
  and e.business_key = case when p.bank_line_id is null then 'payment:' || p.stripe_intent_id
                            else 'bank-in:' || p.bank_line_id end
where p.municipality_id = :city and p.statement_id = any(:statements) and p.state in ('succeeded', 'refunded')
order by e.booked_on, p.id
"""
# What moved on somebody's account in a span of days, as one document's rows.
_MOVED = """
select substr(p.account, length(:kind) + 2)::uuid as owner_id, sum(:sign * p.cents)::bigint as total_cents,
       json_agg(json_build_object('on', e.booked_on, 'event', e.event, 'cents', :sign * p.cents,
         'reference', split_part(e.business_key, ':', 2)) order by e.booked_on, e.id) as rows
from posting p join ledger_entry e on e.municipality_id = p.municipality_id and e.id = p.entry_id
where p.municipality_id = :city and p.account like :kind || ':%' and e.event = any(:events)
  and e.booked_on >= :since and e.booked_on < :until
  and (cast(:owner as uuid) is null or p.account = :kind || ':' || cast(:owner as uuid))
  and not exists (select 1 from document d where d.municipality_id = p.municipality_id
    and d.subject = :subject || substr(p.account, length(:kind) + 2))
group by 1 having sum(:sign * p.cents) <> 0 order by 1
"""
PAID_OUT = ("transferred", "paid_by_bank", "transfer_reversed")
PAID_IN = ("payment_succeeded", "bank_transfer_received", "payment_returned", "payment_reinstated")


@dataclass(frozen=True, slots=True)
class Draft:
    """A document that has no number yet."""

    kind: DocumentKind
    issuer: str
    subject: str
    total_cents: int
    content: Mapping[str, Any]
    household_id: UUID | None = None
    provider_id: UUID | None = None
    original_id: UUID | None = None
    stamp_cents: int = 0
    line_ids: Sequence[UUID] = ()


def issue_for_statements(
    session: Session, municipality_id: str, now: datetime, statement_id: UUID | None = None
) -> int:
    """Receipts and credit notes of all paid statements, or of one; how many. Nobody else issues meanwhile.

    A provider's wait until it has said how it stands with tax. Earlier months come first: credit names a receipt.
    """
    _alone(session, municipality_id)
    values = {"city": municipality_id, "statement": statement_id}
    months = session.connection().execute(text(_MONTHS), values).scalars().all()
    issued = 0
    for month in months:
        found = session.connection().execute(text(_LINES), values | {"month": month}).all()
        issued += _issue(session, municipality_id, now, _of_statements(session, municipality_id, now, found))
    return issued


def issue_payout_notes(session: Session, municipality_id: str, now: datetime) -> int:
    """A note for each provider and month that is over, of all that it was paid in it; how many."""
    _alone(session, municipality_id)
    this_month, issued = first_day(local_day(now)), 0
    for month, until in _spans(session, municipality_id, PAID_OUT, "month", this_month):
        found = _moved(session, municipality_id, "provider", 1, PAID_OUT, (month, until), f"payout:{month:%Y-%m}:")
        names = _providers(session, municipality_id, [row.owner_id for row in found])
        drafts = (
            Draft(
                DocumentKind.PAYOUT_NOTE,
                MUNICIPALITY,
                f"payout:{month:%Y-%m}:{row.owner_id}",
                row.total_cents,
                {"month": month.isoformat(), "payee": names[row.owner_id], "rows": row.rows},
                provider_id=row.owner_id,
            )
            for row in found
        )
        issued += _issue(session, municipality_id, now, drafts)
    return issued


def issue_certificates(session: Session, municipality_id: str, now: datetime) -> int:
    """A certificate for each household and year that is over, of what it paid net in it; how many."""
    _alone(session, municipality_id)
    this_year, issued = date(local_day(now).year, 1, 1), 0
    for begin, until in _spans(session, municipality_id, PAID_IN, "year", this_year):
        found = _moved(session, municipality_id, "family", -1, PAID_IN, (begin, until), f"certificate:{begin.year}:")
        payers = _payers(session, municipality_id, [row.owner_id for row in found])
        drafts = (
            Draft(
                DocumentKind.CERTIFICATE,
                MUNICIPALITY,
                f"certificate:{begin.year}:{row.owner_id}",
                row.total_cents,
                {"of_year": begin.year, "payer": payers[row.owner_id], "rows": row.rows},
                household_id=row.owner_id,
            )
            for row in found
            if row.total_cents > 0
        )
        issued += _issue(session, municipality_id, now, drafts)
    return issued


def certificate_so_far(session: Session, household: Household, now: datetime) -> dict[str, Any]:
    """What this year's certificate would say today; it has no number."""
    city, begin = household.municipality_id, date(local_day(now).year, 1, 1)
    span = begin, date(begin.year + 1, 1, 1)
    found = _moved(session, city, "family", -1, PAID_IN, span, "", household.id)
    rows = found[0].rows if found else []
    return {"of_year": begin.year, "payer": _payer(household), "rows": rows, "until": local_day(now).isoformat()}


def _alone(session: Session, municipality_id: str) -> None:
    """Whoever issues for a municipality waits for whoever does already: each looks at what is left."""
    session.connection().execute(
        text("select pg_advisory_xact_lock(hashtext('documents'), hashtext(:city))"), {"city": municipality_id}
    )


def _issue(session: Session, municipality_id: str, now: datetime, drafts: Iterable[Draft]) -> int:
    """Write documents, in order of issuer so that two who number at once never wait for each other, and their lines."""
    documents, lines = [], []
    for draft in sorted(drafts, key=lambda one: one.issuer):
        document_id = uuid7()
        documents.append(_row(municipality_id, now, document_id, draft))
        lines += [
            {
                "municipality_id": municipality_id,
                "document_id": document_id,
                "line_id": line_id,
                "household_id": draft.household_id,
                "provider_id": draft.provider_id,
            }
            for line_id in draft.line_ids
        ]
    if documents:
        session.connection().execute(insert(Document), documents)
    if lines:
        session.connection().execute(insert(DocumentLine), lines)
    return len(documents)


def _row(municipality_id: str, now: datetime, document_id: UUID, draft: Draft) -> dict[str, Any]:
    today = local_day(now)
    return {
        "municipality_id": municipality_id,
        "id": document_id,
        "kind": draft.kind,
        "issuer": draft.issuer,
        "year": today.year,
        "number": 0,  # the trigger gives it
        "subject": draft.subject,
        "issued_on": today,
        "issued_at": now,
        "household_id": draft.household_id,
        "provider_id": draft.provider_id,
        "original_id": draft.original_id,
        "total_cents": draft.total_cents,
        "stamp_cents": draft.stamp_cents,
        "content": json.dumps(draft.content, ensure_ascii=False, default=str),
    }


def _of_statements(
    session: Session, municipality_id: str, now: datetime, found: Sequence[Found[Any]]
) -> Iterator[Draft]:
    """Receipts and credit notes of what `_LINES` found."""
    providers = [row.provider_id for row in found]
    issuers = _issuers(session, municipality_id, providers)
    payers = _payers(session, municipality_id, [row.household_id for row in found])
    paid = _paid(session, municipality_id, [row.statement_id for row in found])
    originals = _originals(session, municipality_id, [row.original_id for row in found if row.original_id])
    notes = get_policy(session, municipality_id, local_day(now)).tax_notes
    for row in found:
        profile, issuer = issuers[row.provider_id]
        amounts = _amounts(row.total_cents, row.service_cents, profile)
        of = {"services": sorted({one["service"] for one in row.rows})}
        content = {
            "issuer": issuer,
            "payer": payers[row.household_id],
            "statement": f"{row.number}/{row.year}",
            "month": row.month.isoformat(),
            "rows": row.rows,
            "paid": paid.get(row.statement_id, []),
            "notes": [notes[service] for service in of["services"] if service in notes],
            "original": originals.get(row.original_id),
        } | amounts
        kind = DocumentKind.CREDIT_NOTE if row.original_id else DocumentKind.RECEIPT
        yield Draft(
            kind,
            f"provider:{row.provider_id}",
            f"{kind}:{row.statement_id}:{row.original_id or row.provider_id}",
            row.total_cents,
            content,
            household_id=row.household_id,
            provider_id=row.provider_id,
            original_id=row.original_id,
            stamp_cents=amounts["stamp_cents"],
            line_ids=row.line_ids,
        )


def _amounts(total_cents: int, service_cents: int, profile: TaxProfile) -> dict[str, int]:
    """What of a total is the provider's own, its VAT, what is passed on (the venue's part), and the stamp."""
    passed_on = total_cents - service_cents
    taxable, vat = service_cents, 0
    if profile.regime == TaxRegime.ORDINARY:
        taxable, vat = split_vat(service_cents, Decimal(profile.vat_percent or "0"))
    untaxed = passed_on if profile.regime == TaxRegime.ORDINARY else total_cents
    return {
        "taxable_cents": taxable,
        "vat_cents": vat,
        "passed_on_cents": passed_on,
        "stamp_cents": stamp_cents(abs(untaxed), profile.is_third_sector),
    }


def _issuers(
    session: Session, municipality_id: str, provider_ids: Sequence[UUID]
) -> dict[UUID, tuple[TaxProfile, dict[str, Any]]]:
    """The newest tax profile of each provider, and what a document says of it."""
    names = _providers(session, municipality_id, provider_ids)
    profiles = session.exec(
        select(TaxProfile)
        .where(TaxProfile.municipality_id == municipality_id, col(TaxProfile.provider_id).in_(set(provider_ids)))
        .order_by(col(TaxProfile.created_at), col(TaxProfile.id))
    )
    return {one.provider_id: (one, names[one.provider_id] | issuer_words(one)) for one in profiles}


def issuer_words(profile: TaxProfile) -> dict[str, Any]:
    """What a document says of its issuer, beside name and tax code."""
    return {
        "name": profile.legal_name,
        "street": profile.street,
        "postal_code": profile.postal_code,
        "town": profile.town,
        "province": profile.province,
        "regime": profile.regime.value,
        "vat_number": profile.vat_number,
        "vat_percent": profile.vat_percent,
        "is_third_sector": profile.is_third_sector,
    }


def _providers(session: Session, municipality_id: str, provider_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    found = session.exec(
        select(Provider).where(Provider.municipality_id == municipality_id, col(Provider.id).in_(set(provider_ids)))
    )
    return {one.id: {"name": one.name, "street": one.address, "tax_code": one.tax_code} for one in found}


def _payers(session: Session, municipality_id: str, household_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    found = session.exec(
        select(Household).where(Household.municipality_id == municipality_id, col(Household.id).in_(set(household_ids)))
    )
    return {one.id: _payer(one) for one in found}


def _payer(household: Household) -> dict[str, Any]:
    return {
        "given_name": household.given_name,
        "family_name": household.family_name,
        "street": household.address,
        "tax_code": household.tax_code,
    }


def _paid(session: Session, municipality_id: str, statement_ids: Sequence[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """How each statement was paid: when, how much, by which way, under which reference."""
    rows = session.connection().execute(text(_PAID), {"city": municipality_id, "statements": list(set(statement_ids))})
    paid: dict[UUID, list[dict[str, Any]]] = {}
    for row in rows:
        one = {
            "on": row.booked_on,
            "cents": row.cents,
            "by_bank": row.by_bank,
            "by_notice": row.by_notice,
            "reference": row.reference,
        }
        paid.setdefault(row.statement_id, []).append(one)
    return paid


def _originals(session: Session, municipality_id: str, document_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    rows = session.connection().execute(
        text("select id, number, year, issued_on from document where municipality_id = :city and id = any(:ids)"),
        {"city": municipality_id, "ids": list(set(document_ids))},
    )
    return {row.id: {"number": row.number, "year": row.year, "on": row.issued_on} for row in rows}


def _spans(
    session: Session, municipality_id: str, events: Sequence[str], unit: str, before: date
) -> list[tuple[date, date]]:
    """The months or years before a day in which any of `events` was booked: first day, and the day after the last."""
    rows = session.connection().execute(
        text("""
            select distinct date_trunc(:unit, booked_on)::date as since,
                   (date_trunc(:unit, booked_on) + ('1 ' || :unit)::interval)::date as until
            from ledger_entry where municipality_id = :city and event = any(:events) and booked_on < :before
            order by 1"""),
        {"city": municipality_id, "events": list(events), "unit": unit, "before": before},
    )
    return [(row.since, row.until) for row in rows]


def _moved(
    session: Session,
    municipality_id: str,
    kind: str,
    sign: int,
    events: Sequence[str],
    span: tuple[date, date],
    subject: str,
    owner_id: UUID | None = None,
) -> Sequence[Found[Any]]:
    """What moved on each account of a kind (or on one) in a span, where no document of `subject` says so."""
    values = {
        "city": municipality_id,
        "kind": kind,
        "sign": sign,
        "events": list(events),
        "since": span[0],
        "until": span[1],
        "subject": subject,
        "owner": owner_id,
    }
    return session.connection().execute(text(_MOVED), values).all()
