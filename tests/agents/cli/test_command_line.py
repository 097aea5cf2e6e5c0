"""The command line: what wins, what comes back from a file, and how mistakes are named."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agents.cli import command_line, presets
from agents.cli.command_line import ParsedRun, load_config
from agents.cli.options import OptionError, options_of
from agents.cli.presets import to_yaml
from agents.cli.program import Names, Program
from agents.impala.config import ImpalaConfig
from agents.impala.program import IMPALA
from agents.supervised.program import SUPERVISED
from envs import ENVS
from memory import CORES

NAMES = presets.preset_names(IMPALA.folder)
FILES = sorted(path.name for path in IMPALA.folder.glob("*.yaml"))


program = IMPALA


def parse(argv: list[str]) -> ParsedRun:
    """Read a command line of the program, with the presets of the moment."""
    return command_line.parse(argv, program)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of presets."""
    monkeypatch.setattr(
        sys.modules[__name__], "program", IMPALA._replace(folder=tmp_path, with_preset=frozenset())
    )
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """What a command line is refused with."""
    with pytest.raises(SystemExit) as end:
        parse(list(argv))
    message = capsys.readouterr().err
    assert end.value.code == 2
    assert message.startswith("impala.py: error: ") and "Traceback" not in message
    return message


def helped(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The help that a command line asks for."""
    with pytest.raises(SystemExit) as end:
        parse(list(argv))
    assert end.value.code == 0
    return capsys.readouterr().out


def test_the_headline_command_is_understood() -> None:
    parsed = parse(["--env", "boxworld", "--core", "rmc", "--actors", "100"])
    assert parsed.names == ("boxworld", "rmc")
    assert type(parsed.config.core) is CORES["rmc"] and parsed.config.actors == 100
    assert parsed.resume is None


def test_no_arguments_give_the_defaults(folder: Path) -> None:
    assert parse([]).config == ImpalaConfig()


def test_values_of_every_kind_are_read(folder: Path) -> None:
    argv = "--env.solution-length 1 2 --policy.no-last-action --loss.reward-clip 1 --workers 0"
    argv += (
        " --video-every 5 --optimizer.name adam --policy.channels --optimizer.learning-rate 1e-5"
    )
    config = parse([*argv.split()]).config
    assert config.env.solution_length == (1, 2)
    assert config.policy.channels == () and not config.policy.last_action
    assert config.loss.reward_clip == 1.0 and config.workers == 0 and config.video_minutes == 5.0
    assert config.optimizer.name == "adam" and config.optimizer.learning_rate == 1e-5


def test_entries_of_a_mapping_have_flags_of_their_own() -> None:
    argv = ["--env", "gymnasium", "--env.kwargs.sutton_barto_reward=true", "--env.kwargs.n", "3"]
    assert parse(argv).config.env.kwargs == {"sutton_barto_reward": True, "n": 3}


def test_the_more_specific_wins(folder: Path) -> None:
    def write(name: str, value: int) -> None:
        options = ["batch", "unroll", "actors", "seed", "max_lag"][:value]
        (folder / f"{name}.yaml").write_text("".join(f"{key}: {value}\n" for key in options))

    for value, name in ((5, "boxworld"), (4, "boxworld-lstm"), (3, "mine"), (2, "mine-lstm")):
        write(name, value)
    write("boxworld-rmc", 1)
    parsed = parse(["--core", "lstm", "--config", "mine", "--batch", "1"])
    config = parsed.config
    assert [config.batch, config.unroll, config.actors, config.seed] == [1, 2, 3, 4]
    assert config.max_lag == 5
    stems = [path.stem for path in parsed.presets]
    assert stems == ["boxworld", "boxworld-lstm", "mine", "mine-lstm"]


def test_presets_of_a_core_can_be_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, actors in (("boxworld", 5), ("boxworld-lstm", 4), ("mine", 3), ("mine-lstm", 2)):
        (folder / f"{name}.yaml").write_text(f"actors: {actors}\n")
    for flags, stems in (
        ([], ["boxworld"]),
        (["--config", "mine"], ["boxworld", "mine"]),
    ):
        presets = parse(["--core", "lstm", "--no-core-presets", *flags]).presets
        assert [path.stem for path in presets] == stems
    with pytest.raises(SystemExit):
        parse(["--resume", "run", "--no-core-presets"])
    assert "--core-presets does not go with --resume" in capsys.readouterr().err


def test_a_preset_names_its_environment_and_core(folder: Path) -> None:
    (folder / "mine.yaml").write_text("env: {name: boxworld, max-steps: 50}\ncore: lstm\n")
    parsed = parse(["--config", "mine"])
    assert parsed.names == ("boxworld", "lstm") and parsed.config.env.max_steps == 50
    assert parse(["--config", "mine", "--core", "rmc"]).names.core == "rmc"


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("preset", NAMES)
def test_every_preset_goes_with_every_core_and_comes_back_from_its_file(
    preset: str, core: str, tmp_path: Path
) -> None:
    parsed = parse(["--config", preset, "--core", core])
    file = tmp_path / "config.yaml"
    file.write_text(to_yaml(IMPALA, parsed.config, parsed.names))
    again = parse(["--config", str(file)])
    assert again.config == parsed.config and again.names == parsed.names
    assert load_config(file, IMPALA) == (parsed.config, parsed.names)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("preset", ["boxworld-easy", "boxworld-recipe", "minipacman"])
def test_one_recipe_trains_all_cores_on_both_games(preset: str, core: str) -> None:
    easy = parse(["--config", "boxworld-easy", "--core", "lstm"]).config
    config = parse(["--config", preset, "--core", core]).config
    assert (config.policy, config.optimizer) == (easy.policy, easy.optimizer)
    assert replace(config.loss, reward_scale=1.0) == easy.loss
    assert config.core == CORES[core]()


@pytest.mark.parametrize("file", FILES)
def test_every_preset_opens_with_a_command_that_uses_it(file: str) -> None:
    first = (IMPALA.folder / file).read_text().splitlines()[0]
    assert first.startswith("# python scripts/impala.py ")
    used = parse(first.split()[3:]).presets
    assert IMPALA.folder / file in used


@pytest.mark.parametrize("program", [IMPALA, SUPERVISED], ids=lambda program: program.name)
def test_a_program_knows_which_of_its_subjects_have_a_preset(program: Program) -> None:
    found = {name for name in program.subjects if (program.folder / f"{name}.yaml").is_file()}
    assert program.with_preset == found


def test_a_preset_that_was_not_installed_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        command_line.parse(["--env", "minipacman"], IMPALA._replace(folder=tmp_path))
    assert end.value.code == 2
    message = capsys.readouterr().err
    assert f"--env minipacman: its preset {tmp_path / 'minipacman.yaml'} is missing" in message


def test_a_preset_by_its_relative_path_is_the_preset_by_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    (folder / "mine.yaml").write_text("batch: 16\n")
    (folder / "mine-lstm.yaml").write_text("unroll: 7\n")
    by_path = parse(["--config", f"{folder.name}/mine.yaml", "--core", "lstm"])
    assert by_path == parse(["--config", "mine", "--core", "lstm"])
    assert by_path.config.unroll == 7


def test_what_a_core_adds_to_a_preset_is_no_preset_of_its_own(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("mine", "mine-rmc", "other-rmc"):
        (folder / f"{name}.yaml").write_text("batch: 16\n")
    assert presets.preset_names(folder) == ["mine", "other-rmc"]
    for given in ("mine-rmc", str(folder / "mine-rmc.yaml")):
        message = refused(capsys, "--config", given)
        assert f"--config {given}: " in message and "use --config mine --core rmc." in message


def test_a_changed_option_of_each_kind_comes_back_from_a_file(tmp_path: Path) -> None:
    argv = (
        "--env gymnasium --env.kwargs.size {a-b:3} --core lstm --loss.reward-clip 0.1 --workers 2"
    )
    argv += " --policy.channels --policy.no-last-reward --device cpu --run-dir here --overwrite"
    config = parse([*argv.split()]).config
    (tmp_path / "config.yaml").write_text(to_yaml(IMPALA, config))
    again = parse(["--config", str(tmp_path / "config.yaml")]).config
    assert again == replace(config, run_dir=None, overwrite=False)


def test_a_run_without_names_is_written_under_the_nearest(folder: Path) -> None:
    for name, env in ENVS.items():
        text = to_yaml(IMPALA, ImpalaConfig(env=env, core=CORES["lstm"]()))
        assert f"env:\n  name: {name}\n" in text and "core:\n  name: lstm\n" in text


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ("--actros 3", "--actros: no such option. Did you mean --actors?"),
        ("--vidoe-every 3", "Did you mean --video-every?"),
        ("--env.grid-sise 9", "boxworld has no such option. Did you mean --env.grid-size?"),
        ("--core lstm --core.heads 8", "--core.heads: core lstm has no such option."),
        ("--env boxwrld", "--env boxwrld: no such environment. Did you mean boxworld?"),
        ("--core lsmt", "--core lsmt: no such core. Did you mean lstm?"),
        ("--con debug", "--con: no such option. Did you mean"),
        ("--config debgu", "--config debgu: no such preset. Did you mean debug?"),
        ("--config nowhere/x.yaml", "--config nowhere/x.yaml: no such file."),
        ("--env", "--env: expected one argument."),
        ("--actors x", "--actors"),
        ("--actors 0", "--actors 0: must be"),
        ("--actors", "--actors"),
        ("--device gpu", "--device"),
        ("--loss.discount 2", "--loss.discount 2.0: must be from 0 to 1"),
        ("--loss.entropy-cost inf", "--loss.entropy-cost inf: must be at least 0 and fin"),
        ("--loss.value-cost nan", "--loss.value-cost nan: must be"),
        ("--loss.trace-decay inf", "--loss.trace-decay inf: must be"),
        ("--optimizer.decay 1", "--optimizer.decay 1.0: must be at least 0 and below 1"),
        ("--optimizer.momentum 1", "--optimizer.momentum 1.0: must be"),
        ("--policy.channels 8 0", "--policy.channels 8 0: must be at least 1 each"),
        ("--max-lag -1", "--max-lag -1: must be at least 0"),
        ("--seed -1", "--seed -1: must be at least 0"),
        ("--learner-threads 0", "--learner-threads 0: must be at least 1, or auto"),
        ("--grow-levels 0", "--grow-levels 0.0: must be above 0 and at most 1"),
        ("--grow-levels 90", "--grow-levels 90.0: must be"),
        ("--checkpoint-minutes -1", "--checkpoint-minutes -1.0: must be at least 0"),
        ("--log-seconds -1", "--log-seconds -1.0: must be at least 0"),
        ("--video-minutes 0", "--video-minutes 0.0: must be above 0 and finite"),
        (
            "--actors 10000",
            "--actors 10000 in batches of 32 yields trajectories up to 313 updates old, and "
            "--max-lag 16 would drop most of them: raise --batch or --max-lag.",
        ),
        ("boxworld", "boxworld"),
        ("--ray-address auto --workers 0", "--ray-address has no effect with --workers 0"),
        ("--on-env-error restart --workers 0", "--on-env-error has no effect with --workers 0"),
        ("--overwrite", "--overwrite has no effect"),
        (
            "--env.num-distractors 0 --env.distractor-length 1",
            "--env.distractor-length has no effect with --env.num-distractors 0",
        ),
        ("--env.view full --env.view-size 5", "--env.view-size has no effect"),
        ("--env gymnasium --grow-levels 0.5", "--grow-levels has no effect"),
        ("--core memory_net --core.slots 8", "--core.slots has no effect"),
        (
            "--core memory_net --core.mode frozen --core.momentum 0.2",
            "--core.momentum has no effect with --core.mode frozen",
        ),
        ("--core.gate none --core.forget-bias 0", "--core.forget-bias has no effect with"),
        ("--core.gate none --core.input-bias 1", "--core.input-bias has no effect with"),
        ("--env gymnasium --env.kwargs.size [3", "--env.kwargs.size: not a YAML value: [3"),
        ("--env gymnasium --env.kwargs 3", "--env.kwargs: expected --env.kwargs.NAME VALUE."),
    ],
)
def test_a_mistake_is_named(argv: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert words in refused(capsys, *argv.split())


def test_all_unknown_options_are_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    message = refused(capsys, "--actros", "3", "--sede", "1")
    assert "--actors?" in message and "--seed?" in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\nactros: 3\n", "line 2: no option `actros`. Did you mean actors?"),
        ("seed: 1\nactors: x\n", "--actors is from {file}, line 2."),
        ("env:\n  grid_size: 1\n", "--env.grid-size is from {file}, line 2."),
        ("max_lag: 1\nmax-lag: 2\n", "line 2: `max_lag` is given twice."),
        ("env: {name: gymnasium, kwargs: 3}\n", "line 1: `env.kwargs` is a mapping, got 3."),
        ("batch: {size: 1}\n", "line 1: no option `batch.size`."),
        ("batch: [[1]]\n", "line 1: `batch` is one value or a list, got [[1]]."),
        ("env: boxwrld\n", "no such environment. Did you mean boxworld?"),
        ("env: {name: 3}\n", "line 1: `env` is a name, got 3."),
        ("core: {name: lstm, slots: 3}\n", "no option `core.slots`"),
        ("- batch\n", "expected lines of `option: value`."),
        ("batch: [1\n", "is not valid YAML"),
        ("batch: !!python/object/apply:os.getcwd []\n", "is not valid YAML"),
        ("a: &a [1]\nb: *a\n", "aliases and deep nesting are not allowed"),
        ("batch: 2020-13-45\n", "is not valid YAML"),
        ("<<: {batch: 3}\n", "no option `<<.batch`"),
        ("batch: 3 #" + "x" * 100_000, "expected at most 100,000"),
        ("[" * 5000, "aliases and deep nesting are not allowed"),
    ],
)
def test_a_mistake_in_a_preset_is_named_with_its_line(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    message = refused(capsys, "--config", str(file))
    assert words.format(file=file) in message and str(file) in message


def test_the_address_of_a_cluster_is_taken_from_the_command_line_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("batch: 4\nray_address: evil.example.org:6379\n")
    message = refused(capsys, "--config", str(file))
    assert f"{file}, line 2: `ray_address` is taken from the command line only" in message
    file.write_text("ray_address: null\n")
    parsed = parse(["--config", str(file), "--ray-address", "mine:6379"])
    assert parsed.config.ray_address == "mine:6379"
    assert "ray_address" not in to_yaml(IMPALA, parsed.config)


def test_a_flag_in_place_of_a_bad_value_is_not_blamed_on_the_preset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("actors: 4\n")
    assert str(file) not in refused(capsys, "--config", str(file), "--actors", "x")


def test_options_of_one_core_do_not_go_with_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("core: {name: rmc, slots: 8}\n")
    message = refused(capsys, "--config", str(file), "--core", "lstm")
    assert "core rmc (core.slots)" in message and "--core lstm" in message


def test_every_typo_of_one_letter_is_answered_with_the_option_that_was_meant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = [option.flag for option in options_of(ImpalaConfig()).values()]
    typos = [(flag, flag[:-3] + flag[-2] + flag[-3] + flag[-1]) for flag in options]
    typos = [(flag, typo) for flag, typo in typos if typo not in options]
    right = sum(f"Did you mean {flag}?" in refused(capsys, typo, "1") for flag, typo in typos)
    assert right >= 0.95 * len(typos) > 20


def test_help_fits_a_screen_and_leads_to_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    text = helped(capsys, "--help")
    lines = text.splitlines()
    assert len(lines) <= 45 and max(map(len, lines)) <= 100
    for word in ("--env NAME", "--core NAME", "--actors", "--help-all", *ENVS, *CORES, *NAMES):
        assert word in text


@pytest.mark.parametrize("core", CORES)
def test_help_with_a_core_shows_its_options(core: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = helped(capsys, "--core", core, "--help")
    config = ImpalaConfig(core=CORES[core]())
    flags = [o.flag for o in options_of(config).values() if o.key.startswith("core.")]
    assert all(f"  {flag}" in text for flag in flags)


def test_the_long_help_has_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    text = helped(capsys, "--help-all")
    assert all(option.flag in text for option in options_of(ImpalaConfig()).values())


def test_help_shows_the_values_of_the_preset(capsys: pytest.CaptureFixture[str]) -> None:
    lines = helped(capsys, "--config", "debug", "--help").splitlines()
    (workers,) = [i for i, line in enumerate(lines) if "--workers" in line]
    assert "[0]" in lines[workers] + lines[workers + 1]


@pytest.mark.parametrize("flag", ["--help", "--help-all"])
def test_help_shows_the_values_of_flags_and_the_names_in_use(
    capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    text = helped(capsys, "--config", "minipacman", "--frames", "1e6", flag)
    joined = " ".join(text.split())
    assert "Environment steps to train for. [1000000]" in joined
    assert "tmaze, gymnasium [minipacman]" in joined
    assert "--optimizer.learning-rate FLOAT Learning rate at the start. [0.001]" in joined
    assert all(f"  --{name} " in text for name in ("env", "core", "config", "resume"))


def test_help_of_an_environment_keeps_the_sections(capsys: pytest.CaptureFixture[str]) -> None:
    sections = {line for line in helped(capsys, "--help").splitlines() if line[:1].isupper()}
    text = helped(capsys, "--env", "minipacman", "--help")
    assert {"Learning", "Output"} <= sections <= set(text.splitlines())
    assert "Options of env minipacman" in text


def test_help_is_shown_beside_a_flag_that_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--frames INT" in helped(capsys, "--actros", "3", "--help")


@pytest.mark.parametrize("text", ["1e6", "1E6", "1_000_000", "1000000", "1.0e6", "0.1e7"])
def test_large_numbers_have_short_forms(text: str) -> None:
    assert parse(["--frames", text]).config.frames == 1_000_000


@pytest.mark.parametrize("text", ["1e-3", "1.5e0", "1.5", "e6", "1e", "1e999", "many"])
def test_what_is_no_whole_number_is_refused(capsys: pytest.CaptureFixture[str], text: str) -> None:
    assert f"--frames {text}: expected INT" in refused(capsys, "--frames", text)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run with settings of its own."""
    config = parse(["--core", "lstm", "--seed", "7", "--actors", "8"]).config
    (tmp_path / "config.yaml").write_text(to_yaml(IMPALA, config, Names("boxworld", "lstm")))
    return tmp_path


def test_a_resumed_run_keeps_its_settings_but_for_how_far_and_where(run: Path) -> None:
    argv = ["--resume", str(run), "--frames", "9", "--workers=0", "--video-every", "2"]
    parsed = parse(argv)
    assert parsed.resume == run and parsed.config.run_dir == run
    assert parsed.names == ("boxworld", "lstm")
    assert (parsed.config.seed, parsed.config.actors, parsed.config.frames) == (7, 8, 9)
    assert parsed.config.workers == 0 and parsed.config.video_minutes == 2


def test_actors_whose_trajectories_are_just_young_enough_are_allowed() -> None:
    assert parse(["--actors", "512"]).config.max_lag == 16
    assert parse(["--actors", "10000", "--max-lag", "0"]).config.actors == 10000


@pytest.mark.parametrize(
    "argv", ["--seed 3", "--core.hidden 3", "--run-dir x", "--core lstm", "--config debug"]
)
def test_a_resumed_run_refuses_to_become_another(
    argv: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert argv.split()[0] in refused(capsys, "--resume", str(run), *argv.split())


def test_only_a_run_folder_can_be_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "not a run folder" in refused(capsys, "--resume", str(tmp_path))


@pytest.mark.parametrize(
    ("written", "read", "use"),
    [
        (SUPERVISED, IMPALA, "whose test is in its results.json"),
        (IMPALA, SUPERVISED, "evaluate.py"),
    ],
    ids=["supervised", "impala"],
)
def test_a_run_of_the_other_program_is_referred_to_what_reads_it(
    written: Program, read: Program, use: str, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(to_yaml(written, written.defaults(written.usual)))
    with pytest.raises(OptionError, match=f"config.yaml is of a run of {written.name}, .*{use}"):
        load_config(tmp_path / "config.yaml", read)
