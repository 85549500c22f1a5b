"""How far the caps of Libretto Famiglia are used: both sides see their own, and nothing of what others do."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from billing.libretto import Use, Worked, uses
from marketplace.db import Scope, seeing

# Billed work of a year of providers who work by Libretto Famiglia, by provider and household: the whole of what the
# provider is due, whoever pays it.
_WORKED = """
    select l.provider_id, l.household_id, min(p.name) as provider, min(h.family_name) as family,
           sum(l.provider_cents + l.subsidy_cents + l.guarantee_cents)::bigint as cents,
           sum(case when l.kind = 'meeting' and l.share_cents > 0
             then coalesce(x.end_minute - x.start_minute, m.end_minute - m.start_minute) else 0 end) as minutes
    from statement_line l
    join statement s on s.municipality_id = l.municipality_id and s.id = l.statement_id and s.state <> 'open'
    join meeting mt on mt.municipality_id = l.municipality_id and mt.id = l.meeting_id
    left join extra_session x on x.municipality_id = mt.municipality_id and x.id = mt.extra_id
    join membership m on m.municipality_id = l.municipality_id and m.id = l.membership_id
    join provider p on p.municipality_id = l.municipality_id and p.id = l.provider_id
    join household h on h.municipality_id = l.municipality_id and h.id = l.household_id
    where l.municipality_id = :city and mt.held_on >= :since and mt.held_on < :until
      and (select regime from tax_profile t where t.municipality_id = l.municipality_id
           and t.provider_id = l.provider_id order by t.created_at desc, t.id desc limit 1) = 'libretto'
      and (cast(:household as uuid) is null or l.household_id = :household)
      and (cast(:provider as uuid) is null or l.provider_id = :provider)
    group by 1, 2"""


def libretto_uses(
    session: Session,
    municipality_id: str,
    year: int,
    *,
    household_id: UUID | None = None,
    provider_id: UUID | None = None,
) -> list[tuple[Use, str]]:
    """The caps that a calendar year's work touches, the fullest first, each with whom it is about.

    A household sees its own caps and a provider its own: the cap over all of the other's work is the other's.
    """
    values = {
        "city": municipality_id,
        "since": date(year, 1, 1),
        "until": date(year + 1, 1, 1),
        "household": household_id,
        "provider": provider_id,
    }
    with seeing(session, Scope(municipality_id)):  # a family may not see what its provider said of tax
        rows = session.connection().execute(text(_WORKED), values).all()
    worked = [Worked(str(row.provider_id), str(row.household_id), row.cents, row.minutes) for row in rows]
    names: dict[str, Any] = {str(row.provider_id): row.provider for row in rows}
    names |= {str(row.household_id): row.family for row in rows}
    return [
        (use, " - ".join(names[one] for one in (use.worker, use.user) if one))
        for use in uses(worked)
        if (household_id is None or use.user) and (provider_id is None or use.worker)
    ]
