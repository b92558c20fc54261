"""Writes PyTorch checkpoints and, as npz, what is in them: python3 checkpoints.py FOLDER"""
import sys

import numpy as np
import torch
from torch import nn

folder = sys.argv[1]
torch.manual_seed(0)
grid = torch.arange(24.0).reshape(4, 6)
state = {
    "transposed": grid.t(),
    "rows": grid[1:3],
    "column": grid[:, 2],
    "stepped": grid[::2, 1::2],
    "half": grid.half() / 7,
    "bfloat16": torch.tensor([1.5, -2.0, 3e38]).bfloat16(),
    "double": grid.double()[0] / 3,
    "count": torch.tensor(7),
    "expanded": grid[0, 1:2].expand(3, 2),
    "parameter": nn.Parameter(grid[2].clone()),
    "flags": torch.tensor([True, False]),
    "bytes": torch.tensor([1, 255], dtype=torch.uint8),
    "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "empty": torch.zeros(0, 3),
}
net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
for name, value in net.state_dict().items():
    state["net." + name] = value
optimizer = torch.optim.Adam(net.parameters())
net(torch.zeros(2, 2, 3, 3).normal_()).sum().backward()
optimizer.step()
whole = {"state_dict": state, "optimizer": optimizer.state_dict(), "epoch": 3, "best": 0.5, "arch": "net", "none": None}
torch.save(whole, folder + "/zip.pth")
torch.save(whole, folder + "/zip4.pth", pickle_protocol=4)
torch.save(whole, folder + "/old.pth", _use_new_zipfile_serialization=False)
torch.save(net, folder + "/module.pth")
torch.jit.script(net).save(folder + "/script.pth")
want = {k: (v.detach().float() if v.dtype == torch.bfloat16 else v.detach()).numpy() for k, v in state.items()}
np.savez(folder + "/want.npz", **{k: np.ascontiguousarray(v) if v.ndim else v for k, v in want.items()})
