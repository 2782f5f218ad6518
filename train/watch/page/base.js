// What all parts of the page share: the runs' state, elements, numbers as text.
"use strict";

const state = {runs: [], series: [], hidden: new Set(), range: null, smoothing: 0.9, read: [], timer: 0};
const COLOURS = 6;
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

// The server's answer as JSON; null where there is none (the connection says so itself).
async function ask(address) {
  try {
    const answer = await fetch(address);
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}
