"""C++ is compiled once for a machine, by one process, and its lack is told."""

import logging
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from memory import LSTMConfig, RMCConfig
from memory.fused import lstm, rmc
from memory.fused.compiled_code import CompiledCode, warn_plain
from memory.fused.library import load

ROOT = Path(__file__).parents[3]
needs_a_compiler = pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler")


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A file of C++, an empty cache, and a compiler that counts in `compiled` what it makes."""
    compiler = tmp_path / "counting"
    compiler.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *" -o "*) echo x >> {tmp_path}/compiled; sleep 0.5;; esac\n'
        'exec c++ "$@"\n'
    )
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("ENGRAM_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "code"
    folder.mkdir()
    file = folder / "seven.cpp"
    file.write_text('extern "C" int number() { return 7; }\n')
    return file


def compiled(source):
    return len((source.parents[1] / "compiled").read_text().split())


@needs_a_compiler
def test_a_library_is_compiled_once_and_again_when_its_source_or_a_header_changes(source):
    assert [load(source).number() for _ in range(2)] == [7, 7]
    assert compiled(source) == 1
    source.write_text(source.read_text().replace("7", "8"))
    assert load(source).number() == 8
    (source.parent / "more.h").write_text("// nothing\n")
    load(source)
    assert compiled(source) == 3


@needs_a_compiler
def test_of_processes_that_want_it_at_once_one_compiles_it(source):
    program = "import sys; from pathlib import Path; from memory.fused.library import load\n"
    program += "assert load(Path(sys.argv[1])).number() == 7"
    command = [sys.executable, "-c", program, str(source)]
    processes = [subprocess.Popen(command, cwd=ROOT, env=os.environ) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert compiled(source) == 1


@needs_a_compiler
def test_a_source_that_does_not_compile_is_reported_in_one_line(source):
    source.write_text("int number( {}\n")
    with pytest.raises(RuntimeError, match=r"does not compile seven.cpp: .*seven.cpp:1:\d+: error"):
        load(source)


def test_without_a_compiler_the_cores_say_so_once_and_compute_plainly(monkeypatch, caplog):
    monkeypatch.setenv("CXX", "no-such-compiler")
    for module in (rmc, lstm):
        monkeypatch.setattr(module, "code", CompiledCode(str(module.__file__)))
    warn_plain.cache_clear()
    with caplog.at_level(logging.WARNING):
        for config in (RMCConfig(slots=2, heads=1, units=8), LSTMConfig(hidden=8)):
            core = config.build((3,))
            for _ in range(2):
                resets = torch.arange(80).reshape(40, 2) == 50
                outputs, _ = core(torch.randn(40, 2, 3), core.initial_state(2), resets)
                assert outputs.shape == (40, 2, 8)
    (record,) = caplog.records
    assert "there is no no-such-compiler" in record.getMessage()


def test_importing_the_cores_compiles_nothing():
    program = "import memory, sys; from memory.fused.rmc import code\n"
    program += "memory.RMCConfig().build((3,)); sys.exit('library' in vars(code))"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
