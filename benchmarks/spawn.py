"""`-m benchmarks.spawn COMMAND …`: start a command from a small process, and print what it used.

Memory of the parent counts towards the peak of a process; this parent has next to none.
"""

import json
import os
import subprocess
import sys
import time

began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
if process.returncode:
    sys.exit(f"{' '.join(sys.argv[1:])} exited with {process.returncode}")
print(
    json.dumps(
        {
            "cpu_s": used.ru_utime + used.ru_stime,
            "wall_s": time.perf_counter() - began,
            "rss_mb": used.ru_maxrss / 1024,
        }
    )
)
