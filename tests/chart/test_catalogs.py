"""What catalogs and chart-testing read of the chart: each statement agrees with the chart itself."""

import json
import re
from pathlib import Path
from typing import Any

import yamale
import yaml
from charts.values.documents import leaves
from charts.values.schema import described_values
from tests.chart.rendering import CHART, render, run_helm
from yamllint import linter
from yamllint.config import YamlLintConfig

from gpu_inference import __version__
from gpu_inference_runtime import __version__ as runtime_version

ROOT = Path(__file__).parents[2]
CHART_TESTING = Path(__file__).with_name("chart-testing")
METADATA: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text())
ANNOTATIONS: dict[str, str] = METADATA["annotations"]
QUESTIONS: dict[str, Any] = yaml.safe_load((CHART / "questions.yaml").read_text())
VALUES = dict(leaves(json.loads((CHART / "values.schema.json").read_text())))
RANCHERS_TYPES = {"boolean": "boolean", "int": "integer", "float": "number", "string": "string"}


def test_a_question_says_of_its_value_what_the_schema_says() -> None:
    for question in QUESTIONS["questions"]:
        variable = question["variable"]
        described = VALUES[variable]
        assert question["description"] == described["description"], variable
        assert question.get("default") == described.get("default"), variable
        if question["type"] == "enum":
            assert question["options"] == described["enum"], variable
        else:
            assert RANCHERS_TYPES.get(question["type"], "string") in described["type"], variable
        if question["type"] == "int":
            assert question["min"] == described["minimum"], variable


def test_a_question_is_shown_only_after_one_that_is_asked() -> None:
    kinds = {question["variable"]: question["type"] for question in QUESTIONS["questions"]}
    for condition in {question["show_if"] for question in QUESTIONS["questions"] if "show_if" in question}:
        variable, _, answer = condition.partition("=")
        assert kinds[variable] == "boolean", condition
        assert answer in ("true", "false"), condition


def test_the_form_asks_for_simple_parameters_and_hides_keys() -> None:
    asked = {question["variable"]: question["type"] for question in QUESTIONS["questions"]}
    simple = {
        path
        for path, described in VALUES.items()
        if path.startswith("deployment.") and "object" not in described["type"]
    }
    assert simple <= asked.keys()
    assert {path for path, kind in asked.items() if kind == "password"} == {
        "deployment.primary_key",
        "deployment.secondary_key",
    }


def test_the_values_of_the_form_install_as_they_are() -> None:
    values: dict[str, Any] = {}
    for question in QUESTIONS["questions"]:
        if "default" in question:
            node = values
            *sections, key = question["variable"].split(".")
            for section in sections:
                node = node.setdefault(section, {})
            node[key] = question["default"]
    assert render(values).objects == render().objects


def test_the_readme_says_of_each_parameter_what_it_becomes() -> None:
    table = (CHART / "README.md").read_text()
    parameters = described_values()["properties"]["deployment"]["properties"]
    for name, described in parameters.items():
        (row,) = re.findall(rf"^\| `deployment\.{name}` .*$", table, re.MULTILINE)
        assert row.endswith(f"| {described['kubernetes']} |")


def test_chart_runtime_and_sdk_carry_one_version() -> None:
    assert METADATA["version"] == METADATA["appVersion"] == __version__ == runtime_version


def test_the_version_is_above_the_last_release() -> None:
    released = [
        tuple(int(part) for part in path.stem.rpartition("-")[2].split("."))
        for path in (ROOT / "tests" / "live" / "releases").glob("*.tgz")
    ]
    assert tuple(int(part) for part in METADATA["version"].split(".")) > max(released)


def test_artifact_hub_scans_the_image_that_is_installed() -> None:
    (image,) = yaml.safe_load(ANNOTATIONS["artifacthub.io/images"])
    rendered = render()
    assert rendered.container["image"] == image["image"]
    assert image["image"].endswith(f":{METADATA['appVersion']}")


def test_artifact_hub_knows_each_kind_of_change() -> None:
    changes = yaml.safe_load(ANNOTATIONS["artifacthub.io/changes"])
    kinds = {"added", "changed", "deprecated", "removed", "fixed", "security"}
    assert changes
    assert all(change["kind"] in kinds and change["description"] for change in changes)


def test_artifact_hub_finds_licence_category_links_and_icon() -> None:
    assert ANNOTATIONS["artifacthub.io/license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert ANNOTATIONS["artifacthub.io/category"] == "ai-machine-learning"
    assert all(
        link["url"].startswith("https://") for link in yaml.safe_load(ANNOTATIONS["artifacthub.io/links"])
    )
    assert METADATA["icon"].startswith("data:image/svg+xml;base64,")
    assert yaml.safe_load((ROOT / "charts" / "artifacthub-repo.yml").read_text()) == {"owners": []}


def test_rancher_and_openshift_find_their_annotations() -> None:
    assert ANNOTATIONS["catalog.cattle.io/kube-version"] == METADATA["kubeVersion"]
    assert ANNOTATIONS["catalog.cattle.io/os"] == "linux"
    assert ANNOTATIONS["charts.openshift.io/name"]
    assert (CHART / "app-readme.md").read_text().startswith("# ")


def test_chart_testing_accepts_the_style_of_the_files() -> None:
    configuration = YamlLintConfig((CHART_TESTING / "lintconf.yaml").read_text())
    files = [CHART / "Chart.yaml", CHART / "values.yaml", *(CHART / "ci").glob("*-values.yaml")]
    found = {
        path.name: [str(problem) for problem in linter.run(path.read_text(), configuration, str(path))]
        for path in files
    }
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_chart_testings_schema_accepts_the_metadata() -> None:
    schema = yamale.make_schema(CHART_TESTING / "chart_schema.yaml")
    yamale.validate(schema, yamale.make_data(CHART / "Chart.yaml"))


def test_chart_testing_is_told_where_the_chart_lies() -> None:
    configuration = yaml.safe_load((ROOT / "ct.yaml").read_text())
    (folder,) = configuration["chart-dirs"]
    assert (ROOT / folder / METADATA["name"]).samefile(CHART)
    assert configuration["validate-maintainers"] is False
    assert "maintainers" not in METADATA


def test_the_package_holds_what_catalogs_read(tmp_path: Path) -> None:
    run_helm(4, "package", str(CHART), "--destination", str(tmp_path))
    shown = run_helm(4, "show", "all", str(next(tmp_path.glob("*.tgz"))))
    assert "charts.openshift.io/name" in shown
