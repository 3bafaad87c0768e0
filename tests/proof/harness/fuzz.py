"""Runs one fuzz target with atheris: `python -m harness.fuzz TARGET CORPUS SECONDS SEED`, tests/proof on the path.

`fuzz(target, folder, seconds, seed)` does that in a child process and raises with the input that broke the promise.
"""

import importlib
import os
import subprocess
import sys
from pathlib import Path

TARGETS = tuple(sorted(path.stem for path in Path(__file__).with_name("targets").glob("[a-z]*.py")))


def fuzz(target: str, folder: Path, seconds: int, seed: int = 0) -> str:
    """What the fuzzer printed. The same seed makes the same inputs, 0 new ones. Raises AssertionError when the promise
    was broken.
    """
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "harness.fuzz", target, str(folder), str(seconds), str(seed)],
        env={**os.environ, "PYTHONPATH": path},
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds + 120,
    )
    assert done.returncode == 0, f"{target}: its promise is broken\n{done.stdout[-3000:]}\n{done.stderr[-5000:]}"
    return done.stderr


def main(target: str, folder: str, seconds: str, seed: str) -> None:
    import atheris

    with atheris.instrument_imports(include=["tocsin"]):
        module = importlib.import_module(f"harness.targets.{target}")
    for number, start in enumerate(module.SEEDS):
        Path(folder, f"seed-{number}").write_bytes(start)
    options = [f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=6000"]
    options += [f"-artifact_prefix={folder}/", "-print_final_stats=1"]
    atheris.Setup(["fuzz", *options, folder], lambda data: module.one(bytes(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
