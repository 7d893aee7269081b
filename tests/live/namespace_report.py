"""What a person wants to see of a namespace after a test failed in it: pods, events, logs."""

from pathlib import Path

from gpu_inference.errors import GpuInferenceError
from gpu_inference.process import run
from gpu_inference.toolchain.clients import kubectl


def namespace_report(kubeconfig: Path, namespace: str) -> str:
    """Return the namespace's objects, events and logs as kubectl prints them."""
    questions = (
        ["get", "all", "-o", "wide"],
        ["get", "events", "--sort-by=.lastTimestamp"],
        ["logs", "-l", "app.kubernetes.io/name=gpu-inference", "--all-containers", "--prefix", "--tail=60"],
    )
    answers = []
    for question in questions:
        try:
            answer = run([kubectl(), f"--kubeconfig={kubeconfig}", "-n", namespace, *question], timeout=20)
        except GpuInferenceError as error:
            answer = str(error)
        answers.append(f"--- kubectl -n {namespace} {' '.join(question)}\n{answer}")
    return "\n".join(answers)
