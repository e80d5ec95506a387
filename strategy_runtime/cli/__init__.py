"""The commands, and what they share.

* `backtest`, `sweep`, `proxy`, `run`, `new`: the commands; `check` and `probe`: what
  `strategy-run --check` and `--healthcheck` do;
* `options`, `settings`: options of several commands; `headings`: what is above them in the help;
  `arguments`: errors about unexpected ones;
* `loading`: what the arguments name, such as the strategy and its data; `mode`: backtest or live;
* `monitoring`, `storage`, `unmet_subscriptions`: what `strategy-run` does beside the run;
* `output`: the results at the end; `progress`: the line until then;
* `errors`: messages and exit codes; `logs`: the log; `redaction`: what neither may show;
* `signals`, `streams`: what may happen to a process from outside.
"""
