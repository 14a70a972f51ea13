"""The code blocks of a Markdown page, and running them as a reader would."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_CHANCE = {
    "KEY": r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}(-[0-9a-f]{4}-[0-9a-f]{12})?\b",
    "TIME": r"\b\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\b",
    "SPAN": r"\b\d+(\.\d+)? m?s\b",
}
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what stands after it, its text, the line it begins at."""

    language: str
    options: dict[str, str]
    text: str
    line: int


def blocks(page: Path, *languages: str) -> list[Block]:
    """The page's blocks in these languages, in order."""
    text = page.read_text()
    return [
        Block(
            m.group(1),
            dict(o.split("=", 1) for o in m.group(2).split() if "=" in o),
            m.group(3),
            text.count("\n", 0, m.start()) + 1,
        )
        for m in _BLOCK.finditer(text)
        if m.group(1) in languages
    ]


class Shell:
    """A reader's terminal in an empty folder: commands of ``console`` blocks, with what they print."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(folder),
            "COLUMNS": "100",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def run(self, block: Block) -> None:
        """Run every ``$`` line and compare; ``...`` in the page stands for anything.

        Run keys, times and durations, which differ from run to run, only have to be there.
        """
        for command, expected in _commands(block.text):
            if command.startswith("export "):
                name, _, value = shlex.split(command)[1].partition("=")
                self.environment[name] = value
                continue
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == int(block.options.get("exit", "0")), (command, done.stdout)
            same = doctest.OutputChecker().check_output(
                _without_chance(expected), _without_chance(done.stdout), _FLAGS
            )
            assert same or not expected, f"{command}\nexpected:\n{expected}\ngot:\n{done.stdout}"


def _without_chance(text: str) -> str:
    """The text with run keys, times and durations masked."""
    for what, pattern in _CHANCE.items():
        text = re.sub(pattern, what, text)
    return text


def _commands(text: str) -> list[tuple[str, str]]:
    commands: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], ""))
        else:
            command, expected = commands[-1]
            commands[-1] = (command, expected + line + "\n")
    return commands
