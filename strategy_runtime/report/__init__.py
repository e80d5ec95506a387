"""Results of a run for people and programs: files, a JSON document, a table.

* `results`: all of them, computed once; `files`: writes them to a folder;
* `equity`: the curve; `equity_path`: drawdowns, days and points of charts, from one pass over it;
  `trips`: closed positions; `performance`: the figures; `buy_and_hold`: the benchmark; `jumps`:
  suspected splits;
* `summary`: the JSON document; `table`: what is printed; `cells`: alignment on a terminal;
* `csv_tables`: the tables; `columns`: the same for data frames; `fill_hash`: by which runs are
  compared;
* `page`: the report as HTML; `charts`: its price charts, in the intervals of `grid`;
* `comparison`: the runs of a sweep; `figures`: those that it can rank them by;
* `explain`: the story of one order; `attribute_hints`: where to find what other engines have.
"""
