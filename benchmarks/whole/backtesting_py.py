"""The SMA strategy as a program around backtesting.py: read a CSV file, run, print the result.

`python -m benchmarks.whole.backtesting_py CSV`; with `--fills`, its last line has the digest of the
fills.
"""

import json
import sys
import warnings

import pandas as pd
from backtesting import Backtest

from benchmarks.engines import CASH, digest
from benchmarks.engines.backtesting_py import SmaCross, fills_of

warnings.simplefilter("ignore")
path = sys.argv[1]
bars = pd.read_csv(path, index_col="timestamp", parse_dates=True)
bars.columns = [name.capitalize() for name in bars.columns]
result = Backtest(bars, SmaCross, cash=CASH, finalize_trades=False).run()
print(result)
if "--fills" in sys.argv:
    fills = fills_of("AAPL", result)
    print(json.dumps({"digest": digest(fills), "fills": len(fills)}))
