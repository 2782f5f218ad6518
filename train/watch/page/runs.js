// The runs: how far they are, their last step, and the button that stops one.
"use strict";

const FACTS = [  // of the last step
  ["loss", "loss"], ["mean so far", "loss_running_mean"], ["divergence", "kl"], ["cross-entropy", "ce"],
  ["learning rate", "lr"], ["gradient norm", "grad_norm"], ["tokens a second", "tokens_per_s"],
  ["memory, MiB", "memory_mib"], ["expert", "expert"],
];

function describe(run) {
  const of = `step ${run.steps.toLocaleString("en")} of ${run.total_steps.toLocaleString("en")}`;
  if (run.complete) return `complete, ${run.total_steps.toLocaleString("en")} steps`;
  if (run.stopped) return `${of}, stopped with a checkpoint`;
  if (run.stop_requested) return `${of}, asked to stop`;
  if (run.steps >= run.total_steps) return `${of}, not yet complete`;
  return run.seconds_left === null ? of : `${of}, ${duration(run.seconds_left)} left`;
}

// A run's card. It stays while the run goes on, so that neither a click nor the keyboard's place is lost.
class Card {
  constructor(index) {
    this.index = index;
    this.name = html("button", {type: "button"});
    this.stop = html("button", {type: "button", class: "stop"}, "stop with a checkpoint");
    this.state = html("p", {class: "state"});
    this.progress = html("progress", {"aria-label": "steps"});
    this.facts = html("dl");
    this.error = html("p", {class: "error"});
    this.element = html("article", {class: `run ${colour(index)}`}, html("h2", {}, this.name), this.state,
                        this.progress, this.facts, this.stop, this.error);
    this.name.addEventListener("click", () => {
      state.hidden.has(index) ? state.hidden.delete(index) : state.hidden.add(index);
      draw();
      drawSamples();  // else only when there are others, so that a text can be selected
    });
    this.stop.addEventListener("click", () => confirmStop(index));
  }

  update(run) {
    const hidden = state.hidden.has(this.index);
    this.name.textContent = run.name;
    this.name.title = run.directory;
    this.name.setAttribute("aria-pressed", String(!hidden));
    this.element.classList.toggle("off", hidden);
    this.element.dataset.steps = run.steps;
    this.state.textContent = describe(run);
    this.progress.max = run.total_steps;
    this.progress.value = run.steps;
    const last = {...run.last, memory_mib: run.memory_mib};
    this.facts.replaceChildren(...FACTS.filter(([, key]) => last[key] !== null && last[key] !== undefined).map(
      ([label, key]) => html("div", {}, html("dt", {}, label),
                             html("dd", {"data-key": key, "data-value": last[key]}, number(last[key])))));
    this.stop.hidden = !run.can_stop || run.stop_requested;
    this.error.textContent = run.error;
    this.error.hidden = !run.error;
  }
}

let cards = [];

function drawRuns() {
  if (cards.length !== state.runs.length) {
    cards = state.runs.map((run, i) => new Card(i));
    $("runs").replaceChildren(...cards.map(card => card.element));
  }
  state.runs.forEach((run, i) => cards[i].update(run));
}

// --- Stopping ---

function confirmStop(run) {
  $("stop").dataset.run = run;
  $("stop-title").textContent = `Stop ${state.runs[run].name}?`;
  $("stop-problem").hidden = true;
  $("stop").showModal();
}

// The token is in the page's address; a cookie would not do.
async function stopRun() {
  const token = new URLSearchParams(location.search).get("token") ?? "";
  let problem = "no connection to gladius watch";
  try {
    const answer = await fetch(`api/stop?run=${$("stop").dataset.run}`,
                               {method: "POST", headers: {"X-Gladius-Token": token}});
    problem = answer.ok ? "" : await answer.text();
  } catch {}
  $("stop-problem").textContent = problem;
  $("stop-problem").hidden = !problem;
  if (!problem) $("stop").close();
}

$("stop-yes").addEventListener("click", stopRun);
$("stop-no").addEventListener("click", () => $("stop").close());
