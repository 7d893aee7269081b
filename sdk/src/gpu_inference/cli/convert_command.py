"""`gpu-inference convert`: converts the files of `az ml model deploy` into chart values."""

import sys
from pathlib import Path

import click

from gpu_inference.cli.options import FILE
from gpu_inference.convert import convert, values_text


@click.command("convert", short_help="Convert configuration files of Azure ML v1 into chart values.")
@click.argument("deployment_config", type=FILE, metavar="deploymentconfig.json")
@click.argument("inference_config", type=FILE, required=False, metavar="[inferenceconfig.json]")
@click.option(
    "--gpu-count",
    type=int,
    metavar="N",
    help="GPUs that the service may use (default: the number that its replicas need)",
)
def convert_files(deployment_config: Path, inference_config: Path | None, gpu_count: int | None) -> None:
    """Write chart values to standard output and warnings to standard error."""
    conversion = convert(deployment_config, inference_config, gpu_count=gpu_count)
    for warning in conversion.warnings:
        print(f"gpu-inference: {warning}", file=sys.stderr)
    sys.stdout.write(values_text(conversion.values))
