#!/usr/bin/python3
"""Checks who may include whom, from the #include lines of the product's sources.

The tables are the rule. A pattern is matched as the shell matches file names; `*` does not stop at a slash.
"""
import fnmatch
import os
import re
import sys

# Folder: what of ours its files may include, besides the folder itself.
MAY_INCLUDE = {
    "core": [],
    "storage": [],
    "auth": ["core/*", "storage/user_store.h", "gateway/contract.h", "message/contract.h"],
    "gateway": ["core/*", "auth/contract.h", "message/contract.h"],
    "message": ["core/*", "auth/contract.h", "gateway/contract.h"],
    "cli": ["core/*", "storage/user_store.h", "auth/password.h", "auth/names.h", "auth/contract.h",
            "auth/auth.h", "auth/common_passwords.h", "gateway/gateway.h", "message/message.h"],
    "bench": ["storage/user_store.h", "auth/password.h"],
}

# Library header: the only files that may include it.
LIBRARY_ONLY_IN = {
    "cJSON.h": ["core/schema.c", "core/reply.c"],
    "cjson/*": ["core/schema.c", "core/reply.c"],
    "jwt.h": ["auth/token.c"],
    "crypt.h": ["auth/password.c", "bench/raw_crypt.c"],
    "curl/*": ["core/relay.c"],
    "lmdb.h": ["storage/lmdb_*.c"],
    "h2o.h": ["core/*", "auth/*", "gateway/*", "message/*", "bench/bare_handler.c"],
    "h2o/*": ["core/*", "auth/*", "gateway/*", "message/*"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def matches(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def fault_of_ours(path, header):
    """Why `path` may not include our `header`, or None."""
    folder = path.split("/")[0]
    if not os.path.exists(header):
        return f'includes "{header}", which is no path from the root of the repository'
    if header.startswith(folder + "/") or matches(header, MAY_INCLUDE[folder]):
        return None
    return f'{folder}/ may not include "{header}"'


def fault_of_library(path, header):
    """Why `path` may not include the library's `header`, or None."""
    for pattern, files in LIBRARY_ONLY_IN.items():
        if fnmatch.fnmatchcase(header, pattern) and not matches(path, files):
            return f"<{header}> is for {', '.join(files)} only"
    return None


def faults(path):
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            include = INCLUDE.match(line)
            if not include:
                continue
            ours, library = include.groups()
            # A library's header in quotes is still the library's.
            if ours and not os.path.exists(ours) and fault_of_library(path, ours):
                ours, library = None, ours
            fault = fault_of_ours(path, ours) if ours else fault_of_library(path, library)
            if fault:
                yield f"{path}:{number}: {fault}"


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    sources = sorted(
        os.path.join(folder, name)
        for top in MAY_INCLUDE if os.path.isdir(top)
        for folder, _, names in os.walk(top)
        for name in names if name.endswith((".c", ".h", ".def")))
    found = [fault for path in sources for fault in faults(path)]
    print("\n".join(found or [f"{len(sources)} files include only what they may"]))
    return 1 if found else 0


sys.exit(main())
