"""The commands: `strategy-run`, `strategy-backtest`, `strategy-proxy`, `strategy-new`."""
