/** x, y in image pixels; pixel i covers [i, i + 1), so its centre is i + 0.5. */
export type Point = readonly [number, number];
