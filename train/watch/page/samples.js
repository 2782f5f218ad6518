// What the students write, and how experts with another vocabulary read.
"use strict";

const samples = {of: [], read: [], steps: [], chosen: null};  // chosen: a step; null: the newest

// --- Samples ---

// Of the runs that have other samples than when they were read, or of another step that is chosen.
async function readSamples() {
  let changed = samples.of.length !== state.runs.length;
  samples.of.length = state.runs.length;
  await Promise.all(state.runs.map(async (run, i) => {
    const {generation, count} = run.samples;
    const version = `${generation} ${count} ${samples.chosen}`;
    if (samples.read[i] === version) return;
    const step = samples.chosen === null ? "" : `&step=${samples.chosen}`;
    const answer = count > 0 ? await ask(`api/samples?run=${i}${step}`) : {steps: [], step: null, samples: null};
    if (answer === null) return;
    samples.of[i] = answer;
    samples.read[i] = version;
    changed = true;
  }));
  if (changed) drawSamples();
}

// Prompts that several runs have stand once, with their answers beside each other.
function byPrompt() {
  const prompts = new Map();
  samples.of.forEach((of, run) => {
    if (state.hidden.has(run)) return;
    for (const sample of of?.samples ?? []) {
      const key = JSON.stringify(sample.messages);
      if (!prompts.has(key)) prompts.set(key, {messages: sample.messages, answers: []});
      prompts.get(key).answers.push({run, step: of.step, ...sample});
    }
  });
  return [...prompts.values()];
}

function drawMessage(message) {
  const content = typeof message.content === "string" ? message.content : JSON.stringify(message.content ?? message);
  return html("p", {class: "message"}, html("span", {class: "role"}, String(message.role)), content);
}

function drawAnswer({run, step, answer, cut}) {
  const name = state.runs.length > 1 ? `${state.runs[run].name}, step ` : "step ";
  const text = html("p", {class: "text"}, answer);
  if (cut) text.append(html("span", {class: "cut", title: "cut at the most tokens of a sample"}, " …"));
  return html("div", {class: `answer ${colour(run)}`, "data-run": run},
              html("h3", {}, name + number(step)), text);
}

function drawSamples() {
  samples.steps = [...new Set(samples.of.flatMap(of => of?.steps ?? []))].sort((a, b) => a - b);
  $("samples").hidden = samples.steps.length === 0;
  const slider = $("sample-step"), newest = samples.steps.length - 1;
  slider.max = Math.max(0, newest);
  if (samples.chosen === null) slider.value = newest;
  slider.parentElement.hidden = newest < 1;
  $("sampled").textContent = samples.chosen === null ? `${number(samples.steps[newest])} (newest)` : number(samples.chosen);
  $("answers").replaceChildren(...byPrompt().map(({messages, answers}) => html(
    "article", {class: "prompt"}, ...messages.map(drawMessage),
    html("div", {class: "answers"}, ...answers.map(drawAnswer)))));
}

$("sample-step").addEventListener("input", event => {
  const at = Number(event.target.value);
  samples.chosen = at >= samples.steps.length - 1 ? null : samples.steps[at];
  readSamples();
});

// --- Vocabularies ---

const vocabularies = {of: [], read: []};

async function readVocabularies() {
  let changed = vocabularies.of.length !== state.runs.length;
  vocabularies.of.length = state.runs.length;
  await Promise.all(state.runs.map(async (run, i) => {
    if (vocabularies.read[i] === run.alignments_read) return;
    const answer = run.alignments_read > 0 ? await ask(`api/alignment?run=${i}`) : [];
    if (answer === null && run.alignments_read > 0) return;
    vocabularies.of[i] = answer ?? [];
    vocabularies.read[i] = run.alignments_read;
    changed = true;
  }));
  if (changed) drawVocabularies();
}

function drawChunk({student, teacher, compared}) {
  const row = tokens => html("span", {class: "tokens"}, ...tokens.map(token => html("span", {class: "token"}, token)));
  return html("span", {class: compared ? "column" : "column alone"}, row(student), row(teacher));
}

// What is open stays open: another sample comes every sample_every steps.
function drawVocabularies() {
  const open = new Set([...document.querySelectorAll("#vocabularies details[open]")].map(e => e.dataset.key));
  const pages = vocabularies.of.flatMap((list, run) => (list ?? []).filter(one => one?.chunks?.length).map(
    ({expert, step, chunks}) => html(
      "details", {class: colour(run), "data-run": run, "data-key": `${run} ${expert}`},
      html("summary", {}, `${state.runs[run].name}: how ${expert} reads ` +
           (typeof step === "number" ? `what the student wrote at step ${number(step)}` : "a text of the data")),
      html("p", {class: "state"}, "Above the student's tokens, below the expert's. A column ends where both have a border: ",
           "there they are compared. Pale ones are not, such as what each side's template adds."),
      html("div", {class: "chunks"}, ...chunks.map(drawChunk)))));
  $("vocabularies").hidden = pages.length === 0;
  $("vocabularies").replaceChildren(...pages);
  for (const page of pages) page.open = open.has(page.dataset.key);
}
