/* The points of a face as a value: what can be taken hold of, and what a move of it makes of them. Pure.
 *
 * Points are pixels of the picture, as the points file has them; a place in them has an id, as "eyes[0].iris".
 */

const OUTLINE_HANDLES = 8; // the points between them come along
const MOUTH = {
  left: "left corner", right: "right corner", upper_out: "upper lip, upper edge", upper_in: "upper lip, lower edge",
  lower_in: "lower lip, upper edge", lower_out: "lower lip, lower edge",
};
const EYE = { left: "left corner", right: "right corner", upper: "upper lid", lower: "lower lid", iris: "middle of the iris" };
const SIDES = ["left", "right"];

const keys = (id) => id.match(/\w+/g);
const got = (points, id) => keys(id).reduce((at, key) => at[key], points);
const rounded = (value) => Math.round(value * 10) / 10;

/* A copy with other values at some places: [[id, value], …]. */
function changed(points, values) {
  const copy = structuredClone(points);
  for (const [id, value] of values) {
    const way = keys(id);
    const last = way.pop();
    const at = way.reduce((inner, key) => inner[key], copy);
    at[last] = Array.isArray(value) ? value.map(rounded) : rounded(value);
  }
  return copy;
}

/* All that has a place, by part: {part: [id, …]}. */
function parts(points) {
  const numbered = (name, list) => list.map((_, index) => `${name}[${index}]`);
  return {
    mouth: Object.keys(MOUTH).map((key) => `mouth.${key}`),
    ...Object.fromEntries(points.eyes.map((_, i) => [`eyes[${i}]`, Object.keys(EYE).map((key) => `eyes[${i}].${key}`)])),
    ...Object.fromEntries(points.brows.map((brow, i) => [`brows[${i}]`, numbered(`brows[${i}]`, brow)])),
    nose: ["nose"],
    chin: ["chin"],
    face: numbered("face", points.face),
    head: numbered("head", points.head),
  };
}

/* What can be taken hold of: {id, part, label, kind, at(points), moved(points, place)}. */
export function grips(points) {
  const found = [];
  const add = (id, part, label) => found.push({
    id, part, label, kind: "point",
    at: (now) => got(now, id),
    moved: (now, place) => changed(now, [[id, place]]),
  });
  for (const [key, label] of Object.entries(MOUTH)) add(`mouth.${key}`, "mouth", `mouth, ${label}`);
  points.eyes.forEach((_, i) => {
    for (const [key, label] of Object.entries(EYE)) add(`eyes[${i}].${key}`, `eyes[${i}]`, `${SIDES[i]} eye, ${label}`);
    const [iris, radius] = [`eyes[${i}].iris`, `eyes[${i}].iris_radius`];
    found.push({
      id: radius, part: `eyes[${i}]`, label: `${SIDES[i]} eye, edge of the iris`, kind: "radius",
      at: (now) => [got(now, iris)[0] + got(now, radius), got(now, iris)[1]],
      moved: (now, [x]) => changed(now, [[radius, Math.max(x - got(now, iris)[0], 1)]]),
    });
  });
  points.brows.forEach((brow, i) => brow.forEach((_, j) => add(`brows[${i}][${j}]`, `brows[${i}]`, `${SIDES[i]} brow, point ${j + 1}`)));
  add("nose", "nose", "tip of the nose");
  add("chin", "chin", "chin");
  for (const name of ["face", "head"]) found.push(...outline(name, points[name].length));
  found.push({
    id: "shoulders_y", part: "shoulders", label: "height of the shoulders", kind: "level",
    at: (now) => [now.chin[0], now.shoulders_y],
    moved: (now, [, y]) => changed(now, [["shoulders_y", y]]),
  });
  return found;
}

function outline(name, count) {
  const stride = Math.max(Math.round(count / OUTLINE_HANDLES), 1);
  const handles = [];
  for (let index = 0; index < count; index += stride) {
    const id = `${name}[${index}]`;
    handles.push({
      id, part: name, kind: "outline", label: `outline of the ${name}, point ${index / stride + 1}`,
      at: (now) => got(now, id),
      moved: (now, [x, y]) => {
        const [fromX, fromY] = got(now, id);
        const values = [];
        for (let off = 1 - stride; off < stride; off += 1) {
          const near = `${name}[${(index + off + count) % count}]`;
          const share = 0.5 + 0.5 * Math.cos((Math.PI * off) / stride);
          const [nearX, nearY] = got(now, near);
          values.push([near, [nearX + share * (x - fromX), nearY + share * (y - fromY)]]);
        }
        return changed(now, values);
      },
    });
  }
  return handles;
}

/* Places of some ids through `map`, lengths times `scale`. */
function mapped(points, ids, map, scale) {
  const values = ids.map((id) => [id, map(got(points, id))]);
  if (scale !== 1) points.eyes.forEach((eye, i) => values.push([`eyes[${i}].iris_radius`, eye.iris_radius * scale]));
  return values;
}

/* The whole face: turned and sized about one iris so that the other comes to `place`, or shifted. */
function withFace(points, grip, place) {
  const all = Object.values(parts(points)).flat();
  const [x, y] = grip.at(points);
  let map = ([px, py]) => [px + place[0] - x, py + place[1] - y];
  let scale = 1;
  const iris = /^eyes\[(\d)\]\.iris$/.exec(grip.id);
  if (iris) {
    const [ox, oy] = points.eyes[1 - Number(iris[1])].iris;
    const [ax, ay, bx, by] = [x - ox, y - oy, place[0] - ox, place[1] - oy];
    const square = ax * ax + ay * ay;
    const [cos, sin] = [(bx * ax + by * ay) / square, (by * ax - bx * ay) / square];
    scale = Math.hypot(cos, sin);
    if (!(scale > 0.05 && scale < 20)) return points;
    map = ([px, py]) => [ox + cos * (px - ox) - sin * (py - oy), oy + sin * (px - ox) + cos * (py - oy)];
  }
  const shoulders = map([points.chin[0], points.shoulders_y])[1];
  return changed(points, [...mapped(points, all, map, scale), ["shoulders_y", shoulders]]);
}

function withPart(points, grip, place) {
  const ids = parts(points)[grip.part];
  if (!ids || grip.kind === "radius") return grip.moved(points, place);
  const [x, y] = grip.at(points);
  return changed(points, mapped(points, ids, ([px, py]) => [px + place[0] - x, py + place[1] - y], 1));
}

const inside = (points, [x, y]) => [Math.min(Math.max(x, 0), points.size[0]), Math.min(Math.max(y, 0), points.size[1])];

export function edited(points, grip, place, reach) {
  if (reach === "face" && (grip.kind === "point" || grip.kind === "outline")) return withFace(points, grip, place);
  if (reach !== "point") return withPart(points, grip, place);
  return grip.moved(points, grip.kind === "outline" ? place : inside(points, place));
}
