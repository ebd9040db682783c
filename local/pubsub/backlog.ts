/** Items waiting for delivery: first in, first out, or in random order where `reorder` is asked for. */
export class Backlog<Item> {
  #items: (Item | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  /** @param random picks the position, 0 ≤ n < 1; without it the oldest item is taken */
  take(random?: () => number): Item | undefined {
    if (this.length === 0) return undefined;
    if (random !== undefined) this.#swap(this.#head, this.#head + Math.floor(random() * this.length));
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head += 1;
    // Amortized O(1): the array is cut only when more than half of it has been taken.
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }

  #swap(a: number, b: number): void {
    const item = this.#items[a];
    this.#items[a] = this.#items[b];
    this.#items[b] = item;
  }
}
