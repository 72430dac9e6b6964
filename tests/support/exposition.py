"""A small strict reader of Prometheus' text format (version 0.0.4)."""

import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
HELP = re.compile(rf"^# HELP ({NAME}) (\S.*)$")
TYPE = re.compile(rf"^# TYPE ({NAME}) (counter|gauge|histogram)$")
SAMPLE = re.compile(rf"^({NAME})(?:\{{(.*)\}})? (\+Inf|[0-9]+(?:\.[0-9]+)?)$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="([^"\\\n]*)"(?:,|$)')
SUFFIXES = ("_bucket", "_sum", "_count")


class Exposition:
    """What one /metrics said: `types` by family, `samples` as {(name, sorted labels): value}."""

    def __init__(self, text):
        self.types = {}
        self.helps = {}
        self.samples = {}
        family = None
        assert text.endswith("\n")
        for line in text.split("\n")[:-1]:
            if match := HELP.match(line):
                assert match[1] not in self.helps, f"{match[1]} comes twice"
                family = match[1]
                self.helps[family] = match[2]
            elif match := TYPE.match(line):
                assert match[1] == family and family not in self.types, line
                self.types[family] = match[2]
            else:
                self._take_sample(family, line)
        assert set(self.helps) == set(self.types)
        for name, kind in self.types.items():
            if kind == "histogram":
                self._check_histogram(name)

    def _take_sample(self, family, line):
        match = SAMPLE.match(line)
        assert match, f"not a sample: {line!r}"
        base = family
        if self.types[family] == "histogram":
            assert match[1] in [family + suffix for suffix in SUFFIXES], line
        else:
            assert match[1] == base, line
        labels = LABEL.findall(match[2] or "")
        assert "".join(f'{key}="{value}",' for key, value in labels).rstrip(",") == (match[2] or ""), line
        key = (match[1], tuple(sorted(labels)))
        assert len(dict(labels)) == len(labels) and key not in self.samples, f"twice: {line}"
        self.samples[key] = math.inf if match[3] == "+Inf" else float(match[3])

    def _check_histogram(self, name):
        series = {}
        for (sample, labels), value in self.samples.items():
            if sample == f"{name}_bucket":
                rest = tuple(pair for pair in labels if pair[0] != "le")
                series.setdefault(rest, []).append((float(dict(labels)["le"].replace("+Inf", "inf")), value))
        assert series, f"{name} has no series"
        for labels, buckets in series.items():
            bounds, counts = zip(*buckets)
            assert list(bounds) == sorted(set(bounds)) and bounds[-1] == math.inf, (name, bounds)
            assert list(counts) == sorted(counts), (name, counts)
            assert self.samples[(f"{name}_count", labels)] == counts[-1]
            assert (f"{name}_sum", labels) in self.samples

    def value(self, name, **labels):
        """The one sample with this name and (besides `service`) exactly these labels."""
        found = [value for (sample, pairs), value in self.samples.items() if sample == name
                 and {key: text for key, text in pairs if key != "service"} == labels]
        assert len(found) == 1, f"{len(found)} samples {name} {labels}"
        return found[0]

    def labels(self, name):
        """The sets of labels that a name has."""
        return [dict(pairs) for sample, pairs in self.samples if sample == name]
