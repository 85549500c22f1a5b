"""What one query can prove: each rule finds nothing in right books, and the row of everything that is wrong."""

from typing import Final

from marketplace.words import N_

# Each query gives (row, detail) of what is wrong and nothing where all is right.
RULES: Final[tuple[tuple[str, str], ...]] = (
    (
        N_("I totali di un mese chiuso non seguono dalle sue righe"),
        """select to_char(c.month, 'YYYY-MM'),
                  concat_ws('/', c.totals ->> 'share_cents', c.totals ->> 'subsidy_cents',
                    c.totals ->> 'guarantee_cents', c.totals ->> 'net_cents') || ' e non '
                  || concat_ws('/', l.share, l.subsidy, l.guarantee, l.net)
           from month_closing c cross join lateral (
             select coalesce(sum(l.share_cents), 0)::bigint as share,
                    coalesce(sum(l.subsidy_cents), 0)::bigint as subsidy,
                    coalesce(sum(l.guarantee_cents), 0)::bigint as guarantee,
                    coalesce(sum(l.net_cents), 0)::bigint as net
             from statement s join statement_line l on l.municipality_id = s.municipality_id and l.statement_id = s.id
             where s.municipality_id = c.municipality_id and s.month = c.month) l
           where c.municipality_id = :city and ((c.totals ->> 'share_cents')::bigint <> l.share
             or (c.totals ->> 'subsidy_cents')::bigint <> l.subsidy
             or (c.totals ->> 'guarantee_cents')::bigint <> l.guarantee
             or (c.totals ->> 'net_cents')::bigint <> l.net)""",
    ),
    (
        N_("Il rendiconto di un mese non torna tra registro e righe"),
        """select to_char(c.month, 'YYYY-MM'), concat_ws('/', e.family, e.programme, e.fund) || ' e non '
                  || concat_ws('/', l.net, l.subsidy, l.guarantee + (c.totals ->> 'compensation_cents')::bigint)
           from month_closing c cross join lateral (
             select coalesce(sum(p.cents) filter (where p.account like 'family:%'), 0)::bigint as family,
                    coalesce(sum(p.cents) filter (where p.account like 'programme:%'), 0)::bigint as programme,
                    coalesce(sum(p.cents) filter (where p.account like 'guarantee:%'), 0)::bigint as fund
             from ledger_entry e join posting p on p.municipality_id = e.municipality_id and p.entry_id = e.id
             where e.municipality_id = c.municipality_id and e.event in ('meeting_billed', 'meeting_corrected')
               and e.booked_on = (c.month + interval '1 month - 1 day')::date) e
           cross join lateral (
             select coalesce(sum(l.net_cents), 0)::bigint as net,
                    coalesce(sum(l.subsidy_cents), 0)::bigint as subsidy,
                    coalesce(sum(l.guarantee_cents), 0)::bigint as guarantee
             from statement s join statement_line l on l.municipality_id = s.municipality_id and l.statement_id = s.id
             where s.municipality_id = c.municipality_id and s.month = c.month) l
           where c.municipality_id = :city and (e.family <> l.net or e.programme <> l.subsidy
             or e.fund <> l.guarantee + (c.totals ->> 'compensation_cents')::bigint)""",
    ),
    (
        N_("Manca un numero tra i documenti"),
        """select issuer || ' ' || year, max(number) || ' numeri, ' || count(*) || ' documenti' from document
           where municipality_id = :city group by issuer, year having max(number) <> count(*) or min(number) <> 1""",
    ),
    (
        N_("Una ricevuta non è la somma delle sue righe"),
        """select d.issuer || ' ' || d.number || '/' || d.year,
                  d.total_cents || ' e non ' || coalesce(sum(l.net_cents), 0)
           from document d
           left join document_line dl on dl.municipality_id = d.municipality_id and dl.document_id = d.id
           left join statement_line l on l.municipality_id = dl.municipality_id and l.id = dl.line_id
           where d.municipality_id = :city and d.kind in ('receipt', 'credit_note')
           group by d.id, d.issuer, d.number, d.year, d.total_cents
           having d.total_cents <> coalesce(sum(l.net_cents), 0)""",
    ),
    (
        N_("Una scrittura non quadra"),
        """select e.business_key, count(p.id) || ' movimenti, somma ' || coalesce(sum(p.cents), 0)
           from ledger_entry e left join posting p on p.municipality_id = e.municipality_id and p.entry_id = e.id
           where e.municipality_id = :city group by e.id, e.business_key
           having count(p.id) < 2 or sum(p.cents) <> 0""",
    ),
    (
        N_("Un estratto non è la somma delle sue righe"),
        """select s.year || '/' || s.number, s.total_cents || ' e non ' || coalesce(sum(l.net_cents), 0)
           from statement s left join statement_line l
             on l.municipality_id = s.municipality_id and l.statement_id = s.id
           where s.municipality_id = :city and s.state <> 'open' group by s.id, s.year, s.number, s.total_cents
           having s.total_cents <> coalesce(sum(l.net_cents), 0)""",
    ),
    (
        N_("Manca un numero tra gli estratti"),
        """select year::text, max(number) || ' numeri, ' || count(*) || ' estratti' from statement
           where municipality_id = :city and state <> 'open' group by year having max(number) <> count(*)""",
    ),
    (
        N_("Una famiglia paga più del suo tetto"),
        """select l.meeting_id::text, l.net_cents || ' sopra ' || coalesce(xs.cap_cents, m.cap_cents)
           from statement_line l
           join membership m on m.municipality_id = l.municipality_id and m.id = l.membership_id
           join meeting mt on mt.municipality_id = l.municipality_id and mt.id = l.meeting_id
           left join extra_seat xs on xs.municipality_id = mt.municipality_id and xs.extra_id = mt.extra_id
             and xs.membership_id = l.membership_id
           where l.municipality_id = :city and l.net_cents > coalesce(xs.cap_cents, m.cap_cents)
             and (mt.extra_id is not null or l.net_cents > m.cap_cents + m.held_cents
               or not exists (select 1 from voucher_decision v
               where v.municipality_id = m.municipality_id and v.household_id = m.household_id
                 and v.programme_id = m.programme_id and v.from_day <= mt.held_on and not v.is_entitled))""",
    ),
    (
        N_("Un incontro in più ha un buono, o chi lo paga non ha detto sì"),
        """select l.meeting_id::text, l.membership_id || ', buono ' || l.subsidy_cents from statement_line l
           join meeting mt on mt.municipality_id = l.municipality_id and mt.id = l.meeting_id
           where l.municipality_id = :city and mt.extra_id is not null
             and (l.subsidy_cents <> 0 or not exists (select 1 from extra_seat xs
               where xs.municipality_id = mt.municipality_id and xs.extra_id = mt.extra_id
                 and xs.membership_id = l.membership_id and xs.state = 'taken'))""",
    ),
    (
        N_("Il budget di una settimana non torna con i suoi impegni"),
        """select w.programme_id || ' ' || w.week,
                  w.used_cents || ' di ' || w.budget_cents || ', impegni ' || coalesce(sum(
                    case h.state when 'held' then h.held_cents when 'committed' then h.committed_cents else 0 end), 0)
           from programme_week w left join voucher_hold h on h.municipality_id = w.municipality_id
             and h.programme_id = w.programme_id and h.week = w.week
           where w.municipality_id = :city group by w.id, w.programme_id, w.week, w.used_cents, w.budget_cents
           having w.used_cents <> coalesce(sum(
                    case h.state when 'held' then h.held_cents when 'committed' then h.committed_cents else 0 end), 0)
               or w.used_cents < 0 or w.used_cents > w.budget_cents""",
    ),
    (
        N_("Un buono usato non torna con le righe degli estratti"),
        """with used as (
             select l.membership_id, date_trunc('week', mt.held_on)::date as week, sum(l.subsidy_cents) as cents
             from statement_line l join meeting mt on mt.municipality_id = l.municipality_id and mt.id = l.meeting_id
             where l.municipality_id = :city group by 1, 2 having sum(l.subsidy_cents) <> 0),
           committed as (
             select membership_id, week, committed_cents as cents from voucher_hold
             where municipality_id = :city and state = 'committed')
           select coalesce(u.membership_id, c.membership_id) || ' ' || coalesce(u.week, c.week),
                  coalesce(c.cents, 0) || ' impegnati, ' || coalesce(u.cents, 0) || ' usati'
           from used u full join committed c on c.membership_id = u.membership_id and c.week = u.week
           where coalesce(u.cents, 0) <> coalesce(c.cents, 0)""",
    ),
    (
        N_("Un pagamento riuscito non è nel registro, o il contrario"),
        """select p.id::text, p.state || ' ' || p.cents || ', nel registro ' || coalesce(g.cents::text, 'niente')
           from payment p
           left join ledger_entry e on e.municipality_id = p.municipality_id
             and e.business_key = 'payment:' || p.stripe_intent_id
           left join posting g on g.municipality_id = e.municipality_id and g.entry_id = e.id and g.cents > 0
           where p.municipality_id = :city and p.bank_line_id is null
             and ((p.state in ('succeeded', 'refunded')) <> (e.id is not null) or g.cents <> p.cents)""",
    ),
    (
        N_("Un compenso pagato non è nel registro"),
        """select p.id::text, p.due_cents::text from payout p
           where p.municipality_id = :city and p.paid_at is not null and not exists (
             select 1 from ledger_entry e join posting g on g.municipality_id = e.municipality_id and g.entry_id = e.id
             where e.municipality_id = p.municipality_id and g.account = 'provider:' || p.provider_id
               and e.business_key in ('transfer:' || p.stripe_transfer_id, 'bank-out:' || p.id)
               and g.cents = p.due_cents)""",
    ),
    (
        N_("Un professionista ha avuto più di quanto gli spetta"),
        """select p.account, sum(p.cents)::text from posting p
           join ledger_entry e on e.municipality_id = p.municipality_id and e.id = p.entry_id
           where p.municipality_id = :city and p.account like 'provider:%'
             and not (e.event = 'meeting_corrected' and p.cents > 0)  -- earned, paid, and only then corrected
           group by p.account having sum(p.cents) > 0""",
    ),
    (
        N_("Un impegno non è quello con cui il mese è stato conteggiato"),
        """select h.membership_id || ' ' || h.week, h.held_cents || ' e non ' || (l.explanation ->> 'held_cents')
           from statement_line l
           join meeting mt on mt.municipality_id = l.municipality_id and mt.id = l.meeting_id
           join voucher_hold h on h.municipality_id = l.municipality_id and h.membership_id = l.membership_id
             and h.week = date_trunc('week', mt.held_on)::date
           where l.municipality_id = :city and l.kind = 'meeting' and h.state <> 'held' and mt.extra_id is null
             and not h.held_cents between (l.explanation ->> 'held_cents')::bigint
               and greatest((l.explanation ->> 'held_cents')::bigint, (
                 select sum(m.subsidy_cents) from statement_line m where m.municipality_id = l.municipality_id
                   and m.meeting_id = l.meeting_id and m.membership_id = l.membership_id and m.subsidy_cents > 0))""",
    ),
    (
        N_("Quello che deve una famiglia non è la somma dei suoi estratti"),
        """with said as (
             select 'family:' || household_id as account, sum(net_cents) as cents from statement_line
             where municipality_id = :city group by 1),
           booked as (
             select p.account, sum(p.cents) as cents from posting p
             join ledger_entry e on e.municipality_id = p.municipality_id and e.id = p.entry_id
             where p.municipality_id = :city and p.account like 'family:%'
               and e.event in ('meeting_billed', 'meeting_corrected') group by 1)
           select account, coalesce(b.cents, 0) || ' e non ' || coalesce(s.cents, 0)
           from said s full join booked b using (account) where coalesce(s.cents, 0) <> coalesce(b.cents, 0)""",
    ),
    (
        N_("Un versamento del Comune non è nel registro, o il contrario"),
        """with booked as (
             select split_part(e.business_key, ':', 2) as month, sum(p.cents) as cents from ledger_entry e
             join posting p on p.municipality_id = e.municipality_id and p.entry_id = e.id
             where e.municipality_id = :city and p.cents > 0
               and e.business_key ~ '^bank-in:[0-9]{4}-[0-9]{2}:(programme|guarantee):' group by 1),
           said as (
             select to_char(c.month, 'YYYY-MM') as month, s.paid_cents as cents from settlement s
             join month_closing c on c.municipality_id = s.municipality_id and c.id = s.closing_id
             where s.municipality_id = :city)
           select month, coalesce(b.cents, 0) || ' e non ' || coalesce(s.cents, 0)
           from said s full join booked b using (month) where coalesce(s.cents, 0) <> coalesce(b.cents, 0)""",
    ),
    (
        N_("Una scrittura senza una riga che la spieghi"),
        """select e.business_key, e.event from ledger_entry e where e.municipality_id = :city and not case e.event
             when 'meeting_billed' then exists (select 1 from statement_line l
               where l.municipality_id = e.municipality_id and 'meeting:' || l.meeting_id = e.business_key) or exists (
               select 1 from meeting mt where mt.municipality_id = e.municipality_id
                 and 'meeting:' || mt.id = e.business_key and mt.state = 'cancelled_by_municipality')
             when 'meeting_corrected' then e.business_key ~ '^correction:[-0-9a-f]{36}:[0-9]{4}-[0-9]{2}$'
             when 'transferred' then exists (select 1 from payout p
               where p.municipality_id = e.municipality_id and 'transfer:' || p.stripe_transfer_id = e.business_key)
             when 'paid_by_bank' then exists (select 1 from payout p
               where p.municipality_id = e.municipality_id and 'bank-out:' || p.id = e.business_key)
             when 'bank_transfer_received' then e.business_key ~ '^bank-in:[0-9]{4}-[0-9]{2}:(programme|guarantee):'
               or exists (select 1 from bank_line b where b.state = 'matched'
                 and b.municipality_id = e.municipality_id and 'bank-in:' || b.id = e.business_key)
             when 'borne_by_guarantee' then exists (select 1 from statement s where s.state = 'written_off'
               and s.municipality_id = e.municipality_id and 'guarantee:' || s.id = e.business_key)
             when 'fee_borne' then exists (select 1 from ledger_entry f where f.municipality_id = e.municipality_id
               and f.business_key = replace(e.business_key, 'fee-borne:', 'stripe-fee:'))
             else e.event in ('payment_succeeded', 'payment_returned', 'payment_reinstated', 'stripe_fee_charged',
               'stripe_topped_up', 'transfer_reversed')
             end""",
    ),
    (
        N_("Una commissione non è tutta a carico del fondo"),
        """select f.business_key, sum(p.cents)::text from ledger_entry f
           join ledger_entry b on b.municipality_id = f.municipality_id
             and b.business_key = replace(f.business_key, 'stripe-fee:', 'fee-borne:')
           join posting p on p.municipality_id = f.municipality_id and p.entry_id in (f.id, b.id)
             and p.account = 'stripe:fees'
           where f.municipality_id = :city and f.event = 'stripe_fee_charged'
           group by f.business_key having sum(p.cents) <> 0""",
    ),
    (
        N_("Uno stralcio non è nel registro"),
        """select s.year || '/' || s.number, s.total_cents::text from statement s
           where s.municipality_id = :city and s.state = 'written_off' and not exists (
             select 1 from ledger_entry e
             where e.municipality_id = s.municipality_id and e.business_key = 'guarantee:' || s.id)""",
    ),
    (
        N_("Un rimborso non è nel registro, o con un altro importo"),
        """select r.id::text, r.cents || ', nel registro ' || coalesce(g.cents::text, 'niente') from refund r
           left join ledger_entry e on e.municipality_id = r.municipality_id
             and e.business_key = 'refund:' || r.stripe_refund_id
           left join posting g on g.municipality_id = e.municipality_id and g.entry_id = e.id and g.cents > 0
           where r.municipality_id = :city and r.state = 'done' and g.cents is distinct from r.cents""",
    ),
    (
        N_("Un compenso ripreso non torna"),
        """select p.id::text, p.reversed_cents || ' e non ' || coalesce(sum(g.cents), 0) from payout p
           left join reversal r on r.municipality_id = p.municipality_id and r.payout_id = p.id and r.state = 'done'
           left join ledger_entry e on e.municipality_id = r.municipality_id
             and e.business_key = 'reversal:' || r.stripe_reversal_id
           left join posting g on g.municipality_id = e.municipality_id and g.entry_id = e.id and g.cents > 0
           where p.municipality_id = :city group by p.id, p.reversed_cents
           having p.reversed_cents <> coalesce(sum(g.cents), 0)""",
    ),
    (
        N_("Un bonifico in banca non è nel registro, o con un altro importo"),
        """select b.booked_on || ' ' || b.reference, b.cents || ', nel registro ' || coalesce(g.cents::text, 'niente')
           from bank_line b
           left join ledger_entry e on e.municipality_id = b.municipality_id and e.business_key = 'bank-in:' || b.id
           left join posting g on g.municipality_id = e.municipality_id and g.entry_id = e.id and g.cents > 0
           where b.municipality_id = :city and b.matched_to like 'statement:%' and g.cents is distinct from b.cents
           union all
           select b.booked_on || ' ' || b.reference, b.cents || ' e non ' || coalesce(s.paid_cents::text, 'niente')
           from bank_line b
           left join settlement s on s.municipality_id = b.municipality_id and b.matched_to = 'settlement:' || s.id
           where b.municipality_id = :city and b.matched_to like 'settlement:%'
             and s.paid_cents is distinct from b.cents
           union all
           select b.booked_on || ' ' || b.reference, b.cents || ' e non ' || coalesce(f.total_cents::text, 'niente')
           from bank_line b
           left join pagopa_flow f on f.municipality_id = b.municipality_id and b.matched_to = 'flow:' || f.id
             and f.confirmed_at is not null
           where b.municipality_id = :city and b.matched_to like 'flow:%' and f.total_cents is distinct from b.cents""",
    ),
    (
        N_("Un pagamento con bonifico non è quello che la banca ha"),
        """select p.bank_line_id::text, sum(p.cents) || ' e non ' || coalesce(b.cents::text, 'niente') from payment p
           left join bank_line b on b.municipality_id = p.municipality_id and b.id = p.bank_line_id
           where p.municipality_id = :city and p.bank_line_id is not null
           group by p.bank_line_id, b.cents having sum(p.cents) is distinct from b.cents""",
    ),
    (
        N_("Un versamento registrato a mano non è in banca"),
        """select to_char(c.month, 'YYYY-MM'), s.paid_cents::text from settlement s
           join month_closing c on c.municipality_id = s.municipality_id and c.id = s.closing_id
           where s.municipality_id = :city and not exists (select 1 from bank_line b
               where b.municipality_id = s.municipality_id and b.matched_to = 'settlement:' || s.id)
             and s.settled_at::date < (select max(booked_on) - 7 from bank_line b
               where b.municipality_id = :city and b.reference not like 'pagopa:%')
             and s.settled_at::date >= (select min(booked_on) from bank_line b
               where b.municipality_id = :city and b.reference not like 'pagopa:%')""",
    ),
    (
        N_("Un pagamento di un flusso pagoPA non è tra i movimenti"),
        """select f.identifier || ' ' || (r.row ->> 'iuv'),
             (r.row ->> 'cents') || ' e non ' || coalesce(b.cents::text, 'niente')
           from pagopa_flow f cross join jsonb_array_elements(f.rows) as r (row)
           left join bank_line b on b.municipality_id = f.municipality_id and b.reference = r.row ->> 'reference'
           where f.municipality_id = :city and f.confirmed_at is not null
             and b.cents is distinct from (r.row ->> 'cents')::bigint""",
    ),
    (
        N_("Il bonifico di un flusso pagoPA non è in banca"),
        """select f.identifier, f.total_cents::text from pagopa_flow f
           where f.municipality_id = :city and f.confirmed_at is not null and f.total_cents <> 0
             and not exists (select 1 from bank_line b
               where b.municipality_id = f.municipality_id and b.matched_to = 'flow:' || f.id)
             and f.settled_on < (select max(booked_on) - 7 from bank_line b
               where b.municipality_id = :city and b.reference not like 'pagopa:%')
             and f.settled_on >= (select min(booked_on) from bank_line b
               where b.municipality_id = :city and b.reference not like 'pagopa:%')""",
    ),
)
