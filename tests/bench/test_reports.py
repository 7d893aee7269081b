from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.bench.findings import Finding
from tests.bench.load import Moment
from tests.bench.overload import seconds_until_normal
from tests.bench.plan import CONTENDERS, GOALS, Goal, groups
from tests.bench.plots import Axis, Curve, draw
from tests.bench.report import Results, brief, goals_table, judge, servers_table
from tests.bench.slices import Measured, Slice
from tests.bench.stored import BEGIN, END, put_between_markers, worse

from gpu_inference.errors import GpuInferenceError

GROUP = "numpy, row, 1c, c=64"
GOAL = Goal(2, "the article's script", GROUP, "ours", 3.0, "3.6")


def one(contender: str, at: float, rate: float, **others: object) -> Slice:
    fields: dict[str, object] = {
        "group": GROUP, "contender": contender, "at": at, "rate": rate, "p50_us": 10.0, "p99_us": 1e6 / rate,
        "cpu_us": 1e6 / rate, "cpu_parts_us": [0.6e6 / rate, 0.4e6 / rate], "statuses": {200: 9},
        "bad": {}, "generator_share": 0.1,
    }  # fmt: skip
    return Slice(**(fields | others))  # type: ignore[arg-type]


def test_a_ratio_above_its_goal_meets_it() -> None:
    slices = [one("incumbent", 1, 100), one("ours", 2, 350), one("ours", 3, 450), one("KServe", 4, 160)]

    finding = judge(GOAL, Measured(slices, {}))

    assert (finding.reached, finding.met, finding.peer) == ("4.00x (3.75-4.25)", True, "KServe 1.60x")


def test_failed_answers_keep_a_ratio_from_its_goal() -> None:
    slices = [
        one("incumbent", 1, 100),
        one("ours", 2, 900, bad={"503": 2}),
        one("ours", 3, 900, bad={"503": 1}),
    ]

    finding = judge(GOAL, Measured(slices, {}))

    assert (finding.reached, finding.met) == ("9.00x (9.00-9.00); failed: 503: 3", False)


def test_malformed_input_must_be_answered_4xx() -> None:
    goal = Goal(14, "not JSON", GROUP, "ours", 5, measure="cpu")
    base = one("incumbent", 1, 100, statuses={500: 9})

    cheap = judge(goal, Measured([base, one("ours", 2, 900, statuses={400: 9})], {}))
    wrong = judge(goal, Measured([base, one("ours", 2, 900, statuses={400: 9, 502: 1})], {}))

    assert (cheap.reached, cheap.met) == ("9.00x (9.00-9.00), answers 400", True)
    assert (wrong.reached, wrong.met) == ("9.00x (9.00-9.00), answers 400, 502", False)


def test_what_was_not_measured_says_why() -> None:
    finding = judge(GOAL, Measured([], {(GROUP, "ours"): "answers HTTP 500"}))

    assert (finding.reached, finding.met, finding.value) == ("not measured: answers HTTP 500", None, None)


def test_the_readmes_table_has_ratios_of_throughput_alone() -> None:
    machine = {"processor": "P", "cores": "2", "kernel": "6", "python": "3.11", "commit": "abc"}
    findings = [
        Finding(8, "1/p99", "13x", "7x", False, value=7.0),
        Finding(2, "b", "3x", "4.00x", True, value=4.04, peer="KServe 1.60x"),
        Finding(1, "not measured", "1x", "-", None),
    ]

    text = brief(Results(machine, "", {}, [], Measured([], {}), findings))

    assert [line for line in text.splitlines() if line.startswith("| ")][2:] == [
        "| b | 4.0x | KServe 1.60x |"
    ]
    assert "commit abc" in text


def test_the_tables_have_a_line_for_each_finding_and_server() -> None:
    measured = Measured([one("incumbent", 1, 100), one("ours", 2, 350)], {(GROUP, "KServe"): "not | there"})

    assert goals_table([Finding(2, "b", "3x", "4x", True), Finding(1, "a", "1x", "-", None)]).splitlines()[
        2:
    ] == [
        "| 1 | a | 1x | - | - | - | - | - |",
        "| 2 | b | 3x | 4x | yes | - | - | - |",
    ]
    assert servers_table(measured).splitlines()[2:] == [
        f"| {GROUP} | incumbent | 1.00 (1.00-1.00) | 100 | 0.01 | 10.00 | 10,000 (6,000 + 4,000) |  |",
        f"| {GROUP} | ours | 3.50 (3.50-3.50) | 350 | 0.01 | 2.86 | 2,857 (1,714 + 1,143) |  |",
        f"| {GROUP} | KServe | not measured: not \\| there | | | | | |",
    ]


def test_every_goal_is_about_slices_that_are_measured() -> None:
    measured = {group.name: group for group in groups(full=False)}

    assert [goal for goal in GOALS if goal.contender not in measured[goal.group].contenders] == []
    assert [goal for goal in GOALS if goal.row not in measured[goal.group].rows] == []


def test_every_group_is_known_and_has_the_incumbent() -> None:
    for group in groups(full=True):
        assert set(group.contenders) <= set(CONTENDERS)
        assert "incumbent" in group.contenders


def test_group_names_are_unique() -> None:
    names = [group.name for group in groups(full=True)]

    assert sorted(names) == sorted(set(names))


def test_service_is_normal_after_the_last_slow_answer() -> None:
    fine, slow, refusing = Moment(9, 0, 100.0, 9), Moment(9, 0, 900.0, 9), Moment(5, 4, 100.0, 5)

    assert seconds_until_normal([refusing, refusing, fine, fine], 2, 500) == 0
    assert seconds_until_normal([refusing, refusing, fine, slow, fine], 2, 500) == pytest.approx(0.2)
    assert seconds_until_normal([refusing, refusing, refusing, fine], 2, 500) == pytest.approx(0.1)


def test_only_what_fell_far_is_worse_than_the_stored_run() -> None:
    old = [Finding(1, "a", "", "10x", True, 10.0), Finding(2, "b", "", "5x", True, 5.0)]
    old += [Finding(3, "c", "", "2x", True, 2.0), Finding(4, "not measured now", "", "2x", True, 2.0)]
    now = [Finding(1, "a", "", "6.1x", True, 6.1), Finding(2, "b", "", "2.9x", True, 2.9)]
    now.append(Finding(3, "c", "", "not measured: gone", None))

    assert worse(now, {"goals": [vars(finding) for finding in old]}) == [
        "2 b: 2.9x, less than 0.6 of the stored 5x.",
        "3 c: not measured: gone; stored: 2x.",
    ]


def test_a_table_is_put_between_the_markers_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    put_between_markers(page, "new\n")

    assert page.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


def test_a_page_without_markers_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("text")

    with pytest.raises(GpuInferenceError, match="bench: begin"):
        put_between_markers(page, "new")
    assert page.read_text() == "text"


def test_a_plot_is_xml_with_a_line_for_each_curve() -> None:
    curves = [Curve("ours", ((1, 300), (64, 9000))), Curve("a < b", ((1, 100), (64, 100)))]

    root = ElementTree.fromstring(draw("t", Axis("x", logarithmic=True), Axis("y", logarithmic=True), curves))

    lines = [element.get("points") for element in root.iter("{http://www.w3.org/2000/svg}polyline")]
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert len(lines) == 2
    assert {"a < b", "ours", "10", "1 k"} <= set(texts)
