// The plots: quantities of metrics.jsonl over the steps.
"use strict";

const PLOTS = [
  {title: "Loss", name: "loss", smooth: true},
  {title: "Loss, mean so far", name: "loss_running_mean"},
  {title: "Held out: bits a byte", name: "eval_bits_per_byte", dots: true},
  {title: "Held out: cross-entropy", name: "eval_cross_entropy", dots: true},
  {title: "Suite: part all right", name: "suite_all_right", dots: true},
  {title: "Divergence", name: "kl", smooth: true},
  {title: "Cross-entropy", name: "ce", smooth: true},
  {title: "Gradient norm", name: "grad_norm", smooth: true},
  {title: "Gradient norm by layer", name: "grad_norms", parts: true, log: true},
  {title: "Learning rate", name: "lr"},
  {title: "Tokens a second", name: "tokens_per_s", smooth: true},
  {title: "Memory, MiB", name: "memory_mib"},
];
const HEIGHT = 240, LEFT = 52, RIGHT = 10, TOP = 10, BOTTOM = 24;

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

function nearest(points, step) {
  return points.reduce((best, point) => Math.abs(point[0] - step) < Math.abs(best[0] - step) ? point : best);
}

// 1, 2 and 5 times the powers of ten between two exponents, or the powers alone where there are many.
function logTicks(low, high) {
  const list = [], factors = high - low > 3 ? [1] : [1, 2, 5];
  for (let power = Math.floor(low); power <= high; ++power) list.push(...factors.map(factor => factor * 10 ** power));
  return list.filter(value => Math.log10(value) >= low && Math.log10(value) <= high);
}

class Plot {
  constructor(what) {
    this.what = what;
    this.part = 0;  // that the keyboard is at, of a plot with parts
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

  // Of each run that is shown; of a plot with parts each part, the first one palest.
  curves() {
    return state.series.flatMap((series, run) => {
      if (!series || state.hidden.has(run)) return [];
      if (!this.what.parts) return [{run, points: series[this.what.name] ?? []}];
      const parts = Object.keys(series).filter(name => name.startsWith(`${this.what.name}.`));
      return parts.map((name, i) => ({run, part: name.slice(this.what.name.length + 1),
                                      shade: 0.25 + 0.75 * i / Math.max(1, parts.length - 1),
                                      points: series[name].filter(([, mean]) => mean > 0)}));
    }).filter(({points}) => points.length > 0);
  }

  // A unit is a pixel, so that text is as large on a telephone.
  fit() {
    this.width = Math.max(240, Math.round(this.canvas.clientWidth));
    this.canvas.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
  }

  scale(curves) {
    const steps = curves.flatMap(({points}) => [points[0][0], points.at(-1)[0]]);
    const [first, last] = state.range ?? [Math.min(...steps), Math.max(...steps)];
    const height = this.what.log ? Math.log10 : value => value;
    // Once there are enough points the first tenth, where a loss falls most, does not set the height.
    const shown = curves.flatMap(({points}) => {
      const later = points.length > 50 && !state.range ? points.slice(Math.floor(points.length / 20)) : points;
      return later.map(([, mean]) => height(mean));
    });
    let low = Math.min(...shown), high = Math.max(...shown);
    const edge = (high - low || Math.abs(high) || 1) * 0.06;
    this.x = step => LEFT + (this.width - LEFT - RIGHT) * (step - first) / Math.max(1, last - first);
    this.step = x => first + (x - LEFT) / (this.width - LEFT - RIGHT) * Math.max(1, last - first);
    [low, high] = [low - edge, high + edge];
    this.y = value => TOP + (HEIGHT - TOP - BOTTOM) * (high - height(value)) / (high - low);
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
    for (const value of this.what.log ? logTicks(low, high) : ticks(low, high, 5)) {
      parts.push(svg("line", {class: "grid", x1: LEFT, x2: this.width - RIGHT, y1: this.y(value), y2: this.y(value)}),
                 svg("text", {x: LEFT - 6, y: this.y(value) + 4, "text-anchor": "end"}, number(value)));
    }
    for (const step of ticks(first, Math.max(last, first + 1), this.width / 120).filter(Number.isInteger)) {
      parts.push(svg("text", {x: this.x(step), y: HEIGHT - 6, "text-anchor": "middle"}, number(step)));
    }
    const inside = svg("g", {"clip-path": `url(#clip-${this.what.name})`});
    for (const run of new Set(curves.map(curve => curve.run))) inside.append(...this.stages(run));
    for (const curve of curves) inside.append(...this.lines(curve));
    this.canvas.replaceChildren(...parts, inside);
    if (this.shown !== undefined) this.show(this.shown);
  }

  // Where another expert begins.
  stages(run) {
    return state.runs[run].stages.slice(1).map(({begin}) => svg("line", {
      class: "stage", x1: this.x(begin), x2: this.x(begin), y1: TOP, y2: HEIGHT - BOTTOM}));
  }

  lines({run, points, part, shade}) {
    const path = list => "M" + list.map(([step, value]) => `${this.x(step).toFixed(1)} ${this.y(value).toFixed(1)}`).join("L");
    if (part !== undefined) {
      return [svg("path", {class: `line ${colour(run)}`, d: path(points), opacity: shade, "data-part": part})];
    }
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
    const box = this.canvas.getBoundingClientRect();
    if (this.what.parts) this.part = this.nearestPart(this.stepOf(event), (event.clientY - box.top) / box.height * HEIGHT);
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

  // The place of the curve that runs nearest to a height.
  nearestPart(step, y) {
    const away = this.curves().map(({points}) => Math.abs(this.y(nearest(points, step)[1]) - y));
    return away.indexOf(Math.min(...away));
  }

  // What the nearest point of each run is; of a plot with parts, of one of them.
  show(step) {
    this.shown = step;
    this.canvas.querySelectorAll(".cursor").forEach(element => element.remove());
    const curves = this.curves();
    this.part = Math.max(0, Math.min(this.part, curves.length - 1));
    const texts = (this.what.parts ? curves.slice(this.part, this.part + 1) : curves).map(({run, points, part}) => {
      const near = nearest(points, step);
      this.canvas.append(svg("line", {class: "cursor", x1: this.x(near[0]), x2: this.x(near[0]), y1: TOP,
                                      y2: HEIGHT - BOTTOM}));
      if (part !== undefined) {
        this.canvas.append(svg("circle", {class: `cursor dot ${colour(run)}`, cx: this.x(near[0]), cy: this.y(near[1]), r: 4}));
      }
      const range = near[2] === near[3] ? "" : ` (${number(near[2])} to ${number(near[3])})`;
      return (state.runs.length > 1 ? `${state.runs[run].name} ` : "") + (part === undefined ? "" : `${part} `) +
             `${number(near[0])}: ${number(near[1])}${range}`;
    });
    this.at.textContent = texts.join(", ");
  }

  key(event) {
    const curves = this.curves();
    const vertical = this.what.parts ? {ArrowUp: 1, ArrowDown: -1}[event.key] : undefined;
    const points = curves[vertical ? 0 : Math.min(this.what.parts ? this.part : 0, curves.length - 1)]?.points ?? [];
    const direction = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!(direction || vertical) || points.length === 0) return;
    event.preventDefault();
    if (vertical) {
      this.part = Math.min(curves.length - 1, Math.max(0, this.part + vertical));
      return this.show(this.shown ?? points.at(-1)[0]);
    }
    let at = this.shown === undefined ? points.length - 1 : points.findIndex(([step]) => step >= this.shown) + direction;
    at = Math.min(points.length - 1, Math.max(0, at));
    this.show(points[at][0]);
  }
}

const plots = PLOTS.map(what => new Plot(what));
