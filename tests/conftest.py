"""How hypothesis draws: the same examples in every run, unless asked for more.

`HYPOTHESIS_PROFILE=ci` tries the properties of the exchange on thousands of examples.
`HYPOTHESIS_PROFILE=thorough pytest -m ''` draws many more of all, different ones each time.
"""

import os

from hypothesis import HealthCheck, settings

# How long an example takes says more about the machine than about the code.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("steady", patient, derandomize=True)
settings.register_profile("ci", patient, derandomize=True)
settings.register_profile("thorough", patient, max_examples=2_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "steady")
