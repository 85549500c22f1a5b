"""Standing slots are pinned as long as they keep the rules; those that no longer do are kept out of everybody's way.

Hours, offers, means tests and policies change while a slot stands, and what was promised stands all the same. A pin
that breaks a rule would make the whole instance faulty, so such a slot is left out, with its members, and what it
takes is taken from what others may have: its provider's and its venue's time, its persons' time, its programme's money.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from matching.fields import InstanceFaults
from matching.formats import canonical, instance_from_json
from matching.instance import Instance, PinnedSlot
from matching.pins import pin_faults

Json = dict[str, Any]


def pin_what_holds(city: Json) -> Json:
    """The instance/1 `city` with only those of its pinned slots that it allows, and room left for the others.

    What is set aside may take the room that another one stands in (two groups at one venue at once), so that one is
    looked for again, until all that are left hold.
    """
    aside: set[str] = set()
    left = city
    while broken := _list_broken(left):
        aside |= broken
        left = _without(city, aside)
    return left


def _without(city: Json, aside: set[str]) -> Json:
    slots = [slot for slot in city["pinned"] if slot["id"] in aside]
    needs = {need["id"]: need for need in city["needs"]}
    gone = {member["need"] for slot in slots for member in slot["members"]}
    return city | {
        "pinned": [slot for slot in city["pinned"] if slot["id"] not in aside],
        "needs": [_without_person(need, slots, needs) for need in city["needs"] if need["id"] not in gone],
        "providers": [_without_provider(one, slots, city["grid_minutes"]) for one in city["providers"]],
        "venues": [_without_venue(one, slots) for one in city["venues"]],
        "programmes": [_without_money(one, slots, needs) for one in city["programmes"]],
    }


def _list_broken(city: Json) -> set[str]:
    """The ids of pinned slots that break a rule, or whose needs are not whole; all of them if together they do."""
    if not city["pinned"]:
        return set()
    try:
        instance = instance_from_json(json.loads(canonical(city)))
    except InstanceFaults:
        return {slot["id"] for slot in city["pinned"]}
    broken: set[str] = set()
    for linked in _linked(instance):
        alone = replace(instance, pinned=tuple(linked))
        if not _is_whole(alone) or pin_faults(alone):
            broken |= {slot.id for slot in linked}
    rest = tuple(slot for slot in instance.pinned if slot.id not in broken)
    if pin_faults(replace(instance, pinned=rest)):
        return {slot.id for slot in instance.pinned}
    return broken


def _linked(instance: Instance) -> Iterator[list[PinnedSlot]]:
    """Pinned slots that share needs, together."""
    slots_of: dict[str, list[PinnedSlot]] = defaultdict(list)
    for slot in instance.pinned:
        for member in slot.members:
            slots_of[member.need].append(slot)
    seen: set[str] = set()
    for slot in instance.pinned:
        if slot.id in seen:
            continue
        found, waiting = [], [slot]
        seen.add(slot.id)
        while waiting:
            found.append(one := waiting.pop())
            for member in one.members:
                fresh = [other for other in slots_of[member.need] if other.id not in seen]
                seen |= {other.id for other in fresh}
                waiting += fresh
        yield found


def _is_whole(instance: Instance) -> bool:
    """Whether each pinned need has all its sessions in the pinned slots."""
    sessions: dict[str, int] = defaultdict(int)
    for slot in instance.pinned:
        for member in slot.members:
            sessions[member.need] += 1
    return all(instance.needs[need].sessions == count for need, count in sessions.items())


def _without_provider(provider: Json, slots: list[Json], grid: int) -> Json:
    mine = [slot for slot in slots if slot["provider"] == provider["id"]]
    gap = -(-provider["gap_minutes"] // grid) * grid
    busy = [(slot["day"], slot["start"] - gap, slot["end"] + gap) for slot in mine]
    minutes = sum(slot["end"] - slot["start"] for slot in mine)
    return provider | {
        "windows": cut(provider["windows"], busy),
        "minutes_max_per_week": max(0, provider["minutes_max_per_week"] - minutes),
    }


def _without_venue(venue: Json, slots: list[Json]) -> Json:
    busy = [(slot["day"], slot["start"], slot["end"]) for slot in slots if slot["place"].get("venue") == venue["id"]]
    return venue | {"windows": cut(venue["windows"], busy)}


def _without_person(need: Json, slots: list[Json], needs: dict[str, Json]) -> Json:
    busy = [
        (slot["day"], member["start"], member["end"])
        for slot in slots
        for member in slot["members"]
        if needs[member["need"]]["person"] == need["person"]
    ]
    return need | {"windows": cut(need["windows"], busy)}


def _without_money(programme: Json, slots: list[Json], needs: dict[str, Json]) -> Json:
    taken = sum(
        member["subsidy_cents"]
        for slot in slots
        for member in slot["members"]
        if (needs[member["need"]]["subsidy"] or {}).get("programme") == programme["id"]
    )
    return programme | {"weekly_budget_cents": max(0, programme["weekly_budget_cents"] - taken)}


def cut(windows: list[Json], busy: list[tuple[int, int, int]]) -> list[Json]:
    """What the windows [{day, start, end}] leave when the stretches (day, start, end) are taken out of them."""
    left = windows
    for day, start, end in busy:
        left = [
            part
            for window in left
            for part in (
                [window]
                if window["day"] != day
                else [
                    window | {"end": min(window["end"], max(start, window["start"]))},
                    window | {"start": max(window["start"], min(end, window["end"]))},
                ]
            )
            if part["start"] < part["end"]
        ]
    return left
