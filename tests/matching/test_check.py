"""Each rule of the contract, broken on purpose, is named; a valid plan is not."""

from copy import deepcopy

import pytest

from matching.check import check
from matching.formats import instance_from_json, plan_from_json
from tests.matching.examples import (
    PRESENCE,
    ROUND,
    instance,
    member,
    need,
    offer,
    plan,
    provider,
    slot,
    venue,
    window,
)

NORTH = 44.70
"""About 1.1 km north of HOME."""


def a_city():
    """Pupils a and b at a venue twice a week, children c (the host) and d, elders e and f, and g whom nobody serves."""
    half = {"programme": "p1", "percent": 50, "cap_cents_per_hour": 600}
    twice = {"sessions": 2, "windows": [window(0), window(2)], "topic": "maths", "level": 9, "age": 15}
    child = {"service": PRESENCE, "windows": [window(1)]}
    elder = {"service": ROUND, "minutes": 30, "windows": [window(3)], "group_max": 1}
    needs = [
        need("a", person="m1", subsidy=half, price_max_cents_per_hour=900, group_max=2, **twice),
        need("b", **(twice | {"level": 11}), lat=NORTH),
        need("c", **child, age=4, host_seats=3, minutes=120),
        need("d", **child, age=8, seats=2),
        need("e", **elder),
        need("f", **elder),
        need("g", languages=["ar"]),
    ]
    week = [window(day) for day in range(5)]
    providers = [
        provider("q1", offer(), windows=week, minutes_max_per_day=120),
        provider("q2", offer(service=PRESENCE, rate_cents_per_hour=1200, minutes_min=0), windows=week),
        provider("q3", offer(service=ROUND, rate_cents_per_hour=2000, extra_seat_cents_per_hour=0), windows=week),
    ]
    return instance(needs, providers, [venue(windows=week, seats=4)])


def its_plan(of):
    """Distance of b, who lives 1.11195 km from the venue: 55.597... cents, twice."""

    def pupils(name, day):
        return slot(name, member("a", 900, 960, 1150, 575), member("b", 900, 960, 1150), day=day)

    children = [member("c", 900, 1020, 1800), member("d", 960, 1020, 1200)]
    slots = [
        pupils("s1", 0),
        pupils("s2", 2),
        slot("s3", *children, provider="q2", service=PRESENCE, place={"host": "c"}, day=1),
        slot(
            "s4",
            member("e", 900, 930, 1000),
            member("f", 945, 975, 1000),
            provider="q3",
            service=ROUND,
            place={"homes": True},
            day=3,
        ),
    ]
    unserved = [{"need": "g", "reason": "no_provider", "detail": {}}]
    return plan(of, slots, 2300 * 2 + 3000 + 2000 + 111 + 6000, unserved, status="FEASIBLE")


def lines_of(city, its):
    return check(instance_from_json(city), plan_from_json(its))


def test_a_valid_plan_has_nothing_wrong():
    city = a_city()
    assert lines_of(city, its_plan(city)) == []


def changed(content, path, value):
    """The content with one value set; `path` is keys and indices."""
    content = deepcopy(content)
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return content


A, B, C, D, E, F, G = range(7)
Q1, Q2, Q3 = range(3)
S1, S2, S3, S4 = range(4)

BROKEN_BY_THE_CITY = [
    (1, ("needs", A, "sessions"), 1),
    (1, ("needs", A, "service"), PRESENCE),
    (2, ("needs", A, "topic"), "latin"),
    (2, ("needs", A, "level"), 14),
    (2, ("needs", D, "age"), 100),
    (2, ("needs", A, "requires"), ["teacher"]),
    (2, ("needs", A, "languages"), ["fr"]),
    (2, ("needs", A, "excludes"), ["q1"]),
    (2, ("providers", Q1, "excludes"), ["b"]),
    (2, ("needs", B, "excludes"), ["a"]),
    (3, ("providers", Q1, "windows"), [window(0, 900, 945), window(0, 945, 960), window(2)]),
    (3, ("venues", 0, "windows"), [window(0)]),
    (3, ("needs", B, "windows"), [window(0), window(2, 915)]),
    (3, ("needs", B, "minutes"), 75),
    (3, ("services", ROUND, "walk_minutes"), 30),
    (4, ("providers", Q1, "venues"), []),
    (4, ("venues", 0, "services"), [PRESENCE]),
    (4, ("needs", B, "travel_km_max"), 1.1),
    (4, ("needs", C, "host_seats"), 2),
    (4, ("providers", Q2, "visits_homes"), False),
    (4, ("providers", Q2, "lat"), 44.8),
    (4, ("providers", Q3, "lat"), 44.8),
    (4, ("needs", F, "lat"), NORTH),
    (5, ("providers", Q1, "offers", 0, "seats_max"), 1),
    (5, ("providers", Q1, "offers", 0, "seats_min"), 3),
    (5, ("providers", Q3, "offers", 0, "seats_min"), 3),
    (5, ("needs", A, "group_max"), 1),
    (5, ("needs", B, "level"), 12),
    (5, ("needs", D, "age"), 9),
    (5, ("venues", 0, "seats"), 1),
    (6, ("providers", Q1, "minutes_max_per_day"), 45),
    (6, ("providers", Q1, "minutes_max_per_week"), 105),
    (7, ("venues", 0, "seats"), 1),
    (8, ("venues", 0, "cost_cents_per_hour"), 201),
    (8, ("providers", Q2, "offers", 0, "minutes_min"), 180),
    (9, ("needs", B, "seats"), 2),
    (10, ("needs", A, "subsidy", "percent"), 49),
    (10, ("needs", A, "subsidy", "cap_cents_per_hour"), 574),
    (10, ("needs", A, "subsidy", "programme"), "p9"),
    (10, ("needs", A, "subsidy"), None),
    (10, ("programmes", 0, "weekly_budget_cents"), 1149),
    (11, ("needs", A, "price_max_cents_per_hour"), 574),
]


@pytest.mark.parametrize(("rule", "path", "value"), BROKEN_BY_THE_CITY)
def test_a_city_that_forbids_it_breaks_its_rule(rule, path, value):
    city = changed(a_city(), path, value)
    its = its_plan(a_city())
    lines = lines_of(city, its)
    assert any(line.startswith(f"rule {rule}: ") for line in lines), lines
    assert lines[0].startswith("form: the plan is for the instance")


BROKEN_BY_THE_PLAN = [
    ("rule 1", ("slots", S2, "members"), [member("b", 900, 960, 2000)]),
    ("rule 1", ("slots", S2, "day"), 0),
    ("rule 1", ("slots", S2, "provider"), "q2"),
    ("rule 2", ("slots", S1, "provider"), "q3"),
    ("rule 3", ("slots", S1, "start"), 885),
    ("rule 3", ("slots", S1, "start"), 901),
    ("rule 3", ("slots", S1, "day"), 6),
    ("rule 3", ("slots", S3, "end"), 1035),
    ("rule 3", ("slots", S3, "members", 1, "end"), 1035),
    ("rule 3", ("slots", S4, "members", 1), member("f", 930, 960, 1000)),
    ("rule 4", ("slots", S1, "place"), {"homes": True}),
    ("rule 4", ("slots", S4, "place"), {"venue": "v1"}),
    ("rule 4", ("slots", S3, "place"), {"host": "d"}),
    ("rule 4", ("slots", S3, "place"), {"host": "g"}),
    ("rule 6", ("slots", S2, "day"), 0),
    ("rule 8", ("slots", S1, "cost_cents"), 2301),
    ("rule 9", ("slots", S1, "members", 0, "share_cents"), 1149),
    ("rule 10", ("slots", S1, "members", 0, "subsidy_cents"), 0),
    ("rule 10", ("slots", S1, "members", 0, "subsidy_cents"), 576),
    ("rule 10", ("slots", S1, "members", 1, "subsidy_cents"), 1),
    ("form", ("instance",), "0" * 64),
    ("form", ("slots", S1, "provider"), "q9"),
    ("form", ("slots", S1, "service"), "skiing"),
    ("form", ("slots", S1, "place"), {"venue": "v9"}),
    ("form", ("slots", S3, "place"), {"host": "z"}),
    ("form", ("slots", S1, "members", 0, "need"), "z"),
    ("form", ("unserved", 0, "need"), "z"),
    ("objective", ("objective_cents",), 15712),
    ("objective", ("bound_cents",), 15712),
    ("objective", ("bound_cents",), None),
    ("objective", ("bound_cents",), 15000),
    ("objective", ("gap",), 0.1),
    ("objective", ("gap",), None),
    ("objective", ("status",), "OPTIMAL"),
    ("unserved", ("unserved",), []),
    ("unserved", ("unserved", 0, "need"), "a"),
    ("unserved", ("unserved", 0, "reason"), "too_far"),
    ("unserved", ("unserved", 0, "reason"), "outcompeted"),
    ("unserved", ("unserved", 0, "reason"), "bad luck"),
]


@pytest.mark.parametrize(("kind", "path", "value"), BROKEN_BY_THE_PLAN)
def test_a_plan_that_breaks_a_rule_is_told_which(kind, path, value):
    city = a_city()
    its = its_plan(city)
    if path == ("status",):
        its |= {"bound_cents": its["bound_cents"] - 1}
    lines = lines_of(city, changed(its, path, value))
    assert any(line.startswith(f"{kind}: ") for line in lines), lines


def test_one_language_must_be_common_to_a_whole_class_only():
    city = a_city()
    for who in (A, D):
        city["needs"][who]["languages"] = ["fr"]
    for who in (Q1, Q2):
        city["providers"][who]["languages"] = ["it", "fr"]
    lines = lines_of(city, its_plan(city))
    assert [line.partition(":")[0] for line in lines] == ["rule 2", "rule 2"]
    assert all("language" in line for line in lines)


def test_the_cheapest_offer_that_fits_applies_and_the_first_of_equals():
    city = a_city()
    city["providers"][Q1]["offers"] = [
        offer(rate_cents_per_hour=1700, seats_min=3),
        offer(rate_cents_per_hour=1900, extra_seat_cents_per_hour=200),
        offer(),
        offer(rate_cents_per_hour=1700, level_max=10),
    ]
    assert lines_of(city, its_plan(city)) == []


def test_needs_that_exclude_each_other_are_not_at_one_venue_at_once():
    needs = [need("a", excludes=["b"]), need("b")]
    city = instance(needs, [provider("q1"), provider("q2")])

    def together(start):
        slots = [
            slot("s1", member("a", 900, 960, 2000)),
            slot("s2", member("b", start, start + 60, 2000), provider="q2"),
        ]
        return lines_of(city, plan(city, slots, 4000))

    assert together(960) == []
    assert [line[:6] for line in together(945)] == ["rule 2"]


def test_one_person_is_in_one_place_at_a_time():
    needs = [need("a", person="m1"), need("b", person="m1")]
    city = instance(needs, [provider("q1"), provider("q2")])

    def together(start):
        slots = [
            slot("s1", member("a", 900, 960, 2000)),
            slot("s2", member("b", start, start + 60, 2000), provider="q2"),
        ]
        return lines_of(city, plan(city, slots, 4000))

    assert together(960) == []
    assert [line[:7] for line in together(915)] == ["rule 12"]


def test_a_provider_needs_time_between_two_places_but_not_at_one():
    city = instance([need("a"), need("b")], [provider("q1", venues=["v1", "v2"])], [venue(), venue("v2")])

    def back_to_back(place, start=960):
        slots = [
            slot("s1", member("a", 900, 960, 2000)),
            slot("s2", member("b", start, start + 60, 2000), place={"venue": place}),
        ]
        return lines_of(city, plan(city, slots, 4000))

    assert back_to_back("v1") == []
    assert back_to_back("v2", 975) == []
    assert [line[:6] for line in back_to_back("v2")] == ["rule 6"]
    assert [line[:6] for line in back_to_back("v1", 945)] == ["rule 6"]


def test_a_venue_s_seats_are_counted_over_all_its_slots():
    city = instance([need("a"), need("b")], [provider("q1"), provider("q2")], [venue(seats=1)])
    slots = [slot("s1", member("a", 900, 960, 2000)), slot("s2", member("b", 945, 1005, 2000), provider="q2")]
    assert [line[:6] for line in lines_of(city, plan(city, slots, 4000))] == ["rule 7"]


def test_nobody_goes_unsubsidised_while_the_budget_lasts():
    half = {"programme": "p1", "percent": 50, "cap_cents_per_hour": None}
    city = instance([need("a", subsidy=half), need("b", subsidy=half)], [provider("q1")])
    its = plan(city, [slot("s1", member("a", 900, 960, 1150, 575), member("b", 900, 960, 1150))], 2300)
    assert [line[:7] for line in lines_of(city, its)] == ["rule 10"]
    city["programmes"][0]["weekly_budget_cents"] = 1149
    its["instance"] = instance_from_json(city).digest
    assert lines_of(city, its) == []


def test_a_host_alone_needs_no_host_seats():
    city = instance([need("a", travel_km_max=0)], [provider("q1", venues=[])])
    its = plan(city, [slot("s1", member("a", 900, 960, 1800), place={"host": "a"})], 1800)
    assert lines_of(city, its) == []


def test_an_objective_near_a_half_cent_may_be_either_neighbour():
    city = instance([need("a", priority=0.00025)], [])  # 1.5 cents
    for stated, right in ((1, True), (2, True), (3, False)):
        its = plan(city, [], stated, [{"need": "a", "reason": "no_provider", "detail": {}}])
        assert (lines_of(city, its) == []) == right


def test_serving_nobody_is_never_better():
    city = instance([need("a", priority=0.1)], [provider("q1")])
    its = plan(city, [slot("s1", member("a", 900, 960, 2000))], 2000)
    assert lines_of(city, its) == ["objective: the plan is worse than serving nobody"]


def pinned_city():
    """The valid plan's slots pinned, but the children's second one free to come."""
    city = a_city()
    pinned = its_plan(city)["slots"]
    return city | {"pinned": pinned}


def test_pinned_slots_that_stand_are_right():
    city = pinned_city()
    assert lines_of(city, its_plan(a_city()) | {"instance": instance_from_json(city).digest}) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("slots", S1, "id"), "s9"),
        (("slots", S1, "day"), 1),
        (("slots", S1, "provider"), "q2"),
        (("slots", S3, "place"), {"venue": "v1"}),
        (("slots", S3, "members"), [member("c", 900, 1020, 2400)]),
        (("slots", S3, "members", 1), member("d", 945, 1005, 1200)),
        (("slots", S1, "members", 0, "subsidy_cents"), 0),
    ],
)
def test_a_plan_that_moves_what_is_pinned_is_told(path, value):
    city = pinned_city()
    its = changed(its_plan(a_city()) | {"instance": instance_from_json(city).digest}, path, value)
    if path[-1] == "subsidy_cents":
        its["slots"][S2]["members"][0]["subsidy_cents"] = 0
    lines = lines_of(city, its)
    assert any(line.startswith("pinned: slot s") for line in lines), lines


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        (("providers", Q1, "windows"), [window(0)], "rule 3"),
        (("needs", B, "travel_km_max"), 0.5, "rule 4"),
        (("programmes", 0, "weekly_budget_cents"), 1149, "budget"),
        (("needs", A, "subsidy"), None, "programme"),
        (("pinned", S2, "day"), 0, "rule 1"),
    ],
)
def test_pins_that_cannot_stand_are_faults_of_the_instance(path, value, word):
    city = changed(pinned_city(), path, value)
    lines = lines_of(city, its_plan(a_city()))
    assert any(line.startswith("pinned: ") and word in line for line in lines), lines
