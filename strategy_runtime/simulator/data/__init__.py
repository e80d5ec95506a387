"""Reads market data files and reports faults in them.

* `load`: from paths to series; `files`: which files are read; `opening`: compressed ones; `tables`:
  data frames; `selection`: subscriptions that the data cannot meet;
* `csv_reader`, with `heading`, `chunks` and `plain_rows`; `parquet_reader`, with `parquet_columns`;
  `recording_reader`; `split_reader`;
* `columns`: what their names mean; `timestamps`, `written_times`: what times mean; `numbers`: what
  numbers mean;
* `rows`: collects them, for every reader; `steps`: their timeframe; `joining`: the rows of one
  symbol, in order; `digits`: compares many at once; `faults`: what is wrong with some;
* `series`: what comes out; `spool`: columns on disk, where they are large.
"""
