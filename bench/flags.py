"""Count what rules flag in public texts: ``python bench/flags.py``; writes docs/figures/flags.md.

Texts are named by their ids only: the sets hold hateful words, and none may be passed on.
"""

import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "evals"))

import flag_sets  # noqa: E402 - lies with the tests

from bastau.checks import check_rows, open_checker  # noqa: E402
from bastau.evaluate.rules import wilson  # noqa: E402

MAX_LISTED = 40


def main() -> int:
    """Write the table; return 0."""
    checker = open_checker(None)
    head = ["| set | texts | flagged | per 10,000 | held back | held back by |", "|---|---|---|---|---|---|"]
    lines, listed = list(head), []
    labelled = ["| set | label | texts | flagged | share [95 %] | held back |", "|---|---|---|---|---|---|"]
    for each in flag_sets.flag_sets():
        start = time.process_time()
        answers = [
            answer
            for at in range(0, len(each.texts), 8192)
            for answer in check_rows(
                [
                    {"id": i, "text": t}
                    for i, t in zip(each.ids[at : at + 8192], each.texts[at : at + 8192], strict=True)
                ],
                checker,
            )
        ]
        print(f"{each.name}: {len(answers)} texts, {time.process_time() - start:.1f} s", file=sys.stderr)
        flagged = [a for a in answers if a["flagged"]]
        held = [a for a in answers if not a["flagged"] and a["suggestions"]]
        if each.labels:
            for label in sorted(set(each.labels)):
                of = [a for a, own in zip(answers, each.labels, strict=True) if own == label]
                n, n_held = sum(a["flagged"] for a in of), sum(bool(a["suggestions"]) and not a["flagged"] for a in of)
                low, high = wilson(n, len(of))
                share = f"{n / len(of):.3f} [{low:.3f}, {high:.3f}]"
                labelled.append(f"| {each.name} | {label} | {len(of):,} | {n} | {share} | {n_held} |")
            continue
        gates = Counter(g for a in held for s in a["suggestions"] for g in (s["gate"] or "").split(",") if g)
        most = ", ".join(f"{gate} {n}" for gate, n in gates.most_common(5))
        rate = 10_000 * len(flagged) / len(answers)
        lines.append(f"| {each.name} | {len(answers):,} | {len(flagged)} | {rate:.2f} | {len(held)} | {most} |")
        listed += [
            f"- {each.name}, text {a['id']}: "
            + "; ".join(f"{s['rule']}" for s in a["suggestions"] if s["gate"] is None)
            for a in flagged[:MAX_LISTED]
        ]
    text = "\n".join(
        [
            "# What rules flag in public texts\n",
            "    python bench/flags.py\n",
            "## Harmless texts: every flag is false\n",
            *lines,
            "\nEach flagged text:\n",
            *(listed or ["- none"]),
            "\n## Labelled texts\n",
            "The labels of these sets are hate, offence or extremism in a wide sense; bastau looks only for calls to, threats of, praise of, "
            "recruiting for and instruction in violence, so a low share is right where the label is mere hate.\n",
            *labelled,
        ]
    )
    (ROOT / "docs" / "figures" / "flags.md").write_text(text + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
