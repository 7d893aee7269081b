"""`gpu-inference convert`: the files of `az ml model deploy` become a values file of the chart."""

import argparse
import sys
from pathlib import Path

from gpu_inference.convert import convert, values_text


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands of this module."""
    parser = commands.add_parser(
        "convert",
        help="turn deploymentconfig.json and inferenceconfig.json of Azure ML v1 into chart values",
        description="Write chart values to standard output, and what to know about them to standard error.",
    )
    parser.add_argument("deployment_config", type=Path, metavar="deploymentconfig.json")
    parser.add_argument("inference_config", type=Path, nargs="?", metavar="inferenceconfig.json")
    parser.add_argument(
        "--gpu-count",
        type=int,
        metavar="N",
        help="GPUs that the service may use (default: as many as its replicas need)",
    )
    parser.set_defaults(handler=_convert)


def _convert(arguments: argparse.Namespace) -> None:
    conversion = convert(
        arguments.deployment_config, arguments.inference_config, gpu_count=arguments.gpu_count
    )
    for warning in conversion.warnings:
        print(f"gpu-inference: {warning}", file=sys.stderr)
    sys.stdout.write(values_text(conversion.values))
