/* The picture with its points: lines, handles, and the part of it that is in view. */

import { grips } from "./facepoints.js";

const DOT_PX = 5.5;
const CORE_PX = 1.6;
const HIT_PX = 16; // a finger's
const NEAREST = 24; // times as large as the whole picture, at most
const SVG = "http://www.w3.org/2000/svg";

const $ = (id) => document.getElementById(id);
const made = (name, attributes = {}) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

export class Sheet {
  constructor(svg, points) {
    this.svg = svg;
    this.size = points.size;
    this.lines = new Map();
    this.handles = new Map();
    this.grips = grips(points);
    $("picture").setAttribute("preserveAspectRatio", "none");
    $("picture").setAttribute("width", this.size[0]);
    $("picture").setAttribute("height", this.size[1]);
    for (const grip of this.grips) this.handles.set(grip.id, this.handle(grip));
    this.whole();
  }

  handle(grip) {
    const group = made("g", { class: `handle ${grip.kind}`, tabindex: 0, role: "button", "data-id": grip.id, "aria-label": grip.label, "aria-roledescription": "point" });
    group.append(made("circle", { class: "hit", r: HIT_PX }), made("circle", { class: "dot", r: DOT_PX }), made("circle", { class: "core", r: CORE_PX }));
    $("handles").append(group);
    return group;
  }

  /* Pixels of the picture for one of the screen. */
  get unit() {
    return 1 / (this.svg.getScreenCTM()?.a || 1);
  }

  place(clientX, clientY) {
    const { x, y } = new DOMPoint(clientX, clientY).matrixTransform(this.svg.getScreenCTM().inverse());
    return [x, y];
  }

  /* What a finger there means: the handle that is nearest, of those under it. */
  nearest([x, y]) {
    const off = (grip) => Math.hypot(grip.at(this.points)[0] - x, grip.at(this.points)[1] - y);
    return this.grips.reduce((best, grip) => (off(grip) < off(best) ? grip : best));
  }

  whole() {
    this.view = [0, 0, ...this.size];
    this.looked();
  }

  near(points) {
    const xs = points.face.map(([x]) => x);
    const ys = points.face.map(([, y]) => y);
    const [x, y, w, h] = [Math.min(...xs), Math.min(...ys), Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)];
    this.view = [x - 0.15 * w, y - 0.15 * h, 1.3 * w, 1.3 * h];
    this.looked();
  }

  zoom(factor, [x, y]) {
    const [vx, vy, vw, vh] = this.view;
    const wide = Math.min(Math.max(vw / factor, this.size[0] / NEAREST), this.size[0] * 1.5);
    const by = wide / vw;
    this.view = [x - (x - vx) * by, y - (y - vy) * by, wide, vh * by];
    this.looked();
  }

  pan(dx, dy) {
    const [x, y, w, h] = this.view;
    const held = (at, span, whole) => Math.min(Math.max(at, -span / 2), whole - span / 2);
    this.view = [held(x - dx, w, this.size[0]), held(y - dy, h, this.size[1]), w, h];
    this.looked();
  }

  looked() {
    this.svg.setAttribute("viewBox", this.view.join(" "));
    if (this.points) this.draw(this.points);
  }

  draw(points) {
    this.points = points;
    const unit = this.unit;
    for (const grip of this.grips) {
      const [x, y] = grip.at(points);
      this.handles.get(grip.id).setAttribute("transform", `translate(${x} ${y}) scale(${unit})`);
    }
    for (const [id, path] of Object.entries(paths(points))) {
      if (!this.lines.has(id)) {
        const line = made("path", { class: id === "face" || id === "head" || id === "shoulders" ? "line outline" : "line" });
        $("lines").append(line);
        this.lines.set(id, line);
      }
      this.lines.get(id).setAttribute("d", path);
    }
  }

  /* Mark the handles that a text names. */
  mark(text) {
    for (const [id, handle] of this.handles) handle.classList.toggle("wrong", text.includes(`${id} (`));
  }
}

/* From one corner to the other through a point between them. */
function bow([x0, y0], [mx, my], [x1, y1]) {
  return `M${x0} ${y0}Q${2 * mx - (x0 + x1) / 2} ${2 * my - (y0 + y1) / 2} ${x1} ${y1}`;
}

function paths(points) {
  const { mouth } = points;
  const ring = (list) => `M${list.map((place) => place.join(" ")).join("L")}Z`;
  const found = {
    face: ring(points.face),
    head: ring(points.head),
    mouth: ["upper_out", "upper_in", "lower_in", "lower_out"].map((key) => bow(mouth.left, mouth[key], mouth.right)).join(""),
    shoulders: `M0 ${points.shoulders_y}H${points.size[0]}`,
  };
  points.eyes.forEach((eye, i) => {
    const [x, y] = eye.iris;
    const r = eye.iris_radius;
    const circle = `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
    found[`eye${i}`] = bow(eye.left, eye.upper, eye.right) + bow(eye.left, eye.lower, eye.right) + circle;
  });
  points.brows.forEach((brow, i) => { found[`brow${i}`] = `M${brow.map((place) => place.join(" ")).join("L")}`; });
  return found;
}
