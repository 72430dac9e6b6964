"""What is left of a run: a table to read, JSON to compute with, a report to keep."""

import dataclasses
import json
import os
import platform
import statistics
import subprocess
import time

from harness.processes import ROOT


def number(value):
    """Three significant digits or all before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 10 else f"{value:.1f}"


def machine():
    """What the figures were taken on; nothing that names the machine."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    with open("/proc/meminfo", encoding="ascii") as file:
        memory_kib = int(file.readline().split()[1])
    return {"processor": models[0] if models else platform.machine(), "cores": os.cpu_count(),
            "memory_mib": memory_kib // 1024, "kernel": platform.release(), "load_average": os.getloadavg()[0]}


def commit():
    """The commit that was measured; `-dirty` if something but the results of an earlier run was changed since."""
    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=30,
                              check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench/results", ":!bench/charts")
        return git("rev-parse", "--short=12", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def row(figure):
    """The cells of a table row."""
    sign = "≤" if figure.at_most else "≥"
    target = f"{sign} {number(figure.target)}" + ("" if figure.other_is else f" {figure.unit}")
    if figure.fault:
        return [figure.name, "-", "-", "-", target, "does not count"]
    ours = f"{number(statistics.median(figure.ours))} {figure.unit}"
    spread = f" ({number(min(figure.values))} to {number(max(figure.values))})"
    reached = "reached" if figure.reached else "MISSED"
    if not figure.other:
        return [figure.name, ours + spread, "", "", target, reached]
    other = f"{number(statistics.median(figure.other))} {figure.unit}"
    return [figure.name, ours, f"{other}, {figure.other_is}", number(figure.value) + spread, target, reached]


HEADINGS = ["figure", "ours", "ceiling or peer", "ratio (least to most)", "target", ""]


def table(figures):
    """For a terminal."""
    rows = [HEADINGS] + [row(figure) for figure in figures]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip() for cells in rows]
    lines.insert(1, "-" * max(map(len, lines)))
    for figure in figures:
        if figure.fault:
            lines.append(f"{figure.name}: {figure.fault}")
        elif figure.note:
            lines.append(f"{figure.name}: {figure.note}")
        for name, values in ({} if figure.fault else figure.beside).items():
            lines.append(f"{figure.name}: beside it, {name}: {number(statistics.median(values))} {figure.unit}")
    return "\n".join(lines)


def as_json(figures, options, seconds):
    """Everything, as an object."""
    return {
        "commit": commit(), "taken_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "took_seconds": round(seconds), "machine": machine(), "settings": dataclasses.asdict(options),
        "figures": [{
            "name": figure.name, "what": figure.what, "unit": figure.unit, "value": figure.value,
            "target": figure.target, "at_most": figure.at_most, "reached": figure.reached, "fault": figure.fault,
            "ours_is": figure.ours_is, "ours": figure.ours, "other_is": figure.other_is, "other": figure.other,
            "ratios": figure.values if figure.other else [], "beside": figure.beside, "details": figure.details,
            "note": figure.note,
        } for figure in figures],
    }


def markdown(figures, result):
    """The report."""
    on = result["machine"]
    settings = result["settings"]
    lines = [
        "# Figures", "",
        f"Commit `{result['commit']}`, {result['taken_at']}, {on['cores']} cores ({on['processor']}), "
        f"{on['memory_mib']:,} MiB, Linux {on['kernel']}; took {result['took_seconds']} s; load average before it "
        f"{on['load_average']:.2f}.",
        f"{settings['pairs']} pairs of {settings['seconds']:g} s each, {settings['loops']} loop per service, worker of "
        f"nginx and ceiling, {settings['connections']} connections, {settings['users']:,} users with a token each.", "",
        "| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS),
    ]
    lines += ["| " + " | ".join(row(figure)) + " |" for figure in figures]
    lines.append("")
    for figure in figures:
        said = [figure.fault or figure.note]
        if not figure.fault:
            said += [f"beside it, {name}: {number(statistics.median(values))} {figure.unit}"
                     for name, values in figure.beside.items()]
        said = [text for text in said if text]
        lines.append(f"- **{figure.name}**: {figure.what}" + (f"; {'; '.join(said)}" if said else "") + ".")
    return "\n".join(lines) + "\n"


def write(folder, figures, result):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "latest.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "report.md").write_text(markdown(figures, result), encoding="utf-8")
