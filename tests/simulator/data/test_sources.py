"""Files of exchanges, brokers and vendors are read as docs/commands.md says.

Each sample has two rows of the same prices: a bar with open 10, high 12, low 9, close 11 and volume
100, a quote of 10 to 11, or a trade of 100 at 10.
"""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from strategy_runtime.clock import rfc3339
from strategy_runtime.simulator.data.series import BarSeries, Series, TickSeries
from tests.simulator.data.support import load

COMMANDS = Path(__file__).resolve().parents[3] / "docs/commands.md"
ROW = re.compile(r"^\| (.+?) \| (?:of ticks )?(`--.+) \|$", re.MULTILINE)

FIRST = "2024-02-03T00:00:00Z"
OPENING = "2024-02-03T14:30:00Z"

WITHOUT_OPTIONS: dict[str, tuple[str, str]] = {
    "Yahoo": (
        "Date,Open,High,Low,Close,Adj Close,Volume\n"
        "2024-02-03,10,12,9,11,5,100\n2024-02-04,10,12,9,11,5,100\n2024-02-05,null,null,null,null,null,null\n",
        FIRST,
    ),
    "yfinance": (
        "Price,Close,High,Low,Open,Volume\nTicker,X,X,X,X,X\nDate,,,,,\n"
        "2024-02-03,11,12,9,10,100\n2024-02-04,11,12,9,10,100\n",
        FIRST,
    ),
    "yfinance, one day": (
        "Datetime,Open,High,Low,Close,Volume,Dividends,Stock Splits\n"
        "2024-02-03 09:30:00-05:00,10,12,9,11,100,0.0,0.0\n"
        "2024-02-03 09:31:00-05:00,10,12,9,11,100,0.0,0.0\n",
        OPENING,
    ),
    "Stooq": (
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        "X,5,20240203,000000,10,12,9,11,100,0\nX,5,20240203,000500,10,12,9,11,100,0\n",
        FIRST,
    ),
    "Alpha Vantage": (
        "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient\n"
        "2024-02-04,10,12,9,11,5,100,0.0,1.0\n2024-02-03,10,12,9,11,5,100,0.0,1.0\n",
        FIRST,
    ),
    "Tiingo": (
        "date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,splitFactor\n"
        "2024-02-03T00:00:00.000Z,11,12,9,10,100,1,2,3,4,5,0.0,1.0\n"
        "2024-02-04T00:00:00.000Z,11,12,9,10,100,1,2,3,4,5,0.0,1.0\n",
        FIRST,
    ),
    "Polygon, bars": (
        "ticker,volume,open,close,high,low,window_start,transactions\n"
        "X,100,10,11,12,9,1706918400000000000,7\nX,100,10,11,12,9,1706918460000000000,7\n",
        FIRST,
    ),
    "Polygon, trades": (
        "ticker,conditions,correction,exchange,id,participant_timestamp,price,sequence_number,sip_timestamp,size\n"
        'X,"12,37",0,11,5,1706918300000000000,10,2205,1706918400000000000,100\n'
        "X,,0,11,6,1706918300000000000,10,2206,1706918460000000000,100\n",
        FIRST,
    ),
    "Polygon, quotes": (
        "ticker,ask_exchange,ask_price,ask_size,bid_exchange,bid_price,bid_size,participant_timestamp,sip_timestamp\n"
        "X,0,11,1,11,10,1,1706918300000000000,1706918400000000000\n"
        "X,0,11,1,11,10,1,1706918300000000000,1706918460000000000\n",
        FIRST,
    ),
    "Alpaca": (
        "symbol,timestamp,open,high,low,close,volume,trade_count,vwap\n"
        "X,2024-02-03 00:00:00+00:00,10,12,9,11,100,7,10.5\n"
        "X,2024-02-04 00:00:00+00:00,10,12,9,11,100,7,10.5\n",
        FIRST,
    ),
    "Interactive Brokers": (
        "date,open,high,low,close,volume,wap,count\n"
        "20240203 09:30:00 US/Eastern,10,12,9,11,100,10.5,7\n"
        "20240203 09:31:00 US/Eastern,10,12,9,11,100,10.5,7\n",
        OPENING,
    ),
    "Coinbase": (
        "start,low,high,open,close,volume\n1706918460,9,12,10,11,100\n1706918400,9,12,10,11,100\n",
        FIRST,
    ),
    "OKX": (
        "instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm\n"
        "X,10,12,9,11,100,5,6,1706918400000,1\nX,10,12,9,11,100,5,6,1706918460000,1\n",
        FIRST,
    ),
    "Bybit": (
        "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional\n"
        "1706918400.0000,X,Buy,100,10,ZeroMinusTick,ab-cd,4.65e+10,0.011,465.1\n"
        "1706918400.1234,X,Buy,100,10,ZeroMinusTick,ab-cd,4.65e+10,0.011,465.1\n",
        FIRST,
    ),
    "CryptoDataDownload": (
        "https://www.CryptoDataDownload.com\n"
        "unix,date,symbol,open,high,low,close,Volume BTC,Volume USD\n"
        "1706922000,2024-02-03 01:00:00,X,10,12,9,11,100,1000\n"
        "1706918400,2024-02-03 00:00:00,X,10,12,9,11,100,1000\n",
        FIRST,
    ),
    "MetaTrader 5": (
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2024.02.03\t00:00:00\t10\t12\t9\t11\t7\t100\t5\n2024.02.03\t00:01:00\t10\t12\t9\t11\t7\t100\t5\n",
        FIRST,
    ),
    "TradingView": (
        "time,open,high,low,close,Plot,Plot,Volume\n"
        "2024-02-02T19:00:00-05:00,10,12,9,11,1,2,100\n2024-02-02T19:01:00-05:00,10,12,9,11,1,2,100\n",
        FIRST,
    ),
    "Databento": (
        "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"
        "1706918400000000000,33,2,32,10000000000,12000000000,9000000000,11000000000,100,X\n"
        "1706918460000000000,33,2,32,10000000000,12000000000,9000000000,11000000000,100,X\n",
        FIRST,
    ),
    "EODData": (
        "Symbol,Date,Open,High,Low,Close,Volume\n"
        "X,03-Feb-2024,10,12,9,11,100\nX,04-Feb-2024,10,12,9,11,100\n",
        FIRST,
    ),
    "CoinMarketCap": (
        "timeOpen;timeClose;open;high;low;close;volume;marketCap;timestamp\n"
        '"2024-02-04T00:00:00.000Z";"2024-02-04T23:59:59.999Z";10;12;9;11;100;7;"2024-02-04T23:59:59.999Z"\n'
        '"2024-02-03T00:00:00.000Z";"2024-02-03T23:59:59.999Z";10;12;9;11;100;7;"2024-02-03T23:59:59.999Z"\n',
        FIRST,
    ),
}
WITH_OPTIONS: dict[str, tuple[str, str]] = {
    "Binance, klines": (
        "1706918400000,10,12,9,11,100,1706918459999,7,7,7,7,0\n"
        "1706918460000000,10,12,9,11,100,1706918519999999,7,7,7,7,0\n",
        FIRST,
    ),
    "Kraken, OHLCVT": ("1706918400,10,12,9,11,100,7\n1706918460,10,12,9,11,100,7\n", FIRST),
    "Binance, trades": (
        "1,10,100,7,1706918400000,True,True\n2,10,100,7,1706918460000,True,True\n",
        FIRST,
    ),
    "Binance, aggregate trades": (
        "1,10,100,5,6,1706918400000,True,True\n2,10,100,7,8,1706918460000,True,True\n",
        FIRST,
    ),
    "Kraken, trades": ("1706918400,10,100\n1706918460,10,100\n", FIRST),
    "MetaTrader 4": ("2024.02.03,00:00,10,12,9,11,100\n2024.02.03,00:01,10,12,9,11,100\n", FIRST),
    "HistData for MetaTrader": (
        "2024.02.03,00:00,10,12,9,11,100\n2024.02.03,00:01,10,12,9,11,100\n",
        FIRST,
    ),
    "HistData, its own form": (
        "20240202 190000;10;12;9;11;0\n20240202 190100;10;12;9;11;0\n",
        FIRST,
    ),
    "FirstRate Data": (
        "2024-02-03 09:30:00,10,12,9,11,100\n2024-02-03 09:31:00,10,12,9,11,100\n",
        OPENING,
    ),
    "Kibot": ("02/03/2024,09:30,10,12,9,11,100\n02/03/2024,09:31,10,12,9,11,100\n", OPENING),
    "NinjaTrader": ("20240203 000000;10;12;9;11;100\n20240203 000100;10;12;9;11;100\n", FIRST),
    "TradeStation": (
        '"Date","Time","Open","High","Low","Close","Up","Down"\n'
        "02/03/2024,09:30,10,12,9,11,7,7\n02/03/2024,09:31,10,12,9,11,7,7\n",
        OPENING,
    ),
    "TrueFX": ("X,20240203 00:00:00.000,10,11\nX,20240203 00:00:00.296,10,11\n", FIRST),
    "Dukascopy": (
        "Gmt time,Open,High,Low,Close,Volume\n"
        "03.02.2024 00:00:00.000,10,12,9,11,100\n03.02.2024 00:01:00.000,10,12,9,11,100\n",
        FIRST,
    ),
    "Barchart": (
        "Time,Open,High,Low,Last,Change,%Chg,Volume\n"
        "02/04/2024,10,12,9,11,-1,-3.5%,100\n02/03/2024,10,12,9,11,-1,-3.5%,100\n",
        FIRST,
    ),
    "Nasdaq": (
        "Date,Close/Last,Volume,Open,High,Low\n"
        '02/04/2024,"$1,011.00",100,"$1,010.00","$1,012.00","$1,009.00"\n'
        "02/03/2024,$11,100,$10,$12,$9\n",
        FIRST,
    ),
    "Investing.com": (
        '\ufeff"Date","Price","Open","High","Low","Vol.","Change %"\n'
        '"02/04/2024","11","10","12","9","58.41M","-0.75%"\n'
        '"02/03/2024","11","10","12","9","81.96M","-3.58%"\n',
        FIRST,
    ),
}


def rows_of_the_page() -> dict[str, str]:
    """Return the options that docs/commands.md has for each source."""
    page = COMMANDS.read_text(encoding="utf-8")
    table = page[page.index("### Sources") : page.index("## Exit codes")]
    return {
        source: options for sources, options in ROW.findall(table) for source in sources.split("; ")
    }


def options_of(text: str) -> dict[str, object]:
    words = shlex.split(text[1 : text.index("`", 1)])
    given: dict[str, object] = dict(
        zip((word[2:] for word in words[::2]), words[1::2], strict=True)
    )
    if "columns" in given:
        given["columns"] = str(given["columns"]).split(",")
    return given


def check(tmp_path: Path, sample: tuple[str, str], options: dict[str, object]) -> None:
    text, first = sample
    data = load(tmp_path, text, "X.csv", **options)
    every: list[Series] = [*data.series, *data.quotes, *data.ticks]
    (series,) = every
    found: Sequence[float] = [column[0] for column in series.columns]
    assert (rfc3339(int(found[0])), series.symbol) == (first, "X")
    if isinstance(series, BarSeries):
        assert list(found[1:5]) == [10, 12, 9, 11]
        assert found[5] in (0, 100)
    else:
        assert list(found[1:]) == [10, 100 if isinstance(series, TickSeries) else 11]
    assert len(series) == 2


@pytest.mark.parametrize("source", WITHOUT_OPTIONS)
def test_sources_that_need_no_option(tmp_path: Path, source: str) -> None:
    check(tmp_path, WITHOUT_OPTIONS[source], {})


@pytest.mark.parametrize("source", WITH_OPTIONS)
def test_sources_with_their_options(tmp_path: Path, source: str) -> None:
    check(tmp_path, WITH_OPTIONS[source], options_of(rows_of_the_page()[source]))


def test_every_source_of_the_page_has_a_sample() -> None:
    assert rows_of_the_page().keys() == WITH_OPTIONS.keys()
