"""Writes hashes.json: what scikit-image and opencv-rolling-ball make of images that the tests generate too.

    python3 -m venv venv && venv/bin/pip install 'scikit-image==0.26.*' 'opencv-rolling-ball==1.0.1' 'setuptools<80'
    venv/bin/python make_hashes.py > hashes.json

The images are made by whole-number arithmetic that `common/mod.rs` repeats.
"""

import hashlib
import json
import sys

import numpy as np
from cv2_rolling_ball.background_subtractor import BackgroundSubtract
from skimage.restoration import ellipsoid_kernel, rolling_ball


def generated(kind, width, height, seed, dtype):
    """The image `kind` of that size; 16 random bits a pixel come from one linear congruential generator."""
    values = []
    state = seed
    for y in range(height):
        for x in range(width):
            state = (state * 1664525 + 1013904223) % 2**32
            random = state >> 16
            wave = abs((2 * x + y) % 510 - 255)
            value = {
                "noise": random,
                "ramp": min(wave * 256 + (random >> 4), 65535),
                "low": 12800 + (random >> 5) + x * 16,
                "flat": 77 * 256,
                "bright": 65535 if random > 300 else 64000,
            }[kind]
            values.append(value)
    image = np.array(values, dtype=np.int64).reshape(height, width)
    if dtype == "uint8":
        return (image >> 8).astype(np.uint8)
    if dtype == "uint16":
        return image.astype(np.uint16)
    image = (image / 7.0).astype(dtype)
    if kind == "noise":
        image.reshape(-1)[::97] = np.nan
    return image


class Unclipped(BackgroundSubtract):
    """Keeps the background before the port casts it to 8 bits, which wraps round where ImageJ clips."""

    def _rolling_ball_float_background(self, *arguments):
        self.exact = super()._rolling_ball_float_background(*arguments)
        return self.exact


def sha256(image):
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def cases():
    for kind in ["noise", "ramp", "low", "bright"]:
        for width, height, radius in [(70, 50, 1), (70, 50, 7), (90, 60, 20), (90, 60, 20.5), (61, 83, 45), (40, 30, 200)]:
            yield {"kind": kind, "width": width, "height": height, "dtype": "uint8", "radius": radius}
    yield {"kind": "low", "width": 300, "height": 280, "dtype": "uint8", "radius": 100}
    yield {"kind": "ramp", "width": 260, "height": 540, "dtype": "uint8", "radius": 60}
    for kind in ["flat", "noise"]:
        for width, height in [(1, 1), (1, 50), (50, 1), (2, 2)]:
            yield {"kind": kind, "width": width, "height": height, "dtype": "uint8", "radius": 12}
    yield {"kind": "flat", "width": 64, "height": 48, "dtype": "uint8", "radius": 9}
    for kind in ["noise", "ramp", "low", "bright"]:
        for radius in [0.5, 5, 33, 33.3, 300]:
            yield {"kind": kind, "width": 75, "height": 64, "dtype": "uint16", "radius": radius}
        for dtype in ["float32", "float64"]:
            for radius in [0.5, 4, 15.25, 40, 500]:
                yield {"kind": kind, "width": 66, "height": 45, "dtype": dtype, "radius": radius}
    for dtype in ["float32", "float64"]:
        yield {"kind": "noise", "width": 66, "height": 45, "dtype": dtype, "radius": 3, "nansafe": True}
    for dtype in ["uint8", "uint16", "float32"]:
        for shape in [(31, 31), (9, 41), (1, 7), (30, 12)]:
            ellipsoid = {"kernel_height": shape[0], "kernel_width": shape[1], "intensity": 75.5}
            yield {"kind": "low", "width": 60, "height": 70, "dtype": dtype, **ellipsoid}
    for kind in ["noise", "ramp", "low"]:
        for radius in [3, 10, 20, 44, 120]:
            for light in [False, True]:
                yield {"kind": kind, "width": 58, "height": 61, "dtype": "uint8", "radius": radius, "imagej_light": light}


def hashed(case, seed):
    image = generated(case["kind"], case["width"], case["height"], seed, case["dtype"])
    hashes = {"seed": seed, "input": sha256(image)}
    if "imagej_light" in case:
        port = Unclipped()
        result, _ = port.rolling_ball_background(image.copy(), case["radius"], case["imagej_light"], False, True)
        background = np.clip(port.exact, 0, 255).astype(np.uint8)
        return {**case, **hashes, "background": sha256(background), "result": sha256(result)}
    if "intensity" in case:
        kernel = ellipsoid_kernel((case["kernel_height"], case["kernel_width"]), case["intensity"])
        return {**case, **hashes, "background": sha256(rolling_ball(image, kernel=kernel))}
    background = rolling_ball(image, radius=case["radius"], nansafe=case.get("nansafe", False))
    return {**case, **hashes, "background": sha256(background)}


def main():
    lines = [json.dumps(hashed(case, seed)) for seed, case in enumerate(cases(), start=1)]
    sys.stdout.write("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
