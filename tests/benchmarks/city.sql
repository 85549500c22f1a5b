-- A month of :meetings meetings for :families families, made by the set: three families a group, four Tuesdays to
-- Fridays a month, one family in three with a voucher, one in twenty absent. Triggers rest meanwhile.
set session_replication_role = replica;

insert into municipality (id, name, lat, lon, is_demo, created_at) values ('035033', 'Reggio Emilia', 44.7, 10.6, true, '2026-09-01');
insert into venue (municipality_id, code, name, address, lat, lon, seats, services, cost_cents_per_hour, windows, created_at)
  values ('035033', 'v1', 'Biblioteca', 'Via Farini 3', 44.7, 10.63, 12, '[]', 200, '[]', '2026-09-01');
insert into round (municipality_id, state, started_at, seconds_limit, seed, solver, progress, summary, failure)
  values ('035033', 'settled', '2026-09-01', 60, 0, '', '{}', '{}', '');
insert into programme (municipality_id, code, name, service, weekly_budget_cents, percent, cap_cents_per_hour, created_at)
  values ('035033', 'p1', 'Buono compiti', 'tutoring', 1000000000, '50', 600, '2026-09-01');
insert into programme_week (municipality_id, programme_id, week, budget_cents, used_cents)
  select '035033', id, week::date, 1000000000, 0 from programme, generate_series('2026-10-26'::timestamp, '2026-12-28', '7 days') week;

create temp table family on commit preserve rows as
  select n, uuidv7() as id, uuidv7() as person_id from generate_series(0, :families - 1) n;
insert into household (municipality_id, id, family_name, given_name, email, address, lat, lon, stripe_method_label, created_at)
  select '035033', id, 'Famiglia ' || n, 'Maria', 'f' || n || '@example.org', 'Via Emilia 1', 44.7, 10.6, '', '2026-09-01' from family;
insert into person (municipality_id, id, household_id, name, age, age_on, languages, created_at)
  select '035033', person_id, id, 'Luca', 10, '2026-09-01', '["it"]', '2026-09-01' from family;

create temp table teacher on commit preserve rows as
  select n, uuidv7() as id from generate_series(0, :groups / 16) n;
insert into provider (municipality_id, id, code, name, address, lat, lon, travel_km_max, languages, qualifications,
    minutes_max_per_week, minutes_max_per_day, gap_minutes, visits_homes, windows, accreditation, created_at)
  select '035033', id, 'q' || n, 'Laura Neri ' || n, 'Via Roma 2', 44.7, 10.6, '5', '["it"]', '[]', 2400, 480, 15, false, '[]',
    'accredited', '2026-09-01' from teacher;

-- A teacher has sixteen groups: four days, four hours.
create temp table grp on commit preserve rows as
  select n, uuidv7() as id, n / 16 as teacher, n % 4 as weekday, (n / 4) % 4 as hour from generate_series(0, :groups - 1) n;
insert into slot (municipality_id, id, round_id, plan_slot, provider_id, service, mode, place, venue_id, day, start_minute,
    end_minute, cost_cents, rate_cents_per_hour, extra_seat_cents_per_hour, minutes_min, venue_cents_per_hour, walk_minutes,
    seats_limit, seats_min, topic, first_date, last_date, state, provider_answer, deadline, created_at)
  select '035033', g.id, r.id, 's' || g.n, t.id, 'tutoring', 'class', 'venue', v.id, 1 + g.weekday, 840 + 90 * g.hour,
    930 + 90 * g.hour, 3900, 1800 + g.n % 7, 300, 60, 200, 0, 6, 1, 'maths', '2026-11-03', '2027-05-25', 'running', 'accepted',
    '2026-09-01', '2026-09-01'
  from grp g join teacher t on t.n = g.teacher cross join round r cross join venue v;
insert into meeting (municipality_id, slot_id, provider_id, held_on, during, state, reason)
  select '035033', g.id, t.id, d.day::date,
    tstzrange((d.day + make_interval(mins => 780 + 90 * g.hour)) at time zone 'UTC',
              (d.day + make_interval(mins => 870 + 90 * g.hour)) at time zone 'UTC'), 'held', ''
  from grp g join teacher t on t.n = g.teacher
  cross join lateral (select '2026-11-03'::timestamp + make_interval(days => g.weekday + 7 * w) as day
                      from generate_series(0, 3) w) d;

create temp table place on commit preserve rows as
  select g.id as group_id, g.hour, f.id as family_id, f.person_id, seat, uuidv7() as need_id, uuidv7() as proposal_id, uuidv7() as id
  from grp g cross join generate_series(0, 2) seat join family f on f.n = (g.n * 3 + seat) % :families;
insert into need (municipality_id, id, code, household_id, person_id, service, seats, sessions, minutes, windows, travel_km_max,
    host_seats, languages, requires, priority, excludes, notes, state, first_in_line, created_at)
  select '035033', need_id, 'n' || need_id, family_id, person_id, 'tutoring', 1, 1, 90, '[]', '1.5', 0, '["it"]', '[]', '1', '[]', '',
    'served', false, '2026-09-01' from place;
insert into proposal (municipality_id, id, need_id, household_id, round_id, state, share_cents, subsidy_cents, cap_cents,
    meetings_count, term_max_cents, deadline, reason, reopens, created_at)
  select '035033', proposal_id, need_id, family_id, r.id, 'confirmed', 1300, 0, 100000, 24, 2400000, '2026-09-01', '', false,
    '2026-09-01' from place cross join round r;
insert into membership (municipality_id, id, slot_id, proposal_id, need_id, household_id, rank, seats, start_minute, end_minute,
    share_cents, subsidy_cents, held_cents, programme_id, subsidy_percent, subsidy_cap_cents_per_hour, cap_cents, cap_seats,
    state, created_at)
  select '035033', s.id, s.group_id, s.proposal_id, s.need_id, s.family_id, s.seat, 1, 840 + 90 * s.hour, 930 + 90 * s.hour, 1300, 0, 0,
    case when s.seat = 0 then p.id end, case when s.seat = 0 then '50' end, case when s.seat = 0 then 600 end,
    case when s.seat = 1 then 1400 else 100000 end, 1, 'confirmed', '2026-09-01'
  from place s cross join programme p;
insert into voucher_hold (municipality_id, programme_id, membership_id, need_id, week, held_cents, committed_cents, state, created_at)
  select '035033', p.id, s.id, s.need_id, w.week::date, 900, 0, 'held', '2026-09-01'
  from place s cross join programme p cross join generate_series('2026-11-02'::timestamp, '2026-11-23', '7 days') w(week)
  where s.seat = 0;
update programme_week w set used_cents = (select coalesce(sum(held_cents), 0) from voucher_hold h where h.week = w.week);
insert into attendance (municipality_id, meeting_id, membership_id, presence, illness, recorded_at)
  select '035033', mt.id, m.id, case when (m.rank + extract(day from mt.held_on)::int + g.n) % 20 = 0
      then case when g.n % 2 = 0 then 'absent_notified' else 'absent' end else 'present' end, false, upper(mt.during)
  from meeting mt join membership m on m.slot_id = mt.slot_id join grp g on g.id = mt.slot_id;

set session_replication_role = origin;
analyze municipality, venue, round, programme, programme_week, household, person, provider, slot, meeting, need, proposal, membership, voucher_hold, attendance;
