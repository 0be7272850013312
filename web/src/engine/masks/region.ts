import { BoxMask } from "./mask";

/** `mask` with every hole (zeros that no 4-connected path joins to the outside) filled. */
export function fillHoles(mask: BoxMask): BoxMask {
  const { width, height, bits } = mask;
  const outside = new Uint8Array(bits.length);
  const stack: number[] = [];
  const visit = (index: number): void => {
    if (bits[index] === 0 && outside[index] === 0) {
      outside[index] = 1;
      stack.push(index);
    }
  };
  for (let x = 0; x < width; x++) {
    visit(x);
    visit((height - 1) * width + x);
  }
  for (let y = 0; y < height; y++) {
    visit(y * width);
    visit(y * width + width - 1);
  }
  for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
    const x = index % width;
    if (x > 0) visit(index - 1);
    if (x < width - 1) visit(index + 1);
    if (index >= width) visit(index - width);
    if (index < bits.length - width) visit(index + width);
  }
  return new BoxMask(
    mask.x,
    mask.y,
    width,
    height,
    outside.map((out) => out ^ 1),
  );
}

/**
 * `mask` without its small 8-connected parts: those of fewer than `smallest` pixels, or, without that number, all
 * but the largest (the upper left of equals).
 */
export function dropIslands(mask: BoxMask, smallest?: number): BoxMask {
  const { width, height, bits } = mask;
  const label = new Int32Array(bits.length);
  const areas: number[] = [0];
  const stack: number[] = [];
  for (let seed = 0; seed < bits.length; seed++) {
    if (bits[seed] === 0 || label[seed] !== 0) continue;
    const part = areas.length;
    let area = 0;
    label[seed] = part;
    stack.push(seed);
    for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
      area++;
      const x = index % width;
      const y = (index - x) / width;
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const near = ny * width + nx;
          if (bits[near] === 1 && label[near] === 0) {
            label[near] = part;
            stack.push(near);
          }
        }
      }
    }
    areas.push(area);
  }
  const largest = areas.indexOf(Math.max(...areas.slice(1)), 1);
  const kept = areas.map((area, part) => part > 0 && (smallest === undefined ? part === largest : area >= smallest));
  const left = new Uint8Array(bits.length);
  for (let index = 0; index < left.length; index++) left[index] = kept[label[index]!] ? 1 : 0;
  return new BoxMask(mask.x, mask.y, width, height, left);
}
