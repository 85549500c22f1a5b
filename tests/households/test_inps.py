"""INPS is asked with a voucher that our key signed; what agrees is verified, and nobody else learns of it."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlmodel import Session, select
from werkzeug.serving import make_server

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.config import InpsSettings, settings_from
from marketplace.db import NOBODY, Scope, db, set_scope
from marketplace.demo.inps import create_app, settings_of
from marketplace.errors import Forbidden, Rejected
from marketplace.households import inps as door
from marketplace.households.inps import Attested, Inps, InpsUnavailable, ask_through
from marketplace.households.jobs import request_lookup
from marketplace.households.means_tests import counting_on
from marketplace.households.models import Household, IseeAnswer, IseeOutcome, MeansTest, MeansTestState
from marketplace.needs.models import Need
from marketplace.providers.models import Provider
from marketplace.web import Application
from tests.city import CITY, NOW, add_need, found_city

SIGNED_CODE, TODAY = "RSSMRA85D41A794Y", date(2026, 11, 23)
KNOWN = {SIGNED_CODE: "12345.67"}


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[InpsSettings]:
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
    settings = settings_of(tmp_path, server.server_port)
    server.app = create_app(KNOWN, settings)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield settings
    server.shutdown()
    thread.join()
    server.server_close()
    ask_through(None)


def test_the_stand_in_tells_an_isee_to_who_has_the_right_key(stand_in: InpsSettings) -> None:
    found = Inps(stand_in).find_isee(SIGNED_CODE, TODAY, "p1")
    assert found == Attested(1_234_567, found.attestation) and found.attestation.startswith("INPS-ISEE-2026-")
    assert Inps(stand_in).find_isee("BNCLRA80A41A794X", TODAY, "p1") is None


@pytest.mark.parametrize("changes", [{"client_id": "another"}, {"purpose_id": "another"}, {"key_id": "another"}])
def test_another_client_purpose_or_key_gets_no_voucher(stand_in: InpsSettings, changes: dict[str, str]) -> None:
    stand_in_of_another = replace(stand_in, **changes)
    with pytest.raises(InpsUnavailable):
        Inps(stand_in_of_another).find_isee(SIGNED_CODE, TODAY, "p1")


def test_a_key_that_is_not_the_registered_one_a_replay_and_an_empty_field_are_refused(
    stand_in: InpsSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = replace(stand_in, key_file=settings_of(tmp_path / "another", 1).key_file)
    with pytest.raises(InpsUnavailable):
        Inps(forged).find_isee(SIGNED_CODE, TODAY, "p1")
    with pytest.raises(InpsUnavailable):
        Inps(stand_in).find_isee(SIGNED_CODE, TODAY, "")
    monkeypatch.setattr(door, "uuid4", lambda: UUID(int=1))
    assert Inps(stand_in).find_isee(SIGNED_CODE, TODAY, "p1")
    with pytest.raises(InpsUnavailable):
        Inps(stand_in).find_isee(SIGNED_CODE, TODAY, "p1")


def test_settings_are_whole_or_none() -> None:
    names = ("PDND_TOKEN_URL", "INPS_ISEE_URL", "PDND_CLIENT_ID", "PDND_KEY_ID", "PDND_PURPOSE_ID", "PDND_KEY_FILE")
    given = dict.fromkeys(names, "x") | {"SECRET_KEYS": "k"}
    assert settings_from(given).inps == InpsSettings("x", "x", "x", "x", "x", Path("x"))
    assert settings_from(given | {"PDND_KEY_ID": ""}).inps is None


def declare(session: Session, need: Need, isee_cents: int, tax_code: str | None = SIGNED_CODE) -> MeansTest:
    session.get_one(Household, (CITY, need.household_id)).tax_code = tax_code
    test = MeansTest(
        municipality_id=CITY,
        household_id=need.household_id,
        isee_cents=str(isee_cents),
        state=MeansTestState.DECLARED,
        valid_until=date(2026, 12, 31),
        is_resident=True,
        created_at=NOW,
    )
    session.add(test)
    session.flush()
    return test


def test_what_agrees_is_verified_and_what_differs_waits_and_no_provider_or_neighbour_reads_it(
    app: Application, client: FlaskClient, work: Callable[[], None], stand_in: InpsSettings
) -> None:
    ask_through(Inps(stand_in))
    with app.app_context():
        set_scope(db.session, Scope())
        found_city(db.session)
        officer = Actor(CITY, Role.OFFICER, add_user(db.session, NOW, "ufficio@example.org", "Ufficio").id)
        needs = [add_need(db.session, code) for code in ("n1", "n2", "n3", "n4")]
        tests = [
            declare(db.session, needs[0], 1_234_567),
            declare(db.session, needs[1], 999_999),
            declare(db.session, needs[2], 999_999, None),
        ]
        for test in tests:
            for _ in range(2):
                request_lookup(db.session, officer, NOW, test.id)
        ids, homes = [test.id for test in tests], [need.household_id for need in needs]
        signed_in = {}
        for role, at in ((Role.OFFICER, {}), (Role.FAMILY, {"household_id": homes[3]})):
            user = add_user(db.session, NOW, f"{role.value}2@example.org", role.value)
            appoint(db.session, NOW, user.id, CITY, role, **at)
            signed_in[role] = user.fs_uniquifier
        user = add_user(db.session, NOW, "prof@example.org", "prof")
        provider_id = db.session.exec(select(Provider.id)).one()
        appoint(db.session, NOW, user.id, CITY, Role.PROVIDER, provider_id=provider_id)
        signed_in[Role.PROVIDER] = user.fs_uniquifier
        db.session.commit()
    work()
    work()
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        answers = {one.means_test_id: one for one in db.session.exec(select(IseeAnswer))}
        assert [answers[one].outcome for one in ids] == [
            IseeOutcome.AGREES,
            IseeOutcome.DIFFERS,
            IseeOutcome.MISSING,
        ]
        mine = db.session.exec(select(MeansTest).where(MeansTest.household_id == homes[0])).all()
        assert sorted(one.state for one in mine) == ["declared", "verified"]
        set_scope(db.session, Scope(CITY, homes[3]))
        assert db.session.exec(select(IseeAnswer)).all() == [], "another family's"
        assert db.session.exec(select(MeansTest)).all() == []
        set_scope(db.session, Scope(CITY, NOBODY, provider_id))
        assert db.session.exec(select(IseeAnswer)).all() == []
        assert db.session.exec(select(MeansTest)).all() == []
    amounts = ("12.345,67", "9.999,99", "1234567", "999999", "12345.67", "9999.99")
    for role in (Role.FAMILY, Role.PROVIDER):
        seen = app.test_client()
        with seen.session_transaction() as cookie:
            cookie["_user_id"], cookie["_fresh"] = signed_in[role], True
        for rule in app.url_map.iter_rules():
            if "GET" in rule.methods and not rule.arguments:
                text = seen.get(rule.rule).data.decode(errors="replace")  # some are papers
                assert not any(amount in text for amount in amounts), (role, rule.rule)
    with client.session_transaction() as cookie:
        cookie["_user_id"], cookie["_fresh"] = signed_in[Role.OFFICER], True
    page = client.get("/comune/isee").text
    assert "12.345,67" in page and "un altro importo" in page and "non ha un ISEE valido" in page
    assert page.count('/inps"') == 3, "one for all, and one for each that waits"


def test_only_officers_ask_and_only_where_inps_is_connected(session: Session) -> None:
    found_city(session)
    test = declare(session, add_need(session, "n1"), 100)
    with pytest.raises(Forbidden):
        request_lookup(session, Actor(CITY, Role.OPERATOR), NOW, test.id)
    with pytest.raises(Rejected):
        request_lookup(session, Actor(CITY, Role.OFFICER), NOW, test.id)


def test_a_verified_isee_holds_to_31_march_and_a_refused_one_ends_what_was_before() -> None:
    def made(state: MeansTestState, at: datetime, until: date, counts_from: date | None = None) -> MeansTest:
        return MeansTest(
            municipality_id=CITY,
            household_id=UUID(int=1),
            isee_cents="1",
            state=state,
            valid_until=until,
            counts_from=counts_from,
            created_at=at,
        )

    end = date(2026, 12, 31)
    verified = made(MeansTestState.VERIFIED, datetime(2026, 3, 1, tzinfo=UTC), end)
    declared = made(MeansTestState.DECLARED, datetime(2026, 5, 1, tzinfo=UTC), end)
    refused = made(MeansTestState.REFUSED, datetime(2026, 6, 1, tzinfo=UTC), end)
    right = made(MeansTestState.VERIFIED, datetime(2026, 7, 1, tzinfo=UTC), end, date(2026, 4, 1))
    assert counting_on([verified], date(2026, 2, 28)) is None
    assert counting_on([verified], date(2027, 3, 31)) is verified
    assert counting_on([verified], date(2027, 4, 1)) is None
    assert counting_on([declared], date(2026, 12, 31)) is declared
    assert counting_on([declared], date(2027, 1, 1)) is None
    assert counting_on([verified, declared, refused], date(2026, 6, 2)) is None
    assert counting_on([verified, declared, refused], date(2026, 5, 2)) is declared
    everything = [verified, declared, refused, right]
    assert counting_on(everything, date(2026, 5, 2)) is right
    assert counting_on(everything, date(2026, 5, 2), datetime(2026, 6, 15, tzinfo=UTC)) is declared, "as it was known"
    assert counting_on(everything, date(2026, 3, 31)) is verified
