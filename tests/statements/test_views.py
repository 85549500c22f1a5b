"""Money's pages as their readers see them, on an application with a database and a worker of its own."""

import csv
import io
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pypdf
import pytest
from flask.testing import FlaskClient
from sqlalchemy import create_engine
from sqlmodel import Session, col, select
from werkzeug.test import TestResponse

from marketplace import jobs, web
from marketplace.accounts.models import Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import Scope, set_scope
from marketplace.demo.payments import hosted
from marketplace.demo.payments.webhooks import signature
from marketplace.households.models import Household
from marketplace.installation import Installation
from marketplace.slots.models import Presence
from marketplace.statements import gateways
from marketplace.statements.audit import audit
from marketplace.statements.models import LedgerEntry, MonthClosing, Payout, Posting, Statement, StripeEvent
from marketplace.statements.operations import close_month
from marketplace.web import Application
from tests.stand_in import StandIn, running
from tests.statements.world import CITY, CLOSED_AT, LONG_AGO, NOVEMBER, OFFICER, City, Group, build

SECRET = "whsec_test"


@pytest.fixture
def session(app: Application, installation: Installation) -> Iterator[Session]:
    """What the tests see of the application's database; `app` has given it its keys."""
    engine = create_engine(installation.app_url)
    with Session(engine) as opened:
        yield opened
    engine.dispose()


@pytest.fixture
def town(session: Session) -> City:
    """A group of three in November: the first has a voucher and a low cap, the second told in time once."""
    city = build(session)
    group = city.group()
    for number in range(3):
        city.join(group, city.household(), **({"percent": "50", "held": 900, "cap": 700} if not number else {}))
    a, b, c = (one.id for one in group.memberships)
    group.slot.rate_cents_per_hour = 1803
    for number, meeting in enumerate(group.meetings):
        told = Presence.ABSENT_NOTIFIED if number == 1 else Presence.PRESENT
        city.attend(meeting, {a: Presence.PRESENT, b: told, c: Presence.ABSENT if number == 2 else Presence.PRESENT})
    city.groups.append(group)
    session.commit()
    return city


@pytest.fixture
def stand_in(app: Application, tmp_path: Path) -> Iterator[StandIn]:
    with running(tmp_path) as up:
        gateways.pay_through(up.gateway)
        yield up
        gateways.pay_through(None)


def the_group(city: City) -> Group:
    return city.groups[0]


def enter(
    app: Application, session: Session, role: Role, household: UUID | None = None, provider: UUID | None = None
) -> FlaskClient:
    """A browser signed in as somebody with a role in the city."""
    user = add_user(session, LONG_AGO, f"{role.value}-{household or provider}@example.org", role.value)
    appoint(session, LONG_AGO, user.id, CITY, role, household_id=household, provider_id=provider)
    session.commit()
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = user.fs_uniquifier
        cookie["_fresh"] = True
    return client


def entries(session: Session) -> dict[str, list[int]]:
    """Every entry's cents, by its business key."""
    session.expire_all()
    found: dict[str, list[int]] = {}
    rows = session.exec(select(LedgerEntry.business_key, Posting.cents).where(col(Posting.entry_id) == LedgerEntry.id))
    for key, cents in rows:
        found.setdefault(key, []).append(cents)
    return found


def closed(city: City) -> MonthClosing:
    closing = close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    city.session.commit()
    return closing


def family(app: Application, city: City, number: int = 0) -> FlaskClient:
    return enter(app, city.session, Role.FAMILY, household=the_group(city).memberships[number].household_id)


def test_a_family_reads_why_it_pays_what_it_pays(app: Application, town: City) -> None:
    closed(town)
    page = family(app, town).get("/estratti/2026-11").text
    assert "Novembre 2026: paghi" in page and "Da pagare: scade l&#39;8 dicembre." in page
    assert "39,05\xa0€ : 3 = 13,02\xa0€ + 13,02\xa0€ + 13,01\xa0€; i 2 centesimi vanno ai primi dell" in page
    assert "Il buono del Comune mette" in page and "fondo di garanzia del Comune" in page
    told = family(app, town, 1).get("/estratti/2026-11").text
    assert "Hai avvisato in tempo: questo incontro non lo paghi." in told
    absent = family(app, town, 2).get("/estratti/2026-11").text
    assert "Assenza senza avviso in tempo" in absent
    assert "None" not in page and "Famiglia" not in absent


def test_a_statement_as_pdf_is_tagged_and_says_the_same(app: Application, town: City) -> None:
    closed(town)
    answer = family(app, town).get("/estratti/2026-11.pdf")
    assert answer.content_type == "application/pdf" and "attachment" in answer.headers["Content-Disposition"]
    pdf = pypdf.PdfReader(io.BytesIO(answer.data))
    words = " ".join(page.extract_text() for page in pdf.pages)
    assert "Estratto conto di Novembre 2026" in words and "Comune di Reggio Emilia" in words
    assert pdf.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert b"pdfuaid" in answer.data or "pdfuaid" in str(
        pdf.xmp_metadata and pdf.trailer["/Root"]["/Metadata"].get_data()
    )


@pytest.mark.parametrize("month", ["2026-13", "2026-10", "novembre", "2026-11-01", "0000-01"])
def test_a_month_that_is_none_is_not_found(app: Application, town: City, month: str) -> None:
    closed(town)
    assert family(app, town).get(f"/estratti/{month}").status_code == 404


def test_another_familys_statement_is_never_shown(app: Application, town: City) -> None:
    closed(town)
    stranger = town.household()
    town.session.commit()
    browser = enter(app, town.session, Role.FAMILY, household=stranger.id)
    assert browser.get("/estratti/2026-11").status_code == 404
    assert "Novembre" not in browser.get("/estratti").text


def test_a_family_saves_a_card_on_the_hosted_page_and_pays(
    app: Application, town: City, stand_in: StandIn, work: Callable[[], None]
) -> None:
    closed(town)
    browser = family(app, town)
    sent = browser.post("/estratti/come-pago")
    assert sent.status_code == 303 and sent.headers["Location"].startswith(stand_in.url)
    page_id = sent.headers["Location"].rpartition("/")[2]
    with stand_in.store.transaction():
        hosted.complete_session(stand_in.store, page_id, "visa")
    back = browser.get(f"/estratti/come-pago/fatto?pagina={page_id}", follow_redirects=True)
    assert "carta che finisce per 4242" in back.text
    assert browser.post("/estratti/2026-11/paga").status_code == 303
    work()
    page = browser.get("/estratti/2026-11").text
    assert "Pagato il" in page
    assert browser.post("/estratti/2026-11/paga").status_code == 409


def test_anothers_hosted_page_changes_nothing(app: Application, town: City, stand_in: StandIn) -> None:
    mine, other = family(app, town), family(app, town, 1)
    page_id = other.post("/estratti/come-pago").headers["Location"].rpartition("/")[2]
    mine.post("/estratti/come-pago")
    with stand_in.store.transaction():
        hosted.complete_session(stand_in.store, page_id, "visa")
    mine.get(f"/estratti/come-pago/fatto?pagina={page_id}")
    town.session.expire_all()
    assert all(one.stripe_payment_method_id is None for one in town.session.exec(select(Household)).all())


def test_without_a_payment_service_the_page_says_so(app: Application, town: City) -> None:
    answer = family(app, town).post("/estratti/come-pago")
    assert answer.status_code == 503 and "Non è stato addebitato nulla" in answer.text


def test_a_failed_payment_is_paid_on_the_hosted_page(
    app: Application, town: City, stand_in: StandIn, work: Callable[[], None]
) -> None:
    closed(town)
    browser = family(app, town)
    sent = browser.post("/estratti/2026-11/paga").headers["Location"]
    assert sent.startswith(stand_in.url)
    with stand_in.store.transaction():
        hosted.complete_session(stand_in.store, sent.rpartition("/")[2], "authenticate")
    for _, body, _ in stand_in.store.due_events(1e12):
        assert deliver(app, body.encode()).status_code == 204
        assert deliver(app, body.encode()).status_code == 204
    work()
    assert "Pagato il" in browser.get("/estratti/2026-11").text
    assert len(town.session.exec(select(StripeEvent)).all()) == 2


def deliver(app: Application, payload: bytes, secret: str = SECRET, age: int = 0) -> TestResponse:
    object.__setattr__(app.config["SETTINGS"], "stripe_webhook_secret", SECRET)
    header = signature(payload, secret, int(time.time()) - age)
    return app.test_client().post("/stripe/eventi", data=payload, headers={"Stripe-Signature": header})


def test_a_forged_or_old_event_is_refused_and_not_kept(app: Application, town: City) -> None:
    payload = json.dumps({"id": "evt_1", "type": "x", "created": 1, "data": {"object": {}}}).encode()
    assert app.test_client().post("/stripe/eventi", data=payload).status_code == 404  # nothing is set up
    assert deliver(app, payload, secret="whsec_other").status_code == 400
    assert deliver(app, payload, age=301).status_code == 400
    assert deliver(app, b"{", SECRET).status_code == 400
    assert town.session.exec(select(StripeEvent)).all() == []


@pytest.fixture
def in_december(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of requests and jobs stands at the first of December 2026."""

    class December(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return CLOSED_AT.astimezone(tz)

    monkeypatch.setattr(web, "datetime", December)
    monkeypatch.setattr(jobs, "datetime", December)


def test_an_officer_closes_a_month_after_being_asked_again(
    app: Application, town: City, work: Callable[[], None], in_december: None
) -> None:
    browser = enter(app, town.session, Role.OFFICER)
    assert "4 incontri da conteggiare" in browser.get("/comune/rendiconti").text
    question = browser.get("/comune/rendiconti/2026-11").text
    assert "Un mese chiuso non si riapre" in question and "4 incontri vanno negli estratti" in question
    for _ in range(2):
        assert browser.post("/comune/rendiconti/2026-11/chiudi").status_code == 303
    assert "Chiusura in corso" in browser.get("/comune/rendiconti/2026-11").text
    work()
    assert "Rendiconto di novembre 2026" in browser.get("/comune/rendiconti/2026-11").text
    assert browser.post("/comune/rendiconti/2026-11/chiudi").status_code == 303
    assert len(town.session.exec(select(MonthClosing)).all()) == 1


def test_a_closed_months_page_settles_and_exports(app: Application, town: City) -> None:
    closed(town)
    browser = enter(app, town.session, Role.OFFICER)
    page = browser.get("/comune/rendiconti/2026-11").text
    assert "Registra il versamento di" in page and "None" not in page
    rows = list(
        csv.reader(io.StringIO(browser.get("/comune/rendiconti/2026-11.csv").data.decode("utf-8-sig")), delimiter=";")
    )
    assert len(rows) == 13 and rows[0][0] == "estratto" and rows[1][0] == "1/2026"
    assert browser.post("/comune/rendiconti/2026-11/versamento").status_code == 409  # nobody saw what it writes
    for deed, button, then in (
        ("versamento", "Registra il versamento di", "Registra i bonifici come pagati"),
        ("bonifici", "Registra i bonifici come pagati", "Pagato"),
    ):
        here = f"/comune/rendiconti/2026-11/{deed}"
        assert button in browser.get("/comune/rendiconti/2026-11").text
        before = entries(town.session)
        said = browser.get(here).text
        assert entries(town.session) == before and "Conferma" in said
        mark = re.search(r'name="visto" value="([0-9a-f]+)"', said)
        assert mark is not None
        assert browser.post(here, data={"visto": mark[1]}).status_code == 303
        new = {one: lines for one, lines in entries(town.session).items() if one not in before}
        assert new and said.count('<th scope="row"') == (len(new) > 1) + sum(len(lines) for lines in new.values())
        for line in (line for lines in new.values() for line in lines):
            assert f"{abs(line) // 100},{abs(line) % 100:02d}" in said
        assert browser.post(here, data={"visto": mark[1]}).status_code == 409
        assert browser.get(here).status_code == 409
        page = browser.get("/comune/rendiconti/2026-11").text
        assert then in page and button not in page
    assert "Laura Neri" in browser.get("/comune/rendiconti/2026-11/bonifici.csv").data.decode("utf-8-sig")
    assert "2026-11" in browser.get("/comune/rendiconti").text


def test_the_register_says_whether_the_books_are_right(app: Application, town: City) -> None:
    closed(town)
    browser = enter(app, town.session, Role.OFFICER)
    assert "Controlla i conti" in browser.get("/comune/registro").text
    assert "Sì, tutto torna" in browser.get("/comune/registro?controlla=1").text
    the_group(town).slot.rate_cents_per_hour += 1
    town.session.commit()
    assert "Una riga non segue da presenze e regole" in browser.get("/comune/registro?controlla=1").text


def test_a_provider_reads_what_it_earned_and_what_is_on_its_way(
    app: Application, town: City, stand_in: StandIn
) -> None:
    closed(town)
    provider = the_group(town).provider
    browser = enter(app, town.session, Role.PROVIDER, provider=provider.id)
    page = browser.get("/lavoro/compensi").text
    assert "ancora da ricevere" in page and "Aggiungi il conto" in page and "Incontri di novembre 2026" in page
    assert page.count("Settimana dal ") == len(the_group(town).meetings)
    sent = browser.post("/lavoro/compensi/conto")
    assert sent.status_code == 303 and sent.headers["Location"].startswith(stand_in.url)
    assert "None" not in page


def test_a_provider_s_week_says_what_is_paid_next(app: Application, town: City, stand_in: StandIn) -> None:
    closed(town)
    provider = the_group(town).provider
    statement = town.session.exec(select(Statement)).first()
    assert statement is not None
    town.session.add(
        Payout(
            municipality_id=statement.municipality_id,
            provider_id=provider.id,
            statement_id=statement.id,
            due_cents=4950,
            due_on=date(2026, 12, 14),
        )
    )
    town.session.commit()
    page = enter(app, town.session, Role.PROVIDER, provider=provider.id).get("/lavoro")
    assert page.status_code == 200
    assert "Prossimo pagamento: 49,50\u00a0€, lunedì 14 dicembre 2026." in page.text


def test_pages_without_anything_yet_say_what_comes(app: Application, session: Session) -> None:
    city = build(session)
    household, group = city.household(), city.group(days=[])
    session.commit()
    assert "Ancora nessun estratto" in enter(app, session, Role.FAMILY, household=household.id).get("/estratti").text
    provider = enter(app, session, Role.PROVIDER, provider=group.provider.id)
    assert "Ancora nessun pagamento" in provider.get("/lavoro/compensi").text
    officer = enter(app, session, Role.OFFICER)
    assert "Nessun mese da chiudere" in officer.get("/comune/rendiconti").text
    assert "Ancora nessun movimento" in officer.get("/comune/registro").text
    assert officer.get("/comune/rendiconti/2099-01").status_code == 422
    assert officer.post("/comune/rendiconti/2099-01/chiudi").status_code == 422


def test_a_correction_is_explained_on_the_next_statement(app: Application, town: City) -> None:
    closed(town)
    group = the_group(town)
    town.attend(
        group.meetings[0], {group.memberships[1].id: Presence.ABSENT_NOTIFIED}, at=CLOSED_AT + timedelta(days=1)
    )
    close_month(town.session, OFFICER, CLOSED_AT + timedelta(days=31), CITY, date(2026, 12, 1))
    town.session.commit()
    browser = family(app, town, 1)
    page = browser.get("/estratti/2026-12").text
    assert "Rettifica: avevi pagato 13,02\xa0€, con le presenze corrette sono 0,00\xa0€." in page
    assert "Non c'è niente da pagare" in page.replace("&#39;", "'")
    assert browser.get("/estratti/2026-12.pdf").status_code == 200


@pytest.mark.parametrize(
    "instants",
    [
        (CLOSED_AT, CLOSED_AT),
        # One minute before the clock changes and one after it: 01:59 and 03:01, then 02:59 and 02:01.
        (datetime(2027, 3, 28, 0, 59, tzinfo=UTC), datetime(2027, 3, 28, 1, 1, tzinfo=UTC)),
        (datetime(2027, 10, 31, 0, 59, tzinfo=UTC), datetime(2027, 10, 31, 1, 1, tzinfo=UTC)),
    ],
)
def test_two_closings_at_once_close_once_also_while_the_clock_changes(
    app: Application, town: City, installation: Installation, instants: tuple[datetime, datetime]
) -> None:
    engine = create_engine(installation.app_url)
    together = threading.Barrier(2)

    def close_alone(at: datetime) -> UUID:
        with Session(engine) as session:
            set_scope(session, Scope(CITY))
            together.wait()
            closing = close_month(session, OFFICER, at, CITY, NOVEMBER)
            session.commit()
            return closing.id

    with ThreadPoolExecutor(2) as both:
        ids = set(both.map(close_alone, instants))
    engine.dispose()
    assert len(ids) == 1 and len(town.session.exec(select(MonthClosing)).all()) == 1
    assert list(audit(town.session, CITY)) == []
