// The page at work: filters, kept in the fragment of the address, and charts of what they leave.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const { palette } = data;
const ALL = "all";
const STEADY = "highest steady";
const element = (id) => document.getElementById(id);

// What goes wrong is told on the page: nobody looks into the console of a report.
function tell(message) {
  element("failure").hidden = false;
  element("failure").textContent = `This page is not complete: ${message}`;
}
window.addEventListener("error", (event) => tell(event.message));

// Lines

const colour = (line) =>
  palette.lines[(data.switches > 1 ? line.switch : line.traffic) % palette.lines.length];

function mark(line, shown) {
  const several = new Set(shown.map((other) => other.traffic)).size > 1;
  return palette.marks[(several ? line.traffic : line.switch) % palette.marks.length];
}

function label(line, shown) {
  const differ = data.axes.filter(
    (axis) => new Set(shown.map((other) => other.settings[axis.name])).size > 1,
  );
  const axes = differ.length ? differ : data.axes.filter((axis) => !axis.traffic);
  const words = axes.map((axis) => axis.called[axis.values.indexOf(line.settings[axis.name])]);
  return words.join(", ") || data.title;
}

const pointAt = (line, load) => line.points.find((point) => point.load === load);
const text = (value, digits = 3) => (value === null ? "–" : value.toFixed(digits));

// Filters

// Of the switch all lines are shown together, of the traffic one at a time.
function filters() {
  const found = data.axes.map((axis) => ({
    name: axis.name,
    options: [ALL, ...axis.values],
    first: axis.traffic ? axis.values[0] : ALL,
  }));
  if (data.lines.length) {
    const loads = [STEADY, ...data.loads.map(String)];
    found.push({ name: "load", title: "at load", options: loads, first: STEADY });
    const places = data.lines.map((_, n) => String(n));
    found.push({ name: "matrix", title: "matrix", options: places, first: places[0] });
    found.push({ name: "delay", title: "delay axis", options: ["log", "linear"], first: "log" });
  }
  const workloads = [...new Set(data.collectives.map((group) => group.workload))];
  if (workloads.length > 1)
    found.push({ name: "workload", options: [ALL, ...workloads], first: ALL });
  return found;
}

// The highest load at which all lines have a steady state, or the lowest of all.
function steadyLoad(lines) {
  const good = data.loads.filter((load) => lines.every((line) => pointAt(line, load)?.delay));
  return good.length ? good[good.length - 1] : data.loads[0];
}

const FILTERS = filters();

function buildFilters() {
  for (const filter of FILTERS) {
    const select = document.createElement("select");
    select.id = `filter-${filter.name}`;
    for (const option of filter.options) select.add(new Option(option, option));
    select.value = filter.first;
    select.addEventListener("change", () => {
      keepInAddress();
      draw();
    });
    const title = document.createElement("label");
    title.append(filter.title ?? filter.name, select);
    element("filters").append(title);
  }
}

const chosen = (name) => element(`filter-${name}`)?.value;

function keepInAddress() {
  const changed = FILTERS.filter((filter) => chosen(filter.name) !== filter.first);
  const words = new URLSearchParams(changed.map((filter) => [filter.name, chosen(filter.name)]));
  history.replaceState(null, "", `#${words}`);
}

function takeFromAddress() {
  const words = new URLSearchParams(location.hash.slice(1));
  for (const filter of FILTERS) {
    const value = words.get(filter.name) ?? filter.first;
    element(`filter-${filter.name}`).value = filter.options.includes(value) ? value : filter.first;
  }
}

// Charts

const FONT = { family: getComputedStyle(document.body).fontFamily, size: 14, color: palette.ink };
const OPTIONS = {
  responsive: true,
  displaylogo: false,
  modeBarButtons: [["toImage"]], // dragging zooms, a double click returns
  toImageButtonOptions: { format: "svg" },
};

function axisOf(title, more = {}) {
  return {
    title: { text: title, standoff: 10 },
    gridcolor: palette.grid,
    zeroline: false,
    linecolor: palette.grey,
    ticks: "outside",
    tickcolor: palette.grid,
    automargin: true,
    ...more,
  };
}

function plot(id, traces, layout) {
  if (!traces.length) {
    const { annotations } = layout;
    layout = { annotations, xaxis: { visible: false }, yaxis: { visible: false } };
  }
  const rows = legendRows(id, traces);
  const common = {
    font: FONT,
    margin: { l: 64, r: 16, t: 26, b: 62 + ROW * rows },
    modebar: { color: "#bbb", activecolor: palette.ink, bgcolor: "rgba(0,0,0,0)" },
    paper_bgcolor: "#fff",
    plot_bgcolor: "#fff",
    hoverlabel: { font: FONT },
    legend: {
      orientation: "h", x: 0, yref: "container", y: 0, yanchor: "bottom",
      font: { ...FONT, size: 12 }, maxheight: ROW * 2 * (rows + 1),
    },
    showlegend: true,
  };
  Plotly.react(element(id), traces, { ...common, ...layout }, OPTIONS);
}

// Rows that the legend will take. The chart grows with them: many lines leave it its height.
const ROW = 22;
function legendRows(id, traces) {
  const chart = element(id);
  chart.dataset.height ??= chart.clientHeight;
  const names = traces.filter((trace) => trace.name && trace.showlegend !== false);
  const widest = Math.max(0, ...names.map((trace) => trace.name.length)) * 7.2 + 52;
  const rows = Math.ceil(names.length / Math.max(1, Math.floor((chart.clientWidth - 80) / widest)));
  chart.style.height = `${Number(chart.dataset.height) + ROW * Math.max(0, rows - 1)}px`;
  return rows;
}

function show(id, visible) {
  element(`section-${id}`).hidden = !visible;
  return visible;
}

function drawDelay(lines) {
  const traces = [];
  lines.forEach((line, n) => {
    const known = line.points.filter((point) => point.delay);
    const name = label(line, lines);
    const look = { color: colour(line), symbol: mark(line, lines), size: 8 };
    const width = known.map((point) => point.delay.half_width ?? 0);
    traces.push({
      name,
      legendgroup: name,
      x: known.map((point) => point.load),
      y: known.map((point) => point.delay.mean),
      error_y: { type: "data", array: width, thickness: 1.3, width: 4, color: colour(line) },
      customdata: known.map((point) => [
        `± ${text(point.delay.half_width)}`,
        text(point.ideal),
        `${point.runs} runs` + (point.unsettled ? `, ${point.unsettled} unsettled` : ""),
      ]),
      hovertemplate:
        "load %{x}<br>delay %{y:.3f} %{customdata[0]}<br>ideal %{customdata[1]}<br>%{customdata[2]}",
      mode: "lines+markers",
      line: { color: colour(line), width: 2 },
      marker: look,
    });
    const full = line.points.filter((point) => point.saturated);
    traces.push({
      name: `${name}, saturated`,
      legendgroup: name,
      showlegend: false,
      x: full.map((point) => point.load),
      y: full.map(() => 0.975 - (0.045 * n) % 0.9),
      yaxis: "y2",
      customdata: full.map((point) => `${point.saturated} of ${point.runs} runs: ${point.why}`),
      hovertemplate: "load %{x}<br>saturated, %{customdata}",
      mode: "markers",
      marker: { ...look, symbol: "triangle-up-open", size: 11, line: { width: 2 } },
      cliponaxis: false,
    });
  });
  [...new Set(lines.map((line) => line.ideal))].forEach((ideal, n) =>
    traces.push({
      name: "ideal switch",
      legendgroup: "ideal",
      showlegend: n === 0,
      x: data.ideals[ideal].map((point) => point.load),
      y: data.ideals[ideal].map((point) => point.delay),
      hovertemplate: "load %{x}<br>ideal %{y:.3f}",
      mode: "lines",
      line: { color: palette.grey, width: 1.8, dash: "dash" },
    }),
  );
  const [low, high] = [data.loads[0], data.loads[data.loads.length - 1]];
  const margin = (high - low) * 0.05 || 0.05;
  plot("delay", traces, {
    xaxis: axisOf("offered load, part of the line rate", { range: [low - margin, high + margin] }),
    yaxis: axisOf("delay, flit times", delayAxis(lines)),
    yaxis2: { overlaying: "y", range: [0, 1], visible: false, fixedrange: true },
  });
}

// From what is drawn, not from the ends of bars, which a logarithm may not reach.
function delayAxis(lines) {
  const log = chosen("delay") === "log";
  const points = lines.flatMap((line) => line.points).filter((point) => point.delay);
  const values = points.flatMap((point) => [point.delay.mean, point.ideal]).filter((v) => v > 0);
  if (!values.length) return { range: log ? [-1, 1] : [0, 1], type: log ? "log" : "linear" };
  const tops = points.map((point) => point.delay.mean + (point.delay.half_width ?? 0));
  const top = Math.min(Math.max(...tops), 3 * Math.max(...values));
  if (!log) return { range: [0, top * 1.12], type: "linear" };
  const [from, to] = [Math.log10(Math.min(...values)), Math.log10(top)];
  const room = Math.max(to - from, 0.3);
  return { range: [from - 0.08 * room, to + 0.14 * room], type: "log", ...ticks(from, to) };
}

// Of a logarithmic axis over these powers of ten: 1, 2, 5, 10, ... or of a long one its decades.
function ticks(from, to) {
  const steps = to - from > 2.2 ? [1] : [1, 2, 5];
  const decades = Array.from({ length: 14 }, (_, n) => n - 6);
  const values = decades.flatMap((power) => steps.map((step) => Number(`${step}e${power}`)));
  return { tickvals: values, ticktext: values.map(String) };
}

function cell(row, content, tag = "td") {
  const made = document.createElement(tag);
  made.append(content);
  row.append(made);
  return made;
}

const estimate = ({ mean, half_width: width }) =>
  text(mean) + (width === null ? "" : ` ± ${text(width)}`);

// A row per line: what it is, and the cells that `contents` gives.
function fill(id, titles, lines, contents) {
  const table = element(id);
  table.replaceChildren();
  const head = table.createTHead().insertRow();
  for (const title of ["", ...titles]) cell(head, title, "th");
  const body = table.createTBody();
  for (const line of lines) {
    const row = body.insertRow();
    const patch = document.createElement("span");
    patch.className = "mark";
    patch.style.background = colour(line);
    cell(row, label(line, lines)).prepend(patch);
    for (const content of contents(line)) cell(row, content);
  }
}

// Of a point at which some runs only are saturated, how many.
const part = ({ saturated, runs }) => (saturated < runs ? ` (${saturated} of ${runs})` : "");

function drawTables(lines, load) {
  fill("saturation", ["load", "carried", "ideal", "saturates at"], lines, (line) => {
    const last = line.points[line.points.length - 1];
    const first = line.points.find((point) => point.saturated);
    return [
      String(last.load),
      estimate(last.carried),
      text(last.ideal_carried),
      first ? first.load + part(first) : "not seen",
    ];
  });
  fill("steady", ["delay", "x ideal", "p99"], lines, (line) => {
    const point = pointAt(line, load);
    if (!point?.delay) return [point?.saturated ? "saturated" : "not known", "–", "–"];
    const ratio = point.ideal > 0 ? point.delay.mean / point.ideal : null;
    return [estimate(point.delay), text(ratio, 2), text(point.p99, 0)];
  });
}

function drawTail(lines, load) {
  const traces = [];
  const ideals = new Map();
  for (const line of lines) {
    const point = pointAt(line, load);
    if (!point?.tail) continue;
    traces.push({
      name: label(line, lines),
      ...point.tail,
      mode: "lines",
      line: { color: colour(line), width: 2, shape: "hv" },
      hovertemplate: "%{y:.3g} take longer than %{x} cycles",
    });
    ideals.set(`${line.ideal}, ${point.ideal_tail.x[0]}`, point.ideal_tail);
  }
  [...ideals.values()].forEach((tail, n) =>
    traces.push({
      name: "ideal switch",
      legendgroup: "ideal",
      showlegend: n === 0,
      ...tail,
      mode: "lines",
      line: { color: palette.grey, width: 1.6, dash: "dash", shape: "hv" },
      hovertemplate: "%{y:.3g} take longer than %{x} cycles",
    }),
  );
  const guides = [["p50", 0.5], ["p99", 0.01], ["p99.9", 0.001]];
  plot("tail", traces, {
    xaxis: axisOf(`latency, cycles${data.cycle}`, { type: "log", ...ticks(1, 3) }),
    yaxis: axisOf("part that takes longer", {
      type: "log", range: [Math.log10(smallest(traces)) - 0.2, 0.1], exponentformat: "power", dtick: 1,
    }),
    shapes: guides.map(([, y]) => ({
      type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y,
      line: { color: palette.grey, width: 1, dash: "dot" },
    })),
    annotations: traces.length ? guides.map(([name, y]) => ({
        text: name, xref: "paper", x: 1, xanchor: "right", y: Math.log10(y), yanchor: "bottom",
        showarrow: false, font: { ...FONT, size: 12, color: palette.grey },
      })) : nothing(traces),
  });
}

const smallest = (traces) => Math.min(1e-3, ...traces.map((trace) => trace.y[trace.y.length - 1]));

// A chart that has nothing to draw says why.
function nothing(traces, why = "saturated: no steady state, so no latency") {
  if (traces.length) return [];
  return [{ text: why, xref: "paper", yref: "paper", x: 0.5, y: 0.5, showarrow: false, font: FONT }];
}

function drawWaiting(lines, load) {
  const traces = [];
  const ideals = new Map();
  const times = (waiting) =>
    waiting.switch.map((_, n) => (n * waiting.cycles) / (waiting.switch.length - 1));
  for (const line of lines) {
    const waiting = pointAt(line, load)?.waiting;
    if (!waiting) continue;
    const name = label(line, lines);
    const common = { x: times(waiting), mode: "lines", legendgroup: name };
    traces.push({
      ...common,
      name,
      y: waiting.switch,
      line: { color: colour(line), width: 1.6 },
      hovertemplate: "cycle %{x}: %{y} flits in the switch",
    });
    if (Math.max(...waiting.sender) > 0)
      traces.push({
        ...common,
        name: `${name}, senders`,
        showlegend: false,
        y: waiting.sender,
        line: { color: colour(line), width: 1.6, dash: "dot" },
        hovertemplate: "cycle %{x}: %{y} flits in the senders",
      });
    ideals.set(line.ideal, { x: times(waiting), y: waiting.ideal });
  }
  [...ideals.values()].forEach((ideal, n) =>
    traces.push({
      name: "ideal switch",
      legendgroup: "ideal",
      showlegend: n === 0,
      ...ideal,
      mode: "lines",
      line: { color: palette.grey, width: 1.4, dash: "dash" },
      hovertemplate: "cycle %{x}: %{y} flits in the ideal switch",
    }),
  );
  plot("waiting", traces, {
    xaxis: axisOf(`cycle${data.cycle}`),
    yaxis: axisOf("flits that wait", { rangemode: "tozero" }),
    annotations: nothing(traces, "not run at this load"),
  });
}

function drawMatrices(line, load) {
  const pairs = line && pointAt(line, load)?.pairs;
  const units = { latency: "mean latency, cycles", carried: "part of the line rate" };
  for (const [id, unit] of Object.entries(units)) {
    const values = pairs?.[id];
    const ports = (values ?? []).map((_, n) => n * pairs.joined);
    const traces = values
      ? [{
          type: "heatmap",
          x: ports,
          y: ports,
          z: values,
          // From what no packet beats: small differences must not look large.
          zmin: id === "carried" ? 0 : pointAt(line, load).tail.x[0],
          zmax: Math.max(...values.flat()),
          colorscale: palette.matrix.map((c, n) => [n / (palette.matrix.length - 1), c]),
          colorbar: { title: { text: unit, side: "right" }, thickness: 14, outlinewidth: 0 },
          xgap: ports.length > 32 ? 0 : 1,
          ygap: ports.length > 32 ? 0 : 1,
          hovertemplate: `from %{y} to %{x}: %{z} ${id === "latency" ? "cycles" : "of a line"}<extra></extra>`,
        }]
      : [];
    const joined = pairs?.joined > 1 ? `, the first of each ${pairs.joined}` : "";
    const few = ports.length && ports.length <= 16 ? { dtick: pairs.joined } : {};
    plot(id, traces, {
      showlegend: false,
      xaxis: axisOf(`to output${joined}`, { showgrid: false, constrain: "domain", ...few }),
      yaxis: axisOf(`from input${joined}`, {
        showgrid: false, autorange: "reversed", scaleanchor: "x", constrain: "domain", ...few,
      }),
      annotations: nothing(traces, pairs ? undefined : "not run at this load"),
    });
  }
}

function drawCollectives() {
  const workload = chosen("workload") ?? ALL;
  const groups = data.collectives.filter((g) => workload === ALL || g.workload === workload);
  const runs = [...new Set(data.collectives.map((group) => group.run))];
  const clocked = groups.every((group) => group.clocked);
  const charts = { time: clocked ? "time, µs" : "time, cycles",
    bus: clocked ? "bus bandwidth, Gbit/s" : "bus bandwidth, bytes per cycle" };
  for (const [id, title] of Object.entries(charts)) {
    const traces = runs.map((run, n) => {
      const own = groups.filter((group) => group.run === run);
      return {
        type: "bar",
        name: run,
        // Two rows of labels: which collective, and of which workload.
        y: [own.flatMap((g) => g.names.map(() => g.workload)), own.flatMap((g) => g.names)],
        x: own.flatMap((group) => group[id]),
        orientation: "h",
        customdata: own.flatMap((group) => group.bytes),
        hovertemplate: "%{y}<br>%{x:.4g}, of %{customdata:,} bytes",
        marker: { color: palette.lines[n % palette.lines.length] },
      };
    });
    const rates = [...new Set(groups.map((group) => group.line).filter((rate) => rate))];
    const shapes = id === "bus" && clocked ? rates : [];
    plot(id, traces, {
      barmode: "group",
      bargap: 0.3,
      yaxis: { automargin: true, autorange: "reversed", tickfont: { ...FONT, size: 13 } },
      xaxis: axisOf(title, { rangemode: "tozero" }),
      shapes: shapes.map((rate) => ({
        type: "line", yref: "paper", y0: 0, y1: 1, x0: rate, x1: rate,
        line: { color: palette.grey, width: 1.5, dash: "dash" },
      })),
    });
  }
}

function draw() {
  if (show("delay", data.lines.length)) {
    const passes = (line) =>
      data.axes.every(({ name }) => [ALL, line.settings[name]].includes(chosen(name)));
    const lines = data.lines.filter(passes);
    const load = chosen("load") === STEADY ? steadyLoad(lines) : Number(chosen("load"));
    const matrix = offerMatrices(lines);
    for (const span of document.querySelectorAll(".at")) span.textContent = `, load ${load}`;
    for (const note of document.querySelectorAll("p.line"))
      note.textContent = matrix ? label(matrix, lines) : "";
    drawDelay(lines);
    drawTables(lines, load);
    drawTail(lines, load);
    drawWaiting(lines, load);
    drawMatrices(matrix, load);
  }
  for (const id of ["saturation", "tail", "waiting", "latency", "carried"])
    show(id, data.lines.length);
  for (const id of ["time", "bus"]) show(id, data.collectives.length);
  if (data.collectives.length) drawCollectives();
}

// One line at a time has its matrices shown, of those that the other filters leave.
function offerMatrices(lines) {
  const select = element("filter-matrix");
  for (const option of select.options) {
    const line = data.lines[Number(option.value)];
    option.hidden = option.disabled = !lines.includes(line);
    option.text = label(line, lines.includes(line) ? lines : data.lines);
  }
  if (!lines.includes(data.lines[Number(select.value)]))
    select.value = String(data.lines.indexOf(lines[0]));
  return lines.length ? data.lines[Number(select.value)] : undefined;
}

function writeOrigins() {
  for (const origin of data.origins) {
    const line = document.createElement("div");
    const command = document.createElement("code");
    command.textContent = origin.command;
    line.append(command, ` · ${origin.facts}`);
    element("origins").append(line);
  }
}

writeOrigins();
buildFilters();
takeFromAddress();
window.addEventListener("hashchange", () => {
  takeFromAddress();
  draw();
});
draw();
