import { intersection, isEmpty, type Rect } from "../../geometry/rect";
import type { ViewState } from "../../geometry/view";
import type { Bitmask } from "../../masks/mask";
import { DASH_SHARE } from "../renderer";

/**
 * How much of each device pixel an object's inside, its outline and the rim of its outline cover, 0..255, row by row. The
 * outline lies within the inside, the rim within the outline.
 */
export interface Traced {
  inside: Uint8Array;
  edge: Uint8Array;
  /** Null without a rim. */
  rim: Uint8Array | null;
}

/** Widths in CSS pixels. */
export interface Lines {
  outline: number;
  /** Of the outer part of the outline that has a colour of its own; 0: none. */
  rim: number;
  /** From dash to dash; 0: a solid line. */
  dash: number;
}

/** What the pixels around one hold: no one, all of 3 x 3, all as far as the outline reaches. */
const MIXED = 0;
const NOTHING = 1;
const ALL = 2;
const SOLID = 3;
/** Zeros around the bits that stand for everything beyond: a place may be two off, and its neighbours three. */
const BORDER = 3;

/**
 * Traces `part` of the screen. The contour is that of the quadratic B-spline through the mask's bits where it passes 1/2:
 * smooth however large a pixel is on the screen, within half a pixel of the mask's own border, and a line of one pixel
 * keeps its width. What lies `width` or more from the contour in eight directions is not outline. Dashes are counted along
 * x where the contour runs more across than down, else along y, from the image's corner: they stay where they are when
 * the view moves. The same rule as in the shader (`MASK`).
 */
export function trace(mask: Bitmask, view: ViewState, part: Rect, lines: Lines): Traced {
  const size = part.width * part.height;
  const rim = lines.rim > 0 ? new Uint8Array(size) : null;
  const found: Traced = { inside: new Uint8Array(size), edge: new Uint8Array(size), rim };
  const scale = view.zoom * view.dpr;
  const reach = lines.outline / view.zoom;
  const [left, top] = [(part.x - view.x * view.dpr) / scale, (part.y - view.y * view.dpr) / scale];
  const x = Math.floor(left - reach) - 1;
  const y = Math.floor(top - reach) - 1;
  const right = Math.ceil(left + part.width / scale + reach) + 1;
  const bottom = Math.ceil(top + part.height / scale + reach) + 1;
  const region = intersection({ x, y, width: right - x, height: bottom - y }, mask.box);
  if (isEmpty(region)) return found;

  const field = new Field(mask, region, scale, reach);
  const first = { x: part.x + 0.5 - view.x * view.dpr, y: part.y + 0.5 - view.y * view.dpr };
  const outline = new Ring(field, first, part, reach);
  const outer = rim === null ? null : new Ring(field, first, part, lines.rim / view.zoom);
  const [across, down] = [outline.columns[0]!, outline.rows[0]!];
  for (let row = 0; row < part.height; row++) {
    const start = row * part.width;
    const here = down.place[row]!;
    for (let column = 0; column < part.width; column++) {
      const place = here + across.place[column]!;
      const state = field.states[place];
      if (state === NOTHING) continue;
      if (state === SOLID) {
        found.inside[start + column] = 255;
        continue;
      }
      const inside = state === ALL ? 1 : field.spline(place, across.part[column]!, down.part[row]!);
      if (inside === 0) continue;
      found.inside[start + column] = Math.round(255 * inside);
      const between = lines.dash > 0 && outline.isGap(column, row, lines.dash * view.dpr);
      if (between) continue;
      found.edge[start + column] = Math.round(255 * inside * (1 - outline.depth(column, row)));
      if (outer !== null) rim![start + column] = Math.round(255 * inside * (1 - outer.depth(column, row)));
    }
  }
  return found;
}

/** For each device pixel of a row or column the place of its image pixel in the field, and where in that pixel it lies. */
interface Places {
  place: Int32Array;
  part: Float32Array;
}

/** The bits of a region with a border, and the smooth field over them. */
class Field {
  readonly stride: number;
  /** What the pixels around each hold. */
  readonly states: Uint8Array;
  private readonly bits: Uint8Array;
  private readonly slope: number;

  /** reach: how far the outline reaches in, in image pixels. */
  constructor(
    mask: Bitmask,
    readonly region: Rect,
    readonly scale: number,
    reach: number,
  ) {
    this.stride = region.width + 2 * BORDER;
    this.bits = new Uint8Array(this.stride * (region.height + 2 * BORDER));
    for (let row = 0; row < region.height; row++) {
      const source = (region.y + row - mask.box.y) * mask.box.width + (region.x - mask.box.x);
      this.bits.set(mask.bits.subarray(source, source + region.width), (row + BORDER) * this.stride + BORDER);
    }
    this.states = new Uint8Array(this.bits.length);
    mark(this.states, this.bits, this.stride, 1, NOTHING, ALL);
    const far = Math.ceil(reach) + 1;
    if (far < 128) mark(this.states, this.bits, this.stride, far, MIXED, SOLID);
    this.slope = Math.max(0.5, scale);
  }

  /** How much of a device pixel is covered whose centre lies (fx, fy) within the image pixel of `place`. */
  spline(place: number, fx: number, fy: number): number {
    const { bits, stride } = this;
    const [left, right] = [((1 - fx) * (1 - fx)) / 2, (fx * fx) / 2];
    const middle = 1 - left - right;
    const [above, below] = [((1 - fy) * (1 - fy)) / 2, (fy * fy) / 2];
    const [up, down] = [place - stride, place + stride];
    const value =
      above * (left * bits[up - 1]! + middle * bits[up]! + right * bits[up + 1]!) +
      (1 - above - below) * (left * bits[place - 1]! + middle * bits[place]! + right * bits[place + 1]!) +
      below * (left * bits[down - 1]! + middle * bits[down]! + right * bits[down + 1]!);
    // Across a straight border the field rises from 0 to 1 within two pixels: solved for the distance.
    const off = value - 0.5;
    const distance = 1 - Math.sqrt(Math.max(0, 1 - 2 * Math.abs(off)));
    return Math.min(1, Math.max(0, 0.5 + (off < 0 ? -distance : distance) * this.slope));
  }

  places(first: number, count: number, shift: number, across: boolean): Places {
    const { region } = this;
    const [start, size, stride] = across ? [region.x, region.width, 1] : [region.y, region.height, this.stride];
    const found: Places = { place: new Int32Array(count), part: new Float32Array(count) };
    for (let index = 0; index < count; index++) {
      const at = (first + index) / this.scale + shift;
      const whole = Math.floor(at);
      found.place[index] = (Math.min(size + 1, Math.max(-2, whole - start)) + BORDER) * stride;
      found.part[index] = at - whole;
    }
    return found;
  }
}

/**
 * Marks the places around which, within a square of `radius`, all bits are 0 (`nothing`; MIXED leaves them) or 1 (`all`).
 * Beyond the first and the last row all is 0; from one row into the next a square sees the border's zeros.
 */
function mark(
  states: Uint8Array,
  bits: Uint8Array,
  stride: number,
  radius: number,
  nothing: number,
  all: number,
): void {
  const side = 2 * radius + 1;
  const length = bits.length;
  const across = new Uint8Array(length);
  let sum = 0;
  for (let ahead = 0; ahead < length; ahead++) {
    sum += bits[ahead]!;
    if (ahead >= side) sum -= bits[ahead - side]!;
    if (ahead >= radius) across[ahead - radius] = sum;
  }
  const columns = new Uint16Array(stride);
  const rows = length / stride;
  const full = side * side;
  for (let ahead = 0; ahead < rows + radius; ahead++) {
    const entering = ahead * stride;
    const leaving = entering - side * stride;
    const at = entering - radius * stride;
    for (let column = 0; column < stride; column++) {
      let count = columns[column]!;
      if (ahead < rows) count += across[entering + column]!;
      if (leaving >= 0) count -= across[leaving + column]!;
      columns[column] = count;
      if (at < 0) continue;
      if (count === full) states[at + column] = all;
      else if (count === 0 && nothing !== MIXED) states[at + column] = nothing;
    }
  }
}

type Four = [number, number, number, number];

/** Eight points around each device pixel, `reach` image pixels away. */
class Ring {
  readonly columns: Places[];
  readonly rows: Places[];
  /** Places and parts of the eight, column and row by turns. */
  private readonly places: Int32Array[];
  private readonly parts: Float32Array[];

  constructor(
    private readonly field: Field,
    private readonly first: { x: number; y: number },
    part: Rect,
    reach: number,
  ) {
    const slant = reach * Math.SQRT1_2;
    const shifts = [0, reach, -reach, slant, -slant];
    this.columns = shifts.map((shift) => field.places(first.x, part.width, shift, true));
    this.rows = shifts.map((shift) => field.places(first.y, part.height, shift, false));
    const [across, down] = [
      [1, 2, 0, 0, 3, 4, 3, 4],
      [0, 0, 1, 2, 3, 4, 4, 3],
    ];
    const eight = across.flatMap((column, index) => [this.columns[column]!, this.rows[down[index]!]!]);
    this.places = eight.map(({ place }) => place);
    this.parts = eight.map(({ part }) => part);
  }

  /** Whether a device pixel lies between two dashes of the outline, `period` device pixels from one to the next. */
  isGap(column: number, row: number, period: number): boolean {
    const { first } = this;
    const [right, left, below, above] = [0, 1, 2, 3].map((point) => this.cover(point, column, row)) as Four;
    const across = Math.abs(below - above) > Math.abs(right - left);
    const along = across ? first.x + column : first.y + row;
    const turns = along / period;
    return turns - Math.floor(turns) >= DASH_SHARE;
  }

  private cover(point: number, column: number, row: number): number {
    const { field, places, parts } = this;
    const place = places[2 * point]![column]! + places[2 * point + 1]![row]!;
    const state = field.states[place];
    if (state === NOTHING) return 0;
    if (state !== MIXED) return 1;
    return field.spline(place, parts[2 * point]![column]!, parts[2 * point + 1]![row]!);
  }

  /** How much of the least covered of the eight is covered. */
  depth(column: number, row: number): number {
    const { field, places, parts } = this;
    let least = 1;
    for (let point = 0; point < 16; point += 2) {
      const place = places[point]![column]! + places[point + 1]![row]!;
      const state = field.states[place];
      if (state === NOTHING) return 0;
      if (state === MIXED)
        least = Math.min(least, field.spline(place, parts[point]![column]!, parts[point + 1]![row]!));
    }
    return least;
  }
}
