/** The last measurements, in milliseconds: a ring, so that measuring costs nothing as a day goes by. */
export class TimingSamples {
  private readonly ring: Float64Array;
  private written = 0;

  constructor(capacity = 4096) {
    this.ring = new Float64Array(capacity);
  }

  get count(): number {
    return Math.min(this.written, this.ring.length);
  }

  add(milliseconds: number): void {
    this.ring[this.written % this.ring.length] = milliseconds;
    this.written++;
  }

  /** Oldest first. */
  values(): number[] {
    if (this.written <= this.ring.length) return Array.from(this.ring.subarray(0, this.written));
    const start = this.written % this.ring.length;
    return [...this.ring.subarray(start), ...this.ring.subarray(0, start)];
  }

  clear(): void {
    this.written = 0;
  }
}
