// A streaming .tflite file of a language model, run by LiteRT.js.

import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";

export class Predictor {
  // The network at the beginning of a text: every state is zero.
  static async load(file, vocabulary, wasm) {
    await loadLiteRt(wasm);
    const model = await loadAndCompile(file, { accelerator: "wasm" });
    return new Predictor(model, vocabulary);
  }

  constructor(model, vocabulary) {
    this.model = model;
    this.symbols = vocabulary;
    this.codes = new Map(vocabulary.map((symbol, code) => [symbol, code]));
    const inputs = model.getInputDetails();
    this.states = inputs.filter(({ name }) => /^state_\d+$/.test(name));
    const data = inputs.filter((input) => !this.states.includes(input));
    if (data.length !== 1 || this.states.length === 0) {
      throw new Error("the file must be one of `streaming=True`");
    }
    [this.data] = data;
    this.restart();
  }

  restart() {
    this.values = Object.fromEntries(
      this.states.map(({ name, shape }) => [
        name,
        new Float32Array(shape.reduce((product, size) => product * size, 1)),
      ]),
    );
  }

  // Takes one step; gives the probability of every symbol to come next.
  async step(symbol) {
    const code = this.codes.get(symbol) ?? 0; // 0 stands for rare ones
    const feed = {
      [this.data.name]: new Tensor(Int32Array.of(code), this.data.shape),
    };
    for (const { name, shape } of this.states) {
      feed[name] = new Tensor(this.values[name], shape);
    }
    const found = await this.model.run(feed);
    let logits;
    for (const [name, tensor] of Object.entries(found)) {
      // A copy: the tensor's memory is gone once it is deleted.
      const values = (await tensor.data()).slice();
      if (name in this.values) this.values[name] = values;
      else logits = values;
      tensor.delete();
    }
    Object.values(feed).forEach((tensor) => tensor.delete());
    return softmax(logits);
  }
}

function softmax(logits) {
  const highest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
