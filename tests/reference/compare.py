"""Runs the twin on the input of a pair the engine wrote, and compares.

    compare.py CHECKPOINT PAIR [LIMIT]

PAIR is a safetensors file with `input` and `output`, both [B, H, W, C] 32-bit.
Prints the relative error |twin - engine| / |twin| and fails above LIMIT (1e-4).
"""

import sys

import torch
from safetensors.torch import load_file

from serpent import Serpent, load, upsample


def main(checkpoint, pair, limit="1e-4"):
    torch.set_grad_enabled(False)
    config, tensors = load(checkpoint)
    pair = load_file(pair)
    x = pair["input"].movedim(-1, 1)
    twin = Serpent(config, tensors)(x)
    engine = pair["output"].movedim(-1, 1)
    # The global residual would hide errors of the network: compare what it adds.
    base = upsample(x[:, :3], config["scale"])
    error = ((twin - engine).norm() / (twin - base).norm()).item()
    print(f"relative error {error:.2e}, limit {limit}")
    # A comparison with NaN is false, and so a failure.
    return 0 if error < float(limit) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
