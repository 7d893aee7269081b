"""Renders the chart with a real Helm, once for each distinct input; all objects are checked."""

import functools
import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import yaml
from tests.chart.kubernetes import VERSIONS, check_object

from gpu_inference import clients
from gpu_inference.progress import Silent
from gpu_inference.resources import chart_directory

Object = dict[str, Any]
HelmMajor = Literal[3, 4]
HELMS: tuple[HelmMajor, ...] = (3, 4)
LOWEST = "1.30"
CHART = chart_directory()
_TESTS = Path(__file__).parents[1]
EVERYTHING = _TESTS / "chart" / "everything-values.yaml"
# Those of chart-testing install on any cluster; the others need GPUs, operators or objects of the user's own.
SCENARIOS = sorted(
    [
        *(CHART / "ci").glob("*-values.yaml"),
        *(_TESTS / "live" / "scenarios").glob("*-values.yaml"),
        EVERYTHING,
    ]
)

# Where the workers of one run keep their renders; None: each process for itself.
_shared: Path | None = None
# A render needs 80 MB, and half of its time was spent on tidying them up.
_WITHOUT_COLLECTING_GARBAGE = {**os.environ, "GOGC": "off"}


class RefusedError(Exception):
    """Helm refused the values."""

    @property
    def mistakes(self) -> list[str]:
        """What Helm says is wrong, one line for each, without the lines about the clauses around a mistake.

        (Helm up to 3.18.4 adds those before and after it, Helm 4 as headings.)
        """
        around = ("allOf", 'Must validate "then"', "validation failed")
        lines = [line.strip() for line in str(self).splitlines()]
        return [
            line[2:] for line in lines if line.startswith("- ") and not any(words in line for words in around)
        ]


@dataclass(frozen=True)
class Rendered:
    """The objects of one render."""

    objects: tuple[Object, ...]

    def one(self, kind: str, name: str | None = None) -> Object:
        """Return the only object of a kind, or the only one that has this name too."""
        (found,) = (
            thing
            for thing in self.objects
            if thing["kind"] == kind and name in (None, thing["metadata"]["name"])
        )
        return found

    @property
    def by_name(self) -> dict[tuple[str, str], Object]:
        """Every object by its kind and name."""
        found = {(thing["kind"], thing["metadata"]["name"]): thing for thing in self.objects}
        assert len(found) == len(self.objects), "Two objects have the same kind and name."
        return found

    @property
    def names(self) -> set[tuple[str, str]]:
        """Kind and name of every object."""
        return set(self.by_name)

    @property
    def pod(self) -> Object:
        """The spec of the scoring pods."""
        return cast("Object", self.one("Deployment")["spec"]["template"]["spec"])

    @property
    def container(self) -> Object:
        """The scoring container."""
        (container,) = (found for found in self.pod["containers"] if found["name"] == "scoring")
        return cast("Object", container)

    @property
    def env(self) -> dict[str, Any]:
        """The scoring container's variables."""
        return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in self.container["env"]}


def render(
    values: Mapping[str, Any] | None = None,
    *,
    helm: HelmMajor = 4,
    release: str = "mnist",
    namespace: str = "default",
    skip_schema: bool = False,
    kubernetes: str = LOWEST,
    chart: Path = CHART,
) -> Rendered:
    """Return what the chart, or one that it is a part of, makes of values for a Kubernetes, e.g. 1.37.

    Raises:
        RefusedError: Helm refuses them.
        AssertionError: this Kubernetes, or a newer one that is supported, would refuse an object.
    """
    text = manifests(
        json.dumps(values or {}),
        helm=helm,
        release=release,
        namespace=namespace,
        skip_schema=skip_schema,
        kubernetes=kubernetes,
        chart=chart,
    )
    objects = tuple(thing for thing in yaml.load_all(text, yaml.CSafeLoader) if thing)
    for thing in objects:
        check_object(thing, [version for version in VERSIONS if _minor(version) >= _minor(kubernetes)])
    return Rendered(objects)


def manifests(
    values: str,
    *,
    helm: HelmMajor = 4,
    release: str = "mnist",
    namespace: str = "default",
    skip_schema: bool = False,
    kubernetes: str = LOWEST,
    chart: Path = CHART,
) -> str:
    """Return what the chart makes of a values file, as Helm prints it; see `render`."""
    flags = ["--kube-version", kubernetes, *(["--skip-schema-validation"] if skip_schema else [])]
    return _helm(helm, ("template", release, "--namespace", namespace, *flags), values, chart)


def render_scenario(path: Path, more: Mapping[str, Any] | None = None, *, helm: HelmMajor = 4) -> Rendered:
    """Return what the chart makes of a scenario and more, for the Kubernetes that its first line may want."""
    needed = re.match(r"# Needs Kubernetes ([\d.]+)\.\n", path.read_text())
    return render(scenario(path) | dict(more or {}), helm=helm, kubernetes=needed[1] if needed else LOWEST)


def mistakes_in(values: Mapping[str, Any], *, kubernetes: str = LOWEST) -> list[str]:
    """Return the sentences of the templates against some values, whatever the schema says about them."""
    try:
        render(values, skip_schema=True, kubernetes=kubernetes)
    except RefusedError as refused:
        return refused.mistakes
    return []


def _minor(version: str) -> int:
    return int(version.split(".")[1])


def notes(values: Mapping[str, Any] | None = None) -> str:
    """Return what a person reads after the installation."""
    # With Helm 4, because Helm 3 wants a cluster to answer even to this.
    arguments = ("install", "mnist", "--namespace", "default", "--dry-run=client")
    return _helm(4, arguments, json.dumps(values or {})).partition("NOTES:\n")[2]


def scenario(path: Path) -> dict[str, Any]:
    """Return the values of a scenario of chart-testing: of several documents the first."""
    return cast("dict[str, Any]", next(yaml.safe_load_all(path.read_text())))


@functools.cache
def _helm(major: HelmMajor, arguments: tuple[str, ...], values: str, chart: Path = CHART) -> str:
    """Run Helm on a chart with a values file, which JSON is as well."""
    if _shared is None:
        return _rendered(major, arguments, values, chart)
    key = hashlib.sha256(json.dumps([major, arguments, values, str(chart)]).encode()).hexdigest()
    known = _shared / f"{key}.json"
    if not known.exists():
        try:
            made = {"text": _rendered(major, arguments, values, chart)}
        except RefusedError as error:
            made = {"refusal": str(error)}
        # Whole or not at all: the other worker may look at any moment.
        with tempfile.NamedTemporaryFile("w", dir=_shared, delete=False) as file:
            json.dump(made, file)
        Path(file.name).replace(known)
    result: dict[str, str] = json.loads(known.read_text())
    if "refusal" in result:
        raise RefusedError(result["refusal"])
    return result["text"]


def share_renders(folder: Path) -> None:
    """Keep renders in a folder that the other workers of this run read too."""
    global _shared
    folder.mkdir(exist_ok=True)
    _shared = folder


def _rendered(major: HelmMajor, arguments: tuple[str, ...], values: str, chart: Path) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(values)
        file.flush()
        return run_helm(major, *arguments, str(chart), "--values", file.name)


def run_helm(major: HelmMajor, *arguments: str) -> str:
    """Run Helm and return what it prints.

    Raises:
        RefusedError: it fails; with what it says.
    """
    command = [str(clients.helm(major, Silent())), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=_WITHOUT_COLLECTING_GARBAGE)
    if done.returncode:
        raise RefusedError(done.stderr)
    return done.stdout
