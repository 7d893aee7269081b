// A drawing area. It turns the drawing into a 28 × 28 image like MNIST's: scaled to 20 × 20, its centre of mass in
// the middle, grey levels from 0 (background) to 1 (ink), with soft edges.

import { SIDE } from "./image_input.js";

const FITTED = 20;
const PEN = 2.4; // width of a line, in pixels of the image
const FINE = 10; // samples per pixel in each direction

export class Drawing {
  #canvas;
  #strokes = []; // of points [x, y], in pixels of the image

  constructor(canvas, onDrawn) {
    this.#canvas = canvas;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      canvas.setPointerCapture(event.pointerId);
      this.#strokes.push([]);
      this.#follow(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) this.#follow(event);
    });
    canvas.addEventListener("lostpointercapture", onDrawn);
    this.clear();
  }

  clear() {
    this.#strokes = [];
    this.#show();
  }

  // Returns 784 grey levels, row by row.
  pixels() {
    const points = this.#strokes.flat();
    if (points.length === 0) return new Array(SIDE * SIDE).fill(0);
    const [[left, right], [top, bottom]] = [0, 1].map((axis) => {
      const places = points.map((point) => point[axis]).sort((one, other) => one - other);
      return [places.at(0), places.at(-1)];
    });
    const size = Math.max(right - left, bottom - top);
    // A dot stays a dot.
    const scale = size < PEN ? 1 : (FITTED - PEN) / size;
    const middle = [(left + right) / 2, (top + bottom) / 2];
    const centred = render(this.#strokes, scale, middle);
    const mass = centreOfMass(centred);
    return render(this.#strokes, scale, middle.map((at, axis) => at + (mass[axis] - SIDE / 2) / scale));
  }

  #follow(event) {
    const box = this.#canvas.getBoundingClientRect();
    const along = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    this.#strokes.at(-1).push(along.map((part) => part * SIDE));
    this.#show();
  }

  #show() {
    const scale = this.#canvas.width / SIDE;
    draw(this.#canvas.getContext("2d"), this.#canvas.width, this.#strokes.map((stroke) =>
      stroke.map(([x, y]) => [x * scale, y * scale])), PEN * scale);
  }
}

// Shows a request's image on a 28 × 28 canvas.
export function showLevels(canvas, { levels, white }) {
  const image = new ImageData(SIDE, SIDE);
  levels.forEach((level, at) => image.data.set([...new Array(3).fill((255 * level) / white), 255], 4 * at));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// Returns the pixels of the strokes, scaled around the point that becomes the middle.
function render(strokes, scale, [x0, y0]) {
  const side = SIDE * FINE;
  const place = (at, origin) => ((at - origin) * scale + SIDE / 2) * FINE;
  const context = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  draw(context, side, strokes.map((stroke) => stroke.map(([x, y]) => [place(x, x0), place(y, y0)])), PEN * FINE);
  const { data } = context.getImageData(0, 0, side, side);
  const pixels = new Array(SIDE * SIDE).fill(0);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      pixels[Math.floor(y / FINE) * SIDE + Math.floor(x / FINE)] += data[4 * (y * side + x)] / 255 / FINE ** 2;
    }
  }
  return pixels;
}

function draw(context, side, strokes, width) {
  context.fillStyle = "black";
  context.fillRect(0, 0, side, side);
  Object.assign(context, { strokeStyle: "white", lineWidth: width, lineCap: "round", lineJoin: "round" });
  for (const [first, ...rest] of strokes) {
    context.beginPath();
    context.moveTo(...first);
    // A touch without movement is a dot.
    for (const point of rest.length ? rest : [[first[0] + 0.01, first[1]]]) context.lineTo(...point);
    context.stroke();
  }
}

function centreOfMass(pixels) {
  const sum = pixels.reduce((total, pixel) => total + pixel, 0);
  const along = (position) => pixels.reduce((total, pixel, at) => total + pixel * (position(at) + 0.5), 0) / sum;
  return [along((at) => at % SIDE), along((at) => Math.floor(at / SIDE))];
}
