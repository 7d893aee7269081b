// The page's behaviour: takes the key, loads description and samples, sends a request, and shows the response.

import { Drawing, showLevels } from "./drawing.js";
import { findImage, withImage } from "./image_input.js";
import { exampleOf, showReference } from "./reference.js";
import { ask, parsed } from "./requests.js";

const at = (id) => document.getElementById(id);
const credential = document.documentElement.dataset.credential;
const OWN = "your own request";
const samples = new Map(); // body text by name; null until it has been fetched
let key = "";
let waiting = null;

const drawing = new Drawing(at("canvas"), () => {
  const body = parsed(at("body").value);
  at("body").value = JSON.stringify(withImage(body, findImage(body), drawing.pixels()));
  showOwn();
});

function say(id, text, isProblem) {
  at(id).textContent = text;
  at(id).hidden = !text;
  at(id).classList.toggle("problem", Boolean(isProblem));
}

async function load() {
  at("service").hidden = true;
  const answer = await ask("swagger.json?version=3", { key });
  say("status", answer.problem || (credential && `The service accepts this ${credential}.`), answer.problem);
  if ([0, 401].includes(answer.status)) return;
  const spec = answer.problem ? {} : answer.json;
  await loadSamples(exampleOf(spec));
  at("service").hidden = false; // not earlier, so that nothing replaces what a person types
  at("reference-card").hidden = Boolean(answer.problem);
  if (!answer.problem) await showReference(spec, key, parsed(at("body").value), at("reference"));
}

async function loadSamples(example) {
  samples.clear();
  if (example !== undefined) samples.set("from the script's schema", JSON.stringify(example));
  for (const name of (await ask("docs/samples", { key })).json?.samples ?? []) samples.set(name, null);
  const own = new Option(OWN);
  own.disabled = own.hidden = true; // shown once it exists, never selectable
  at("sample").replaceChildren(...[...samples.keys()].map((name) => new Option(name)), own);
  at("sample-choice").hidden = samples.size < 2;
  await choose();
}

async function choose() {
  const name = at("sample").value;
  if (samples.get(name) === null) {
    samples.set(name, (await ask(`docs/samples/${encodeURIComponent(name)}`, { key })).text.trim());
  }
  drawing.clear();
  at("body").value = samples.get(name) ?? '{"data": []}';
  showBody();
}

function showOwn() {
  at("sample").value = OWN; // the body is no longer the sample
  showBody();
}

function showBody() {
  const body = parsed(at("body").value);
  const image = findImage(body);
  at("drawing").hidden = !image;
  if (image) showLevels(at("preview"), image);
  say("body-status", body === undefined ? "This is not JSON; it is sent as it is." : "");
}

async function send() {
  waiting = new AbortController();
  at("send").disabled = true;
  at("stop").hidden = false;
  say("answer-status", "Waiting for the response …");
  for (const id of ["prediction", "answer-meaning", "answer-body", "answer-id"]) say(id, "");
  const answer = await ask("score", { key, body: at("body").value, signal: waiting.signal });
  at("send").disabled = false;
  at("stop").hidden = true;
  const status = [answer.status || "", answer.statusText].join(" ").trim();
  say("answer-status", `${status} · ${answer.milliseconds.toFixed(0)} ms`, answer.problem);
  say("answer-meaning", answer.problem, true);
  say("prediction", answer.problem ? "" : prediction(answer.json));
  const long = answer.json !== undefined && answer.text.length > 80;
  say("answer-body", long ? JSON.stringify(answer.json, null, 1) : answer.text);
  say("answer-id", answer.id ? `Request ${answer.id}, as the service's log names it` : "");
}

// Returns the single value in the response; "" if there are several.
function prediction(value) {
  const inner = typeof value === "string" ? parsed(value) : undefined; // scripts often encode twice
  if (inner !== undefined) return prediction(inner);
  if (value === null || typeof value !== "object") return String(value ?? "").slice(0, 40);
  const items = Object.values(value);
  const drawn = findImage(parsed(at("body").value));
  if (drawn && items.length === 10 && items.every(Number.isFinite)) {
    return `${items.indexOf(Math.max(...items))}, the highest of 10`;
  }
  return items.length === 1 ? prediction(items[0]) : "";
}

at("endpoint").textContent = `POST ${new URL("score", location.href)}`;
at("clear").addEventListener("click", () => drawing.clear());
at("sample").addEventListener("change", choose);
at("body").addEventListener("input", showOwn);
at("stop").addEventListener("click", () => waiting.abort());
at("request-form").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
at("key-form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  key = at("key").value.trim().replace(/^Bearer\s+/i, ""); // people who know the header may type all of it
  load();
});
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches); // Swagger UI's
dark.addEventListener("change", follow);
follow();
if (!credential) load();
