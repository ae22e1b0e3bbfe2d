/* Points of a face, dragged into place over its picture.
 *
 * In: GET /about (the points as they begin) and /picture. Out: POST /look, which answers with the face at work or with
 * what is wrong, and POST /save. Each edit makes a new value; undo goes back to an old one. What is right is decided by
 * the server alone.
 */

import { edited } from "./facepoints.js";
import { Sheet } from "./facesheet.js";

const LOOK_AFTER_MS = 200; // of rest: a drag is not drawn at each pixel
const SAY_AFTER_MS = 400;
const STEP_PX = 1;
const LEAP_PX = 10; // with Shift
const ZOOM = 1.35;
const UNDO_MAX = 200;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HINTS = {
  face: "An eye's middle turns and sizes the whole face about the other eye; any other point moves all of it.",
  part: "Eye, mouth, brow or outline moves as a whole.",
  point: "One point moves; an outline takes its neighbours along.",
};

const $ = (id) => document.getElementById(id);

/* ── the face at work ── */

class Look {
  /* `told(text)`: what is wrong with the points, "" when nothing is. */
  constructor(canvas, told) {
    this.canvas = canvas;
    this.told = told;
    this.wanted = null;
    this.busy = false;
    this.timer = 0;
  }

  want(points) {
    this.wanted = points;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), LOOK_AFTER_MS);
  }

  async ask() {
    if (this.busy || !this.wanted) return;
    const points = this.wanted;
    this.wanted = null;
    this.busy = true;
    $("drawing").hidden = false;
    try {
      const answer = await fetch("/look", { method: "POST", body: JSON.stringify(points) });
      if (answer.ok) {
        const bitmap = await createImageBitmap(await answer.blob());
        this.canvas.getContext("2d").drawImage(bitmap, 0, 0, this.canvas.width, this.canvas.height);
        this.told("");
      } else {
        this.told(await reason(answer));
      }
    } catch {
      this.told("The program has ended: start `broadcaster avatar points` again.");
    }
    this.busy = false;
    $("drawing").hidden = true;
    if (this.wanted) this.ask();
  }
}

async function reason(answer) {
  const told = await answer.json().catch(() => ({}));
  return told.error ?? `Not taken (${answer.status}).`;
}

/* ── the hand ── */

class Hand {
  constructor(about) {
    this.points = about.points;
    this.kept = about.points; // as saved last
    this.past = [];
    this.future = [];
    this.drag = null; // {grip, from, grab}
    this.fingers = new Map();
    this.sheet = new Sheet($("face"), about.points);
    this.look = new Look($("look"), (text) => this.trouble(text));
    this.byId = new Map(this.sheet.grips.map((grip) => [grip.id, grip]));
    if (!about.found) document.querySelector("input[value=face]").checked = true;
    this.hint();
    this.listen();
    this.show();
    this.sheet.near(this.points);
    this.look.want(this.points);
  }

  get reach() {
    return document.querySelector("input[name=reach]:checked").value;
  }

  listen() {
    const { svg } = this.sheet;
    svg.addEventListener("pointerdown", (event) => this.pressed(event));
    svg.addEventListener("pointermove", (event) => this.dragged(event));
    for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, (event) => this.released(event));
    svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.sheet.zoom(Math.exp(-event.deltaY / 400), this.sheet.place(event.clientX, event.clientY));
    }, { passive: false });
    document.addEventListener("keydown", (event) => this.typed(event));
    for (const radio of document.querySelectorAll("input[name=reach]")) radio.addEventListener("change", () => this.hint());
    $("in").addEventListener("click", () => this.sheet.zoom(ZOOM, this.middle()));
    $("out").addEventListener("click", () => this.sheet.zoom(1 / ZOOM, this.middle()));
    $("whole").addEventListener("click", () => this.sheet.whole());
    $("near").addEventListener("click", () => this.sheet.near(this.points));
    $("undo").addEventListener("click", () => this.undo());
    $("redo").addEventListener("click", () => this.redo());
    $("save").addEventListener("click", () => this.save(false));
    $("bake").addEventListener("click", () => this.save(true));
    window.addEventListener("resize", () => this.sheet.looked());
    window.addEventListener("beforeunload", (event) => {
      if (this.points !== this.kept) event.preventDefault();
    });
  }

  middle() {
    const [x, y, w, h] = this.sheet.view;
    return [x + w / 2, y + h / 2];
  }

  hint() {
    $("hint").textContent = HINTS[this.reach];
  }

  /* ── pointers ── */

  pressed(event) {
    if (event.button !== 0) return;
    const { svg } = this.sheet;
    svg.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, [event.clientX, event.clientY]);
    svg.classList.add("dragged");
    if (this.fingers.size > 1) {
      this.takeBack(); // a second finger means the view
      return;
    }
    if (!event.target.closest?.(".handle")) return;
    event.preventDefault();
    const [x, y] = this.sheet.place(event.clientX, event.clientY);
    const grip = this.sheet.nearest([x, y]);
    const handle = this.sheet.handles.get(grip.id);
    handle.focus();
    handle.classList.add("held");
    const [hx, hy] = grip.at(this.points);
    this.drag = { grip, handle, from: this.points, grab: [hx - x, hy - y] };
  }

  dragged(event) {
    const before = this.fingers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    if (this.drag) {
      const [x, y] = this.sheet.place(...now);
      const { grip, from, grab } = this.drag;
      this.points = edited(from, grip, [x + grab[0], y + grab[1]], this.reach);
      this.show();
    } else if (this.fingers.size === 1) {
      const unit = this.sheet.unit;
      this.sheet.pan((now[0] - before[0]) * unit, (now[1] - before[1]) * unit);
    } else {
      this.pinched(event.pointerId, before, now);
    }
    this.fingers.set(event.pointerId, now);
  }

  pinched(id, before, now) {
    const other = [...this.fingers].find(([finger]) => finger !== id)[1];
    const apart = (finger) => Math.max(Math.hypot(finger[0] - other[0], finger[1] - other[1]), 1);
    const unit = this.sheet.unit;
    this.sheet.pan(((now[0] - before[0]) / 2) * unit, ((now[1] - before[1]) / 2) * unit);
    this.sheet.zoom(apart(now) / apart(before), this.sheet.place((now[0] + other[0]) / 2, (now[1] + other[1]) / 2));
  }

  released(event) {
    this.fingers.delete(event.pointerId);
    if (!this.fingers.size) this.sheet.svg.classList.remove("dragged");
    if (!this.drag) return;
    const { from, handle } = this.drag;
    handle.classList.remove("held");
    this.drag = null;
    if (this.points !== from) this.done(from);
  }

  takeBack() {
    if (!this.drag) return;
    this.points = this.drag.from;
    this.drag.handle.classList.remove("held");
    this.drag = null;
    this.show();
  }

  /* ── keys ── */

  typed(event) {
    const arrow = ARROWS[event.key];
    const grip = this.byId.get(document.activeElement?.dataset?.id);
    if (event.ctrlKey || event.metaKey) {
      const key = event.key.toLowerCase();
      if (key !== "z" && key !== "y") return;
      event.preventDefault();
      if (key === "y" || event.shiftKey) this.redo();
      else this.undo();
    } else if (event.key === "Escape") {
      this.takeBack();
    } else if (arrow && grip) {
      event.preventDefault();
      const by = event.shiftKey ? LEAP_PX : STEP_PX;
      const [x, y] = grip.at(this.points);
      const before = this.points;
      this.points = edited(before, grip, [x + by * arrow[0], y + by * arrow[1]], this.reach);
      this.done(before);
      this.say(grip);
    } else if (event.key === "+" || event.key === "-" || event.key === "0") {
      if (event.key === "0") this.sheet.whole();
      else this.sheet.zoom(event.key === "+" ? ZOOM : 1 / ZOOM, grip ? grip.at(this.points) : this.middle());
    }
  }

  say(grip) {
    clearTimeout(this.saying);
    this.saying = setTimeout(() => {
      $("said").textContent = `${grip.label}: ${grip.at(this.points).map(Math.round).join(", ")}`;
    }, SAY_AFTER_MS);
  }

  /* ── what was done ── */

  done(before) {
    this.past.push(before);
    if (this.past.length > UNDO_MAX) this.past.shift();
    this.future = [];
    this.settled();
  }

  undo() {
    if (this.drag || !this.past.length) return;
    this.future.push(this.points);
    this.points = this.past.pop();
    this.settled();
  }

  redo() {
    if (this.drag || !this.future.length) return;
    this.past.push(this.points);
    this.points = this.future.pop();
    this.settled();
  }

  settled() {
    $("told").textContent = "";
    this.show();
    this.look.want(this.points);
  }

  show() {
    this.sheet.draw(this.points);
    $("undo").disabled = !this.past.length;
    $("redo").disabled = !this.future.length;
    $("state").textContent = this.points === this.kept ? "" : "not saved";
    $("state").hidden = this.points === this.kept;
    $("state").dataset.tone = "warn";
  }

  trouble(text) {
    $("trouble").textContent = text;
    $("trouble").hidden = !text;
    this.sheet.mark(text);
  }

  async save(baked) {
    const points = this.points;
    for (const id of ["save", "bake"]) $(id).disabled = true;
    $("told").textContent = baked ? "Saving, and making the avatar …" : "Saving …";
    try {
      const answer = await fetch(baked ? "/save?bake=true" : "/save", { method: "POST", body: JSON.stringify(points) });
      if (answer.ok) {
        this.kept = points;
        $("told").textContent = (await answer.json()).told;
        this.trouble("");
      } else {
        $("told").textContent = "";
        this.trouble(await reason(answer));
      }
    } catch {
      $("told").textContent = "";
      this.trouble("The program has ended: start `broadcaster avatar points` again.");
    }
    for (const id of ["save", "bake"]) $(id).disabled = false;
    this.show();
  }
}

/* ── beginning ── */

async function begin() {
  const answer = await fetch("/about");
  if (!answer.ok) {
    $("why").textContent = await reason(answer);
    return;
  }
  const about = await answer.json();
  document.title = `Points of ${about.name}`;
  $("name").textContent = `Points of ${about.name}`;
  $("why").textContent = about.why;
  $("save").textContent = `Save ${about.file}`;
  $("bake").textContent = `Save, and make ${about.avatar}`;
  $("picture").setAttribute("href", "/picture");
  new Hand(about);
}

begin().catch(() => {
  $("why").textContent = "The program has ended: start `broadcaster avatar points` again.";
});
