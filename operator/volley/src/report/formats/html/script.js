"use strict";
// Draws the plots of a report and makes its tables sort and search. The figures themselves are in the tables of the page.
// Data: curves (response time by percentile) and series (over time), see html/plots.rs.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const NAMES = "http://www.w3.org/2000/svg";

  function make(parent, tag, attributes, text) {
    const node = tag === "svg" || parent instanceof SVGElement
      ? document.createElementNS(NAMES, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    if (text !== undefined) node.textContent = text;
    parent.append(node);
    return node;
  }

  // ---- numbers -------------------------------------------------------------------------------------------------

  const short = (value) => String(Number(value.toPrecision(3)));
  const time = (us) => us < 999500 ? short(us / 1e3) + "ms" : short(us / 1e6) + "s";
  const count = (value) => value < 1000 ? short(value) : Math.round(value).toLocaleString("en").replaceAll(",", "\u202f");
  const compact = (value) => value < 1e4 ? short(value) : value < 1e6 ? short(value / 1e3) + " k" : short(value / 1e6) + " M";
  const bytes = (value) => {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (value >= 1023.5 && unit < units.length - 1) { value /= 1024; unit += 1; }
    return short(value) + " " + units[unit];
  };
  const clock = (seconds) => {
    const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
    const two = (number) => String(number).padStart(2, "0");
    return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  };
  const percent = (p) => String(Number((p * 100).toFixed(3))) + " %";

  function niceStep(span, most) {
    const raw = span / most;
    const power = 10 ** Math.floor(Math.log10(raw));
    return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((step) => step >= raw * 0.9999);
  }

  function linearTicks(max, most) {
    if (!(max > 0)) return [0, 1];
    const step = niceStep(max, most);
    const ticks = [];
    for (let index = 0; index * step < max * 1.0001; index += 1) ticks.push(index * step);
    if (ticks[ticks.length - 1] < max) ticks.push(ticks.length * step);
    return ticks;
  }

  function logTicks(min, max) {
    const ticks = [];
    for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power += 1) {
      for (const factor of [1, 2, 5]) ticks.push(factor * 10 ** power);
    }
    const low = ticks.findLastIndex((tick) => tick <= min);
    const high = ticks.findIndex((tick) => tick >= max);
    let kept = ticks.slice(Math.max(low, 0), high < 0 ? undefined : high + 1);
    if (kept.length > 9) kept = kept.filter((tick, index) => index === 0 || index === kept.length - 1 || /^1/.test(tick.toExponential()));
    if (kept.length < 2) kept = [min / 2, max * 2];
    return kept;
  }

  function timeTicks(span, most) {
    const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];
    const step = steps.find((candidate) => span / candidate <= most) || Math.ceil(span / most / 86400) * 86400;
    const ticks = [];
    for (let at = 0; at <= span; at += step) ticks.push(at);
    return ticks;
  }

  // ---- a chart -------------------------------------------------------------------------------------------------

  // lines: {name, cls, points: [[x, y|null]], area, dots, format}; x: {max, ticks, format, title}; y: {format, log, ticks?}
  // read(x): heading of the read-out. cursor: shared by charts of the same x.
  function chart(host, spec) {
    const figure = make(host, "div", { class: "chart" });
    if (spec.title) make(figure, "h3", {}, spec.title);
    if (spec.lines.length > 1 || spec.remove) legend(figure, spec);
    const width = Math.max(280, Math.min(1200, host.clientWidth || 1200));
    const height = spec.height || 240;
    const area = { left: 62, right: width - 14, top: 8, bottom: height - 24 };
    const all = spec.lines.flatMap((line) => line.points.filter((point) => point[1] !== null).map((point) => point[1]));
    const top = Math.max(...all, 0);
    const positive = all.filter((value) => value > 0);
    const log = spec.y.log && positive.length > 0;
    const ticks = log ? logTicks(Math.min(...positive), top) : linearTicks(top, Math.max(2, Math.floor(height / 48)));
    const low = log ? Math.log10(ticks[0]) : 0;
    const high = log ? Math.log10(ticks[ticks.length - 1]) : ticks[ticks.length - 1];
    const toX = (x) => area.left + (x - (spec.x.min || 0)) / ((spec.x.max - (spec.x.min || 0)) || 1) * (area.right - area.left);
    const toY = (y) => {
      const value = log ? Math.log10(Math.max(y, ticks[0])) : y;
      return area.bottom - (value - low) / ((high - low) || 1) * (area.bottom - area.top);
    };
    const svg = make(figure, "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: "0", "aria-label": spec.summary });
    for (const tick of ticks) {
      make(svg, "line", { class: "grid", x1: area.left, x2: area.right, y1: toY(tick), y2: toY(tick) });
      make(svg, "text", { x: area.left - 7, y: toY(tick) + 4, "text-anchor": "end" }, spec.y.format(tick));
    }
    let last = -100;
    for (const tick of spec.x.ticks) {
      const x = toX(tick);
      make(svg, "line", { class: "grid", x1: x, x2: x, y1: area.top, y2: area.bottom });
      if (x - last < 46) continue;
      last = x;
      const anchor = x > area.right - 20 ? "end" : x < area.left + 8 ? "start" : "middle";
      make(svg, "text", { x, y: area.bottom + 17, "text-anchor": anchor }, spec.x.format(tick));
    }
    make(svg, "line", { class: "axis", x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom });
    for (const line of spec.lines) draw(svg, line, toX, toY, area);
    const cursor = make(svg, "line", { class: "cursor", x1: 0, x2: 0, y1: area.top, y2: area.bottom, visibility: "hidden" });
    const readout = make(figure, "div", { class: "readout", hidden: "", role: "status" });
    const drawn = { figure, svg, spec, toX, cursor, readout, width, marks: [] };
    listen(drawn, area);
    return drawn;
  }

  function legend(figure, spec) {
    const list = make(figure, "ul", { class: "legend" });
    spec.lines.forEach((line, index) => {
      const item = make(list, "li");
      const sample = make(item, "svg", { viewBox: "0 0 22 8", "aria-hidden": "true" });
      make(sample, "line", { class: "curve " + line.cls, x1: 0, x2: 22, y1: 4, y2: 4 });
      make(item, "span", {}, line.name);
      if (spec.remove && index > 0) {
        const button = make(item, "button", { type: "button", "aria-label": "Remove " + line.name }, "✕");
        button.addEventListener("click", () => spec.remove(index));
      }
    });
  }

  function draw(svg, line, toX, toY, area) {
    // A gap in the points is a gap in the line.
    const runs = [];
    let run = [];
    for (const [x, y] of line.points) {
      if (y === null) {
        if (run.length) runs.push(run);
        run = [];
      } else {
        run.push([toX(x), toY(y)]);
        // What is known of a step only as a whole is drawn over all of it.
        if (line.steps) run.push([Math.min(toX(x + line.reach), area.right), toY(y)]);
      }
    }
    if (run.length) runs.push(run);
    const path = (points) => points.map(([x, y], index) => (index ? "L" : "M") + x.toFixed(1) + " " + y.toFixed(1)).join("");
    for (const points of runs) {
      if (line.area && points.length > 1) {
        const end = `L${points[points.length - 1][0].toFixed(1)} ${area.bottom}L${points[0][0].toFixed(1)} ${area.bottom}Z`;
        make(svg, "path", { class: "area " + line.cls, d: path(points) + end });
      }
      if (points.length > 1) make(svg, "path", { class: "curve " + line.cls, d: path(points) });
      if (points.length === 1 || line.dots) {
        for (const [x, y] of points) make(svg, "circle", { class: "dot " + line.cls, cx: x.toFixed(1), cy: y.toFixed(1), r: 3.5 });
      }
    }
  }

  // ---- the read-out: pointer and arrow keys --------------------------------------------------------------------

  function listen(drawn, area) {
    const { svg, spec } = drawn;
    const xs = [...new Set(spec.lines.flatMap((line) => line.points.map((point) => point[0])))].sort((one, two) => one - two);
    drawn.xs = xs;
    const nearest = (x) => xs.reduce((best, each) => Math.abs(each - x) < Math.abs(best - x) ? each : best, xs[0]);
    const at = (event) => {
      const box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * drawn.width;
      return nearest((x - area.left) / (area.right - area.left) * (spec.x.max - (spec.x.min || 0)) + (spec.x.min || 0));
    };
    const group = spec.group || [];
    group.push(drawn);
    const show = (x) => group.forEach((each) => point(each, x, each === drawn));
    const hide = () => group.forEach((each) => point(each, null));
    svg.addEventListener("pointermove", (event) => show(at(event)));
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    let place = -1;
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
      if (step === undefined || xs.length === 0) return;
      event.preventDefault();
      place = Math.min(xs.length - 1, Math.max(0, place + step));
      show(xs[place]);
    });
  }

  // The point of a line at x or, where its steps are longer, the one whose step x lies in.
  function valueAt(line, x) {
    let found = null;
    for (const each of line.points) {
      if (each[0] > x + 1e-9) break;
      found = each;
    }
    if (!found) return null;
    return x - found[0] < (line.reach || 1e-6) ? found[1] : null;
  }

  function point(drawn, x, words) {
    const { cursor, readout, spec, marks } = drawn;
    marks.splice(0).forEach((mark) => mark.remove());
    cursor.setAttribute("visibility", x === null ? "hidden" : "visible");
    readout.hidden = x === null || !words;
    if (x === null) return;
    const px = drawn.toX(x);
    cursor.setAttribute("x1", px);
    cursor.setAttribute("x2", px);
    if (!words) return;
    readout.replaceChildren();
    make(readout, "b", {}, spec.read(x));
    const table = make(readout, "table");
    for (const line of [...spec.lines, ...(spec.extra || [])]) {
      const value = valueAt(line, x);
      if (value === null || value === undefined) continue;
      const row = make(table, "tr");
      make(row, "th", { scope: "row" }, line.name);
      make(row, "td", {}, (line.format || spec.y.format)(value));
    }
    const share = px / drawn.width;
    const box = drawn.svg.getBoundingClientRect();
    const wide = readout.offsetWidth;
    const left = share * box.width + (share > 0.5 ? -wide - 14 : 14);
    readout.style.left = Math.max(0, Math.min(box.width - wide, left)) + "px";
    readout.style.top = box.top - drawn.figure.getBoundingClientRect().top + 10 + "px";
  }

  // ---- over time -----------------------------------------------------------------------------------------------

  // Points at every step from first to last: what is left out had no sample, which is 0 for a count and a gap for a time.
  function filled(seconds, values, step, from, to, nothing, scale) {
    const at = new Map(seconds.map((second, index) => [second, values[index]]));
    const points = [];
    for (let second = from; second <= to; second += step) {
      const value = at.get(second);
      points.push([second, value === undefined || value === null ? nothing : value * scale]);
    }
    return points;
  }

  function timeCharts() {
    const host = byId("time-charts");
    const series = data.series[Number(byId("time-scope").value) || 0];
    const log = byId("time-log").checked;
    host.replaceChildren();
    const origin = data.series[0].seconds[0];
    const from = series.seconds[0];
    const to = series.seconds[series.seconds.length - 1];
    const shift = (points) => points.map(([x, y]) => [x - origin, y]);
    const step = series.step;
    const columns = (values, nothing, scale) => shift(filled(series.seconds, values, step, from, to, nothing, scale || 1));
    const end = data.series[0].seconds[data.series[0].seconds.length - 1] + data.series[0].step - origin;
    const x = { max: Math.max(end, 1), ticks: timeTicks(Math.max(end, 1), Math.max(4, Math.floor((host.clientWidth || 1200) / 90))), format: clock };
    // Few points are drawn as what they are: figures of a whole step.
    const steps = (to - from) / step < 100;
    const utc = (seconds) => new Date((origin + seconds) * 1000).toISOString().replace("T", " ").replace(".000Z", " UTC");
    const read = (at) => `${clock(at)} · ${utc(at)}`;
    const group = [];
    const p = series.percentiles;
    const pStep = p ? p.step : step;
    const pLine = (name, cls, values) => ({
      name, cls, reach: pStep, steps: steps || pStep > step,
      points: shift(filled(p.seconds, values, pStep, p.seconds[0], p.seconds[p.seconds.length - 1], null, 1)),
    });
    const times = [{ name: "average", cls: "ssoft dots", points: columns(series.average, null), reach: step, steps }];
    if (p && p.seconds.length) {
      times.push(pLine("p50", "s2", p.p50), pLine("p95", "s1 dash", p.p95), pLine("p99", "s3", p.p99));
    }
    const extra = [
      { name: "shortest", points: columns(series.min, null), reach: step },
      { name: "longest", points: columns(series.max, null), reach: step },
    ];
    chart(host, {
      title: "Response time", lines: times, extra, x, y: { format: time, log }, read, group,
      summary: `Response time over time, ${series.name}. Arrow keys move the read-out.`,
    });
    const rates = [{ name: "requests per second", cls: "s0", area: true, points: columns(series.requests, 0, 1 / step), reach: step, steps }];
    if (series.errors.some((value) => value > 0)) {
      // Where there is no error near, there is no line.
      const errors = columns(series.errors, 0, 1 / step);
      const near = (at) => [at - 1, at, at + 1].some((each) => errors[each] && errors[each][1] > 0);
      const points = errors.map(([x, y], at) => [x, near(at) ? y : null]);
      rates.push({ name: "errors per second", cls: "sbad", area: true, points, reach: step, steps });
    }
    chart(host, {
      title: "Requests per second", lines: rates, x, y: { format: compact }, read, group, height: 190,
      extra: series.bytes.includes(null) ? [] : [{ name: "received per second", points: columns(series.bytes, 0, 1 / step), reach: step, format: bytes }],
      summary: `Requests and errors per second over time, ${series.name}. Arrow keys move the read-out.`,
    });
    if (series.users && series.users.some((value) => value > 0)) {
      chart(host, {
        title: "Active users", lines: [{ name: "active users", cls: "s4", points: columns(series.users, null), reach: step, steps }],
        x, y: { format: compact }, read, group, height: 130, summary: "Active users over time. Arrow keys move the read-out.",
      });
    }
    const long = (seconds) => seconds === 1 ? "1 second" : seconds < 60 ? seconds + " seconds" : seconds === 60 ? "1 minute" : seconds / 60 + " minutes";
    byId("time-note").textContent = `A request belongs to the second in which it ended. One point is ${long(step)}` +
      (p && pStep !== step ? `, of percentiles ${long(pStep)}` : "") + ". The first and the last point may cover less.";
  }

  // ---- by percentile -------------------------------------------------------------------------------------------

  const MOST_CURVES = 6;
  let chosen = [0];

  function curveLine(index, place) {
    const curve = data.curves[index];
    const axis = data.axes[curve.axis];
    const n = Math.max(curve.count, 2);
    // Log-spaced: each further nine takes as much room. The longest of n values stands where 1 of n is left.
    const points = curve.values.map((value, at) => {
      const p = (at === curve.values.length - 1 ? curve.end : axis[at]) / 100000;
      return [p >= 1 ? Math.log10(n) : Math.min(-Math.log10(1 - p), Math.log10(n)), value];
    });
    const pattern = ["", " dash", " dots"][place % 3];
    return { name: curve.name, cls: "s" + place + pattern, points, dots: points.length < 9, reach: 1e9 };
  }

  function curveChart() {
    const host = byId("percentile-chart");
    host.replaceChildren();
    const lines = chosen.map(curveLine);
    const max = Math.max(...lines.flatMap((line) => line.points.map((each) => each[0])), 1);
    const ticks = [0, Math.log10(2), 1, 2, 3, 4, 5].filter((tick) => tick <= max);
    // 1 - 10^-x, exact where x is whole.
    const share = (x) => 1 - 10 ** -x;
    const name = (x) => {
      const p = share(x);
      return "p" + String(Number((p * 100).toFixed(p < 0.99 ? 1 : 3)));
    };
    chart(host, {
      title: "", lines, height: 320, read: name,
      x: { max, ticks, format: (tick) => percent(share(tick)) },
      y: { format: time, log: byId("curve-log").checked },
      remove: (index) => { chosen.splice(index, 1); curveChart(); },
      summary: "Response time by percentile of " + lines.map((line) => line.name).join(", ") + ". Arrow keys move the read-out.",
    });
    const exact = lines.every((line) => !line.dots);
    byId("curve-note").textContent = "Read: of all requests, that share took at most that long. " +
      (exact ? "" : "Only the marked points are known; the lines between them are drawn to guide the eye.");
    const full = chosen.length >= MOST_CURVES;
    byId("curve-add").disabled = full || data.curves.length < 2;
  }

  // ---- tables --------------------------------------------------------------------------------------------------

  function sortable(table) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const words = column === 0 || head.classList.contains("words");
        const before = head.getAttribute("aria-sort");
        const down = before ? before === "ascending" : !words;
        const sign = down ? -1 : 1;
        const key = (row) => {
          const cell = row.cells[column];
          if (words) return cell.textContent;
          return cell.dataset.v === undefined ? null : Number(cell.dataset.v);
        };
        const rows = [...body.rows].map((row) => [key(row), row]);
        // What is not known comes last, whichever way.
        rows.sort(([one], [two]) => one === null || two === null
          ? (one === null) - (two === null)
          : words ? sign * one.localeCompare(two, "en", { numeric: true }) : sign * (one - two));
        for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        body.append(...rows.map(([, row]) => row));
      });
    });
  }

  function search() {
    const table = document.querySelector("#labels table");
    if (!table || table.tBodies[0].rows.length < 12) return;
    byId("filter").hidden = false;
    const rows = [...table.tBodies[0].rows];
    const names = rows.map((row) => row.cells[0].textContent.toLowerCase());
    const find = () => {
      const wanted = byId("find").value.trim().toLowerCase();
      let shown = 0;
      rows.forEach((row, index) => {
        row.hidden = !names[index].includes(wanted);
        shown += row.hidden ? 0 : 1;
      });
      byId("found").textContent = `${count(shown)} of ${count(rows.length)}`;
    };
    byId("find").addEventListener("input", find);
    find();
  }

  function options(select, names, first) {
    for (let index = first; index < names.length; index += 1) make(select, "option", { value: index }, names[index]);
  }

  document.querySelectorAll("table.sortable").forEach(sortable);
  search();
  const draws = [];
  if (data.series.length && data.series[0].seconds.length) {
    byId("time").hidden = false;
    options(byId("time-scope"), data.series.map((series) => series.name), 0);
    byId("time-scope").disabled = data.series.length < 2;
    byId("time-scope").addEventListener("change", timeCharts);
    byId("time-log").addEventListener("change", timeCharts);
    draws.push(timeCharts);
  }
  if (data.curves.length && data.curves[0].values.length) {
    byId("percentiles").hidden = false;
    const first = data.curves[0].values;
    byId("curve-log").checked = first[0] > 0 && first[first.length - 1] / first[0] > 100;
    options(byId("curve-add"), data.curves.map((curve) => curve.name), 1);
    if (data.curves.length > 1 && data.spread) chosen = data.curves.map((_, index) => index).slice(0, MOST_CURVES);
    byId("curve-add").addEventListener("change", (event) => {
      const index = Number(event.target.value);
      if (event.target.value && !chosen.includes(index) && chosen.length < MOST_CURVES) chosen.push(index);
      event.target.value = "";
      curveChart();
    });
    byId("curve-log").addEventListener("change", curveChart);
    draws.push(curveChart);
  }
  draws.forEach((draw) => draw());
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    draws.forEach((draw) => draw());
  });
})();
