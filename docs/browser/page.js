// What the page does: text in, the most likely next characters out.

import { Predictor } from "./predictor.js";

const SHOWN = 8;
const WRITTEN = 200; // characters, at one press of the button

const text = document.getElementById("text");
const write = document.getElementById("write");
const state = document.getElementById("state");
const next = document.getElementById("next");

let predictor;
let read = ""; // what the network has seen since it was at zero
let probabilities = [];
let work = Promise.resolve(); // one step after the other

async function readOn() {
  const wanted = text.value;
  if (!wanted.startsWith(read)) {
    predictor.restart();
    read = "";
  }
  const unread = Array.from(wanted.slice(read.length));
  if (wanted === "") probabilities = [];
  const start = performance.now();
  for (const symbol of unread) {
    probabilities = await predictor.step(symbol);
    read += symbol;
  }
  if (unread.length) {
    const time = (performance.now() - start) / unread.length;
    state.textContent = `${time.toFixed(2)} ms a character`;
  }
  show();
}

function ranked() {
  return probabilities
    .map((probability, code) => [probability, predictor.symbols[code]])
    .sort(([one], [other]) => other - one);
}

function show() {
  next.replaceChildren(
    ...ranked().slice(0, SHOWN).map(([probability, symbol]) => {
      const row = document.createElement("tr");
      row.dataset.symbol = symbol;
      row.dataset.probability = probability;
      const percent = `${(100 * probability).toFixed(1)} %`;
      for (const content of [JSON.stringify(symbol), percent]) {
        row.insertCell().textContent = content;
      }
      const bar = document.createElement("div");
      bar.className = "bar";
      bar.style.width = percent.replace(" ", "");
      row.insertCell().append(bar);
      return row;
    }),
  );
  next.dataset.read = read;
}

function drawn() {
  let rest = Math.random();
  for (const [probability, symbol] of ranked()) {
    rest -= probability;
    if (rest <= 0) return symbol;
  }
  return ranked()[0][1];
}

async function writeOn() {
  if (text.value === "") text.value = "\n";
  await readOn();
  for (let count = 0; count < WRITTEN; count += 1) {
    text.value += drawn();
    await readOn();
  }
}

function after(job) {
  work = work.then(job).catch(fail);
}

function fail(error) {
  state.textContent = `${error.message ?? error}`;
  state.className = "error";
}

async function load() {
  const answer = await fetch("model/vocabulary.json");
  if (!answer.ok) throw new Error("there is no vocabulary.json");
  const name = new URLSearchParams(location.search).get("file");
  predictor = await Predictor.load(
    `model/${name ?? "step.tflite"}`,
    await answer.json(),
    "/node_modules/@litertjs/core/wasm/",
  );
  text.addEventListener("input", () => after(readOn));
  write.addEventListener("click", () => after(writeOn));
  text.disabled = write.disabled = false;
  state.textContent = "Ready";
}

load().catch(fail);
