"""The command line: exit statuses and one line a fault, whatever it is given."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matching.__main__ import main
from matching.check import check
from matching.formats import read_instance
from matching.solve import solve
from tests.matching.examples import instance, member, need, plan, provider, slot
from tests.matching.test_check import a_city, its_plan


def written(folder, name, content):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


@pytest.fixture
def files(tmp_path):
    city = a_city()
    return written(tmp_path, "city.json", city), written(tmp_path, "plan.json", its_plan(city))


def test_a_valid_plan_passes_without_a_word(files, capsys):
    assert main(["check", *files]) == 0
    assert capsys.readouterr().out == ""


def test_a_plan_that_is_not_valid_is_told_a_line_a_violation(tmp_path, files, capsys):
    its = its_plan(a_city()) | {"objective_cents": 1, "bound_cents": None, "gap": None}
    assert main(["check", files[0], written(tmp_path, "bad.json", its)]) == 1
    assert capsys.readouterr().out == "objective: the plan comes to 15711.195080 cents, not 1\n"


def test_files_that_cannot_be_read_are_faults_of_form(tmp_path, files, capsys):
    assert main(["check", str(tmp_path / "none.json"), written(tmp_path, "bad.json", "{")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("form: ") for line in lines)


def test_a_malformed_instance_is_refused_with_a_line_a_fault(tmp_path, capsys):
    city = a_city()
    city["needs"][0]["minutes"] = 50
    city["providers"][0]["venues"] = ["v9"]
    out = tmp_path / "plan.json"
    assert main(["solve", written(tmp_path, "bad.json", city), "--out", str(out)]) == 2
    assert capsys.readouterr().out.splitlines() == [
        'providers[0].venues[0]: unknown "v9"',
        "needs[0].minutes: must be a multiple of 15",
    ]
    assert not out.exists()


def test_pins_that_cannot_stand_are_refused(tmp_path, capsys):
    city = a_city()
    city["pinned"] = its_plan(city)["slots"]
    city["programmes"][0]["weekly_budget_cents"] = 0
    assert main(["solve", written(tmp_path, "bad.json", city), "--out", str(tmp_path / "plan.json")]) == 2
    assert capsys.readouterr().out.startswith("pinned: programme p1 has a budget of 0 cents")


@pytest.mark.parametrize("out", [".", "missing/plan.json"])
def test_a_plan_that_cannot_be_written_is_told_before_the_search(tmp_path, files, capsys, out):
    assert main(["solve", files[0], "--out", str(tmp_path / out)]) == 1
    assert "directory" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options", [["--seconds", "0"], ["--seconds", "nan"], ["--workers", "0"], ["--seed", "-1"], ["--workers", "99999"]]
)
def test_options_out_of_range_are_refused(files, options):
    with pytest.raises(SystemExit) as ended:
        main(["solve", files[0], "--out", "plan.json", *options])
    assert ended.value.code == 2


def test_a_city_is_solved_and_its_plan_passes_the_check(tmp_path, files, capsys):
    out = str(tmp_path / "plan.json.gz")
    assert main(["solve", files[0], "--out", out, "--seconds", "20", "--workers", "1"]) == 0
    assert "6 of 7 needs served, objective 15711 cents" in capsys.readouterr().out
    assert main(["check", files[0], out]) == 0


def test_lines_that_nobody_reads_are_no_error(tmp_path):
    needs = [need(f"n{index}") for index in range(5000)]
    city = instance(needs, [provider("q1")])
    bad = written(tmp_path, "plan.json", plan(city, [slot("s1", member("n0", 900, 960, 1))], 1))
    command = f"{sys.executable} -m matching check {written(tmp_path, 'city.json', city)} {bad} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.startswith("rule 8")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("output", "status"), [(">&-", 0), ("2>&-", 0), (">/dev/full 2>&1", 1)])
def test_a_valid_plan_is_valid_though_nobody_can_be_told(files, output, status):
    command = f"{sys.executable} -m matching check {files[0]} {files[1]} {output}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status
    assert "Traceback" not in done.stderr


def test_an_answer_that_does_not_fit_on_the_disk_is_told_in_a_line(files):
    command = f"{sys.executable} -m matching explain {files[0]} {files[1]} > /dev/full"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (1, "the answer could not be written: No space left on device\n")


def test_checking_loads_no_solver():
    code = "import sys, matching.__main__; sys.exit('ortools' in sys.modules or 'numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False, env=dict(os.environ)).returncode == 0


EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
"""How many spoilt cities are solved: few in every run of the tests, many by hand."""
STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.sampled_from([0, 1, 15, 900, 960, 10**400, 0.5, 1e300, -0.0, 1e-300, "", "a", "q1", "v1", "n0", "\n", [], {}]),
    st.text(max_size=3),
    st.lists(st.integers(-1, 1500), max_size=2),
    st.dictionaries(
        st.sampled_from(["venue", "host", "homes", "day"]), st.sampled_from(["v1", "a", True, 3]), max_size=2
    ),
)


def spoilt(data, content):
    """The content with one to three of its values replaced, removed or repeated."""
    for _ in range(data.draw(st.integers(1, 3))):
        inner = content
        while True:
            keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if isinstance(inner[key], dict | list) and data.draw(st.integers(0, 5)):
                inner = inner[key]
                continue
            deed = data.draw(st.sampled_from(["replace", "replace", "remove", "repeat"]))
            if deed == "replace":
                inner[key] = data.draw(STRANGE)
            elif deed == "remove":
                del inner[key]
            elif isinstance(inner, list):
                inner.append(inner[key])
            break
    return content


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_it_is_given_check_answers_in_lines(tmp_path, capsys, data):
    city = a_city()
    if data.draw(st.booleans()):
        city["pinned"] = its_plan(city)["slots"]
    its = its_plan(city)
    if data.draw(st.booleans()):
        city = spoilt(data, city)
    if data.draw(st.booleans()):
        its = spoilt(data, its)
    paths = [written(tmp_path, "city.json", city), written(tmp_path, "plan.json", its)]
    status = main(["check", *paths])
    lines = capsys.readouterr().out.splitlines()
    assert status == (1 if lines else 0)
    kinds = ("form: ", "rule ", "objective: ", "pinned: ", "unserved: ")
    assert all(line.startswith(kinds) for line in lines), lines


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet='{}[]",:0123456789.eE-+ntrufals\\ \n', max_size=40))
def test_whatever_text_it_is_given_check_answers_in_lines(tmp_path, capsys, text):
    path = tmp_path / "text.json"
    with suppress(UnicodeEncodeError):
        path.write_text(text)
    assert main(["check", str(path), str(path)]) == 1
    assert all(line.startswith("form: ") for line in capsys.readouterr().out.splitlines())


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_it_is_given_solve_plans_or_refuses_in_lines(tmp_path, capsys, data):
    city = a_city()
    if data.draw(st.booleans()):
        city["pinned"] = its_plan(city)["slots"]
    path, out = written(tmp_path, "city.json", spoilt(data, city)), str(tmp_path / "out.json")
    status = main(["solve", path, "--out", out, "--seconds", "3"])
    lines = capsys.readouterr().out.splitlines()
    assert status in {0, 2}
    if status == 0:
        assert main(["check", path, out]) == 0, capsys.readouterr().out
        assert main(["explain", path, out]) == 0
        assert len(capsys.readouterr().out.splitlines()) >= len(city["needs"])
    else:
        assert lines


def test_progress_is_told_as_json_lines_and_only_gets_better(tmp_path, files, capsys):
    assert main(["solve", files[0], "--out", str(tmp_path / "plan.json"), "--seconds", "20", "--progress"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    costs = [one["objective_cents"] for one in told]
    assert costs == sorted(costs, reverse=True)
    assert told[0]["served"] == 0
    assert told[-1]["gap"] == 0
    assert told[-1]["proof"] == "CP-SAT on all columns"


def test_without_progress_nothing_is_told(tmp_path, files, capsys):
    assert main(["solve", files[0], "--out", str(tmp_path / "plan.json"), "--seconds", "20"]) == 0
    assert capsys.readouterr().err == ""


def test_an_interruption_while_the_instance_is_read_ends_with_a_plan_all_the_same(tmp_path, files, monkeypatch, capsys):
    def read_and_interrupt(path):
        signal.raise_signal(signal.SIGINT)
        return read_instance(path)

    monkeypatch.setattr("matching.__main__.read_instance", read_and_interrupt)
    out = tmp_path / "plan.json"
    assert main(["solve", files[0], "--out", str(out), "--seconds", "60"]) == 0
    monkeypatch.undo()
    assert "needs served" in capsys.readouterr().out
    assert main(["check", files[0], str(out)]) == 0


def test_an_interruption_where_there_is_no_search_is_a_line(files, monkeypatch, capsys):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("matching.__main__.read_plan", interrupt)
    assert main(["check", *files]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_search_that_is_interrupted_does_not_look_long_for_reasons(files):
    told = []

    def interrupt(progress):
        told.append(progress)
        signal.raise_signal(signal.SIGINT)

    city = read_instance(files[0])
    plan = solve(city, seconds=600, progress=interrupt)
    assert told
    assert plan.seconds < 60
    assert check(city, plan) == []


def test_parts_are_solved_apart_by_a_word(tmp_path, files):
    out = tmp_path / "plan.json"
    assert main(["solve", files[0], "--out", str(out), "--seconds", "5", "--apart"]) == 0
    assert main(["check", files[0], str(out)]) == 0


def test_an_instance_without_needs_has_an_empty_plan_apart_too(tmp_path):
    city, out = written(tmp_path, "empty.json", instance([], [])), str(tmp_path / "plan.json")
    assert main(["solve", city, "--out", out, "--seconds", "5", "--apart"]) == 0
    assert main(["check", city, out]) == 0
