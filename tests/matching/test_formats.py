"""Files are read strictly: what is wrong is said in one line a fault, and nothing else happens."""

import gzip
import hashlib
import json
from fractions import Fraction

import pytest

from matching.formats import (
    InstanceFaults,
    PlanFaults,
    instance_from_json,
    plan_from_json,
    plan_to_json,
    read_instance,
    read_plan,
    write_plan,
)
from tests.matching.examples import ROUND, instance, member, need, offer, plan, provider, slot, venue


def good():
    subsidy = {"programme": "p1", "percent": 33.3, "cap_cents_per_hour": None}
    pinned = slot("s1", member("n1", 900, 960, 1000, 500), member("n2", 900, 960, 1000))
    needs = [need("n1", travel_km_max=0.1, subsidy=subsidy), need("n2"), need("n3", service=ROUND)]
    return instance(needs, [provider("q1", offer(), offer(service=ROUND))], pinned=[pinned])


def faults_of(content):
    with pytest.raises(InstanceFaults) as caught:
        instance_from_json(content)
    return caught.value.lines


def file_of(tmp_path, text):
    path = tmp_path / "instance.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def file_faults(path):
    with pytest.raises(InstanceFaults) as caught:
        read_instance(path)
    assert all("\n" not in line for line in caught.value.lines)
    return caught.value.lines


def test_a_good_instance_is_read_whole(tmp_path):
    text = json.dumps(good(), indent=3)
    read = read_instance(file_of(tmp_path, text))
    assert list(read.needs) == ["n1", "n2", "n3"]
    assert read.needs["n1"].travel_km_max == Fraction(1, 10), "decimals are exactly as written"
    assert read.needs["n1"].subsidy.percent == Fraction(333, 10)
    assert [one.subsidised for one in read.pinned[0].members] == [True, False]
    canonical = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert read.digest == hashlib.sha256(canonical.encode()).hexdigest()
    assert instance_from_json(good()) == read


def test_an_instance_may_be_gzipped(tmp_path):
    path = tmp_path / "instance.json.gz"
    path.write_bytes(gzip.compress(json.dumps(good()).encode()))
    assert read_instance(path) == instance_from_json(good())


@pytest.mark.parametrize(
    ("collection", "index", "field", "value", "fault"),
    [
        ("needs", 1, "minutes", 50, "needs[1].minutes: must be a multiple of 15"),
        ("needs", 1, "minutes", 0, "needs[1].minutes: must be at least 1"),
        ("needs", 1, "minutes", 10**4000, "needs[1].minutes: must be at most 1000000000"),
        ("needs", 1, "seats", 1001, "needs[1].seats: must be at most 1000"),
        ("venues", 0, "cost_cents_per_hour", 1000001, "venues[0].cost_cents_per_hour: must be at most 1000000"),
        ("needs", 1, "seats", True, "needs[1].seats: must be a whole number, not true"),
        ("needs", 1, "seats", 1.0, "needs[1].seats: must be a whole number, not 1.0"),
        ("needs", 1, "seats", "1", 'needs[1].seats: must be a whole number, not "1"'),
        ("needs", 1, "seats", None, "needs[1].seats: must not be null"),
        ("needs", 1, "sessions", -1, "needs[1].sessions: must be at least 1"),
        ("needs", 1, "lat", 91, "needs[1].lat: must be from -90 to 90"),
        ("needs", 1, "lon", True, "needs[1].lon: must be a number, not true"),
        ("needs", 1, "travel_km_max", -0.5, "needs[1].travel_km_max: must be from 0 to 1000000000"),
        ("needs", 1, "travel_km_max", 1e-300, "needs[1].travel_km_max: must have at most 30 decimals"),
        ("needs", 1, "service", "skiing", 'needs[1].service: unknown "skiing"'),
        ("needs", 1, "id", "n1", 'needs[1].id: "n1" is there twice'),
        ("needs", 1, "id", "", "needs[1].id: must not be empty"),
        ("needs", 1, "languages", "it", 'needs[1].languages: must be a list, not "it"'),
        ("needs", 1, "requires", [1], "needs[1].requires[0]: must be a text, not 1"),
        ("needs", 1, "windows", [{"day": 7, "start": 0, "end": 60}], "needs[1].windows[0].day: must be at most 6"),
        (
            "needs",
            1,
            "windows",
            [{"day": 6, "start": 1380, "end": 60}],
            "needs[1].windows[0].end: must be after start, on the same day",
        ),
        (
            "needs",
            1,
            "windows",
            [{"day": 6, "start": 1380, "end": 1500}],
            "needs[1].windows[0].end: must be at most 1440",
        ),
        ("needs", 1, "subsidy", {"programme": "p1", "percent": 50}, "needs[1].subsidy.cap_cents_per_hour: missing"),
        ("needs", 1, "subsidy", [], "needs[1].subsidy: must be an object, not []"),
        ("providers", 0, "venues", ["v1", "v9"], 'providers[0].venues[1]: unknown "v9"'),
        ("providers", 0, "visits_homes", 1, "providers[0].visits_homes: must be true or false, not 1"),
        ("providers", 0, "minutes_max_per_day", -15, "providers[0].minutes_max_per_day: must be at least 0"),
        (
            "providers",
            0,
            "offers",
            [offer(extra_seat_cents_per_hour=1801)],
            "providers[0].offers[0].extra_seat_cents_per_hour: must be at most rate_cents_per_hour",
        ),
        ("venues", 0, "cost_cents_per_hour", -1, "venues[0].cost_cents_per_hour: must be at least 0"),
        (
            "programmes",
            0,
            "weekly_budget_cents",
            0.5,
            "programmes[0].weekly_budget_cents: must be a whole number, not 0.5",
        ),
        ("pinned", 0, "provider", "q9", 'pinned[0].provider: unknown "q9"'),
        ("pinned", 0, "place", {"venue": "v9"}, 'pinned[0].place.venue: unknown "v9"'),
        ("pinned", 0, "place", {"host": "n9"}, 'pinned[0].place.host: unknown "n9"'),
        ("pinned", 0, "members", [], "pinned[0].members: must not be empty"),
        ("pinned", 0, "start", 905, "pinned[0].start: must be a multiple of 15"),
        ("pinned", 0, "end", 900, "pinned[0].end: must be after start"),
        (
            "pinned",
            0,
            "place",
            {"venue": "v1", "host": 1},
            'pinned[0].place: must have exactly one key, venue, host or homes (true), not {"venue": "v1", "host": 1}',
        ),
    ],
)
def test_each_fault_is_one_line_with_its_path(collection, index, field, value, fault):
    content = good()
    content[collection][index][field] = value
    lines = faults_of(content)
    assert fault in lines
    assert len([line for line in lines if not line.startswith("pinned")]) <= 1


@pytest.mark.parametrize("field", sorted(need("n")))
def test_a_field_of_a_need_must_not_be_missing(field):
    content = good()
    del content["needs"][2][field]
    assert faults_of(content) == [f"needs[2].{field}: missing"]


@pytest.mark.parametrize("field", sorted(good()))
def test_a_part_of_the_instance_must_not_be_missing(field):
    content = good()
    del content[field]
    assert f"{field}: missing" in faults_of(content)


def test_a_round_needs_its_walk():
    content = good()
    content["services"][ROUND] = {"mode": "round"}
    assert faults_of(content) == [f"services.{ROUND}.walk_km_max: missing", f"services.{ROUND}.walk_minutes: missing"]


def test_what_the_contract_leaves_open_is_no_fault():
    content = good() | {"note": "of the town"}
    content["needs"][0]["excludes"] = ["n1", "gone"]
    content["needs"][0]["subsidy"]["programme"] = "unknown: no budget"
    content["needs"][1] |= {"topic": None, "person": None, "windows": [], "languages": []}
    content["providers"][0]["excludes"] = ["n1"]
    content["providers"][0]["offers"][0] |= {"seats_min": 6, "seats_max": 2}
    content["venues"].append(venue("v2", seats=0, windows=[]))
    assert instance_from_json(content).providers["q1"].excludes == {"n1"}


def test_a_number_so_large_that_sums_would_break_is_a_fault():
    content = good()
    content["needs"][0] |= {"priority": 1e9, "seats": 1000}
    assert faults_of(content) == ["needs: serving nobody would cost more than 1000000000000 cents"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("[1, 2", "Expecting ','"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ('{"a": 1e400}', "too large for a double"),
        ('{"a": ' + "9" * 5000 + "}", "too many digits"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": 1, "b": 2, "a": 3}', '"a" is there twice in one object'),
        ('{"a": "\\ud800"}', "lone surrogate"),
        (b'{"a": "\xe8"}', "not UTF-8"),
        (b"\x1f\x8bnot gzip", "damaged gzip"),
        (gzip.compress(b"{}", mtime=0)[:-6], "damaged gzip"),
        ("[]", "must hold an object"),
        ("3", "must hold an object"),
    ],
)
def test_what_is_not_json_is_refused(tmp_path, text, reason):
    (line,) = file_faults(file_of(tmp_path, text))
    assert reason in line


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert file_faults(tmp_path / "none.json") == [f"{tmp_path / 'none.json'}: No such file or directory"]
    assert file_faults(tmp_path) == [f"{tmp_path}: Is a directory"]
    assert "null" in file_faults("a\0b")[0]


def a_plan():
    of = good() | {"pinned": []}
    slots = [slot("s1", member("n1", 900, 960, 1150), member("n2", 900, 960, 1150))]
    return plan(of, slots, 8300, [{"need": "n3", "reason": "group_too_small", "detail": {"short_by": 1}}])


@pytest.mark.parametrize("name", ["plan.json", "plan.json.gz"])
def test_a_plan_comes_back_as_it_was_written(tmp_path, name):
    content = a_plan()
    written = plan_from_json(content)
    write_plan(written, tmp_path / name)
    assert read_plan(tmp_path / name) == written
    assert plan_to_json(written) == content
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing else is left"


def test_a_plan_is_written_whole_or_not_at_all(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        write_plan(plan_from_json(a_plan()), tmp_path / "missing" / "plan.json")


def test_bound_and_gap_may_be_absent():
    content = a_plan()
    del content["bound_cents"], content["gap"]
    assert plan_from_json(content).bound_cents is None
    content |= {"bound_cents": None, "gap": None}
    assert plan_from_json(content).gap is None


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"status": "DONE"}, 'status: must be OPTIMAL or FEASIBLE, not "DONE"'),
        ({"objective_cents": 1.5}, "objective_cents: must be a whole number, not 1.5"),
        ({"slots": {}}, "slots: must be a list, not {}"),
        ({"slots": [7]}, "slots[0]: must be an object, not 7"),
        ({"unserved": [{"need": "n3"}]}, "unserved[0].reason: missing"),
        ({"seconds": -1}, "seconds: must be from 0 to 1000000000"),
    ],
)
def test_a_plan_s_faults_are_named(change, fault):
    with pytest.raises(PlanFaults) as caught:
        plan_from_json(a_plan() | change)
    assert caught.value.lines == [fault]
