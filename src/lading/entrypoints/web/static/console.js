// What the pages do beyond plain HTML: theme, live refresh when the ledger grows, charts.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const theme = document.getElementById("theme");
  if (theme) {
    theme.addEventListener("click", () => {
      const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
      const next = (document.documentElement.dataset.theme || system) === "dark" ? "light" : "dark";
      document.documentElement.dataset.theme = next;
      try { localStorage.setItem("theme", next); } catch (e) { /* the choice lasts for this page */ }
      drawCharts();
    });
    listen();
  }
  drawCharts();
});

// Every part marked with data-live is fetched anew, at most once a second, when the ledger has a new entry.
let due = null;
function refresh() {
  due = null;
  for (const part of document.querySelectorAll("[data-live]")) {
    if (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) continue;
    htmx.ajax("GET", location.pathname + location.search, { target: "#" + part.id, select: "#" + part.id, swap: "outerHTML" });
  }
  drawCharts();
}

function listen() {
  const shown = document.getElementById("live");
  const say = (state, text) => { shown.dataset.state = state; shown.querySelector(".live-text").textContent = text; };
  const source = new EventSource("/console/events");
  source.onopen = () => say("on", "live");
  source.onerror = () => say("off", "reconnecting");
  source.addEventListener("ledger", () => { if (!due) due = setTimeout(refresh, 400); });
}

async function drawCharts() {
  const box = document.querySelector("[data-metrics]");
  if (!box || typeof uPlot === "undefined") return;
  const answer = await fetch(box.dataset.metrics, { credentials: "same-origin" });
  if (!answer.ok) return;
  const rows = await answer.json();
  const names = [...new Set(rows.map((row) => row.container))].slice(-4);
  const times = [...new Set(rows.map((row) => Date.parse(row.at) / 1000))].sort((a, b) => a - b);
  const style = getComputedStyle(document.documentElement);
  const colours = ["--accent", "--blue", "--good", "--warn"].map((name) => style.getPropertyValue(name).trim());
  const axis = { stroke: style.getPropertyValue("--quiet").trim(), grid: { stroke: style.getPropertyValue("--line").trim(), width: 1 }, ticks: { show: false } };
  for (const element of box.querySelectorAll(".chart")) {
    const key = element.dataset.key;
    const lines = names.map((name) => {
      const known = new Map(rows.filter((row) => row.container === name).map((row) => [Date.parse(row.at) / 1000, row[key]]));
      return times.map((time) => (known.has(time) ? known.get(time) : null));
    });
    element.textContent = "";
    if (!times.length) { element.textContent = "no samples yet"; continue; }
    new uPlot({
      width: element.clientWidth, height: 150, legend: { show: false }, cursor: { y: false }, axes: [axis, { ...axis, size: 46 }],
      scales: { y: { range: (self, low, high) => [0, Math.max(high * 1.15, 1)] } },
      series: [{}, ...names.map((name, number) => ({ label: name.slice(0, 12), stroke: colours[number], width: 2, spanGaps: false }))],
    }, [times, ...lines], element);
  }
}
