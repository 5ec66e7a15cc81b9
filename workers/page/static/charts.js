// The charts of a batch: its rate and its cost over time. The server sends all points each time that they change.
"use strict";

(() => {
  const HEIGHT = 200;
  const charts = [];

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function rates(course) {
    const rate = (i) => {
      const seconds = i ? course.seconds[i] - course.seconds[i - 1] : 0;
      return seconds > 0 ? Math.max(0, course.done[i] - course.done[i - 1]) / seconds : null;
    };
    // The first point has the rate of the time after it: else a batch of two points would have no line.
    return course.seconds.map((_, i) => rate(i || 1));
  }

  const duration = (s) => (s < 120 ? `${+s.toFixed(2)} s` : s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`);

  function columns(kind, course, budget) {
    if (kind === "rate") return [course.seconds, rates(course)];
    const own = [course.seconds, course.usd];
    return budget === null ? own : [...own, course.seconds.map(() => budget)];
  }

  function options(element, budget) {
    const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "12px system-ui" };
    const line = { stroke: colour("--accent"), width: 2, fill: colour("--accent-soft"), spanGaps: true, points: { show: false } };
    const series = [{}, line];
    if (element.dataset.chart === "cost" && budget !== null) series.push({ stroke: colour("--bad"), width: 1, dash: [6, 4], points: { show: false } });
    return {
      width: element.clientWidth, height: HEIGHT, series,
      legend: { show: false }, cursor: { show: false },
      scales: { x: { time: false }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      axes: [{ ...axis, values: (_, ticks) => ticks.map(duration) }, { ...axis, size: 64, values: (_, ticks) => ticks.map((v) => v.toLocaleString(undefined, { maximumSignificantDigits: 3 })) }],
    };
  }

  function draw(course) {
    for (const { chart } of charts.splice(0)) chart.destroy();
    for (const element of document.querySelectorAll("[data-chart]")) {
      const budget = element.dataset.budget ? Number(element.dataset.budget) : null;
      const chart = new uPlot(options(element, budget), columns(element.dataset.chart, course, budget), element);
      charts.push({ chart, element, budget });
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    const box = document.getElementById("charts");
    if (!box) return;
    let course = JSON.parse(box.dataset.course);
    draw(course);
    box.addEventListener("htmx:sseBeforeMessage", (event) => {
      if (event.detail.type !== "course") return;
      event.preventDefault();
      course = JSON.parse(event.detail.data);
      for (const { chart, element, budget } of charts) chart.setData(columns(element.dataset.chart, course, budget));
    });
    new ResizeObserver(() => {
      for (const { chart, element } of charts) chart.setSize({ width: element.clientWidth, height: HEIGHT });
    }).observe(box);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(course));
  });
})();
