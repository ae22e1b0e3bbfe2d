/* The page: the live picture, and what is known of the room.
 *
 * In: /live.flv and /events. Out: POST /say; hand.js orders pauses and talks. Every text from outside is set as text,
 * never as markup. The picture and the news are two connections that break and come back each for itself, for ever.
 */
"use strict";

const CHASE_MS = 250;
const BEHIND_S = 0.35; // how far the picture is kept behind the newest frame; a stall makes it more
const BEHIND_MAX_S = 1.5;
const JUMP_S = 5; // further behind than this is not caught up by playing faster
const FAST_MUTED = 1.5;
const FAST_HEARD = 1.2; // what a voice can bear
const SLOW = 0.95; // until there is something in hand again
const SLACK_S = 0.15; // closer than this to where it should be is close enough
const STUCK_MS = 4000; // without a new frame: connect again
const RETRY_MS = [200, 500, 1000, 2000];
const OFF_AFTER_MS = 3000; // without news the room is taken for off
const BREATH_MS = 900; // a pause between two utterances is not silence yet
const LINES_KEPT = 30;

const $ = (id) => document.getElementById(id);

function fill(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function make(tag, name, text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.textContent = text;
  return element;
}

/* ── the picture ── */

class Picture {
  /* `changed()` is called when it begins or ends to play. */
  constructor(video, still, changed) {
    this.video = video;
    this.still = still;
    this.changed = changed;
    this.playing = false;
    this.behind = null; // seconds behind the newest frame
    this.supported = window.mpegts?.isSupported() ?? false;
    this.target = BEHIND_S;
    this.failures = 0;
    this.player = null;
    this.moved = { at: 0, time: -1 };
    video.addEventListener("playing", () => this.begins());
    video.addEventListener("waiting", () => this.stalls());
    video.addEventListener("loadedmetadata", () => this.fits());
    document.addEventListener("visibilitychange", () => document.hidden || this.play());
  }

  open() {
    if (!this.supported) return;
    mpegts.LoggingControl.enableAll = false;
    this.connect();
    setInterval(() => this.chase(), CHASE_MS);
  }

  connect() {
    const url = new URL("/live.flv", location.href).href;
    const player = mpegts.createPlayer(
      { type: "flv", isLive: true, url, hasAudio: true, hasVideo: true },
      {
        enableStashBuffer: false,
        lazyLoad: false,
        deferLoadAfterSourceOpen: false,
        autoCleanupSourceBuffer: true,
        autoCleanupMaxBackwardDuration: 30,
        autoCleanupMinBackwardDuration: 10,
      },
    );
    this.player = player;
    this.moved = { at: performance.now(), time: -1 };
    const broken = () => player === this.player && this.again();
    player.on(mpegts.Events.ERROR, broken);
    player.on(mpegts.Events.LOADING_COMPLETE, broken);
    player.attachMediaElement(this.video);
    player.load();
    this.play();
  }

  play() {
    this.video.play().catch(() => {}); // refused or interrupted: the chase tries again
  }

  again() {
    this.keepStill();
    const player = this.player;
    this.player = null;
    try {
      player.destroy();
    } catch (error) {
      console.warn("the player did not close", error);
    }
    this.playing = false;
    this.behind = null;
    this.changed();
    const wait = RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)];
    this.failures += 1;
    setTimeout(() => this.connect(), wait);
  }

  /* The last picture stays until there is another. */
  keepStill() {
    const { video, still } = this;
    if (!video.videoWidth || video.readyState < 2) return;
    still.width = video.videoWidth;
    still.height = video.videoHeight;
    still.getContext("2d").drawImage(video, 0, 0);
    still.hidden = false;
  }

  begins() {
    this.playing = true;
    this.failures = 0;
    this.still.hidden = true;
    this.changed();
  }

  stalls() {
    if (this.playing) this.target = Math.min(BEHIND_MAX_S, this.target + 0.15);
  }

  fits() {
    const { videoWidth, videoHeight } = this.video;
    if (videoWidth) $("stage").style.setProperty("--ratio", String(videoWidth / videoHeight));
  }

  /* Keep close to the newest frame: a little faster when behind, a jump when far behind, a new connection when it is
   * stuck. */
  chase() {
    const { video, player } = this;
    const now = performance.now();
    if (!player) return;
    if (video.currentTime !== this.moved.time) {
      this.moved = { at: now, time: video.currentTime };
    } else if (document.hidden) {
      this.moved.at = now; // browsers hold a picture that nobody sees
    } else if (now - this.moved.at > STUCK_MS) {
      this.again();
      return;
    }
    if (video.paused && !document.hidden) this.play();
    const { buffered } = video;
    if (!buffered.length) return;
    const newest = buffered.end(buffered.length - 1);
    const oldest = buffered.start(buffered.length - 1);
    this.behind = newest - video.currentTime;
    if (this.behind > JUMP_S || video.currentTime < oldest) {
      video.currentTime = Math.max(oldest, newest - this.target);
      return;
    }
    const off = this.behind - this.target;
    if (off > SLACK_S) video.playbackRate = video.muted ? FAST_MUTED : FAST_HEARD;
    else if (off < -SLACK_S) video.playbackRate = SLOW;
    else if (video.playbackRate > 1 ? off < 0.05 : off > -0.02) video.playbackRate = 1;
    this.target = Math.max(BEHIND_S, this.target - 0.0005); // a stall is forgotten in minutes
  }
}

/* ── the news ── */

class News {
  /* `told(view)` for each event, `lost()` when the connection breaks. */
  constructor(told, lost) {
    this.told = told;
    this.lost = lost;
  }

  open() {
    const source = new EventSource("/events");
    source.onmessage = (event) => this.told(JSON.parse(event.data));
    source.onerror = () => {
      this.lost();
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.open(), 1000);
    };
  }
}

/* ── the room ── */

const TONES = {
  aired: "good", live: "good", ready: "good", up: "good", running: "good",
  "on air": "live",
  refused: "warn", expired: "warn", skipped: "warn", "not sent": "warn", "backing-off": "warn", down: "warn", orphaned: "warn", idle: "",
};
const MODES = { now: "now", insert: "next", append: "queue" };

function chip(element, text) {
  element.className = "chip";
  element.dataset.tone = TONES[text] ?? "";
  fill(element, text);
}

/* Elements of a list by key, in the order given; those that stay are not touched, so that nothing is read out twice. */
function keep(list, items, key, build, update) {
  const old = new Map([...list.children].map((element) => [element.dataset.key, element]));
  items.forEach((item, index) => {
    let element = old.get(key(item));
    old.delete(key(item));
    if (!element) {
      element = build();
      element.dataset.key = key(item);
    }
    update(element, item);
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
  });
  for (const element of old.values()) element.remove();
}

function buildWords() {
  const element = document.createElement("li");
  element.append(make("span", "words"), make("span", "chip"), make("span", "meta"), make("span", "why"));
  element.children[0].dir = "auto";
  return element;
}

class Room {
  constructor(picture) {
    this.picture = picture;
    this.view = null;
    this.heardAt = 0; // of the newest view
    this.lostAt = performance.now(); // 0 while the news flow
    this.lines = new Map(); // id → line, oldest first
    this.sentence = ""; // whose progress the bar shows
    this.motion = null;
    this.began = 0;
    this.spokeAt = -BREATH_MS;
    this.veilSince = performance.now();
  }

  told(view) {
    this.view = view;
    this.heardAt = performance.now();
    this.lostAt = 0;
    for (const line of [...view.lines].reverse()) this.lines.set(line.id, line);
    this.draw();
  }

  lost() {
    this.lostAt ||= performance.now();
    this.draw();
  }

  /* A line of this page, before the room has told of it. */
  note(line) {
    if (!this.lines.has(line.id) || line.state === "not sent") this.lines.set(line.id, line);
    this.draw();
  }

  draw() {
    const { view } = this;
    this.drawHead();
    this.drawVeil();
    this.drawLines();
    if (!view) return;
    fill($("room"), view.room);
    document.title = `${view.room} · broadcaster`;
    this.drawNow(view.now);
    this.drawNext(view);
    this.drawHouse(view);
    hand.drawn(view);
  }

  get isOff() {
    return this.lostAt > 0 && performance.now() - this.lostAt > OFF_AFTER_MS;
  }

  drawHead() {
    const { view } = this;
    const [state, text] = this.air();
    if ($("air").dataset.state !== state) $("air").dataset.state = state;
    fill($("air"), text);
    document.body.dataset.off = String(this.isOff);
    $("since").hidden = !view?.ready || this.isOff;
    if (view) fill($("clock"), duration(view.on_air_s + (performance.now() - this.heardAt) / 1000));
  }

  air() {
    const { view } = this;
    if (!view) return this.isOff ? ["warn", "off"] : ["wait", "connecting"];
    if (this.isOff) return ["warn", "off"];
    if (this.lostAt) return ["wait", "reconnecting"];
    if (view.panic) return ["warn", "panic: slate"];
    if (!view.ready) return ["wait", "going on air"];
    return { live: ["live", "On air"], hold: ["warn", "on air: holding"] }[view.source] ?? ["warn", "on air: slate"];
  }

  drawVeil() {
    const text = this.missing();
    const veil = $("veil");
    if (!text) this.veilSince = performance.now();
    const shown = text && (performance.now() - this.veilSince > 600 || !this.view);
    veil.dataset.shown = String(Boolean(shown));
    veil.dataset.still = String(Boolean(text?.endsWith(".")));
    if (shown) fill($("veil-text"), text);
    const { behind, playing } = this.picture;
    fill($("behind"), playing && behind !== null ? `${Math.max(0, behind).toFixed(1)} s behind live` : "");
  }

  /* Why there is no picture; a full stop means that waiting is all one can do. */
  missing() {
    const { view, picture } = this;
    if (this.isOff) return "The room is off. This page comes back by itself as soon as it is on again.";
    if (picture.playing) return null;
    if (!picture.supported) return "This browser cannot play the live picture. Words and state work.";
    if (!view || this.lostAt) return "Connecting …";
    if (!view.ready) return "Going on air …";
    if (!view.preview) return "The live picture is switched off here (preview: false).";
    return "Waiting for the picture …";
  }

  drawNow(now) {
    if (now) this.spokeAt = performance.now();
    else if (performance.now() - this.spokeAt < BREATH_MS) return;
    const text = $("now-text");
    const lane = $("now-lane");
    lane.hidden = !now;
    if (now) fill(lane, now.lane);
    text.dataset.empty = String(!now);
    fill(text, now ? now.text || "A person is talking." : "Nothing is being said.");
    fill($("now-count"), now && now.of > 1 ? `sentence ${now.sentence} of ${now.of}` : "");
    this.drawProgress(now);
  }

  /* The bar moves by itself from what is known when a sentence begins. A director that took over does not know how old
   * the sentence is: then the bar goes on as it was. */
  drawProgress(now) {
    const key = now ? `${now.id}/${now.sentence}` : "";
    const known = now && now.length_s && now.age_s !== null;
    if (key !== this.sentence) {
      this.sentence = key;
      this.motion?.cancel();
      this.motion = null;
    }
    if (!known) return;
    const began = this.heardAt - now.age_s * 1000;
    if (this.motion && Math.abs(began - this.began) < 400) return; // said before, or a little late on its way
    this.began = began;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const easing = calm ? `steps(${Math.max(1, Math.round(now.length_s))}, end)` : "linear";
    const frames = [{ transform: "scaleX(0)" }, { transform: "scaleX(1)" }];
    this.motion?.cancel();
    this.motion = $("now-bar").firstElementChild.animate(frames, {
      duration: now.length_s * 1000,
      easing,
      fill: "forwards",
    });
    this.motion.currentTime = performance.now() - began;
  }

  drawNext(view) {
    keep($("next"), view.next, (words) => words.id, buildWords, (element, words) => {
      const [text, tag, meta] = element.children;
      fill(text, words.text);
      fill(tag, words.lane);
      fill(meta, words.rest ? "goes on" : "");
    });
    $("next-none").hidden = view.next.length > 0;
    const more = view.waiting - view.next.length;
    fill($("waiting"), more > 0 ? `and ${more} more` : "");
  }

  drawLines() {
    while (this.lines.size > LINES_KEPT) this.lines.delete(this.lines.keys().next().value);
    keep($("lines"), [...this.lines.values()].reverse(), (line) => line.id, buildWords, (element, line) => {
      const [text, tag, meta, why] = element.children;
      fill(text, line.text);
      chip(tag, line.state);
      fill(meta, [line.lane, MODES[line.mode] ?? line.mode].filter(Boolean).join(" · "));
      fill(why, line.reason);
      element.dataset.state = line.state;
    });
    $("lines-none").hidden = this.lines.size > 0;
  }

  drawHouse(view) {
    const { engine, outputs } = view;
    const rows = [["engine", `engine ${engine.name}`, engine.state, times(engine.restarts, "restart")]];
    for (const output of outputs) {
      const counts = [times(output.reconnects, "reconnect"), output.dropped ? `${output.dropped} dropped` : ""];
      rows.push([`output ${output.name}`, output.name, output.state, counts.filter(Boolean).join(", ")]);
    }
    if (!outputs.length) rows.push(["none", "no outputs", "", ""]);
    rows.push(["queue", "queue", view.queue, ""]);
    if (view.skipped) rows.push(["skipped", "frames skipped", "", String(view.skipped)]);
    keep($("house"), rows, (row) => row[0], buildRow, (element, [, name, state, counts]) => {
      fill(element.children[0], name);
      element.children[1].hidden = !state;
      chip(element.children[1], state);
      fill(element.children[2], counts);
    });
    const notice = noticeOf(view);
    $("notice").hidden = !notice;
    fill($("notice"), notice);
  }

  tick() {
    const progress = this.motion?.effect.getComputedTiming().progress;
    if (this.motion) $("now-bar").setAttribute("aria-valuenow", String(Math.round(100 * (progress ?? 0))));
    else $("now-bar").removeAttribute("aria-valuenow");
    this.drawHead();
    this.drawVeil();
    if (this.view) this.drawNow(this.view.now);
  }
}

function buildRow() {
  const element = document.createElement("li");
  element.append(make("b"), make("span", "chip"), make("span", "meta"));
  return element;
}

function noticeOf(view) {
  if (view.panic) return "Panic: viewers see the slate and hear nothing. `broadcaster panic --off` ends it.";
  if (view.lease === "elsewhere") return "Another broadcaster holds this room; this one waits.";
  if (view.queue !== "up") return "The message queue does not answer: the show goes on, but nothing can be pushed now.";
  if (view.held) return "Paused: only what is pushed to lane live is said, until the show is resumed.";
  if (view.paused) return "Paused: no output is live, so nothing new is begun.";
  if (view.alarms.length) return view.alarms.map((alarm) => `Alarm ${alarm.name}: ${alarm.text}.`).join(" ");
  return "";
}

function times(count, word) {
  return count ? `${count} ${word}${count === 1 ? "" : "s"}` : "";
}

function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const days = Math.floor(whole / 86400);
  const hours = Math.floor(whole / 3600) % 24;
  const two = (value) => String(value % 60).padStart(2, "0");
  return `${days ? `${days} d ` : ""}${hours}:${two(Math.floor(whole / 60))}:${two(whole)}`;
}

/* ── saying ── */

class Sayer {
  constructor(form, room) {
    this.form = form;
    this.room = room;
    this.text = $("text");
    this.button = form.querySelector("button");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.say();
    });
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
  }

  async say() {
    const text = this.text.value.trim();
    if (!text || this.button.disabled) return;
    const mode = new FormData(this.form).get("mode");
    const line = { id: `page-${random()}`, lane: "live", mode, text, state: "sent", reason: "" };
    this.button.disabled = true;
    const trouble = await this.post(line);
    this.button.disabled = false;
    fill($("say-error"), trouble);
    $("say-error").hidden = !trouble;
    if (trouble) return;
    this.text.value = "";
    this.room.note(line);
  }

  /* Returns why it was not taken, or "". */
  async post({ id, lane, mode, text }) {
    try {
      const answer = await fetch("/say", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ id, lane, mode, text }),
        signal: AbortSignal.timeout(8000),
      });
      if (answer.ok) return "";
      const told = await answer.json().catch(() => ({}));
      return told.error ?? `Not taken (${answer.status}).`;
    } catch {
      return "The room does not answer; your words are still here.";
    }
  }
}

function random() {
  return [...crypto.getRandomValues(new Uint8Array(6))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/* ── begin ── */

const picture = new Picture($("video"), $("still"), () => room.draw());
const room = new Room(picture);
const hand = new Hand();
new Talker($("talk"), (trouble) => hand.say(trouble));
new Sayer($("say"), room);
new News((view) => room.told(view), () => room.lost()).open();
picture.open();
setInterval(() => room.tick(), 250);

$("sound").addEventListener("click", () => {
  const video = $("video");
  video.muted = !video.muted;
  $("sound").setAttribute("aria-pressed", String(!video.muted));
  fill($("sound-text"), video.muted ? "Turn sound on" : "Mute");
  picture.play();
});
