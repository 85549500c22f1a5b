"""The command line: `split` shows who pays how much of a session, `subsidy` what a rule gives a city's households.

A fault is one line, not a traceback, and the exit status is then 2.
"""

import argparse
import csv
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from billing.decisions import Decision, Use, run, totals_by_band
from billing.households import read_households
from billing.reading import Faults, read_json
from billing.rules import Rule
from billing.sessions import Shared
from billing.split import SUBGROUP_MAX, Split

VALID, INVALID, REFUSED = 0, 1, 2
"""Exit statuses: all is well; the lines could not be written; the input is not what it must be."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit status."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # ids may hold letters that the terminal does not know
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    try:
        try:
            options.run(options)
        except Faults as faults:
            for line in faults.lines:
                print(" ".join(line.split()))
            return REFUSED
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # whoever read our lines has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INVALID
    return VALID


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m billing", description="Shares and subsidies, to the cent.")
    commands = parser.add_subparsers(required=True, metavar="split|subsidy")
    sharing = commands.add_parser("split", help="who pays how much of a session, atom by atom")
    sharing.add_argument("session", help="session/1 as .json")
    sharing.set_defaults(run=_split)
    granting = commands.add_parser("subsidy", help="what a rule gives each household, and totals by band of ISEE")
    granting.add_argument("rules", nargs="+", metavar="rule", help="rule/1 as .json; several add up, by their order")
    granting.add_argument("households", help="households as .csv")
    granting.add_argument("--budget", type=_euros, metavar="EUR", help="what all rules together may grant")
    granting.add_argument("--steps", action="store_true", help="show how each amount came about")
    granting.set_defaults(run=_subsidy)
    return parser


def _euros(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError from None
    if not amount.is_finite() or amount < 0 or amount != amount.quantize(Decimal("0.01")):
        raise ValueError
    return amount


def _split(options: argparse.Namespace) -> None:
    shared = read_json(options.session, Shared)
    for line in _split_lines(shared):
        print(line)


def _split_lines(shared: Shared) -> Iterator[str]:
    names = [family.id for family in shared.families]
    alone = shared.alone_cents()
    for split in [shared.split] if shared.split else Split:
        try:
            sharing = shared.share(split)
        except ValueError as fault:
            yield f"{split.value}: not shown: {fault}"
            yield ""
            continue
        yield f"{split.value}: cost {euros(sharing.cost_cents)}"
        for atom in sharing.atoms:
            here = ", ".join(f"{name} {seats}" for name, seats in zip(names, atom.seats, strict=True) if seats)
            yield f"  {atom.start}-{atom.end} min ({here}): {exact(atom.cost)} = {_parts(names, atom.parts)}"
        if any(sharing.missing_parts):
            yield f"  time missing: {exact(sharing.missing)} = {_parts(names, sharing.missing_parts)}"
        for name, cents, own in zip(names, sharing.shares_cents, alone, strict=True):
            more = ", MORE THAN ALONE" if cents > own + 1 else ""
            yield f"  {name} pays {euros(cents)} (alone {euros(own)}{more})"
        if len(names) > SUBGROUP_MAX:
            yield f"  core: not checked, more than {SUBGROUP_MAX} families"
        else:
            groups = [" + ".join(group) for group in shared.better_off_alone(sharing)]
            yield f"  core: {'less on their own: ' + '; '.join(groups) if groups else 'no group pays less on its own'}"
        yield ""
    if shared.is_recorded:
        yield from _bill_lines(shared)


def _bill_lines(shared: Shared) -> Iterator[str]:
    bill = shared.bill()
    yield f"bill: cost {euros(bill.cost_cents)}, provider {euros(bill.provider_cents)}, venue {euros(bill.venue_cents)}"
    for line in bill.lines:
        fund = f", guarantee fund {euros(line.guarantee_cents)}" if line.guarantee_cents else ""
        state = line.attendee.attended.value
        yield f"  {line.attendee.id} ({state}): share {euros(line.share_cents)}{fund}, pays {euros(line.net_cents)}"


def _parts(names: Sequence[str], parts: Sequence[Fraction]) -> str:
    return " + ".join(f"{name} {exact(part)}" for name, part in zip(names, parts, strict=True) if part) or "0"


def exact(cents: Fraction) -> str:
    """Cents as euro where they are whole, else as the exact fraction of a cent: `13.00`, `1300 1/3 c`."""
    if cents.denominator == 1:
        return euros(int(cents))
    whole, rest = divmod(abs(cents), 1)
    return f"{'-' if cents < 0 else ''}{whole} {rest} c"


def euros(cents: int) -> str:
    """1650 -> `16.50`."""
    return f"{Decimal(cents).scaleb(-2):.2f}"


def _subsidy(options: argparse.Namespace) -> None:
    rules = [read_json(path, Rule) for path in options.rules]
    uses = read_households(options.households, rules)
    decisions = run(rules, uses, None if options.budget is None else int(options.budget * 100))
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerows(_household_rows(rules, uses, decisions))
    for index, rule in enumerate(rules):
        print()
        out.writerows(_total_rows(rule, uses, [mine[index] for mine in decisions]))
    if options.steps:
        print()
        for line in _step_lines(rules, uses, decisions):
            print(line)


def _household_rows(
    rules: Sequence[Rule], uses: Sequence[Use], decisions: Sequence[Sequence[Decision]]
) -> Iterable[list[object]]:
    yield ["household", "isee", "band", "uses", "cost", *_names(rules), "paid_by_others", "family_pays"]
    mine: dict[str, list[int]] = {}
    for index, use in enumerate(uses):
        mine.setdefault(use.household, []).append(index)
    for household, rows in mine.items():
        cost = sum(uses[index].share_cents for index in rows)
        paid = sum(min(uses[index].paid_cents, uses[index].share_cents) for index in rows)
        granted = [sum(decisions[index][number].grant_cents for index in rows) for number in range(len(rules))]
        newest = max(rows, key=lambda index: uses[index].on)
        yield [
            household,
            "" if uses[newest].isee is None else uses[newest].isee,
            decisions[newest][0].band or "",
            len(rows),
            *map(euros, (cost, *granted, paid, cost - paid - sum(granted))),
        ]


def _names(rules: Sequence[Rule]) -> list[str]:
    return (
        ["subsidy"] if len(rules) == 1 else [f"subsidy {number}: {rule.name}" for number, rule in enumerate(rules, 1)]
    )


def _total_rows(rule: Rule, uses: Sequence[Use], decisions: Sequence[Decision]) -> Iterable[list[object]]:
    yield ["band", "isee_above", "isee_up_to", "households", "uses", "cost", "subsidy"]
    below = Decimal(0)
    totals = totals_by_band(rule, uses, decisions)
    for total in totals:
        edge = None if total.band is None else rule.edges[total.band - 1]
        limits = ["", ""] if total.band is None else [below, "" if edge is None else edge]
        below = edge or below
        yield [
            total.band or "none",
            *limits,
            total.households,
            total.uses,
            euros(total.share_cents),
            euros(total.grant_cents),
        ]
    yield [
        "all",
        "",
        "",
        len({use.household for use in uses}),
        len(uses),
        euros(sum(total.share_cents for total in totals)),
        euros(sum(total.grant_cents for total in totals)),
    ]


def _step_lines(rules: Sequence[Rule], uses: Sequence[Use], decisions: Sequence[Sequence[Decision]]) -> Iterator[str]:
    for use, mine in zip(uses, decisions, strict=True):
        for rule, decision in zip(rules, mine, strict=True):
            yield f"{use.household} {use.person} {use.on} {rule.name}: {euros(decision.grant_cents)}"
            for step in decision.steps:
                values = ", ".join(f"{name} {value}" for name, value in step.values.items())
                yield f"  {step.what}{': ' if values else ''}{values}{'' if step.passed else ' -> nothing'}"


if __name__ == "__main__":
    sys.exit(main())
