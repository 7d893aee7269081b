"""Writes src/sample-requests/: one real digit of each kind as a request's body, and the answers to expect.

Needs numpy. The files are in the repository; run this after a change here, or to get more.
"""

import argparse
import json
import sys
from pathlib import Path

import mnist_data

HERE = Path(__file__).parent
# Of the test set; 0 to 9 in this order, all written so clearly that any trained network reads them.
CHOSEN = (10, 14, 1, 30, 19, 23, 22, 17, 84, 12)
# A grey level is a 255th: four decimals tell them apart and keep a request at 4 kB.
DECIMALS = 4


def request_body(pixels: list[float]) -> str:
    """Return a request's body for one image of 784 grey levels, 0 (paper) to 1 (ink)."""
    return json.dumps({"data": [[round(pixel, DECIMALS) for pixel in pixels]]})


def sample_requests(test: mnist_data.Digits) -> dict[str, str]:
    """Return the files' texts by name: `<digit>.json`, the bodies, and `expected.json`, their answers."""
    bodies = {f"{test.labels[index]}.json": request_body(test.images[index].tolist()) for index in CHOSEN}
    expected = {f"{test.labels[index]}.json": [int(test.labels[index])] for index in CHOSEN}
    return {name: body + "\n" for name, body in bodies.items()} | {
        "expected.json": json.dumps(expected) + "\n"
    }


def main() -> int:
    """Write the files; return the exit status."""
    parser = argparse.ArgumentParser(description="Write src/sample-requests/ from MNIST's test set.")
    parser.add_argument("--data-dir", type=Path, default=mnist_data.DEFAULT_FOLDER, help="MNIST's four files")
    parser.add_argument("--into", type=Path, default=HERE / "src" / "sample-requests", help="where they go")
    chosen = parser.parse_args()
    try:
        files = sample_requests(mnist_data.load_test(chosen.data_dir))
    except mnist_data.DataError as error:
        print(f"sample_requests.py: {error}", file=sys.stderr)
        return 1
    chosen.into.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (chosen.into / name).write_text(text)
    print(f"wrote {len(files)} files into {chosen.into}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
