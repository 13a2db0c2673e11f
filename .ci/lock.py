"""Write the lock files from what is installed: `.venv/bin/python .ci/lock.py`.

Each file pins one set of pyproject.toml with everything that it needs, less what an earlier file already pins.
"""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
# The versions of Python that the pins are for; a marker that holds for any of them counts.
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def main() -> None:
    """Rewrite the three files in place."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    project, extras = pyproject["project"], pyproject["project"]["optional-dependencies"]
    build = [*pyproject["build-system"]["requires"], "editables"]
    pinned: set[str] = set()
    for name, sections in {
        "requirements.lock": {
            "core": project["dependencies"],
            "web": [*extras["web"], *extras["shield"]],
            "build": build,
        },
        "requirements-test.lock": {"test": extras["test"], "spark": extras["spark"]},
        "requirements-bench.lock": {"bench": extras["bench"]},
    }.items():
        lines = ["# Exact versions for Python 3.11 to 3.14, made by .ci/lock.py; do not edit."]
        for section, requirements in sections.items():
            versions = closure([Requirement(r) for r in requirements], {})
            lines.append(f"\n# {section}")
            lines += [f"{key}=={versions[key]}" for key in sorted(versions) if key not in pinned]
            pinned |= versions.keys()
        (ROOT / name).write_text("\n".join(lines) + "\n", "utf-8")


def closure(requirements: list[Requirement], found: dict[str, str]) -> dict[str, str]:
    """Return {canonical name: installed version} of the requirements and all that they need."""
    for requirement in requirements:
        key = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if key in found and not requirement.extras:
            continue
        installed = distribution(requirement.name)
        found[key] = installed.version
        needs = [Requirement(r) for r in installed.requires or []]
        closure([n for n in needs if applies(n, requirement.extras)], found)
    return found


def applies(requirement: Requirement, extras: set[str]) -> bool:
    """Tell whether a requirement counts on any of the versions of Python, with these extras."""
    marker = requirement.marker
    return marker is None or any(
        marker.evaluate({"extra": extra, "python_version": python, "python_full_version": f"{python}.0"})
        for python in PYTHONS
        for extra in extras | {""}
    )


main()
