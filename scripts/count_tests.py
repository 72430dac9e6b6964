#!/usr/bin/python3
"""Counts the tests in the JUnit files of ctest and pytest.

Prints `PASSED FAILED SKIPPED`. For ctest each cmocka function counts, read from the program's output; a program
that breaks off, does not start or runs no test at all counts as one that failed. Standard error names what failed,
a line each.

Usage: count_tests.py ctest|pytest FILE
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

PASSED = re.compile(r"^\[ +OK \] ", re.MULTILINE)
SKIPPED = re.compile(r"^\[  SKIPPED \] (?!\d+ test)", re.MULTILINE)
FAILED = re.compile(r"^\[  (?:FAILED  |ERROR   )\] (?!---)(?!.*\d+ test\(s\), listed)(.+)$", re.MULTILINE)


def say(sentence):
    print(sentence, file=sys.stderr)


def count_program(case):
    """Outcome of one cmocka program as ctest saw it."""
    name = case.get("name")
    output = case.findtext("system-out") or ""
    passed = len(PASSED.findall(output))
    skipped = len(SKIPPED.findall(output)) // 2  # each is named once more in the summary
    claims = sorted({claim.strip() for claim in FAILED.findall(output)})
    failed = len(claims)
    if case.get("status") == "run":
        if passed + skipped == 0:
            say(f"{name}: ran no test")
            return 0, 1, 0
        return passed, failed, skipped
    for claim in claims:
        say(f"{name}: {claim}")
    if not claims:
        say(f"{name}: did not run to a good end")
    return passed, max(failed, 1), skipped


def count_case(case):
    """Outcome of one pytest case."""
    tags = {child.tag: child for child in case}
    if tags.keys() & {"failure", "error"}:
        broken = tags.get("failure", tags.get("error"))
        why = (broken.get("message") or "").splitlines()
        say(f"{case.get('classname')}::{case.get('name')}: {why[0] if why else 'no message'}")
        return 0, 1, 0
    return (0, 0, 1) if "skipped" in tags else (1, 0, 0)


def main():
    kind, path = sys.argv[1:]
    count = {"ctest": count_program, "pytest": count_case}[kind]
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        say(f"{path}: no results to read: {error}")
        print(0, 1, 0)
        return
    counts = [count(case) for case in root.iter("testcase")]
    if not counts:
        say(f"{path}: holds no test")
        counts = [(0, 1, 0)]
    print(*(sum(column) for column in zip(*counts)))


main()
