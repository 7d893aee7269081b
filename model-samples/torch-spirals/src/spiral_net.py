# The network, beside the entry script: a model that was saved whole names this module and its class.

import torch


class SpiralNet(torch.nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(2, width),
            torch.nn.Tanh(),
            torch.nn.Linear(width, width),
            torch.nn.Tanh(),
            torch.nn.Linear(width, 2),
        )

    def forward(self, points):
        return self.layers(points)
