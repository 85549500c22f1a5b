"""Why a member is where it is: what the group saves it, and whether some of the group would do better alone."""

import pytest

from matching.__main__ import main
from matching.formats import instance_from_json, plan_from_json
from matching.instance import PlaceAtVenue
from matching.plan import Member, Slot
from matching.why import SubGroup, why_served
from tests.matching.examples import instance, need, offer, provider
from tests.matching.test_check import a_city, its_plan
from tests.matching.test_command_line import written


def test_a_class_splits_so_that_no_part_of_it_would_do_better():
    of = instance_from_json(instance([need("a"), need("b"), need("c")], [provider("q1", visits_homes=False)]))
    members = tuple(Member(name, 900, 960, cents, 0) for name, cents in (("a", 867), ("b", 867), ("c", 866)))
    slot = Slot("s1", "q1", "tutoring", PlaceAtVenue("v1"), 0, 900, 960, 2600, members)
    for why in why_served(of, [slot]):
        assert (why.alone_cents, why.better) == (2000, None)
        assert why.saves_cents == 2000 - why.pays_cents


def test_who_would_do_better_without_the_others_is_named():
    """Alone each has the cheap offer, which takes one only; together they need the dear one."""
    offers = offer(seats_max=1, rate_cents_per_hour=1000), offer(rate_cents_per_hour=3000, extra_seat_cents_per_hour=0)
    of = instance_from_json(instance([need("a"), need("b")], [provider("q1", *offers, visits_homes=False)]))
    members = (Member("a", 900, 960, 1600, 0), Member("b", 900, 960, 1600, 0))
    slot = Slot("s1", "q1", "tutoring", PlaceAtVenue("v1"), 0, 900, 960, 3200, members)
    (why,) = why_served(of, [slot], ["a"])
    assert why.better == SubGroup("s1", ("a",), 400)
    assert (why.pays_cents, why.alone_cents, why.saves_cents) == (1600, 1200, -400)


@pytest.mark.parametrize(("budget_cents", "alone_cents"), [(0, 1200), (599, 1200), (600, 600)])
def test_alone_it_pays_with_the_subsidy_that_its_programme_could_pay(budget_cents, alone_cents):
    subsidy = {"programme": "p1", "percent": 50, "cap_cents_per_hour": None}
    q1 = provider("q1", offer(rate_cents_per_hour=1000), visits_homes=False)
    programmes = [{"id": "p1", "weekly_budget_cents": budget_cents}]
    of = instance_from_json(instance([need("a", subsidy=subsidy)], [q1], programmes=programmes))
    slot = Slot("s1", "q1", "tutoring", PlaceAtVenue("v1"), 0, 900, 960, 1200, (Member("a", 900, 960, 1200, 0),))
    (why,) = why_served(of, [slot])
    assert why.alone_cents == alone_cents


def test_a_host_s_guests_cannot_do_without_it():
    city = a_city()
    of = instance_from_json(city)
    lines = {why.need: why for why in why_served(of, plan_from_json(its_plan(city)).slots)}
    assert set(lines) == set("abcdef")
    assert all(why.better is None or "d" not in why.better.needs or "c" in why.better.needs for why in lines.values())


def test_the_command_line_tells_people_why(tmp_path, capsys):
    city = a_city()
    files = written(tmp_path, "city.json", city), written(tmp_path, "plan.json", its_plan(city))
    assert main(["explain", *files, "a", "g"]) == 0
    told = capsys.readouterr().out
    assert "a is served." in told
    assert "Monday 15:00-16:00 with q1 at v1, with b: 11.50 euros, of which a programme pays 5.75 euros" in told
    assert "It pays 11.50 euros a week." in told
    assert "g is not served: no provider has an offer that covers it." in told
    assert main(["explain", *files]) == 0
    assert capsys.readouterr().out.count("is served.") == 6
    assert main(["explain", *files, "z"]) == 2
    assert main(["explain", files[0], files[0]]) == 2
    assert "Traceback" not in capsys.readouterr().err
