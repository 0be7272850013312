"""Drawing phantoms of 1024 x 512 on one core, against the 5 images/s that training on fresh phantoms needs.

python benchmarks/phantom_speed.py [--count 40] [--dentition any] [--layout any]
"""

import argparse
import time

import cv2

from dentasam.data.phantom import DENTITIONS, LAYOUTS, generate

NEEDED = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--dentition", choices=DENTITIONS, default="adult")
    parser.add_argument("--layout", choices=LAYOUTS, default="usual")
    arguments = parser.parse_args()
    count = arguments.count
    cv2.setNumThreads(1)
    generate(0)  # warm up: tables of noise are drawn once
    started, objects = time.process_time(), 0
    for seed in range(1, count + 1):
        objects += len(generate(seed, dentition=arguments.dentition, layout=arguments.layout).objects)
    rate = count / (time.process_time() - started)
    print(f"{count} phantoms of 1024 x 512, {objects} objects: {rate:.1f} images/s of CPU time")
    print(f"ratio {rate / NEEDED:.2f}")


if __name__ == "__main__":
    main()
