// Finds a 28 × 28 image in a request's body, and replaces it.

export const SIDE = 28;

// Column names of a table may be numbers too, and as many as an image has pixels.
const NO_IMAGES = ["columns", "index"];

// Returns {path, levels, white}: the keys that lead to the first image, its 784 numbers, and which of them is
// white (1 or 255); null if there is none. An image is a list of 784, or 28 lists, with or without a channel.
export function findImage(value, path = []) {
  if (value === null || typeof value !== "object" || path.length > 6) return null;
  if (Array.isArray(value) && [SIDE, SIDE * SIDE].includes(value.length)) {
    const levels = value.flat(2);
    if (levels.length === SIDE * SIDE && levels.every(Number.isFinite)) {
      return { path, levels, white: levels.some((level) => level > 1) ? 255 : 1 };
    }
  }
  for (const [name, item] of Object.entries(value)) {
    const found = NO_IMAGES.includes(name) ? null : findImage(item, [...path, name]);
    if (found) return found;
  }
  return null;
}

// Returns the body with the image replaced by 784 grey levels from 0 to 1; a batch then has this one image.
export function withImage(body, { path, white }, pixels) {
  const levels = pixels.map((pixel) => (white === 255 ? Math.round(pixel * 255) : Number(pixel.toFixed(4)))).values();
  const fill = (value) => (Array.isArray(value) ? value.map(fill) : levels.next().value);
  const replace = (value, [name, ...rest]) => {
    if (name === undefined) return fill(value);
    const item = replace(value[name], rest);
    return Array.isArray(value) ? [item] : { ...value, [name]: item };
  };
  return replace(body, path);
}
