"""A plan's JSON object becomes a `Plan`, or a list of faults, and a plan its JSON object, in one order of fields."""

from typing import Any

from matching.fields import Fields, PlanFaults, by_id, shown
from matching.instance import Place, PlaceAtHomes, PlaceAtHost, PlaceAtVenue
from matching.plan import Member, Plan, Slot, Unserved

MINUTES_A_DAY = 1440
OBJECTIVE_MAX = 10**18
STATUSES = ("OPTIMAL", "FEASIBLE")


def build_plan(content: object) -> Plan:
    """The plan in a parsed JSON object; raises `PlanFaults` with every fault of the form."""
    if not isinstance(content, dict):
        raise PlanFaults(["the file must hold an object"])
    faults: list[str] = []
    fields = Fields(content, "", faults)
    fields.one_of("format", ("plan/1",))
    plan = Plan(
        instance=fields.text("instance"),
        status=fields.one_of("status", STATUSES),
        slots=tuple(by_id(fields.objects("slots"), read_slot).values()),
        unserved=tuple(_unserved(item) for item in fields.objects("unserved")),
        objective_cents=fields.whole("objective_cents", high=OBJECTIVE_MAX),
        bound_cents=fields.whole("bound_cents", -OBJECTIVE_MAX, OBJECTIVE_MAX) if fields.has("bound_cents") else None,
        gap=fields.double("gap") if fields.has("gap") else None,
        seconds=fields.double("seconds", low=0),
        seed=fields.whole("seed", low=-(2**63), high=2**64),
        fairness=fields.object("fairness").values() if fields.has("fairness") else None,
    )
    if faults:
        raise PlanFaults(faults)
    return plan


def read_slot(fields: Fields) -> Slot:
    """A slot in the plan's form, of a plan or pinned."""
    slot = Slot(
        id=fields.id,
        provider=fields.text("provider"),
        service=fields.text("service"),
        place=_place(fields.object("place")),
        day=fields.whole("day", high=6),
        start=fields.whole("start", high=MINUTES_A_DAY),
        end=fields.whole("end", high=MINUTES_A_DAY),
        cost_cents=fields.whole("cost_cents"),
        members=tuple(_member(item) for item in fields.objects("members")),
    )
    _ends_after_its_start(fields, slot)
    if not slot.members and fields.is_sound("members"):
        fields.fault("members", "must not be empty")
    return slot


def _member(fields: Fields) -> Member:
    member = Member(
        need=fields.text("need"),
        start=fields.whole("start", high=MINUTES_A_DAY),
        end=fields.whole("end", high=MINUTES_A_DAY),
        share_cents=fields.whole("share_cents"),
        subsidy_cents=fields.whole("subsidy_cents"),
    )
    _ends_after_its_start(fields, member)
    return member


def _ends_after_its_start(fields: Fields, session: Slot | Member) -> None:
    if session.start >= session.end and fields.is_sound("start", "end"):
        fields.fault("end", "must be after start")


def _place(fields: Fields) -> Place:
    keys = fields.keys()
    if keys == ("venue",):
        return PlaceAtVenue(fields.text("venue"))
    if keys == ("host",):
        return PlaceAtHost(fields.text("host"))
    if keys == ("homes",) and fields.flag("homes"):
        return PlaceAtHomes()
    fields.fault("", f"must have exactly one key, venue, host or homes (true), not {shown(fields.values())}")
    return PlaceAtHomes()


def _unserved(fields: Fields) -> Unserved:
    detail = fields.object("detail").values() if fields.has("detail") else {}
    return Unserved(fields.text("need"), fields.text("reason"), detail)


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """The plan as its JSON object."""
    return {
        "format": "plan/1",
        "instance": plan.instance,
        "status": plan.status,
        "slots": [slot_to_json(slot) for slot in plan.slots],
        "unserved": [{"need": one.need, "reason": one.reason, "detail": dict(one.detail)} for one in plan.unserved],
        "objective_cents": plan.objective_cents,
        "bound_cents": plan.bound_cents,
        "gap": plan.gap,
        "seconds": plan.seconds,
        "seed": plan.seed,
        **({} if plan.fairness is None else {"fairness": dict(plan.fairness)}),
    }


def slot_to_json(slot: Slot) -> dict[str, Any]:
    """A slot as its JSON object, of a plan or pinned."""
    return {
        "id": slot.id,
        "provider": slot.provider,
        "service": slot.service,
        "place": place_to_json(slot.place),
        "day": slot.day,
        "start": slot.start,
        "end": slot.end,
        "cost_cents": slot.cost_cents,
        "members": [
            {
                "need": member.need,
                "start": member.start,
                "end": member.end,
                "share_cents": member.share_cents,
                "subsidy_cents": member.subsidy_cents,
            }
            for member in slot.members
        ],
    }


def place_to_json(place: Place) -> dict[str, Any]:
    """A place as its JSON object, with exactly one key."""
    if isinstance(place, PlaceAtVenue):
        return {"venue": place.venue}
    if isinstance(place, PlaceAtHost):
        return {"host": place.need}
    return {"homes": True}
