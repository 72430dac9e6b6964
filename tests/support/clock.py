"""A time of day that a test moves forward, for a process of its own: clock_shift.c, preloaded."""

import os
import pathlib
import struct
import subprocess

SOURCE = pathlib.Path(__file__).with_name("clock_shift.c")


class Clock:
    """`settings` are for the process whose clock it is; its durations and timers go on as they would."""

    def __init__(self, folder):
        library = pathlib.Path(folder) / "clock_shift.so"
        self.path = pathlib.Path(folder) / "clock_shift"
        self.shift_s = 0
        self._write()
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-o", str(library),
                        str(SOURCE)], check=True, timeout=60)
        self.settings = {
            "LD_PRELOAD": str(library),
            "CLOCK_SHIFT_FILE": str(self.path),
            # The sanitizer insists on being first, which it need not be here.
            "ASAN_OPTIONS": "exitcode=99:detect_stack_use_after_return=1:verify_asan_link_order=0",
        }

    def _write(self):
        """Into the bytes that are mapped: the file is made once, and never cut short."""
        with open(self.path, "r+b" if self.path.exists() else "wb") as file:
            file.write(struct.pack("=q", self.shift_s))

    def advance(self, seconds):
        self.shift_s += seconds
        self._write()
