// The live page: runs as /api/events tells them, their curves from /api/series.
"use strict";

// Milliseconds between two readings of the curves; of a long run a second changes nothing that could be seen.
const pause = () => Math.max(0, ...state.runs.map(run => run.steps)) > 10_000 ? 5000 : 1000;

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
    const answer = await ask(`api/series?run=${i}&points=600${range}`);
    if (answer === null) return;
    state.series[i] = answer.series;
    state.read[i] = version;
  }));
  draw();
}

function hear(runs) {
  state.runs = runs;
  if (state.timer) return;
  drawRuns();
  state.timer = setTimeout(async () => {
    await Promise.all([readCurves(), readSamples(), readVocabularies()]);
    state.timer = 0;
    again(runs);
  }, state.read.length ? pause() : 0);
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
