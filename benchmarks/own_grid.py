"""Encoding a panoramic on its own token grid against the padded square, same encoder, same image.

python benchmarks/own_grid.py [--repeat 7]
"""

import argparse
import statistics
import time

import torch

from dentasam.model.frame import LONGEST, PATCH, Frame
from dentasam.model.memory import keep_freed_memory
from dentasam.model.sam_hq import build_sam_hq


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=7)
    repeat = parser.parse_args().repeat
    keep_freed_memory()
    torch.manual_seed(0)
    model = build_sam_hq("vit_tiny").eval()
    own = Frame.of(512, 1024)
    square = Frame(LONGEST, LONGEST, 1.0, LONGEST // PATCH, LONGEST // PATCH)
    seconds: dict[str, list[float]] = {"own grid": [], "padded square": []}
    with torch.inference_mode():
        for turn in range(repeat + 1):
            for name, frame in (("own grid", own), ("padded square", square)):
                pixels = torch.randn(1, 3, *frame.padded)
                started = time.perf_counter()
                model.encode(pixels, frame)
                if turn:  # the first turn warms up
                    seconds[name].append(time.perf_counter() - started)
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"dentasam-tiny's encoder, 512 x 1024 image, {torch.get_num_threads()} threads, median of {repeat}")
    for name, value in middle.items():
        print(f"{name:>14}  {value:.3f} s  ({min(seconds[name]):.3f} to {max(seconds[name]):.3f})")
    print(f"ratio {middle['padded square'] / middle['own grid']:.2f}")


if __name__ == "__main__":
    main()
