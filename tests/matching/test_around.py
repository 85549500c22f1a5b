"""Around a plan that stands: what a new need could join, and how the plan is opened again after changes."""

import json
import signal
from dataclasses import replace
from random import Random

import pytest

import matching
from matching.__main__ import main
from matching.check import check
from matching.fields import InstanceFaults
from matching.formats import instance_from_json, instance_to_json
from matching.instance import PlaceAtHost
from matching.progress import Watch
from matching.reopening import Changes, moved
from matching.rules import RULES, broken
from matching.solve import solve
from matching.week import Week
from tests.matching.examples import PRESENCE, instance, need, offer, provider, window
from tests.matching.test_check import a_city
from tests.matching.tiny import tiny_instance

AS_IT_STANDS = tuple(rule for rule in RULES if rule[0] not in {1, 10})


def solved(content):
    of = instance_from_json(content)
    return of, solve(of, seconds=20)


def newcomer(seed, of):
    """A need of another city for a service of this one."""
    for other in range(seed + 500, seed + 560):
        for one in instance_from_json(tiny_instance(other)).needs.values():
            if one.service in of.services:
                return replace(one, id="newcomer", person=None, excludes=frozenset())
    raise AssertionError


def joined_by_trying(of, plan, one):
    """The slots that the need can join at some time: every rule but completeness is asked of the whole plan."""
    known = replace(of, needs=dict(of.needs) | {one.id: one})
    found = set()
    for slot in plan.slots:
        if slot.service != one.service:
            continue
        for start in range(0, 1440 - one.minutes, of.grid_minutes):
            grown = with_member(known, slot, one, start)
            rest = [other for other in plan.slots if other.id != slot.id]
            if grown and not broken(Week(known, (*rest, grown)), AS_IT_STANDS):
                found.add(slot.id)
    return found


def with_member(of, slot, one, start):
    from matching.plan import Member

    end = start + one.minutes
    grown = replace(
        slot,
        start=min(slot.start, start),
        end=max(slot.end, end),
        members=(*slot.members, Member(one.id, start, end, 0, 0)),
    )
    price = Week(of, (grown,)).views[0].quote
    if price is None:
        return None
    members = tuple(
        replace(member, share_cents=share, subsidy_cents=0)
        for member, share in zip(grown.members, price.shares_cents, strict=True)
    )
    return replace(grown, cost_cents=price.cost_cents, members=members)


def test_a_need_is_offered_every_slot_that_it_could_join_with_everybodys_price():
    city = instance(
        [need("a"), need("b"), need("c", windows=[window(1)])],
        [provider("q1", visits_homes=False, windows=[window(0), window(1)])],
        [{**instance([], [])["venues"][0], "windows": [window(0), window(1)]}],
    )
    of, plan = solved(city)
    one = instance_from_json(instance([need("new", windows=[window(0), window(1)])], [])).needs["new"]
    offered = matching.offers(of, plan, one)
    assert [(joining.slot.day, [member.share_cents for member in joining.slot.members]) for joining in offered] == [
        (0, [867, 867, 866]),
        (1, [1150, 1150]),
    ]
    assert all(joining.week == (joining.slot,) for joining in offered)
    assert matching.offers(of, plan, replace(one, sessions=2))[0].week[0].day == 0
    assert matching.offers(of, plan, replace(one, languages=("zh",))) == ()
    assert matching.offers(of, plan, replace(one, service="unheard of")) == ()


@pytest.mark.parametrize("seeds", [range(start, start + 20) for start in range(0, 80, 20)])
def test_offers_are_the_slots_that_trying_finds(seeds):
    for seed in seeds:
        content = tiny_instance(seed)
        for each in content["needs"]:
            each["subsidy"] = None
        of, plan = solved(content)
        one = replace(newcomer(seed, of), sessions=1, subsidy=None)
        assert {joining.slot.id for joining in matching.offers(of, plan, one)} == joined_by_trying(of, plan, one), seed


def test_an_instance_written_and_read_again_is_the_same():
    for content in (*(tiny_instance(seed) for seed in range(40)), a_city()):
        of = instance_from_json(content)
        again = instance_from_json(json.loads(json.dumps(instance_to_json(of))))
        assert replace(again, digest=of.digest) == of


def assert_untouched(of, plan, again, changes):
    """Whoever shares no slot with who is gone, and has no ill provider, meets as before."""
    gone = changes.gone
    touched = {
        member.need
        for slot in plan.slots
        if slot.provider in changes.ill or any(member.need in gone for member in slot.members)
        for member in slot.members
    }
    assert not set(again.moved) - touched
    assert check(again.instance, again.plan) == []
    assert set(again.instance.needs) == (set(of.needs) - gone) | {one.id for one in changes.new}


@pytest.mark.parametrize("seeds", [range(start, start + 15) for start in range(0, 60, 15)])
def test_a_plan_opened_again_is_valid_and_leaves_alone_what_nothing_happened_to(seeds):
    for seed in seeds:
        pick = Random(seed)
        of, plan = solved(tiny_instance(seed))
        changes = Changes(
            gone=frozenset(name for name in of.needs if pick.random() < 0.3),
            ill=frozenset(name for name in of.providers if pick.random() < 0.2),
            new=(newcomer(seed, of),),
        )
        again = matching.reopen(of, plan, changes, seconds=5)
        assert_untouched(of, plan, again, changes)


def test_members_are_moved_only_where_that_pays():
    """One hour of one provider: who came first holds it, a need of higher priority comes."""
    child = {"service": PRESENCE, "windows": [window(0, 840, 900)], "group_max": 1}
    of, plan = solved(instance([need("a", **child)], [provider("q1", offer(service=PRESENCE))]))
    new = instance_from_json(instance([need("b", **child, priority=1.5)], [])).needs["b"]
    changes = Changes(new=(new,))
    assert matching.reopen(of, plan, changes, seconds=5).moved == ()
    assert matching.reopen(of, plan, changes, seconds=5, disturbance_cents=3001).moved == ()
    again = matching.reopen(of, plan, changes, seconds=5, disturbance_cents=2999)
    assert again.moved == ("a",)
    assert [member.need for slot in again.plan.slots for member in slot.members] == ["b"]
    assert check(again.instance, again.plan) == []


def test_one_interruption_ends_the_search_for_moves(monkeypatch):
    child = {"service": PRESENCE, "windows": [window(0, 840, 900)], "group_max": 1}
    of, plan = solved(instance([need("a", **child)], [provider("q1", offer(service=PRESENCE))]))
    new = instance_from_json(instance([need("b", **child, priority=1.5)], [])).needs["b"]
    begun = []

    def solve_and_interrupt(*args, **kwargs):
        begun.append(args)
        with Watch(1):
            signal.raise_signal(signal.SIGINT)
        return solve(*args, **kwargs)

    monkeypatch.setattr("matching.reopening.solve", solve_and_interrupt)
    assert matching.reopen(of, plan, Changes(new=(new,)), seconds=5, disturbance_cents=0).moved == ()
    assert len(begun) == 1


def test_who_cannot_pay_without_who_is_gone_is_free_again():
    pair = {"price_max_cents_per_hour": 1200}
    of, plan = solved(instance([need("a", **pair), need("b", **pair)], [provider("q1", visits_homes=False)]))
    again = matching.reopen(of, plan, Changes(gone=frozenset("b")), seconds=5)
    assert again.plan.slots == ()
    assert again.moved == ("a",)
    new = instance_from_json(instance([need("c", **pair)], [])).needs["c"]
    again = matching.reopen(of, plan, Changes(gone=frozenset("b"), new=(new,)), seconds=5)
    assert sorted(member.need for slot in again.plan.slots for member in slot.members) == ["a", "c"]


def test_slots_at_the_home_of_who_is_gone_end():
    city = instance([need("host", host_seats=4), need("guest")], [provider("q1", visits_homes=True, venues=[])], [])
    of, plan = solved(city)
    assert [slot.place for slot in plan.slots] == [PlaceAtHost("host")]
    again = matching.reopen(of, plan, Changes(gone=frozenset({"host"})), seconds=5)
    assert [one.place for one in again.instance.pinned] == []
    assert check(again.instance, again.plan) == []


def test_changes_that_name_nobody_are_refused():
    of, plan = solved(instance([need("a")], [provider("q1")]))
    for changes in (Changes(gone=frozenset("z")), Changes(ill=frozenset("z")), Changes(new=(of.needs["a"],))):
        with pytest.raises(InstanceFaults):
            matching.reopen(of, plan, changes, seconds=5)


def test_a_plan_is_opened_again_from_the_command_line(tmp_path, capsys):
    city = instance([need("a"), need("b")], [provider("q1")])
    files = {name: str(tmp_path / f"{name}.json") for name in ("city", "plan", "changes", "city2", "plan2")}
    (tmp_path / "city.json").write_text(json.dumps(city))
    (tmp_path / "changes.json").write_text(json.dumps({"gone": ["b"], "new": [need("c")]}))
    assert main(["solve", files["city"], "--out", files["plan"], "--seconds", "5"]) == 0
    command = ["reopen", files["city"], files["plan"], files["changes"]]
    outs = ["--out", files["plan2"], "--instance-out", files["city2"], "--seconds", "5"]
    assert capsys.readouterr().err == ""
    assert main([*command, *outs, "--progress"]) == 0
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["served"] == 2
    assert main([*command, *outs]) == 0
    assert main(["check", files["city2"], files["plan2"]]) == 0
    assert "2 of 2 needs served" in capsys.readouterr().out
    (tmp_path / "changes.json").write_text(json.dumps({"gone": ["z"], "new": [need("d", minutes=50)], "what": 1}))
    assert main([*command, *outs]) == 2
    assert capsys.readouterr().out.splitlines() == [
        "new[0].minutes: must be a multiple of 15",
        'unknown field "what"',
    ]


def test_who_meets_as_before_has_not_moved():
    for seed in range(10):
        of, plan = solved(tiny_instance(seed))
        assert moved(of, plan.slots, plan.slots) == ()
