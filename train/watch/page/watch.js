// The live page: runs as /api/events tells them, their curves from /api/series.
"use strict";

const PLOTS = [  // quantities of metrics.jsonl
  {title: "Loss", name: "loss", smooth: true},
  {title: "Loss, mean so far", name: "loss_running_mean"},
  {title: "Held out: bits a byte", name: "eval_bits_per_byte", dots: true},
  {title: "Held out: cross-entropy", name: "eval_cross_entropy", dots: true},
  {title: "Suite: part all right", name: "suite_all_right", dots: true},
  {title: "Divergence", name: "kl", smooth: true},
  {title: "Cross-entropy", name: "ce", smooth: true},
  {title: "Gradient norm", name: "grad_norm", smooth: true},
  {title: "Learning rate", name: "lr"},
  {title: "Tokens a second", name: "tokens_per_s", smooth: true},
];
const FACTS = [  // of the last step
  ["loss", "loss"], ["mean so far", "loss_running_mean"], ["divergence", "kl"], ["cross-entropy", "ce"],
  ["learning rate", "lr"], ["gradient norm", "grad_norm"], ["tokens a second", "tokens_per_s"],
  ["expert", "expert"],
];
const HEIGHT = 240, LEFT = 52, RIGHT = 10, TOP = 10, BOTTOM = 24;
const COLOURS = 6, PAUSE = 1000;  // milliseconds between two readings of the curves

const state = {runs: [], series: [], hidden: new Set(), range: null, smoothing: 0.9, read: [], timer: 0};
const $ = id => document.getElementById(id);
const colour = run => `r${run % COLOURS}`;  // a class: the page's policy lets no style stand in an element

function html(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function svg(tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function number(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4)));
}

function duration(seconds) {
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const at = Math.max(0, units.findIndex(([size]) => seconds >= size));
  const [size, unit] = seconds < 1 ? units[3] : units[at];
  const whole = Math.floor(seconds / size);
  const next = units[at + 1];
  const rest = next && seconds >= 60 ? Math.floor((seconds - whole * size) / next[0]) : 0;
  return `${whole} ${unit}` + (rest ? ` ${rest} ${next[1]}` : "");
}

// --- The runs ---

function describe(run) {
  const of = `step ${run.steps.toLocaleString("en")} of ${run.total_steps.toLocaleString("en")}`;
  if (run.complete) return `complete, ${run.total_steps.toLocaleString("en")} steps`;
  if (run.steps >= run.total_steps) return `${of}, not yet complete`;
  return run.seconds_left === null ? of : `${of}, ${duration(run.seconds_left)} left`;
}

// New elements each time: who is there with the keyboard stays there.
function drawRuns() {
  const focused = [...$("runs").children].findIndex(card => card.contains(document.activeElement));
  $("runs").replaceChildren(...state.runs.map((run, i) => {
    const name = html("button", {type: "button", "aria-pressed": String(!state.hidden.has(i)), title: run.directory},
                      run.name);
    name.addEventListener("click", () => {
      state.hidden.has(i) ? state.hidden.delete(i) : state.hidden.add(i);
      draw();
    });
    const card = html("article", {class: `run ${colour(i)}${state.hidden.has(i) ? " off" : ""}`, "data-steps": run.steps},
                      html("h2", {}, name), html("p", {class: "state"}, describe(run)),
                      html("progress", {max: run.total_steps, value: run.steps, "aria-label": "steps"}));
    if (run.last) {
      card.append(html("dl", {}, ...FACTS.filter(([, key]) => run.last[key] !== null).map(
        ([label, key]) => html("div", {}, html("dt", {}, label),
                               html("dd", {"data-key": key, "data-value": run.last[key]}, number(run.last[key]))))));
    }
    if (run.error) card.append(html("p", {class: "error"}, run.error));
    return card;
  }));
  $("runs").children[focused]?.querySelector("button").focus();
}

// --- The plots ---

// An exponential mean over a point and those before it.
function smoothed(points, weight) {
  let mean = 0, total = 0;
  return points.map(([step, value]) => {
    mean = weight * mean + (1 - weight) * value;
    total = weight * total + (1 - weight);
    return [step, mean / total];
  });
}

function ticks(low, high, count) {
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(factor => factor * power).find(size => size >= raw);
  const list = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step) list.push(Number(at.toPrecision(12)));
  return list;
}

class Plot {
  constructor(what) {
    this.what = what;
    this.at = html("span", {class: "at", "aria-live": "polite"});
    this.canvas = svg("svg", {role: "img", tabindex: 0, "aria-label": what.title});
    this.figure = html("figure", {"data-name": what.name},
                       html("figcaption", {}, html("h2", {}, what.title), this.at), this.canvas);
    this.canvas.addEventListener("pointermove", event => this.point(event));
    this.canvas.addEventListener("pointerleave", () => this.leave());
    this.canvas.addEventListener("pointerdown", event => { this.from = this.stepOf(event); });
    this.canvas.addEventListener("pointerup", event => this.release(event));
    this.canvas.addEventListener("keydown", event => this.key(event));
  }

  curves() {
    return state.series.map((series, run) => ({run, points: series?.[this.what.name] ?? []}))
      .filter(({run, points}) => points.length > 0 && !state.hidden.has(run));
  }

  // A unit is a pixel, so that text is as large on a telephone.
  fit() {
    this.width = Math.max(240, Math.round(this.canvas.clientWidth));
    this.canvas.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
  }

  scale(curves) {
    const steps = curves.flatMap(({points}) => [points[0][0], points.at(-1)[0]]);
    const [first, last] = state.range ?? [Math.min(...steps), Math.max(...steps)];
    // Once there are enough points the first tenth, where a loss falls most, does not set the height.
    const shown = curves.flatMap(({points}) => {
      const later = points.length > 50 && !state.range ? points.slice(Math.floor(points.length / 20)) : points;
      return later.map(([, mean]) => mean);
    });
    let low = Math.min(...shown), high = Math.max(...shown);
    const edge = (high - low || Math.abs(high) || 1) * 0.06;
    this.x = step => LEFT + (this.width - LEFT - RIGHT) * (step - first) / Math.max(1, last - first);
    this.step = x => first + (x - LEFT) / (this.width - LEFT - RIGHT) * Math.max(1, last - first);
    [low, high] = [low - edge, high + edge];
    this.y = value => TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low);
    return {first, last, low, high};
  }

  draw() {
    const curves = this.curves();
    this.figure.hidden = curves.length === 0;
    if (curves.length === 0) return;
    this.fit();
    const {first, last, low, high} = this.scale(curves);
    const parts = [svg("clipPath", {id: `clip-${this.what.name}`})];
    parts[0].append(svg("rect", {x: LEFT - 4, y: TOP - 4, width: this.width - LEFT - RIGHT + 8,
                                height: HEIGHT - TOP - BOTTOM + 8}));
    for (const value of ticks(low, high, 5)) {
      parts.push(svg("line", {class: "grid", x1: LEFT, x2: this.width - RIGHT, y1: this.y(value), y2: this.y(value)}),
                 svg("text", {x: LEFT - 6, y: this.y(value) + 4, "text-anchor": "end"}, number(value)));
    }
    for (const step of ticks(first, Math.max(last, first + 1), this.width / 120).filter(Number.isInteger)) {
      parts.push(svg("text", {x: this.x(step), y: HEIGHT - 6, "text-anchor": "middle"}, number(step)));
    }
    const inside = svg("g", {"clip-path": `url(#clip-${this.what.name})`});
    for (const {run, points} of curves) inside.append(...this.stages(run), ...this.lines(run, points));
    this.canvas.replaceChildren(...parts, inside);
    if (this.shown !== undefined) this.show(this.shown);
  }

  // Where another expert begins.
  stages(run) {
    return state.runs[run].stages.slice(1).map(({begin}) => svg("line", {
      class: "stage", x1: this.x(begin), x2: this.x(begin), y1: TOP, y2: HEIGHT - BOTTOM}));
  }

  lines(run, points) {
    const path = list => "M" + list.map(([step, value]) => `${this.x(step).toFixed(1)} ${this.y(value).toFixed(1)}`).join("L");
    const parts = [];
    const ranges = points.some(([, , least, largest]) => least !== largest);
    if (ranges) {
      const outline = [...points.map(([step, , , largest]) => [step, largest]),
                       ...points.map(([step, , least]) => [step, least]).reverse()];
      parts.push(svg("path", {class: `band ${colour(run)}`, d: path(outline) + "Z"}));
    }
    if (this.what.smooth && state.smoothing > 0) {
      parts.push(svg("path", {class: `raw ${colour(run)}`, d: path(points)}),
                 svg("path", {class: `line ${colour(run)}`, d: path(smoothed(points, state.smoothing))}));
    } else {
      parts.push(svg("path", {class: `line ${colour(run)}`, d: path(points)}));
    }
    if (this.what.dots || points.length === 1) {
      parts.push(...points.map(([step, value]) => svg("circle", {class: `dot ${colour(run)}`, cx: this.x(step),
                                                                 cy: this.y(value), r: 3})));
    }
    return parts;
  }

  stepOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return this.step((event.clientX - box.left) / box.width * this.width);
  }

  point(event) {
    this.show(this.stepOf(event));
    this.canvas.querySelector(".chosen")?.remove();
    if (this.from === undefined || event.buttons === 0) return;
    const ends = [this.x(this.from), this.x(this.stepOf(event))].sort((a, b) => a - b);
    this.canvas.append(svg("rect", {class: "chosen", x: ends[0], y: TOP, width: ends[1] - ends[0],
                                    height: HEIGHT - TOP - BOTTOM}));
  }

  release(event) {
    const ends = [this.from, this.stepOf(event)].sort((a, b) => a - b);
    this.from = undefined;
    this.canvas.querySelector(".chosen")?.remove();
    if (this.x(ends[1]) - this.x(ends[0]) > 8) zoom([Math.max(0, Math.floor(ends[0])), Math.ceil(ends[1])]);
  }

  leave() {
    this.shown = this.from = undefined;
    this.at.textContent = "";
    this.canvas.querySelectorAll(".cursor, .chosen").forEach(element => element.remove());
  }

  // What the nearest point of each run is.
  show(step) {
    this.shown = step;
    this.canvas.querySelectorAll(".cursor").forEach(element => element.remove());
    const texts = this.curves().map(({run, points}) => {
      const near = points.reduce((best, point) => Math.abs(point[0] - step) < Math.abs(best[0] - step) ? point : best);
      this.canvas.append(svg("line", {class: "cursor", x1: this.x(near[0]), x2: this.x(near[0]), y1: TOP,
                                      y2: HEIGHT - BOTTOM}));
      const range = near[2] === near[3] ? "" : ` (${number(near[2])} to ${number(near[3])})`;
      return `${state.runs.length > 1 ? state.runs[run].name + " " : ""}${number(near[0])}: ${number(near[1])}${range}`;
    });
    this.at.textContent = texts.join(", ");
  }

  key(event) {
    const points = this.curves()[0]?.points ?? [];
    const direction = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!direction || points.length === 0) return;
    event.preventDefault();
    let at = this.shown === undefined ? points.length - 1 : points.findIndex(([step]) => step >= this.shown) + direction;
    at = Math.min(points.length - 1, Math.max(0, at));
    this.show(points[at][0]);
  }
}

const plots = PLOTS.map(what => new Plot(what));

function draw() {
  drawRuns();
  plots.forEach(plot => plot.draw());
  document.title = state.runs.length === 1 ? `${state.runs[0].name}: ${describe(state.runs[0])}` : "Gladius";
}

// --- From the server ---

function zoom(range) {
  state.range = range;
  state.read = [];
  $("whole").hidden = range === null;
  readCurves();
}

// Of the runs that have new steps since their curves were read.
async function readCurves() {
  const range = state.range ? `&begin=${state.range[0]}&end=${state.range[1] + 1}` : "";
  await Promise.all(state.runs.map(async (run, i) => {
    const version = `${run.generation} ${run.steps} ${range}`;
    if (state.read[i] === version) return;
    const answer = await fetch(`api/series?run=${i}&points=600${range}`);
    if (!answer.ok) return;
    state.series[i] = (await answer.json()).series;
    state.read[i] = version;
  })).catch(() => {});  // the connection says so itself
  draw();
}

function hear(runs) {
  state.runs = runs;
  if (state.timer) return;
  drawRuns();
  state.timer = setTimeout(async () => { await readCurves(); state.timer = 0; again(runs); }, state.read.length ? PAUSE : 0);
}

function again(runs) {
  if (state.runs !== runs) hear(state.runs);
}

function connect() {
  const events = new EventSource("api/events");
  events.onopen = () => { $("connection").textContent = "live"; $("connection").className = ""; };
  events.onmessage = message => hear(JSON.parse(message.data));
  events.onerror = () => {  // EventSource tries again by itself, unless it was refused
    $("connection").textContent = "no connection to gladius watch; trying again";
    $("connection").className = "lost";
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
  };
}

addEventListener("resize", () => plots.forEach(plot => plot.draw()));
$("plots").append(...plots.map(plot => plot.figure));
plots.forEach(plot => { plot.figure.hidden = true; });
$("whole").addEventListener("click", () => zoom(null));
document.addEventListener("keydown", event => { if (event.key === "Escape" && state.range) zoom(null); });
$("smoothing").addEventListener("input", event => {
  state.smoothing = Number(event.target.value);
  $("smoothed").textContent = state.smoothing.toFixed(2);
  plots.forEach(plot => plot.draw());
});
connect();
