"""The entry script ./run, with programs in the place of apt, CMake and gladius that note their arguments."""

import os
import shutil
import subprocess

import pytest
from helpers import ROOT

# Knows no package, installs none, and "builds" by making the directory's build file.
APT = """#!/bin/sh
echo "apt $*" >> log
"""
DPKG = """#!/bin/sh
for package; do case $package in -*) ;; *) grep -qx "$package" installed && echo 'install ok installed';; esac; done
"""
CMAKE = """#!/bin/sh
echo "cmake $*" >> log
case $1 in --preset) mkdir -p build/$2 && touch build/$2/build.ninja;; esac
"""
# Writes what a run leaves, and is interrupted where the file `interrupt` says so.
GLADIUS = """#!/bin/bash
echo "gladius $*" >> log
[ "$1" = distill ] || exit 0
out="" resume=""
while [ $# -gt 0 ]; do case $1 in --out) out=$2;; --resume) resume=1;; esac; shift; done
if [ -n "$resume" ]; then [ -e "$out/run.json" ] || { echo "holds no run" >&2; exit 1; }
else [ ! -e "$out/run.json" ] || { echo "already holds a run" >&2; exit 1; }
fi
mkdir -p "$out" && touch "$out/run.json"
if [ -e interrupt ] && [ "$(cat interrupt)" = "$out" ]; then
  echo "to resume: $GLADIUS_RESUME_COMMAND" >&2
  exit 1
fi
mkdir -p "$out/model" && touch "$out/report.md"
"""
PROGRAM_PACKAGES = "g++ cmake ninja-build"


@pytest.fixture
def checkout(tmp_path):
    """./run in a directory of its own, with nothing built."""
    shutil.copy(ROOT / "run", tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "build/release/bin").mkdir(parents=True)
    (tmp_path / "installed").write_text("")
    for name, text in {"bin/apt-get": APT, "bin/dpkg-query": DPKG, "bin/cmake": CMAKE,
                       "bin/sudo": '#!/bin/sh\n"$@"\n',
                       "bin/ctest": '#!/bin/sh\necho "ctest $*" >> log\n',
                       "build/release/bin/gladius": GLADIUS}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def run(checkout, *args, path=os.environ["PATH"]):
    """Exit code, standard error and what the programs noted."""
    (checkout / "log").write_text("")
    done = subprocess.run([checkout / "run", *args], capture_output=True, text=True, timeout=60,
                          env=os.environ | {"PATH": f"{checkout / 'bin'}:{path}"},
                          check=False)
    return done.returncode, done.stderr, (checkout / "log").read_text().splitlines()


def test_build_is_the_program_alone(checkout):
    code, _, log = run(checkout, "build")
    assert code == 0
    installed = " ".join(line for line in log if line.startswith("apt install") or " install " in line)
    assert "libopenblas-openmp-dev" in installed
    for package in ("libgtest-dev", "libgmock-dev", "libbenchmark-dev", "python3"):
        assert package not in installed
    assert "cmake --preset release -DGLADIUS_BUILD_TESTS=OFF -DGLADIUS_BUILD_BENCH=OFF" in log
    assert [line for line in log if "--build" in line][0].endswith("--target gladius")


def test_without_root_and_sudo_it_says_what_root_is_to_type(checkout):
    tools = checkout / "tools"  # and no others, so no sudo
    tools.mkdir()
    for name in ("bash", "sh", "dirname", "grep"):
        (tools / name).symlink_to(shutil.which(name))
    (tools / "id").write_text("#!/bin/sh\necho 1000\n")
    (tools / "id").chmod(0o755)
    (checkout / "bin/sudo").unlink()
    (checkout / "installed").write_text("g++\n")
    code, error, log = run(checkout, "build", path=str(tools))
    assert code == 1
    (line,) = error.splitlines()
    assert "as root: apt-get update && apt-get install -y --no-install-recommends cmake ninja-build " in line
    assert not log


def test_the_build_directory_keeps_the_tests(checkout):
    run(checkout, "build")
    code, _, log = run(checkout, "test")
    assert code == 0
    assert "cmake --preset release -DGLADIUS_BUILD_TESTS=ON" in log
    assert any("libgtest-dev" in line for line in log)
    assert not any("libbenchmark-dev" in line for line in log)
    _, _, log = run(checkout, "build")
    assert "cmake --preset release" in log  # neither switched off nor on


def test_folders_and_presets_of_tests(checkout):
    code, _, log = run(checkout, "test", "asan", "tensor", "nn")
    assert code == 0
    assert "cmake --preset asan -DGLADIUS_BUILD_TESTS=ON -DGLADIUS_BUILD_BENCH=OFF" in log
    assert [line for line in log if "--build" in line][0].endswith("--target tensor_tests nn_tests")
    assert [line for line in log if line.startswith("ctest")][0].endswith("^(tensor|nn)$")


@pytest.mark.parametrize(("options", "place"), [((), "runs/default"), (("--card",), "runs/card")])
def test_an_interrupted_distillation_goes_on(checkout, options, place):
    typed = " ".join(("./run distill", *options))
    (checkout / "interrupt").write_text(f"{place}/student")
    code, error, _ = run(checkout, "distill", *options)
    assert code == 1
    assert error.splitlines()[-1] == f"to resume: {typed} --resume"
    (checkout / "interrupt").unlink()
    code, error, log = run(checkout, "distill", *options, "--resume")
    assert code == 0, error
    assert (checkout / place / "student/model").is_dir()
    (distilled,) = [line for line in log if line.startswith("gladius distill")]
    assert distilled.endswith("--resume")
    assert f"configs/default/{'card' if options else 'distill'}.run.json" in distilled
    code, error, log = run(checkout, "distill", *options)
    assert code == 1 and f"{typed} --resume" in error and not log


def test_the_line_to_go_on_has_the_arguments(checkout):
    (checkout / "interrupt").write_text("my run")
    code, error, _ = run(checkout, "distill", "--out", "my run", "--set", "optimizer.lr=1e-3")
    assert code == 1
    assert error.splitlines()[-1] == (
        "to resume: ./run distill --out 'my run' --set optimizer.lr=1e-3 --resume")


def test_nothing_to_go_on_with(checkout):
    code, error, log = run(checkout, "distill", "--resume")
    assert code == 1
    assert "leave out --resume" in error
    assert not log


def test_a_finished_run_is_kept(checkout):
    assert run(checkout, "distill")[0] == 0
    code, error, log = run(checkout, "distill")
    assert code == 1
    assert "./run distill --resume" in error and "--out DIR" in error
    assert not log


def test_a_real_teacher_is_there_before_the_build(checkout):
    python = checkout / "bin/python3"
    python.write_text('#!/bin/sh\necho "python3 $*" >> log\n[ ! -e no-network ]\n')
    python.chmod(0o755)
    code, error, log = run(checkout, "distill-smollm2", "--set", "experts.0.steps=9", "--resume")
    assert code == 0, error
    assert "python3-venv" in log[1] and log[2] == "python3 configs/smollm2/teacher.py"
    assert log[-1] == "python3 configs/smollm2/distill.py --set experts.0.steps=9 --resume"
    assert any(line.startswith("cmake --build") for line in log[3:-1])
    (checkout / "no-network").touch()
    code, _, log = run(checkout, "distill-smollm2")
    assert code == 1 and log[-1] == "python3 configs/smollm2/teacher.py"


@pytest.mark.parametrize("parts", [["deb"], []])
def test_packages_are_made_and_checked(checkout, parts):
    (checkout / "packaging").mkdir()
    (checkout / "CMakeLists.txt").write_text("project(gladius VERSION 1.2.3 LANGUAGES CXX\n")
    for name in ("bin/cpack", "packaging/check.sh"):
        (checkout / name).write_text(f'#!/bin/sh\necho "{name} $*" >> log\n')
        (checkout / name).chmod(0o755)
    (checkout / "bin/id").write_text("#!/bin/sh\necho 1000\n")  # who may not make a chroot
    (checkout / "bin/id").chmod(0o755)
    code, error, log = run(checkout, "package", *parts)
    assert code == 0, error
    assert any("lintian" in line for line in log)
    assert not any("debootstrap" in line for line in log)
    packed = [line for line in log if line.startswith("bin/cpack")]
    assert packed[0].startswith("bin/cpack --config build/release/CPackConfig.cmake -B build/packages")
    assert packed[0].endswith("CPACK_DEBIAN_PACKAGE_VERSION=1.2.3~")
    checks = ["packaging/check.sh deb build/packages"]
    if not parts:
        assert "--config build/portable/" in packed[1]
        checks += ["packaging/check.sh tarball build/packages"]
        assert "not root" in error
    assert [line for line in log if line.startswith("packaging/")] == checks
