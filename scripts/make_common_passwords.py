#!/usr/bin/python3
"""Makes auth/common_passwords.inc from the list of common passwords of zxcvbn-ts.

Usage: make_common_passwords.py PASSWORDS_JSON >auth/common_passwords.inc

PASSWORDS_JSON is src/passwords.json of the npm package @zxcvbn-ts/language-common (auth/common_passwords.LICENSE names
the version). Passwords shorter than a signup allows are left out, as no one can have them. What is left is in lower
case, one block for each length, sorted, so that a block is searched by halving and no index is needed.
"""
import json
import sys

SHORTEST = 8  # bytes, as PASSWORD_MIN_BYTES
LINE = 100


def blocks(words):
    """Sorted words of each length, shortest first."""
    for length in sorted({len(word) for word in words}):
        yield length, sorted(word for word in words if len(word) == length)


def quoted(words):
    """Words as lines of C string literals."""
    text = ""
    for word in words:
        escaped = word.decode("ascii").replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?")
        if len(text) + len(escaped) > LINE:
            yield text
            text = ""
        text += escaped
    yield text


def main():
    with open(sys.argv[1], encoding="utf-8") as source:
        given = json.load(source)
    words = {word.lower().encode() for word in given}
    words = {word for word in words if len(word) >= SHORTEST and word.isascii() and b"\0" not in word}
    print(f"/* Made by scripts/make_common_passwords.py: {len(words)} passwords; auth/common_passwords.LICENSE. */")
    for length, block in blocks(words):
        print(f"BLOCK({length}, {len(block)},")
        for line in quoted(block):
            print(f'      "{line}"')
        print(")")


main()
