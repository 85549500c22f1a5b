"""`python -m billing`: what it prints, and one line for each fault of what it is given."""

import json
from pathlib import Path

import pytest

from billing.__main__ import main
from tests.billing.test_decisions import EMILIA_ROMAGNA, LIGURIA, RAVENNA, TERAMO

SESSION = {
    "format": "session/1",
    "price": {"rate_cents_per_hour": 1800, "extra_seat_cents_per_hour": 300, "venue_cents_per_hour": 200},
    "families": [
        {"id": "rossi", "presences": [{"start": 960, "end": 1050}]},
        {"id": "bianchi", "presences": [{"start": 960, "end": 1050}]},
        {"id": "verdi", "presences": [{"start": 960, "end": 1020}]},
    ],
}
CITY = """household,person,on,hours,isee,cost
a,a1,2026-01-05,2,8000,40
a,a1,2026-01-12,2,8000,40
b,b1,2026-01-05,3,15000,60.50
c,c1,2026-01-05,1,,20
d,d1,2026-01-05,1,40000,20
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, content: object) -> str:
    Path(name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return name


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_split_shows_every_atom_of_every_split_and_the_core(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["split", write("s.json", SESSION)]) == 0
    out = lines(capsys)
    assert [line for line in out if line and not line.startswith(" ")] == [
        f"{split}: cost 37.50" for split in ("by_seat", "by_family", "seat_hours", "shapley")
    ]
    assert (
        out[1]
        == "  960-1020 min (rossi 1, bianchi 1, verdi 1): 26.00 = rossi 866 2/3 c + bianchi 866 2/3 c + verdi 866 2/3 c"
    )
    assert out[2] == "  1020-1050 min (rossi 1, bianchi 1): 11.50 = rossi 5.75 + bianchi 5.75"
    assert out[3:7] == [
        "  rossi pays 14.42 (alone 30.00)",
        "  bianchi pays 14.42 (alone 30.00)",
        "  verdi pays 8.66 (alone 20.00)",
        "  core: no group pays less on its own",
    ]


def test_split_bills_what_took_place_within_the_caps(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    families = [dict(family) for family in SESSION["families"]]
    families[0] |= {"attended": "present", "cap_cents": 2000}
    families[1] |= {"attended": "absent_notified"}
    families[2] |= {"attended": "absent"}
    assert main(["split", write("s.json", {**SESSION, "split": "by_seat", "families": families})]) == 0
    assert lines(capsys)[-4:] == [
        "bill: cost 33.00, provider 30.00, venue 3.00",
        "  rossi (present): share 21.50, guarantee fund 1.50, pays 20.00",
        "  bianchi (absent_notified): share 0.00, pays 0.00",
        "  verdi (absent): share 11.50, pays 11.50",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "s.json: line 1: Expecting property name enclosed in double quotes"),
        ('{"format": NaN}', "s.json: NaN is not a number"),
        ('{"format": 1, "format": 2}', 's.json: "format" is there twice in one object'),
        ({**SESSION, "format": "session/2"}, "s.json: format: must be 'session/1'"),
        ({**SESSION, "colour": 1}, "s.json: colour: unknown key"),
        ({**SESSION, "families": []}, "s.json: families: Tuple should have at least 1 item after validation, not 0"),
        ({**SESSION, "families": SESSION["families"] * 2}, 's.json: families: "rossi" is there twice'),
        (
            {**SESSION, "families": [{"id": "a", "presences": [{"start": -1, "end": 60}]}]},
            "s.json: families[0].presences[0].start: must be greater than or equal to 0",
        ),
        (
            {**SESSION, "families": [{"id": "a", "presences": [{"start": 60, "end": 60}]}]},
            "s.json: families[0].presences[0]: end must be after start",
        ),
        (
            {**SESSION, "families": [{"id": "a", "presences": [{"start": 120, "end": 60}]}]},
            "s.json: families[0].presences[0]: end must be after start",
        ),
        (
            {**SESSION, "families": [{"id": "a", "presences": [{"start": 0, "end": 60, "seats": -1}]}]},
            "s.json: families[0].presences[0].seats: must be greater than or equal to 0",
        ),
        (
            {**SESSION, "families": [{"id": "a", "presences": [{"start": 0, "end": 60, "seats": 1.5}]}]},
            "s.json: families[0].presences[0].seats: must be a whole number",
        ),
        (
            {**SESSION, "families": [{"id": "a", "presences": [{"start": 0, "end": 60}], "attended": -1}]},
            "s.json: families[0].attended: must be 'present', 'absent_notified' or 'absent'",
        ),
        (
            {**SESSION, "price": {"rate_cents_per_hour": 100, "extra_seat_cents_per_hour": 101}},
            "s.json: price: extra_seat_cents_per_hour must be at most rate_cents_per_hour",
        ),
    ],
)
def test_a_session_that_cannot_be_is_one_line_and_status_2(
    folder: Path, capsys: pytest.CaptureFixture[str], text: object, fault: str
) -> None:
    assert main(["split", write("s.json", text)]) == 2
    assert lines(capsys) == [fault]


def test_subsidy_runs_a_whole_city_with_totals_by_band(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["subsidy", write("rule.json", TERAMO), write("city.csv", CITY)]) == 0
    assert lines(capsys) == [
        "household,isee,band,uses,cost,subsidy,paid_by_others,family_pays",
        "a,8000,2,2,80.00,74.00,0.00,6.00",
        "b,15000,3,1,60.50,53.00,0.00,7.50",
        "c,,,1,20.00,0.00,0.00,20.00",
        "d,40000,4,1,20.00,0.00,0.00,20.00",
        "",
        "band,isee_above,isee_up_to,households,uses,cost,subsidy",
        "1,0,7500,0,0,0.00,0.00",
        "2,7500,9000,1,2,80.00,74.00",
        "3,9000,30000,1,1,60.50,53.00",
        "4,30000,,1,1,20.00,0.00",
        "none,,,1,1,20.00,0.00",
        "all,,,4,5,180.50,127.00",
    ]


def test_several_rules_share_one_budget_in_their_order(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = write("a.json", {**TERAMO, "order": 2}), write("b.json", {**LIGURIA, "order": 1})
    assert main(["subsidy", first, second, write("city.csv", CITY), "--budget", "100"]) == 0
    out = lines(capsys)
    assert out[1:4] == [
        "a,8000,2,2,80.00,0.00,40.00,0.00,40.00",
        "b,15000,3,1,60.50,0.00,60.00,0.00,0.50",
        "c,,,1,20.00,0.00,0.00,0.00,20.00",
    ]


def test_a_decision_shows_its_steps_on_request(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["subsidy", write("rule.json", TERAMO), write("city.csv", CITY), "--steps"]) == 0
    out = capsys.readouterr().out
    assert "amount 2.50, first 1.5, last 5, minutes 180, seats 1, cents 750" in out
    assert "  isee -> nothing" in out


@pytest.mark.parametrize(
    ("city", "faults"),
    [
        ("", ["city.csv: no header"]),
        ("household,cost\n", ["city.csv: no household"]),
        ("household,cost\na,1\n", ["city.csv: no column on"]),
        ("household,on,cost,colour\na,2026-01-01,1,red\n", ["city.csv: unknown column colour"]),
        ("household,on,cost\na,2026-01-01\n", ["city.csv: line 2: must have 3 values"]),
        ("household,on,cost\na,2026-02-30,1\n", None),
        ("household,on,cost\na,2026-01-01,NaN\n", ["city.csv: line 2: cost: must be a finite number"]),
        (
            "household,on,cost,isee\na,2026-01-01,-1,x\nb,,1,\n",
            [
                "city.csv: line 2: cost: must be greater than or equal to 0",
                "city.csv: line 2: isee: must be a valid decimal",
                "city.csv: line 3: on: missing",
            ],
        ),
        (
            "household,on,cost,disability\na,2026-01-01,1,perhaps\n",
            ["city.csv: line 2: disability: must be yes or no"],
        ),
    ],
)
def test_a_city_that_cannot_be_is_a_line_a_fault(
    folder: Path, capsys: pytest.CaptureFixture[str], city: str, faults: list[str] | None
) -> None:
    assert main(["subsidy", write("rule.json", EMILIA_ROMAGNA), write("city.csv", city)]) == 2
    out = lines(capsys)
    assert out == faults if faults is not None else len(out) == 1 and out[0].startswith("city.csv: line 2: on: ")


def test_what_is_not_there_or_no_text_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["split", "nowhere.json"]) == 2
    (folder / "city.csv").write_bytes(b"\xff\xfe")
    assert main(["subsidy", write("rule.json", RAVENNA), "city.csv"]) == 2
    assert lines(capsys) == ["nowhere.json: No such file or directory", "city.csv: not UTF-8"]
