/* On the browser's audio thread: 20 ms of the microphone at a time, as 16-bit samples at 48 kHz. */
"use strict";

const BLOCK = 960;

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Int16Array(BLOCK);
    this.filled = 0;
  }

  process([input]) {
    for (const sample of input[0] ?? []) {
      this.block[this.filled++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32767)));
      if (this.filled === BLOCK) {
        this.port.postMessage(this.block.buffer, [this.block.buffer]);
        this.block = new Int16Array(BLOCK);
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("microphone", Microphone);
