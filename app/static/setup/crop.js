// What is used of a camera's picture, as numbers: the same rules as the server's.

export const SMALLEST = 16;

const round = (value) => Math.round(value);

// The rectangle between two points of a picture, within it, in whole and even pixels.
export function between(from, to, { width, height }) {
  const low = (a, b, end) => Math.max(0, Math.min(round(Math.min(a, b)), end));
  const x = low(from.x, to.x, width - SMALLEST);
  const y = low(from.y, to.y, height - SMALLEST);
  const size = (a, b, start, end) => {
    const wanted = round(Math.min(Math.max(a, b), end)) - start;
    const even = Math.max(SMALLEST, wanted - (wanted % 2));
    return Math.min(even, end - start - ((end - start) % 2));
  };
  return [x, y, size(from.x, to.x, x, width), size(from.y, to.y, y, height)];
}

// Width and height of what comes out.
export function sizeOf(view, { width, height }) {
  return view.resize ?? view.crop?.slice(2) ?? [width, height];
}

// What is wrong with a view, for people; empty when it can be saved.
export function problemOf(view, picture) {
  const numbers = [...(view.crop ?? []), ...(view.resize ?? [])];
  if (numbers.some((number) => !Number.isInteger(number) || number < 0)) return "Whole pixels only.";
  if (view.crop) {
    const [x, y, width, height] = view.crop;
    if (Math.min(width, height) < SMALLEST) return `Cut out at least ${SMALLEST} by ${SMALLEST} pixels.`;
    if (picture && (x + width > picture.width || y + height > picture.height)) {
      return `That leaves the camera's ${picture.width}×${picture.height} picture.`;
    }
  }
  if (view.resize && Math.min(...view.resize) < SMALLEST) return `Make it at least ${SMALLEST} by ${SMALLEST}.`;
  const size = view.resize ?? view.crop?.slice(2);
  if (size?.some((number) => number % 2)) return "Videos need an even width and height.";
  return "";
}

export const isWhole = (view) => !view.crop && !view.resize;
