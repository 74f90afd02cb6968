// A structure in 3D on a canvas: balls, sticks and the cell; mouse, touch and keys turn it. A
// vibration moves the atoms of a supercell.

import { dot, element } from "./dom.js";

const BOND = 1.18; // times the sum of covalent radii
const SMALL = 1.25; // angstrom: in a compound, a bond has an atom no larger than this
const BALL = 0.42; // times the covalent radius
const STEP = Math.PI / 18;
const EDGE = 0.02; // fractional: an atom on a face is drawn on the opposite face too
const PERIOD = 1600; // milliseconds of an oscillation on the screen
const MOST_CELLS = 4; // along an axis, of a vibration
const FEW = 6; // atoms in the cell: with one cell alone bonds could not be seen
const MOST_MOVING = 240; // atoms of a vibration
const MOST_BONDED = 600; // atoms: above, looking at every pair takes too long

const times = (matrix, vector) => matrix.map((row) => row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2]);
const product = (a, b) => a.map((row) => [0, 1, 2].map((j) => row[0] * b[0][j] + row[1] * b[1][j] + row[2] * b[2][j]));
const minus = (a, b) => a.map((x, i) => x - b[i]);
const length = (a) => Math.hypot(...a);
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const unit = (a) => a.map((x) => x / length(a));

const turnX = (t) => [[1, 0, 0], [0, Math.cos(t), -Math.sin(t)], [0, Math.sin(t), Math.cos(t)]];
const turnY = (t) => [[Math.cos(t), 0, Math.sin(t)], [0, 1, 0], [-Math.sin(t), 0, Math.cos(t)]];

function atomsWithImages(structure) {
  const atoms = [];
  structure.fractional_coordinates.forEach((coordinates, i) => {
    const home = coordinates.map((x) => { const y = x - Math.floor(x); return y > 1 - EDGE ? y - 1 : y; });
    const shifts = home.map((x) => (x < EDGE ? [0, 1] : [0]));
    for (const a of shifts[0]) for (const b of shifts[1]) for (const c of shifts[2]) {
      const f = [home[0] + a, home[1] + b, home[2] + c];
      const place = [0, 1, 2].map((j) => f.reduce((sum, x, k) => sum + x * structure.lattice[k][j], 0));
      atoms.push({ place, symbol: structure.symbols[i], site: i });
    }
  });
  return atoms;
}

function bondsOf(atoms, radii) {
  const bonds = [];
  if (atoms.length > MOST_BONDED) return bonds;
  const isCompound = new Set(atoms.map((atom) => atom.symbol)).size > 1;
  for (let i = 0; i < atoms.length; i++) for (let j = 0; j < i; j++) {
    const [first, second] = [radii[atoms[i].symbol], radii[atoms[j].symbol]];
    if (isCompound && Math.min(first, second) > SMALL) continue;
    const reach = BOND * (first + second);
    if (length(minus(atoms[i].place, atoms[j].place)) < reach) bonds.push([atoms[i], atoms[j]]);
  }
  return bonds;
}

function edgesOf(lattice) {
  const edges = [];
  const corner = (bits) => [0, 1, 2].map((j) => bits.reduce((sum, bit, k) => sum + bit * lattice[k][j], 0));
  for (const axis of [0, 1, 2]) for (const u of [0, 1]) for (const v of [0, 1]) {
    const others = [0, 1, 2].filter((k) => k !== axis);
    const start = [0, 0, 0];
    start[others[0]] = u;
    start[others[1]] = v;
    const end = [...start];
    end[axis] = 1;
    edges.push([corner(start), corner(end)]);
  }
  return edges;
}

// Rows x, y, z of the view that looks along a lattice vector.
function along(lattice, axis) {
  const z = unit(lattice[axis]);
  const y = unit(cross(z, lattice[(axis + 1) % 3]));
  return [cross(y, z), y, z];
}

function sceneOf(lattice, atoms, radii, cell = lattice) {
  const bonds = bondsOf(atoms, radii);
  const edges = edgesOf(cell);
  const middle = [0, 1, 2].map((j) => (cell[0][j] + cell[1][j] + cell[2][j]) / 2);
  const reach = Math.max(...edges.flat().map((p) => length(minus(p, middle))), ...atoms.map((a) => length(minus(a.place, middle)) + 0.6));
  return { lattice, atoms, bonds, edges, middle, reach, faces: [] };
}

// Triangles in space with the colour of their centre, for the polyhedra of some elements.
function facesOf(atoms, polyhedra, shown) {
  const of = new Map(polyhedra.map((one) => [one.site, one]));
  return atoms.filter(({ site, symbol }) => of.has(site) && shown.has(symbol)).flatMap(({ place, site, symbol }) => {
    const { corners, faces } = of.get(site);
    return faces.map((face) => ({ symbol, corners: face.map((k) => corners[k].map((x, i) => x + place[i])) }));
  });
}

export function drawStructure(structure) {
  const scene = sceneOf(structure.lattice, atomsWithImages(structure), structure.radii);
  const shown = new Set();
  const { box, paint } = viewer(scene, structure,
    `${structure.formula}, ${structure.crystal_system}, ${structure.symbols.length} atoms in the given cell. Arrow keys turn it, plus and minus zoom.`);
  const symbols = [...new Set(structure.polyhedra.map(({ symbol }) => symbol))];
  const toggle = (symbol) => element("button", {
    type: "button",
    "aria-pressed": "false",
    onclick: (e) => {
      shown.delete(symbol) || shown.add(symbol);
      e.currentTarget.setAttribute("aria-pressed", String(shown.has(symbol)));
      scene.faces = facesOf(scene.atoms, structure.polyhedra, shown);
      paint();
    },
  }, `${symbol} polyhedra`);
  if (symbols.length) {
    box.append(element("div", { class: "view", role: "group", "aria-label": "Polyhedra" }, ...symbols.map(toggle)));
  }
  return box;
}

// As many cells along each axis as the wave needs to come round, up to a limit of atoms.
function cellsOf(mode) {
  const cells = mode.qpoint.map((q) => {
    const share = Math.abs(q - Math.round(q));
    return share < 1e-6 ? (mode.symbols.length <= FEW ? 2 : 1) : Math.min(MOST_CELLS, Math.max(2, Math.round(1 / share)));
  });
  while (cells[0] * cells[1] * cells[2] * mode.symbols.length > MOST_MOVING && Math.max(...cells) > 1) {
    cells[cells.indexOf(Math.max(...cells))] -= 1;
  }
  return cells;
}

export function drawMode(mode, structure) {
  const cells = cellsOf(mode);
  const atoms = [];
  for (let a = 0; a < cells[0]; a++) for (let b = 0; b < cells[1]; b++) for (let c = 0; c < cells[2]; c++) {
    const shift = [a, b, c];
    const phase = 2 * Math.PI * mode.qpoint.reduce((sum, q, k) => sum + q * shift[k], 0);
    const [cos, sin] = [Math.cos(phase), Math.sin(phase)];
    mode.symbols.forEach((symbol, i) => {
      const f = mode.fractional_coordinates[i].map((x, k) => x + shift[k]);
      const home = [0, 1, 2].map((j) => f.reduce((sum, x, k) => sum + x * mode.lattice[k][j], 0));
      const real = mode.real[i].map((x, k) => x * cos - mode.imaginary[i][k] * sin);
      const imaginary = mode.real[i].map((x, k) => x * sin + mode.imaginary[i][k] * cos);
      atoms.push({ symbol, home, place: home, real, imaginary });
    });
  }
  const cell = mode.lattice.map((row, k) => row.map((x) => x * cells[k]));
  const scene = sceneOf(mode.lattice, atoms, structure.radii, cell);
  const shown = viewer(scene, structure,
    `Vibration of ${structure.formula} at ${mode.label}, ${mode.frequency.toFixed(1).replace("-0.0", "0.0")} 1/cm. Arrow keys turn it, plus and minus zoom.`);
  let amplitude = 0.5;
  let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  let time = 0;
  let last = null;

  function frame(now) {
    if (!shown.box.isConnected) return;
    if (last !== null) time += Math.min(now - last, 50);
    last = now;
    move();
    if (playing) requestAnimationFrame(frame);
  }
  function move() {
    const angle = (2 * Math.PI * time) / PERIOD;
    const [cos, sin] = [amplitude * Math.cos(angle), amplitude * Math.sin(angle)];
    for (const atom of atoms) atom.place = atom.home.map((x, k) => x + atom.real[k] * cos + atom.imaginary[k] * sin);
    shown.paint();
  }
  const play = element("button", {
    type: "button",
    onclick: () => {
      playing = !playing;
      play.textContent = playing ? "Pause" : "Play";
      last = null;
      if (playing) requestAnimationFrame(frame);
    },
  }, playing ? "Pause" : "Play");
  const size = element("input", { type: "range", min: "0.1", max: "1.5", step: "0.1", value: "0.5", oninput: (e) => { amplitude = Number(e.target.value); move(); } });
  shown.box.append(element("div", { class: "view" }, play, element("label", { class: "note" }, "Amplitude ", size)));
  if (playing) requestAnimationFrame(frame);
  return shown.box;
}

function viewer(scene, { radii, colours }, label) {
  const { lattice, atoms, bonds, edges, middle } = scene;
  let view = product(turnX(-1.2), product(turnY(0), [[0.87, 0.5, 0], [-0.5, 0.87, 0], [0, 0, 1]]));
  let zoom = 1;

  const canvas = element("canvas", {
    tabindex: "0",
    role: "img",
    "aria-label": label,
  });

  function paint() {
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width) return;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const far = scene.faces.flatMap(({ corners }) => corners.map((corner) => length(minus(corner, middle))));
    const scale = (0.47 * Math.min(width, height) * zoom) / Math.max(scene.reach, ...far);
    const project = (place) => {
      const [x, y, z] = times(view, minus(place, middle));
      return { x: width / 2 + scale * x, y: height / 2 - scale * y, z };
    };
    const shapes = [];
    for (const [from, to] of edges) {
      const [a, b] = [project(from), project(to)];
      shapes.push({ z: (a.z + b.z) / 2 - 0.3, draw: () => stroke(a, b, style.getPropertyValue("--quiet"), 1.2) });
    }
    for (const [first, second] of bonds) {
      const half = first.place.map((x, i) => (x + second.place[i]) / 2);
      for (const atom of [first, second]) {
        const [a, b] = [project(atom.place), project(half)];
        shapes.push({ z: (a.z + b.z) / 2 - 0.05, draw: () => stroke(a, b, colours[atom.symbol], Math.max(2.5, 0.16 * scale)) });
      }
    }
    for (const { symbol, corners } of scene.faces) {
      const [a, b, c] = corners.map(project);
      shapes.push({ z: (a.z + b.z + c.z) / 3, draw: () => face([a, b, c], colours[symbol]) });
    }
    for (const atom of atoms) {
      const p = project(atom.place);
      shapes.push({ z: p.z, draw: () => ball(p, Math.max(3, BALL * radii[atom.symbol] * scale), colours[atom.symbol]) });
    }
    shapes.sort((a, b) => a.z - b.z).forEach((shape) => shape.draw());
    axes();

    function stroke(a, b, colour, lineWidth) {
      pen.strokeStyle = colour;
      pen.lineWidth = lineWidth;
      pen.lineCap = "round";
      pen.beginPath();
      pen.moveTo(a.x, a.y);
      pen.lineTo(b.x, b.y);
      pen.stroke();
    }
    function face(points, colour) {
      pen.beginPath();
      points.forEach((p, i) => (i ? pen.lineTo(p.x, p.y) : pen.moveTo(p.x, p.y)));
      pen.closePath();
      pen.globalAlpha = 0.35;
      pen.fillStyle = colour;
      pen.fill();
      pen.globalAlpha = 0.8;
      pen.strokeStyle = colour;
      pen.lineWidth = 1;
      pen.stroke();
      pen.globalAlpha = 1;
    }
    function ball(p, radius, colour) {
      const light = pen.createRadialGradient(p.x - radius / 3, p.y - radius / 3, radius / 8, p.x, p.y, radius);
      light.addColorStop(0, "#ffffff");
      light.addColorStop(0.3, colour);
      light.addColorStop(1, colour);
      pen.fillStyle = light;
      pen.strokeStyle = "rgba(0, 0, 0, 0.55)";
      pen.lineWidth = 0.8;
      pen.beginPath();
      pen.arc(p.x, p.y, radius, 0, 2 * Math.PI);
      pen.fill();
      pen.stroke();
    }
    function axes() {
      const origin = { x: 34, y: height - 34 };
      pen.font = "12px system-ui, sans-serif";
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      ["a", "b", "c"].forEach((label, k) => {
        const [x, y] = times(view, unit(lattice[k]));
        const text = style.getPropertyValue("--text");
        stroke(origin, { x: origin.x + 18 * x, y: origin.y - 18 * y }, text, 1.5);
        pen.fillStyle = text;
        pen.fillText(label, origin.x + 27 * x, origin.y - 27 * y);
      });
    }
  }

  const turn = (dx, dy) => { view = product(product(turnX(dy), turnY(dx)), view); paint(); };
  const enlarge = (factor) => { zoom = Math.min(6, Math.max(0.4, zoom * factor)); paint(); };

  canvas.addEventListener("pointerdown", (e) => {
    canvas.setPointerCapture(e.pointerId);
    const move = (m) => turn(m.movementX / 120, m.movementY / 120);
    canvas.addEventListener("pointermove", move);
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => canvas.removeEventListener("pointermove", move), { once: true });
    }
  });
  canvas.addEventListener("keydown", (e) => {
    const keys = {
      ArrowLeft: () => turn(-STEP, 0),
      ArrowRight: () => turn(STEP, 0),
      ArrowUp: () => turn(0, -STEP),
      ArrowDown: () => turn(0, STEP),
      "+": () => enlarge(1.2),
      "=": () => enlarge(1.2),
      "-": () => enlarge(1 / 1.2),
    };
    if (keys[e.key]) { e.preventDefault(); keys[e.key](); }
  });

  const button = (label, name, action) => element("button", { type: "button", "aria-label": name, onclick: action }, label);
  const views = ["a", "b", "c"].map((label, k) =>
    button(label, `Look along ${label}`, () => { view = along(lattice, k); paint(); }));
  const legend = Object.entries(colours).map(([symbol, colour]) =>
    element("span", { class: "legend" }, dot(colour), symbol));
  const box = element("div", {}, canvas,
    element("div", { class: "view" }, ...legend, ...views,
      button("+", "Larger", () => enlarge(1.2)), button("−", "Smaller", () => enlarge(1 / 1.2))));
  new ResizeObserver(paint).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  return { box, paint };
}
