"""Runs Helm 3 or 4 to render, install and remove releases.

Values are passed through standard input, because they may contain keys: every user can read argument lists.
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

_SUPPORTED_VERSIONS = (3, 4)
TEMPLATE_ERROR_PREFIX = "These values cannot be deployed:"
"""First words of every validation error that the chart's templates report."""

# Added to Helm's own timeout, for requests to the API server.
_EXTRA_SECONDS = 120


@dataclass(frozen=True)
class Release:
    """Helm's record of a release."""

    name: str
    namespace: str
    revision: int
    status: str
    """One of Helm's values: `deployed`, `failed`, `pending-install`, …"""
    chart: str
    """Name and version of the chart, as in `gpu-inference-0.1.0`."""


class Helm:
    """One Helm program, for one cluster.

    Args:
        program: the Helm to run. Default: the one on PATH, or a pinned one that is fetched once.
        kubeconfig: the cluster's kubeconfig. Default: Helm's own choice (KUBECONFIG, ~/.kube/config).
        context: the kubeconfig's context. Default: its current one.
        progress: shows when Helm is being fetched.

    Raises:
        GpuInferenceError: the program is not Helm 3 or 4.

    Example:
        Helm().upgrade("my-service", chart_directory(), {"image": {"repository": "registry.example/mine"}})
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
        """Return the chart's manifests for these values, without contacting a cluster.

        Raises:
            GpuInferenceError: the chart rejects the values; the message has one sentence for each error.
        """
        return self._with_values("template", name, chart, values, namespace)

    def package(
        self, chart: Path, destination: Path, *, signing_key: str | None = None, keyring: Path | None = None
    ) -> Path:
        """Package the chart, and sign the package (.prov) if a key is given; return the package's path.

        Args:
            chart: the chart's folder.
            destination: the folder for the package; created if it does not exist.
            signing_key: the name of a PGP key without passphrase.
            keyring: the file with that key, as written by `gpg --export-secret-keys`. Default:
                ~/.gnupg/pubring.gpg.

        Raises:
            GpuInferenceError: Helm fails, for example because it cannot find the key.
        """
        signing: list[str | os.PathLike[str]] = []
        if signing_key:
            signing = ["--sign", f"--key={signing_key}", *([f"--keyring={keyring}"] if keyring else [])]
        destination.mkdir(parents=True, exist_ok=True)
        try:
            output = self._helm(["package", chart, f"--destination={destination}", *signing])
        except process.ProgramError as error:
            if not signing_key:
                raise
            raise GpuInferenceError(
                f"The package cannot be signed with the key {signing_key!r}. {error}",
                "Helm reads PGP keys only from the old keyring format: gpg --export-secret-keys > FILE",
            ) from error
        written = re.search(r"saved it to: (.+)$", output, flags=re.MULTILINE)
        if written is None:
            raise GpuInferenceError(f"Helm did not report the path of the package: {output}")
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
        """Install the release, or upgrade it if it exists.

        Args:
            name: the release's name.
            chart: the chart's folder or package.
            values: all of the user's values; they replace those of the previous revision.
            namespace: the release's namespace; created if it does not exist.
            wait: whether to return only when everything in the release is ready.
            rollback_on_failure: whether to undo a release that does not become ready; implies `wait`.
            skip_schema_validation: whether to leave the validation to the chart's templates.
            timeout_seconds: how long Helm waits with `wait` or `rollback_on_failure`, in seconds.

        Raises:
            GpuInferenceError: Helm fails; the message contains Helm's error.
        """
        flags = ["--install", f"--timeout={timeout_seconds:.0f}s"]
        if rollback_on_failure:
            flags.append("--atomic" if self.major == 3 else "--rollback-on-failure")
        elif wait:
            flags.append("--wait")
        if skip_schema_validation:
            flags.append("--skip-schema-validation")

        def upgrade(*more: str) -> None:
            timeout = timeout_seconds + _EXTRA_SECONDS
            self._with_values("upgrade", name, chart, values, namespace, *flags, *more, timeout=timeout)

        def upgrade_in_namespace(*more: str) -> None:
            try:
                upgrade("--create-namespace", *more)
            except process.ProgramError as error:
                if not _is_namespace_creation_forbidden(error.output):
                    raise
                # With this flag Helm patches a namespace even if it exists. Without it, it must exist.
                upgrade(*more)

        try:
            upgrade_in_namespace()
        except process.ProgramError as error:
            if not _only_replicas_conflict(error.output):
                raise
            # An autoscaler or `kubectl scale` owns spec.replicas. The values win: docs/decisions.md 15
            upgrade_in_namespace("--force-conflicts")

    def uninstall(self, name: str, *, namespace: str = "default") -> bool:
        """Remove the release without waiting; return False if there is none.

        Its Deployment and Job stay visible until their pods have ended. Helm's `--wait` is not used, because
        Helm 4.3 sometimes fails at the first object that is Terminating.

        Raises:
            GpuInferenceError: Helm fails.
        """
        try:
            self._helm(
                ["uninstall", name, f"--namespace={namespace}", "--cascade=foreground"],
                timeout=_EXTRA_SECONDS,
            )
        except process.ProgramError as error:
            if _is_not_found(error):
                return False
            raise
        return True

    def values(self, name: str, *, namespace: str = "default") -> dict[str, Any]:
        """Return the user's values of the release, without the chart's defaults.

        Raises:
            GpuInferenceError: there is no such release, or Helm fails.
        """
        text = self._helm(["get", "values", name, f"--namespace={namespace}", "--output=json"])
        values: dict[str, Any] = json.loads(text) or {}
        return values

    def release(self, name: str, *, namespace: str = "default") -> Release | None:
        """Return a release, or None if it does not exist."""
        # Not `helm status`: its output contains the whole manifest.
        pattern = f"^{re.escape(name)}$"
        # Helm 4 lists releases in all states by default and no longer has the flag.
        all_states = ["--all"] if self.major == 3 else []
        text = self._helm(
            ["list", f"--namespace={namespace}", f"--filter={pattern}", *all_states, "--output=json"]
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
        command: str,
        name: str,
        chart: Path,
        values: Mapping[str, Any],
        namespace: str,
        *flags: str,
        timeout: float | None = None,
    ) -> str:
        """Run a command that reads values; report a schema error with the message of the chart's templates.

        The templates check everything that the schema checks, and their messages say what to change.
        """
        text = yaml.safe_dump(dict(values))
        words: list[str | os.PathLike[str]] = [name, chart, f"--namespace={namespace}", "--values=-"]
        try:
            return self._helm([command, *words, *flags], stdin=text, timeout=timeout)
        except process.ProgramError as error:
            if "values don't meet the specifications of the schema" not in error.output:
                raise
            try:
                self._helm(["template", *words, "--skip-schema-validation"], stdin=text)
            except process.ProgramError as template_error:
                if TEMPLATE_ERROR_PREFIX in template_error.output:
                    raise template_error from error
            raise

    def _helm(
        self, words: list[str | os.PathLike[str]], *, stdin: str | None = None, timeout: float | None = None
    ) -> str:
        try:
            return process.run([self.program, *words, *self._cluster], stdin=stdin, timeout=timeout)
        except process.ProgramError as error:
            raise process.ProgramError(error_message(error.output), error.output) from error


def error_message(output: str) -> str:
    """Return the error in Helm's output: the text after `Error:`, without warnings, log lines and usage."""
    lines = output.splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith("Error:")), None)
    if start is None:
        return f"Helm failed: {output}" if output else "Helm failed without a message."
    kept = [lines[start].removeprefix("Error:").strip()]
    for line in lines[start + 1 :]:
        if line.startswith(("Usage:", "goroutine ", "Use --debug flag", "helm.go:")):
            break
        kept.append(line)
    text = "\n".join(kept).strip()
    # Every template validates all values, so the name of the one that failed first does not matter.
    if TEMPLATE_ERROR_PREFIX in text:
        text = text[text.index(TEMPLATE_ERROR_PREFIX) :]
    return f"Helm: {text}"


def _only_replicas_conflict(output: str) -> bool:
    """Return whether spec.replicas was the only conflict of a server-side apply."""
    conflict = r"failed with 1 conflict: conflict with .*: \.spec\.replicas$"
    return re.search(conflict, output, re.MULTILINE) is not None


def _is_namespace_creation_forbidden(output: str) -> bool:
    return re.search('cannot (create|patch) resource "namespaces"', output) is not None


def _is_not_found(error: process.ProgramError) -> bool:
    return "release: not found" in error.output


def _major_version(program: Path) -> int:
    output = process.run([program, "version", "--short"]).strip()
    version = re.match(r"v(\d+)\.", output)
    if version is None or int(version[1]) not in _SUPPORTED_VERSIONS:
        raise GpuInferenceError(
            f"{program} is not Helm 3 or 4: its version is {output!r}.",
            "Install Helm 4, or choose another Helm with --helm.",
        )
    return int(version[1])
