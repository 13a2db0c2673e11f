"""Figures as lines that people read."""

from typing import Any


def figure_lines(answer: dict[str, Any], indent: str = "") -> list[str]:
    """Return each figure on a line of its own, those inside others indented, fractions with four digits."""
    lines = []
    for name, value in answer.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}:", *figure_lines(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name}: {value:.4f}" if isinstance(value, float) else f"{indent}{name}: {value}")
    return lines
