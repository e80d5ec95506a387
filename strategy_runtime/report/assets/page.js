"use strict";
(() => {
  const run = JSON.parse(document.getElementById("run").textContent);
  const { createChart, createSeriesMarkers, AreaSeries, BaselineSeries, CandlestickSeries, LineSeries } = LightweightCharts;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const faded = (name) => colour(name) + "33";

  const amounts = (digits) => ({
    type: "custom",
    minMove: 10 ** -digits,
    formatter: (amount) => amount.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits }),
  });

  const between = (bounds) => (original) => {
    const scale = original();
    return scale && { ...scale, priceRange: bounds(scale.priceRange) };
  };

  const chartIn = (id) => {
    const place = document.getElementById(id);
    place.replaceChildren();
    const chart = createChart(place, {
      autoSize: true,
      layout: { attributionLogo: false },
      // However many points there are, all of them fit into the narrowest window.
      timeScale: { timeVisible: run.intraday, secondsVisible: false, minBarSpacing: 0.001, lockVisibleTimeRangeOnResize: true },
      rightPriceScale: { minimumWidth: 90, entireTextOnly: true },
      handleScroll: { vertTouchDrag: false },
      localization: { locale: "en-GB", dateFormat: "yyyy-MM-dd" },
    });
    // Whoever turns the wheel to read on must not be held up by a chart: it zooms with Ctrl only.
    const isOurs = ({ ctrlKey, metaKey, deltaX, deltaY }) => ctrlKey || metaKey || Math.abs(deltaX) > Math.abs(deltaY);
    place.addEventListener("wheel", (turn) => isOurs(turn) || turn.stopPropagation(), { capture: true });
    return chart;
  };

  const equityChart = chartIn("equity");
  const equity = equityChart.addSeries(
    AreaSeries,
    {
      lineWidth: 2,
      priceLineVisible: false,
      priceFormat: amounts(run.decimals),
      autoscaleInfoProvider: between(({ minValue, maxValue }) => {
        const room = minValue === maxValue ? Math.abs(minValue) / 100 : 0; // else a cent fills the chart
        return { minValue: minValue - room, maxValue: maxValue + room };
      }),
    },
    0,
  );
  const held = equityChart.addSeries(LineSeries, { lineWidth: 1, priceLineVisible: false, priceFormat: amounts(run.decimals) }, 0);
  const drawdown = equityChart.addSeries(
    BaselineSeries,
    {
      lineWidth: 1,
      baseValue: { type: "price", price: 0 },
      priceLineVisible: false,
      // Adding 0 makes a 0 of a -0.
      priceFormat: { type: "custom", minMove: 0.01, formatter: (share) => (Math.round(100 * share) / 100 + 0).toFixed(2) + " %" },
      autoscaleInfoProvider: between(({ minValue }) => ({ minValue: Math.min(minValue, -0.1), maxValue: 0 })),
    },
    1,
  );
  equity.setData(run.equity.map(([time, value]) => ({ time, value })));
  held.setData(run.held.map((value, place) => ({ time: run.equity[place][0], value })));
  drawdown.setData(run.equity.map(([time, , depth]) => ({ time, value: -100 * depth })));
  drawdown.priceScale().applyOptions({ scaleMargins: { top: 0.15, bottom: 0.1 } }); // room for the label of 0 %
  equityChart.panes()[0].setStretchFactor(3);
  equityChart.panes()[1].setStretchFactor(1);

  const priceChart = chartIn("prices");
  const candles = priceChart.addSeries(CandlestickSeries, { priceLineVisible: false });
  const markers = createSeriesMarkers(candles, []);
  const select = document.getElementById("symbol");
  run.charts.forEach((each, index) => select.add(new Option(each.symbol, index)));

  let marks = [];
  let size = 1;

  const marksInSight = () => {
    const range = priceChart.timeScale().getVisibleLogicalRange();
    if (!range) return marks.length;
    const timeAt = (place) => run.equity[Math.min(Math.max(Math.round(place), 0), run.equity.length - 1)][0];
    const [first, last] = [timeAt(range.from), timeAt(range.to)];
    return marks.filter(([time]) => first <= time && time <= last).length;
  };

  // Many marks in sight are small ones, so that they do not hide the prices.
  const mark = (anew) => {
    const wanted = marksInSight() > 150 ? 0.3 : 1;
    if (wanted === size && !anew) return;
    size = wanted;
    const [buy, sell] = [colour("--up"), colour("--down")];
    markers.setMarkers(
      marks.map(([time, side, count]) => {
        const isBuy = side === "BUY";
        return {
          time,
          position: isBuy ? "belowBar" : "aboveBar",
          shape: isBuy ? "arrowUp" : "arrowDown",
          color: isBuy ? buy : sell,
          text: count > 1 && size === 1 ? String(count) : "",
          size,
        };
      }),
    );
  };

  const show = () => {
    const chosen = run.charts[Number(select.value)];
    if (!chosen) return;
    const smallest = chosen.candles.reduce((least, candle) => Math.min(least, Math.abs(candle[4]) || least), Infinity);
    const digits = smallest < 1 ? Math.min(5 - Math.floor(Math.log10(smallest)), 15) : smallest < 10 ? 4 : 2;
    candles.applyOptions({ priceFormat: amounts(digits) });
    const known = new Map(chosen.candles.map(([time, open, high, low, close]) => [time, { time, open, high, low, close }]));
    candles.setData(run.equity.map(([time]) => known.get(time) ?? { time }));
    marks = chosen.marks;
    mark(true);
    document.getElementById("grain").textContent = chosen.bars > 1 ? `${chosen.bars} bars a candle` : "";
  };

  const paint = () => {
    const options = {
      layout: { background: { color: colour("--paper") }, textColor: colour("--quiet"), panes: { separatorColor: colour("--line") } },
      grid: { vertLines: { color: colour("--line") }, horzLines: { color: colour("--line") } },
      rightPriceScale: { borderColor: colour("--line") },
      timeScale: { borderColor: colour("--line") },
    };
    equityChart.applyOptions(options);
    priceChart.applyOptions(options);
    equity.applyOptions({ lineColor: colour("--up"), topColor: faded("--up"), bottomColor: faded("--up") });
    held.applyOptions({ color: colour("--held") });
    const [fall, fallen] = [colour("--fall"), faded("--fall")];
    drawdown.applyOptions({ topLineColor: fall, bottomLineColor: fall, bottomFillColor1: fallen, bottomFillColor2: fallen });
    const [up, down] = [colour("--up"), colour("--down")];
    candles.applyOptions({ upColor: up, wickUpColor: up, borderUpColor: up, downColor: down, wickDownColor: down, borderDownColor: down });
    show();
  };

  select.addEventListener("change", show);
  const isHeldShown = document.getElementById("held");
  isHeldShown?.addEventListener("change", () => held.applyOptions({ visible: isHeldShown.checked }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  paint();

  // Paper is white, whatever the window is, and a canvas that changes its size is empty until the next frame.
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("paper");
    paint();
    for (const chart of [equityChart, priceChart]) {
      const picture = chart.takeScreenshot();
      picture.className = "picture";
      picture.removeAttribute("style");
      chart.chartElement().before(picture);
    }
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("paper");
    paint();
    document.querySelectorAll(".picture").forEach((picture) => picture.remove());
  });

  // What says something of charts that are drawn here alone.
  for (const each of document.querySelectorAll(".drawn")) each.hidden = false;

  const [above, below] = [equityChart.timeScale(), priceChart.timeScale()];
  const follow = (leader, follower) =>
    leader.subscribeVisibleLogicalRangeChange((range) => range && follower.setVisibleLogicalRange(range));
  follow(above, below);
  follow(below, above);
  below.subscribeVisibleLogicalRangeChange(() => mark(false));
  const count = Math.max(run.equity.length, 1);
  const room = (count * 20) / Math.max(above.width(), 200); // for the first label, which stands around its point
  above.setVisibleLogicalRange({ from: -room, to: count - 0.5 });
})();
