"""Trains the sample's network to tell two spirals apart and saves it whole, as a pickle of the module.

Needs PyTorch alone; the points are made here. `outputs/spirals.pt` is then what `torch.save(model, path)`
wrote, the way in which many models of Azure ML v1's time were registered.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import torch

HERE = Path(__file__).parent
MODEL = "spirals.pt"
SEED = 42
TURNS = 1.5
STEPS = 400


def spirals(count: int, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return points, float32 of shape (2 * count, 2) within about -1 to 1, and which spiral each is of."""
    along = torch.linspace(0.1, 1, count)
    angle = along * (TURNS * 2 * math.pi)
    one = torch.stack((along * torch.cos(angle), along * torch.sin(angle)), dim=1)
    points = torch.cat((one, -one))
    labels = torch.cat((torch.zeros(count, dtype=torch.long), torch.ones(count, dtype=torch.long)))
    return points + noise * torch.randn(points.shape), labels


def network() -> torch.nn.Module:
    """Return a fresh network, of the class beside the entry script, whose module the pickle will name."""
    sys.path.insert(0, str(HERE / "src"))
    from spiral_net import SpiralNet

    return SpiralNet()


def sample_requests() -> dict[str, str]:
    """Return the files' texts by name: points in the middle of each spiral, and the answers to expect."""
    points, labels = spirals(9, noise=0)
    rows = [[round(value, 4) for value in point] for point in points.tolist()]
    bodies = {"first.json": rows[:9], "second.json": rows[9:], "both.json": rows}
    expected = {"first.json": labels[:9], "second.json": labels[9:], "both.json": labels}
    texts = {name: json.dumps({"data": data}) for name, data in bodies.items()}
    texts["expected.json"] = json.dumps({name: answer.tolist() for name, answer in expected.items()})
    return {name: text + "\n" for name, text in texts.items()}


def main() -> None:
    """Train, save, and say how good the network is."""
    parser = argparse.ArgumentParser(description="Train the sample's network.")
    parser.add_argument(
        "--outputs", type=Path, default=HERE / "outputs", help=f"where {MODEL} goes (outputs)"
    )
    parser.add_argument("--sample-requests", type=Path, help="a folder to write the sample requests to, too")
    chosen = parser.parse_args()
    # In so small a network threads would only wait for each other.
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    points, labels = spirals(300, noise=0.02)
    unseen, truth = spirals(100, noise=0.02)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(points), labels)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = float((model(unseen).argmax(dim=1) == truth).float().mean())
    print(f"PyTorch {torch.__version__}: {accuracy:.1%} of {len(truth)} points right that it has not seen")
    chosen.outputs.mkdir(parents=True, exist_ok=True)
    torch.save(model, chosen.outputs / MODEL)
    print(f"saved {chosen.outputs / MODEL}")
    if chosen.sample_requests:
        chosen.sample_requests.mkdir(parents=True, exist_ok=True)
        for name, text in sample_requests().items():
            (chosen.sample_requests / name).write_text(text)


if __name__ == "__main__":
    main()
