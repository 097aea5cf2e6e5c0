"""Pages of the site that are made from other files: the README, the changelog, the reference."""

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


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    pages = {
        "index.md": _page_of("README.md"),
        "changelog.md": _page_of("CHANGELOG.md"),
        **{f"reference/{package}.md": _reference(package) for package in REFERENCE},
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
