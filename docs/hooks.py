"""Pages of the site that are made from other files: the README, the changelog, the reference, and
one page for each core, environment and task."""

import ast
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)")
REFERENCE = {
    "agents": [
        "agents.api.agent.load_agent",
        "agents.api.agent.TrainedAgent",
        "agents.api.agent.AgentState",
        "agents.api.training.impala_config",
        "agents.api.training.supervised_config",
        "agents.api.training.train",
        "agents.api.model.load_model",
        "agents.api.model.TrainedModel",
        "agents.impala.config.ImpalaConfig",
        "agents.supervised.config.SupervisedConfig",
    ],
    "envs": ["envs.config.EnvConfig", "envs.single.GameEnv", "envs.vector.GameVectorEnv"],
    "memory": ["memory.core", "memory.inspect"],
}
"""Names on each page of the reference."""
REGISTRIES = {
    "cores": ("memory/__init__.py", "CORES"),
    "environments": ("envs/__init__.py", "ENVS"),
    "tasks": ("memory/supervised/__init__.py", "TASKS"),
}
"""The registry behind each page that lists its entries, and the file that has it."""
CAPTIONS = {
    "cores": "What a new core observes and holds over 24 random inputs, one row for each number "
    "(at most 48 rows of a part are drawn). Brighter is larger.",
    "environments": "The level of seed 0, drawn as `render()` shows it.",
    "tasks": "One training sequence of a small configuration: what is shown at each step, and the "
    "class that is asked for at the scored steps. Words and symbols are shown by their numbers.",
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the entries of each registry below the page about them."""
    for section in config.nav or []:
        for pages in section.values() if isinstance(section, dict) else ():
            for kind in REGISTRIES:
                if f"{kind}.md" in pages:
                    place = pages.index(f"{kind}.md")
                    entries = [f"{kind}/{name}.md" for name in _entries(kind)]
                    pages[place] = {kind.capitalize(): [f"{kind}.md", *entries]}
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    pages = {
        "index.md": _page_of("README.md"),
        "changelog.md": _page_of("CHANGELOG.md"),
        **{f"reference/{package}.md": _reference(package) for package in REFERENCE},
        **{
            f"{kind}/{name}.md": _entry(kind, name, source)
            for kind in REGISTRIES
            for name, source in _entries(kind).items()
        },
    }
    for uri, content in pages.items():
        files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leave out links to files of the repository that are not part of the site."""
    folder = Path(page.file.src_uri).parent

    def link(found: re.Match[str]) -> str:
        text, target, _ = found.groups()
        uri = posixpath.normpath(folder / target)
        return found.group() if files.get_file_from_path(uri) else text

    return LINK.sub(link, markdown)


def _page_of(name: str) -> str:
    """A page of the root, with links as from the folder of the pages."""
    text = (ROOT / name).read_text()
    return text.replace("](docs/", "](").replace("](CHANGELOG.md", "](changelog.md")


def _reference(package: str) -> str:
    names = "\n".join(f"::: {name}\n" for name in REFERENCE[package])
    return f"# `{package}`\n\n{names}"


def _entries(kind: str) -> dict[str, str]:
    """The names of a registry, each with the dotted name of its configuration."""
    file, registry = REGISTRIES[kind]
    body = ast.parse((ROOT / file).read_text()).body
    imports = [node for node in body if isinstance(node, ast.ImportFrom)]
    module_of = {alias.name: node.module for node in imports for alias in node.names}
    (table,) = (
        node.value
        for node in body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == registry
    )
    configs = {
        ast.literal_eval(key): ast.unparse(value).partition("(")[0]
        for key, value in zip(table.keys, table.values, strict=True)
    }
    return {name: f"{module_of[config]}.{config}" for name, config in configs.items()}


def _entry(kind: str, name: str, source: str) -> str:
    """A page: the picture, the module's description, and the options."""
    picture = f"pictures/{kind}/{name}.png"
    drawn = (
        f"![{name}](../{picture})\n\n{CAPTIONS[kind]}\n\n"
        if (ROOT / "docs" / picture).exists()
        else ""
    )
    module = ROOT / source.rpartition(".")[0].replace(".", "/")
    file = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
    about = ast.get_docstring(ast.parse(file.read_text()))
    return (
        f"# `{name}`\n\n{about}\n\n{drawn}[All {kind}](../{kind}.md)\n\n"
        f"## Options\n\n::: {source}\n"
        "    options:\n      heading_level: 3\n      filters: ['!^_']\n"
    )
