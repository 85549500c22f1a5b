"""A round from the command line: the same steps as the officer's and the worker's, one after the other."""

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session

from marketplace.accounts.models import Actor, Municipality, Role
from marketplace.db import Scope, set_scope
from marketplace.errors import NotFound
from marketplace.rounds.models import Round, RoundState
from marketplace.rounds.operations import find_round_at_work, get_round, start_round
from marketplace.rounds.proposing import propose
from marketplace.rounds.solving import run, the_solver
from marketplace.words import N_

UNKNOWN = N_("Il comune %(id)s non c'è: importalo con `marketplace import`.")


def run_round(
    session: Session,
    now: datetime,
    municipality_id: str,
    seconds: int | None,
    seed: int,
    send: bool,
    say: Callable[[str], None],
) -> int:
    """Solve a round in this process and, with `send`, propose it; exit status 1 if there is no plan.

    A round that waits to be proposed is not solved again: with `send` it is proposed as it is.
    Raises NotFound for an unknown municipality, Conflict and Rejected as `start_round` does.
    """
    set_scope(session, Scope(municipality_id))
    if session.get(Municipality, municipality_id) is None:
        raise NotFound(UNKNOWN, id=municipality_id)
    by = Actor(municipality_id, Role.OFFICER, reason="marketplace round")
    ready = find_round_at_work(session, municipality_id)
    if send and ready is not None and ready.state == RoundState.SOLVED:
        say(f"Abbinamento {ready.id}: è già calcolato, lo propongo.")
        found = ready
    else:
        found = start_round(session, by, now, seconds, seed)
        session.commit()
        say(f"Abbinamento {found.id}: calcolo per al massimo {found.seconds_limit} secondi.")
        run(session, municipality_id, now, found.id, the_solver())
        found = get_round(session, municipality_id, found.id, lock=True)
    if found.state != RoundState.SOLVED:
        say(found.failure)
        return 1
    if send:
        found = propose(session, by, now, found.id)
    for line in lines_of(found):
        say(line)
    session.commit()
    return 0


def lines_of(found: Round) -> list[str]:
    """A round's result for a terminal."""
    told = found.summary
    gap = "nessun limite dimostrato" if told["gap"] is None else f"distanza dal limite dimostrato {told['gap']:.2%}"
    lines = [
        f"{told['served']} esigenze su {told['needs']} hanno un posto, in {told['slots']} gruppi ({gap}).",
        f"Costo di una settimana: {_euros(told['cost_cents'])}, di cui {_euros(told['families_cents'])} le famiglie"
        f" e {_euros(told['subsidy_cents'])} i buoni. Risparmio su nessun gruppo: {_euros(told['saved_cents'])}.",
    ]
    if told["unserved"]:
        lines.append("Senza posto: " + ", ".join(f"{reason} {count}" for reason, count in told["unserved"].items()))
    if "proposed" in told:
        sent = told["proposed"]
        lines.append(
            f"Inviate {sent['proposals']} proposte in {sent['slots']} gruppi; cambiate nel frattempo:"
            f" {len(sent['dropped'])}."
        )
    return lines


def _euros(cents: int) -> str:
    return f"{cents // 100},{cents % 100:02d} €"
