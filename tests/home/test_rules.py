"""The officer writes a rule, sees what a year would have cost, and publishes it: without JavaScript, in plain forms."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlmodel import select

from billing.reading import model_of
from billing.rules import Rule
from marketplace.accounts.models import Actor, Appointment, Role
from marketplace.accounts.sign_in import add_user
from marketplace.db import Scope, db, set_scope
from marketplace.filters import flat_errors
from marketplace.home import rules as pages
from marketplace.households.models import MeansTest, MeansTestState
from marketplace.statements import trials
from marketplace.statements.operations import close_month
from marketplace.statements.simulation import simulate
from marketplace.vouchers.forms import RuleForm
from marketplace.vouchers.models import Programme, ProgrammeRule, RuleTrial
from marketplace.web import Application
from tests.billing.test_decisions import RAVENNA, TERAMO
from tests.statements.world import CITY, CLOSED_AT, LONG_AGO, NOVEMBER, build

TWO_BANDS = {"kind": "charge", "per": "hour", "bands-0-up_to": "8000", "bands-0-first": "1,50", "beyond": "4"}


@pytest.fixture
def programme(app: Application, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A closed November of three families, two with an ISEE, and an officer who has signed in on 1 December."""
    monkeypatch.setattr(pages, "now", lambda: CLOSED_AT)
    monkeypatch.setattr(pages, "today", CLOSED_AT.date)
    with app.app_context():
        set_scope(db.session, Scope())
        city = build(db.session)
        group = city.group()
        for number, isee in enumerate((800_000, 2_000_000, None)):
            member = city.join(group, city.household(), percent="50" if number == 0 else None, held=650)
            if isee is not None:
                db.session.add(
                    MeansTest(
                        municipality_id=CITY,
                        household_id=member.household_id,
                        isee_cents=str(isee),
                        state=MeansTestState.VERIFIED,
                        valid_until=CLOSED_AT.date().replace(day=31),
                        created_at=LONG_AGO,
                    )
                )
        city.everybody_came(group)
        user = add_user(db.session, LONG_AGO, "ufficio@example.org", "Ufficio")
        close_month(db.session, Actor(CITY, Role.OFFICER, user.id), CLOSED_AT, CITY, NOVEMBER)
        db.session.add(Appointment(user_id=user.id, municipality_id=CITY, role=Role.OFFICER, created_at=LONG_AGO))
        db.session.commit()
        with client.session_transaction() as cookie:
            cookie["_user_id"], cookie["_fresh"] = user.fs_uniquifier, True
        yield str(city.programme.id)


def test_a_year_is_simulated_by_band_and_never_below_what_was_paid(app: Application, programme: str) -> None:
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        found = db.session.exec(select(Programme)).one()
        rule = model_of(
            {"kind": "charge", "tariffs": [{"bands": [{"up_to": 8000, "amount": 1.5}, {"amount": 4}]}]}, Rule
        )
        simulation = simulate(db.session, found, rule, CLOSED_AT.date())
        assert [(one.band, one.households, one.meetings, one.share_cents) for one in simulation.bands] == [
            (1, 1, 4, 5200),
            (2, 1, 4, 5200),
            (None, 1, 4, 5200),
        ]
        assert [one.paid_cents for one in simulation.bands] == [2600, 0, 0]
        assert [one.would_pay_cents for one in simulation.bands] == [4 * 1075, 4 * 700, 0]
        found.isee_max_cents = 1_500_000
        assert [one.would_pay_cents for one in simulate(db.session, found, rule, CLOSED_AT.date()).bands] == [
            4300,
            0,
            0,
        ]
        less = model_of({"kind": "grant", "tariffs": [{"bands": [{"amount": 1}]}]}, Rule)
        found.isee_max_cents = None
        assert simulate(db.session, found, less, CLOSED_AT.date()).total("would_pay_cents") == 2600 + 2 * 4 * 150
        assert simulate(db.session, found, rule, NOVEMBER).total("meetings") == 0


def test_the_officer_tries_a_rule_and_publishes_it(
    app: Application, client: FlaskClient, programme: str, work: Callable[[], None]
) -> None:
    page = f"/comune/programmi/{programme}/regola"
    assert "Simula regola" in client.get(page).text
    asked = client.post(page, data={**TWO_BANDS, "simula": "1"})
    assert asked.status_code == 303
    assert "Prova in corso" in client.get(asked.location).text
    waits = client.get(asked.location, headers={"HX-Request": "true"})
    assert "<h1>" not in waits.text and "every 2s" in waits.text
    work()
    assert client.get(asked.location, headers={"HX-Request": "true"}).headers["HX-Redirect"] == asked.location
    tried = client.get(asked.location)
    assert tried.status_code == 200
    assert "71,00\xa0€" in tried.text and "26,00\xa0€" in tried.text
    assert "ISEE fino a 8.000,00\xa0€: la famiglia paga 1,50\xa0€ l&#39;ora." in tried.text
    early = client.post(page, data={**TWO_BANDS, "pubblica": "1", "valid_from": CLOSED_AT.date().isoformat()})
    assert early.status_code == 422 and "scegli una data da domani" in early.text
    assert "71,00\xa0€" in early.text, "the outcome of the same rule stays beside it"
    assert client.post(page, data={**TWO_BANDS, "pubblica": "1"}).status_code == 422
    tomorrow = (CLOSED_AT.date() + timedelta(days=1)).isoformat()
    assert client.post(page, data={**TWO_BANDS, "pubblica": "1", "valid_from": tomorrow}).status_code == 303
    less = client.post(page, data={**TWO_BANDS, "beyond": "5", "pubblica": "1", "valid_from": "2026-12-10"})
    assert less.status_code == 422 and "preavviso di 14 giorni" in less.text
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        assert len(db.session.exec(select(ProgrammeRule)).all()) == 1
    assert "Versione 1" in client.get(f"/comune/programmi/{programme}").text
    assert json.loads(client.get(f"/comune/programmi/{programme}/regole/1.json").text)["kind"] == "charge"
    assert client.get(f"/comune/programmi/{programme}/regole/2.json").status_code == 404
    assert 'value="8000"' in client.get(page).text
    assert client.post(f"{page}/ritira").status_code == 303
    assert client.post(f"{page}/ritira").status_code == 422, "there is none left to withdraw"


def test_a_trial_is_asked_once_runs_again_and_keeps_its_outcome(
    app: Application, client: FlaskClient, programme: str, work: Callable[[], None]
) -> None:
    page = f"/comune/programmi/{programme}/regola"
    first, again = (client.post(page, data={**TWO_BANDS, "simula": "1"}).location for _ in range(2))
    assert first == again, "what is being tried is not tried twice"
    work()
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        trial = db.session.exec(select(RuleTrial)).one()
        before = trials.outcome_of(trial)
        trials.run_trial(db.session, CLOSED_AT + timedelta(days=9), CITY, trial.id)
        assert (trial.outcome, trial.finished_at) != (None, CLOSED_AT + timedelta(days=9))
        trial.outcome = trial.finished_at = None
        db.session.flush()
        trials.run_trial(db.session, CLOSED_AT + timedelta(days=9), CITY, trial.id)
        assert trials.outcome_of(trial) == before is not None, "the year is that of the day on which it was asked"
    assert client.post(page, data={**TWO_BANDS, "simula": "1"}).location != first, (
        "a new one sees what was billed since"
    )
    assert first in client.get(page).text
    stranger = f"/comune/programmi/{uuid4()}/prove/{first.rsplit('/', 1)[1]}"
    assert client.get(stranger).status_code == 404
    assert client.get(f"/comune/programmi/{programme}/prove/{uuid4()}").status_code == 404


def test_a_trial_that_fails_is_said_to_have_failed_and_can_be_repeated(
    app: Application,
    client: FlaskClient,
    programme: str,
    work: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ArithmeticError

    where = client.post(f"/comune/programmi/{programme}/regola", data={**TWO_BANDS, "simula": "1"}).location
    assert client.post(f"{where}/ripeti").status_code == 409
    with monkeypatch.context() as broken:
        broken.setattr(trials, "simulate", fail)
        work()
        assert "riprovo da solo" in client.get(where).text
        for _ in range(4):
            with app.app_context():
                db.session.connection().execute(text("update procrastinate_jobs set scheduled_at = now()"))
                db.session.commit()
            work()
    failed = client.get(where).text
    assert "La prova non è riuscita" in failed and "every 2s" not in failed
    assert client.post(f"{where}/ripeti").status_code == 303
    assert "Prova in corso" in client.get(where).text
    work()
    assert "71,00\xa0€" in client.get(where).text


FAULTS = (
    ({"bands-1-up_to": "7000", "bands-1-first": "2"}, "Le fasce vanno in ordine"),
    ({"bands-1-first": "2"}, "Scrivi fin dove arriva la fascia"),
    ({"bands-1-up_to": "9000", "bands-1-last": "2"}, "Scrivi l'importo a inizio fascia"),
    ({"bands-0-first": "-1"}, "Scrivi gli euro in cifre"),
    ({"kind": "percent", "beyond": "101"}, "Una percentuale non supera 100"),
    ({"bands-0-up_to": "", "bands-0-first": "", "beyond": ""}, "Scrivi almeno una fascia"),
    ({"age_min": "9", "age_max": "8"}, "L'età finale non può essere"),
    ({"written": "["}, "Il testo non è un oggetto JSON"),
    ({"written": '{"kind": "gift"}'}, "La regola non va: kind"),
    ({"written": '{"kind": "percent", "tariffs": [{"bands": [{"amount": 101}]}]}'}, "a percentage above 100"),
)
RULES = (
    TERAMO,
    RAVENNA,
    {**TERAMO, "limits": [{"amount": 12.5, "per": "month"}, {"weeks": 6, "per": "year"}], "age_min": 3},
    {**TERAMO, "limits": [{"days": 6, "per": "year"}], "isee_max": 20000},
    {"kind": "percent", "tariffs": [{"bands": [{"amount": 62.5}]}], "disability_only": True},
)


def test_what_cannot_be_a_rule_is_said_beside_its_field(app: Application) -> None:
    for changes, words in FAULTS:
        with app.test_request_context(method="POST", data={**TWO_BANDS, **changes}):
            form = RuleForm()
            rule = form.rule("prova") if form.validate_on_submit() else None
            assert rule is None
            assert any(words in message for message in flat_errors(form.errors)), (words, form.errors)


def test_the_form_opens_on_a_rule_and_gives_it_back(app: Application) -> None:
    for values in RULES:
        rule = model_of({**values, "name": "prova"}, Rule)
        with app.test_request_context():
            form = RuleForm.of(rule)
            again = form.rule("prova")
            assert not form.errors
        assert again is not None
        assert [tariff.graded for tariff in again.tariffs] == [tariff.graded for tariff in rule.tariffs]
        assert again.model_dump(exclude={"tariffs"}) == rule.model_dump(exclude={"tariffs"})
