"""Drives Helm, version 3 or 4: the releases of services, with Helm's own words when something goes wrong.

Values go in through standard input: they may hold keys, which have no place in an argument list or a file.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gpu_inference import clients, process
from gpu_inference.errors import GpuInferenceError
from gpu_inference.progress import Progress, Silent

_UNDERSTOOD = (3, 4)
# How the chart's templates begin what they say against values.
REFUSED_BY_TEMPLATES = "These values cannot be deployed:"
# Time that the API server is given beside what Helm itself waits for.
_SLACK_SECONDS = 120


@dataclass(frozen=True)
class Release:
    """What Helm keeps about a release."""

    name: str
    namespace: str
    revision: int
    status: str
    """Helm's word: `deployed`, `failed`, `pending-install`, …"""
    chart: str
    """Name and version of the chart, as in `gpu-inference-0.1.0`."""


class Helm:
    """One Helm program, for one cluster.

    Args:
        program: the Helm to run; the one on PATH, else a pinned one that is fetched once, unless given.
        kubeconfig: the cluster; Helm's own choice (KUBECONFIG, ~/.kube/config) unless given.
        context: the kubeconfig's context; its current one unless given.
        progress: where to say that Helm is being fetched.

    Raises:
        GpuInferenceError: the program is no Helm 3 or 4.
    """

    def __init__(
        self,
        program: Path | None = None,
        *,
        kubeconfig: Path | None = None,
        context: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.program = program or clients.helm_on_path() or clients.helm(4, progress or Silent())
        self.major = _major_version(self.program)
        self._cluster = [f"--kubeconfig={kubeconfig}"] if kubeconfig else []
        self._cluster += [f"--kube-context={context}"] if context else []

    def template(
        self, name: str, chart: Path, values: Mapping[str, Any], *, namespace: str = "default"
    ) -> str:
        """Return the chart's manifests for these values, without asking a cluster.

        Raises:
            GpuInferenceError: the chart refuses the values; the message has one sentence for each mistake.
        """
        return self._with_values(["template", name, chart, f"--namespace={namespace}", "--values=-"], values)

    def package(
        self, chart: Path, destination: Path, *, signing_key: str | None = None, keyring: Path | None = None
    ) -> Path:
        """Write the chart's package, with provenance beside it where a key is given; return its path.

        Args:
            chart: the chart's folder.
            destination: the folder for the package; it is made if need be.
            signing_key: the name of a PGP key without passphrase.
            keyring: the file with that key, as `gpg --export-secret-keys` writes it; ~/.gnupg/pubring.gpg
                unless given.

        Raises:
            GpuInferenceError: Helm fails, for example because it does not find the key.
        """
        signing: list[str | os.PathLike[str]] = []
        if signing_key:
            signing = ["--sign", f"--key={signing_key}", *([f"--keyring={keyring}"] if keyring else [])]
        destination.mkdir(parents=True, exist_ok=True)
        try:
            said = self._helm(["package", chart, f"--destination={destination}", *signing])
        except process.ProgramError as error:
            if not signing_key:
                raise
            raise GpuInferenceError(
                f"The package cannot be signed with the key {signing_key!r}. {error}",
                "Helm reads PGP keys from a file of the old format: gpg --export-secret-keys > FILE",
            ) from error
        written = re.search(r"saved it to: (.+)$", said, flags=re.MULTILINE)
        if written is None:
            raise GpuInferenceError(f"Helm did not say where it put the package: {said}")
        return Path(written[1].strip())

    def upgrade(
        self,
        name: str,
        chart: Path,
        values: Mapping[str, Any],
        *,
        namespace: str = "default",
        wait: bool = False,
        rollback_on_failure: bool = False,
        skip_schema_validation: bool = False,
        timeout_seconds: float = 300,
    ) -> None:
        """Install the release, or upgrade it when it exists.

        Args:
            name: the release.
            chart: folder or package of the chart.
            values: all of the user's values; earlier ones do not count.
            namespace: where; it is made if need be.
            wait: whether to return only when everything in the release is ready.
            rollback_on_failure: whether a release that does not become ready is undone; implies `wait`.
            skip_schema_validation: whether the values are checked by the chart's templates alone.
            timeout_seconds: how long Helm waits, with `wait` or `rollback_on_failure`.

        Raises:
            GpuInferenceError: Helm refuses or fails; with its sentence.
        """
        flags = [f"--namespace={namespace}", "--install", "--values=-"]
        flags.append(f"--timeout={timeout_seconds:.0f}s")
        if rollback_on_failure:
            flags.append("--atomic" if self.major == 3 else "--rollback-on-failure")
        elif wait:
            flags.append("--wait")
        if skip_schema_validation:
            flags.append("--skip-schema-validation")

        def upgrade(*more: str) -> None:
            self._with_values(
                ["upgrade", name, chart, *flags, *more], values, timeout=timeout_seconds + _SLACK_SECONDS
            )

        def upgrade_in_namespace(*more: str) -> None:
            try:
                upgrade("--create-namespace", *more)
            except process.ProgramError as error:
                if not _may_not_make_namespaces(error.said):
                    raise
                # Helm writes even one that exists, before all else. This user has one, or Helm says so.
                upgrade(*more)

        try:
            upgrade_in_namespace()
        except process.ProgramError as error:
            if not _only_the_number_of_pods_conflicts(error.said):
                raise
            # An autoscaler, or `kubectl scale`, has set the number that these values fix: the values count.
            # docs/decisions.md 15
            upgrade_in_namespace("--force-conflicts")

    def uninstall(self, name: str, *, namespace: str = "default") -> bool:
        """Remove the release and return at once; return False when there is none.

        Its Deployment and Job stay visible until their pods have ended. Helm's own `--wait` is not used: that
        of Helm 4.3 sometimes fails at the first object that it sees Terminating.

        Raises:
            GpuInferenceError: Helm fails.
        """
        try:
            self._helm(
                ["uninstall", name, f"--namespace={namespace}", "--cascade=foreground"],
                timeout=_SLACK_SECONDS,
            )
        except process.ProgramError as error:
            if _says_not_found(error):
                return False
            raise
        return True

    def values(self, name: str, *, namespace: str = "default") -> dict[str, Any]:
        """Return the values that the user gave for the release (not the chart's defaults).

        Raises:
            GpuInferenceError: there is no such release, or Helm fails.
        """
        text = self._helm(["get", "values", name, f"--namespace={namespace}", "--output=json"])
        values: dict[str, Any] = json.loads(text) or {}
        return values

    def release(self, name: str, *, namespace: str = "default") -> Release | None:
        """Return what Helm knows about a release, or None when there is none."""
        # Not `helm status`: its output holds the whole manifest.
        pattern = f"^{re.escape(name)}$"
        # Helm 4 lists releases in all states by itself and no longer has the flag.
        every_state = ["--all"] if self.major == 3 else []
        text = self._helm(
            ["list", f"--namespace={namespace}", f"--filter={pattern}", *every_state, "--output=json"]
        )
        for found in json.loads(text):
            return Release(
                name=found["name"],
                namespace=found["namespace"],
                revision=int(found["revision"]),
                status=found["status"],
                chart=found["chart"],
            )
        return None

    def _with_values(
        self,
        words: list[str | os.PathLike[str]],
        values: Mapping[str, Any],
        *,
        timeout: float | None = None,
    ) -> str:
        """Run a command that reads values; where the schema refuses them, say so in the templates' sentences.

        The templates check all that the schema checks, and say what to change.
        """
        text = yaml.safe_dump(dict(values))
        try:
            return self._helm(words, stdin=text, timeout=timeout)
        except process.ProgramError as error:
            if "values don't meet the specifications of the schema" not in error.said:
                raise
            _, name, chart, namespace, *_ = words
            try:
                self._helm(
                    ["template", name, chart, namespace, "--values=-", "--skip-schema-validation"], stdin=text
                )
            except process.ProgramError as by_templates:
                if REFUSED_BY_TEMPLATES in by_templates.said:
                    raise by_templates from error
            raise

    def _helm(
        self, words: list[str | os.PathLike[str]], *, stdin: str | None = None, timeout: float | None = None
    ) -> str:
        try:
            return process.run([self.program, *words, *self._cluster], stdin=stdin, timeout=timeout)
        except process.ProgramError as error:
            raise process.ProgramError(sentence(error.said), error.said) from error


def sentence(said: str) -> str:
    """Return the error in what Helm wrote: from `Error:` on, without warnings, log lines and usage."""
    lines = said.splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith("Error:")), None)
    if start is None:
        return f"Helm failed: {said}" if said else "Helm failed without a word."
    kept = [lines[start].removeprefix("Error:").strip()]
    for line in lines[start + 1 :]:
        if line.startswith(("Usage:", "goroutine ", "Use --debug flag", "helm.go:")):
            break
        kept.append(line)
    text = "\n".join(kept).strip()
    # Which template fails first does not matter: each checks all values.
    if REFUSED_BY_TEMPLATES in text:
        text = text[text.index(REFUSED_BY_TEMPLATES) :]
    return f"Helm: {text}"


def _only_the_number_of_pods_conflicts(said: str) -> bool:
    """Tell whether a server-side apply failed at spec.replicas and nothing else."""
    one = r"failed with 1 conflict: conflict with .*: \.spec\.replicas$"
    return re.search(one, said, re.MULTILINE) is not None


def _may_not_make_namespaces(said: str) -> bool:
    return re.search('cannot (create|patch) resource "namespaces"', said) is not None


def _says_not_found(error: process.ProgramError) -> bool:
    return "release: not found" in error.said


def _major_version(program: Path) -> int:
    said = process.run([program, "version", "--short"]).strip()
    version = re.match(r"v(\d+)\.", said)
    if version is None or int(version[1]) not in _UNDERSTOOD:
        raise GpuInferenceError(
            f"{program} is not Helm 3 or 4: it calls itself {said!r}.",
            "Install Helm 4, or name another one with --helm.",
        )
    return int(version[1])
