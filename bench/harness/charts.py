"""Charts as SVG: plain text, readable on light and on dark pages."""

import math
import statistics
from xml.sax.saxutils import escape

WIDTH = 760
STYLE = """
  .card { fill: #ffffff; stroke: #d0d7de; } text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; } .faint { fill: #59636e; font-size: 12px; }
  .value { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }
  .grid { stroke: #d0d7de; } .ours { fill: #0969da; } .other { fill: #8c959f; }
  .ours-line { fill: none; stroke: #0969da; stroke-width: 2; }
  .storm { fill: #bc4c00; } .storm-line { fill: none; stroke: #bc4c00; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d; } text { fill: #f0f6fc; } .value { stroke: #0d1117; }
    .faint { fill: #9198a1; }
    .grid { stroke: #3d444d; } .ours { fill: #4493f8; } .other { fill: #7d8590; }
    .ours-line { stroke: #4493f8; } .storm { fill: #f0883e; } .storm-line { stroke: #f0883e; }
  }
"""


def text(x, y, words, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def line(x1, y1, x2, y2, kind="grid"):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def document(height, title, parts):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'role="img" aria-label="{escape(title)}">', f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>",
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6" class="card"/>', *parts, "</svg>", ""])


def nice_step(most, ticks=4):
    """1, 2 or 5 times a power of ten, so that about `ticks` of them reach `most`."""
    rough = most / ticks
    power = 10 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)


def short(value):
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


BAR_LEFT, BAR_RIGHT, BAR_HEIGHT, BAR_STEP = 240, 650, 20, 28


def panel(top, title, unit, bars):
    """Horizontal bars (name, value, kind) under a title, on an axis of their own; and where it ends."""
    step = nice_step(max(value for _, value, _ in bars))
    most = step * math.ceil(max(value for _, value, _ in bars) / step)
    bottom = top + 14 + BAR_STEP * len(bars)

    def at(value):
        return BAR_LEFT + (BAR_RIGHT - BAR_LEFT) * value / most

    parts = [text(20, top, title, "title")]
    for tick in range(round(most / step) + 1):
        x = at(tick * step)
        parts += [line(x, top + 10, x, bottom), text(x, bottom + 16, short(tick * step), "faint", "middle")]
    parts.append(text((BAR_LEFT + BAR_RIGHT) / 2, bottom + 34, unit, "faint", "middle"))
    for index, (name, value, kind) in enumerate(bars):
        y = top + 16 + BAR_STEP * index
        parts += [
            text(BAR_LEFT - 10, y + 15, name, "", "end"),
            f'<rect x="{BAR_LEFT}" y="{y}" width="{at(value) - BAR_LEFT:.1f}" height="{BAR_HEIGHT}" class="{kind}"/>',
            text(at(value) + 8, y + 15, f"{value:,.0f}", "value")]
    return parts, bottom + 68


def throughput(figures, loops):
    """Throughput beside ceilings and peers: a panel for each that counts."""
    by_name = {figure.name: figure for figure in figures if figure.ours and not figure.fault}
    median = statistics.median
    rate = f"requests per second, {loops} loop{'s' if loops > 1 else ''} each"
    panels = []
    message, nginx, http2 = (by_name.get(name) for name in ("message", "message vs nginx", "message, HTTP/2"))
    bars = []
    if message:
        bars += [("bare libh2o handler", median(message.other), "other"), ("token-relay", median(message.ours), "ours")]
    if nginx:
        bars += [("nginx, same services", median(nginx.other), "other")]
    if bars:
        panels.append(("GET /user/message, HTTP/1.1", rate, bars))
    if http2:
        bars = [(name.split(",")[0], median(values), "other")
                for name, values in http2.beside.items() if "bare" in name]
        panels.append(("GET /user/message, HTTP/2, 16 connections × 32 streams", rate,
                       bars + [("token-relay", median(http2.ours), "ours")]))
    if "login" in by_name:
        login = by_name["login"]
        panels.append(("POST /user/login", "logins per second, all cores", [
            ("crypt(3) alone", median(login.other), "other"), ("token-relay", median(login.ours), "ours")]))
    if "validate" in by_name:
        validate = by_name["validate"]
        panels.append(("POST /validate-token, by number of users", rate, [
            (validate.other_is, median(validate.other), "other"), (validate.ours_is, median(validate.ours), "ours")]))
    parts, top = [], 34
    for title, unit, bars in panels:
        made, top = panel(top, title, unit, bars)
        parts += made
    return document(top - 14, "Throughput beside ceilings and peers", parts)


LEFT, RIGHT, TOP, BOTTOM = 80, 720, 70, 330
SHOWN = [50, 75, 90, 95, 99, 99.5, 99.9, 99.99]


def latency(figure):
    """Latency percentiles of messages, quiet and in a storm; percentiles by their nines, time as a logarithm."""
    series = [("in quiet", figure.details["quiet"], "ours"), ("in a storm of logins", figure.details["storm"], "storm")]
    points = [(name, [(at, ms) for at, ms in values if at in SHOWN], kind) for name, values, kind in series]
    every = [ms for _, values, _ in points for _, ms in values]
    low = math.floor(math.log10(min(every)))
    high = max(low + 1, math.ceil(math.log10(max(every))))

    def x(percent):
        first, last = -math.log10(0.5), -math.log10(1 - SHOWN[-1] / 100)
        return LEFT + (RIGHT - LEFT) * (-math.log10(1 - percent / 100) - first) / (last - first)

    def y(ms):
        return BOTTOM - (BOTTOM - TOP) * (math.log10(ms) - low) / (high - low)

    parts = [text(20, 32, "Latency of GET /user/message, from the scheduled time", "title")]
    for power in range(low, high + 1):
        parts += [line(LEFT, y(10 ** power), RIGHT, y(10 ** power)),
                  text(LEFT - 8, y(10 ** power) + 4, f"{10.0 ** power:g}", "faint", "end")]
    for percent in (50, 90, 99, 99.9, 99.99):
        parts += [line(x(percent), TOP, x(percent), BOTTOM),
                  text(x(percent), BOTTOM + 18, f"{percent:g} %", "faint", "middle")]
    parts += [text((LEFT + RIGHT) / 2, BOTTOM + 40, "percentile of requests", "faint", "middle"),
              f'<text x="26" y="{(TOP + BOTTOM) / 2}" class="faint" text-anchor="middle" '
              f'transform="rotate(-90 26 {(TOP + BOTTOM) / 2})">milliseconds</text>']
    for index, (name, values, kind) in enumerate(points):
        path = " ".join(f"{x(at):.1f},{y(ms):.1f}" for at, ms in values)
        parts.append(f'<polyline points="{path}" class="{kind}-line"/>')
        parts += [f'<circle cx="{x(at):.1f}" cy="{y(ms):.1f}" r="3.5" class="{kind}"/>' for at, ms in values]
        parts += [f'<rect x="{LEFT + 200 * index}" y="45" width="12" height="12" class="{kind}"/>',
                  text(LEFT + 18 + 200 * index, 56, name)]
    return document(BOTTOM + 60, "Latency percentiles of messages, in quiet and in a storm of logins", parts)


def write(folder, figures, loops):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "throughput.svg").write_text(throughput(figures, loops), encoding="utf-8")
    storm = next((figure for figure in figures if figure.name == "storm" and not figure.fault), None)
    if storm:
        (folder / "latency.svg").write_text(latency(storm), encoding="utf-8")
