/* An operator's hand on the show: pause, resume, skip, goto, a person, and a microphone to talk into while a button is held.
 *
 * In: what the news say of the room (`hand.drawn(view)`). Out: POST /pause, /resume, /skip, /goto, /person, and the
 * WebSocket /voice. A browser gives its microphone to pages over https and on localhost alone; elsewhere the page says so.
 */
"use strict";

const TALK_FORMAT = "pcm48000";
const SOCKET_WAIT_MS = 4000;
const BEHIND_MAX_BYTES = 48000; // half a second that the network did not take: what follows would come late
const TALK_WORDS = { waiting: "wait: your turn comes", live: "on air: talk", ended: "" };

class Hand {
  constructor() {
    this.trouble = $("hand-error");
    this.paused = false;
    $("pause").addEventListener("click", () => this.order(this.paused ? "/resume" : "/pause", this.when()));
    $("skip").addEventListener("click", () => this.order("/skip", this.when()));
    $("goto").addEventListener("change", () => this.goto());
    $("goto").addEventListener("focus", () => this.sections());
    $("person").addEventListener("change", () => this.person());
    $("person").addEventListener("focus", () => this.persons());
    this.sections();
    this.persons();
  }

  when() {
    return { now: $("at-once").checked };
  }

  drawn(view) {
    this.paused = view.held;
    fill($("pause"), view.held ? "Resume" : "Pause");
    $("pause").setAttribute("aria-pressed", String(view.held));
    this.shows(view.person);
  }

  async sections() {
    try {
      const told = await (await fetch("/sections")).json();
      const names = told.sections ?? [];
      const list = $("goto");
      const known = [...list.options].slice(1).map((option) => option.value);
      if (names.join("\n") === known.join("\n")) return; // it may be open
      list.replaceChildren(new Option("Go to …", ""), ...names.map((name) => new Option(name, name)));
    } catch {
      // the list stays as it was; the next look at it asks again
    }
  }

  async persons() {
    try {
      const told = await (await fetch("/persons")).json();
      const names = told.persons ?? [];
      const list = $("person");
      list.hidden = names.length < 2;
      const known = [...list.options].map((option) => option.value);
      if (names.join("\n") !== known.join("\n")) list.replaceChildren(...names.map((name) => new Option(name, name)));
      this.shows(told.on_air);
    } catch {
      // the list stays as it was; the next look at it asks again
    }
  }

  /* Who is in the picture is chosen, unless somebody is just choosing. */
  shows(person) {
    const list = $("person");
    if (person && document.activeElement !== list) list.value = person;
  }

  async person() {
    const list = $("person");
    const person = list.value;
    list.blur();
    await this.order("/person", { person });
  }

  async goto() {
    const section = $("goto").value;
    $("goto").value = "";
    if (section) await this.order("/goto", { section, ...this.when() });
  }

  async order(path, body) {
    const bare = path === "/resume";
    try {
      const answer = await fetch(path, {
        method: "POST",
        headers: bare ? {} : { "content-type": "application/json" },
        body: bare ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(8000),
      });
      const told = await answer.json().catch(() => ({}));
      this.say(answer.ok ? "" : (told.error ?? `Not taken (${answer.status}).`));
    } catch {
      this.say("The room does not answer.");
    }
  }

  say(trouble) {
    fill(this.trouble, trouble);
    this.trouble.hidden = !trouble;
  }
}

/* ── talking ── */

class Talker {
  /* `told(text)`: what is wrong, "" when nothing is. */
  constructor(button, told) {
    this.button = button;
    this.told = told;
    this.held = false;
    this.presses = 0;
    this.socket = null;
    this.context = null;
    const possible = window.isSecureContext && navigator.mediaDevices && window.AudioWorkletNode;
    button.disabled = !possible;
    $("talk-why").hidden = Boolean(possible);
    for (const name of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) {
      button.addEventListener(name, () => this.release());
    }
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      button.setPointerCapture(event.pointerId); // it is let go wherever the pointer is by then
      this.press();
    });
    button.addEventListener("contextmenu", (event) => event.preventDefault());
    button.addEventListener("keydown", (event) => {
      if ((event.key === " " || event.key === "Enter") && !event.repeat) {
        event.preventDefault();
        this.press();
      }
    });
    button.addEventListener("keyup", () => this.release());
    window.addEventListener("pagehide", () => this.release());
  }

  async press() {
    if (this.held) return;
    this.held = true;
    this.presses += 1;
    const press = this.presses;
    const isHeld = () => this.held && press === this.presses; // it may be pressed again while a browser asks
    this.told("");
    this.show("opening the microphone");
    try {
      await this.open(isHeld);
      if (!isHeld()) return;
      await this.connect();
    } catch (error) {
      if (!isHeld()) return;
      this.told(error.name === "NotAllowedError" ? "The browser does not give its microphone to this page." : error.message);
      this.release();
      return;
    }
    if (!isHeld()) return;
    this.socket.send('{"type":"talk"}');
    this.show(TALK_WORDS.waiting);
  }

  release() {
    if (!this.held) return;
    this.held = false;
    this.show("");
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send('{"type":"release"}');
    this.stream?.getTracks().forEach((track) => track.stop()); // the browser's sign that it listens goes out
    this.context?.close();
    this.context = null;
  }

  async open(isHeld) {
    const wanted = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: false };
    const stream = await navigator.mediaDevices.getUserMedia({ audio: wanted });
    if (!isHeld()) {
      stream.getTracks().forEach((track) => track.stop());
      return;
    }
    this.stream = stream;
    const context = new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
    this.context = context;
    await context.audioWorklet.addModule("/static/microphone.js");
    if (!isHeld()) return;
    const ear = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 0 });
    ear.port.onmessage = ({ data }) => this.hear(data);
    context.createMediaStreamSource(stream).connect(ear);
  }

  hear(block) {
    const { socket } = this;
    if (this.held && socket?.readyState === WebSocket.OPEN && socket.bufferedAmount < BEHIND_MAX_BYTES) socket.send(block);
  }

  /* A new line for each talk: its mode is in the address, and a line that broke is never used. */
  connect() {
    this.socket?.close();
    const mode = $("at-once").checked ? "now" : "insert";
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/voice?mode=${mode}`, ["broadcaster.voice"]);
    this.socket = socket;
    return new Promise((ready, failed) => {
      const late = setTimeout(() => failed(new Error("The room does not answer.")), SOCKET_WAIT_MS);
      socket.onopen = () => socket.send(JSON.stringify({ format: TALK_FORMAT }));
      socket.onmessage = ({ data }) => {
        const news = JSON.parse(data);
        if (news.type === "ready") {
          clearTimeout(late);
          ready();
        } else {
          this.news(socket, news);
        }
      };
      socket.onclose = ({ reason }) => {
        clearTimeout(late);
        const trouble = new Error(reason ? `Not on air: ${reason}.` : "The line to the room broke.");
        failed(trouble);
        if (socket === this.socket && this.held) {
          this.told(trouble.message);
          this.release();
        }
      };
    });
  }

  news(socket, { type, reason }) {
    if (socket !== this.socket) return;
    if (type === "ended" && this.held) {
      this.told(`Your talk ended: ${reason}.`);
      this.release();
    } else if (this.held) {
      this.show(TALK_WORDS[type] ?? "");
    }
    if (type === "ended") socket.close();
  }

  show(text) {
    this.button.dataset.state = text === TALK_WORDS.live ? "live" : this.held ? "wait" : "";
    this.button.setAttribute("aria-pressed", String(this.held));
    fill($("talk-state"), text);
  }
}
