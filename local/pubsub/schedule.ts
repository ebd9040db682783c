/** Something that a {@link Schedule} holds; both fields are the schedule's own. */
export interface Scheduled {
  due: number;
  heapIndex: number;
}

/** setTimeout counts in a signed 32-bit integer. */
const longestTimeout = 2 ** 31 - 1;

/**
 * Calls back when items fall due: a binary heap whose items know their place, so that removing one (an
 * acknowledgement, the usual end of a deadline) is O(log n) too, and a single timer for the earliest.
 */
export class Schedule<Item extends Scheduled> {
  readonly #heap: Item[] = [];
  readonly #fallDue: (items: Item[]) => void;
  #timer: NodeJS.Timeout | undefined;
  #timerDue = Number.POSITIVE_INFINITY;

  constructor(fallDue: (items: Item[]) => void) {
    this.#fallDue = fallDue;
  }

  /** Adds an item, or moves it, to `delay` milliseconds from now. */
  set(item: Item, delay: number): void {
    this.delete(item);
    item.due = performance.now() + delay;
    item.heapIndex = this.#heap.length;
    this.#heap.push(item);
    this.#rise(item);
    if (item.due < this.#timerDue) this.#arm();
  }

  delete(item: Item): void {
    const index = item.heapIndex;
    if (index < 0) return;
    item.heapIndex = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === item) return;
    this.#place(last, index);
    this.#rise(last);
    this.#sink(last);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timerDue = Number.POSITIVE_INFINITY;
    for (const item of this.#heap) item.heapIndex = -1;
    this.#heap.length = 0;
  }

  // The timer is left alone when its item is removed: firing for nothing once is cheaper than a timer per item.
  #arm(): void {
    clearTimeout(this.#timer);
    const first = this.#heap[0];
    this.#timerDue = first?.due ?? Number.POSITIVE_INFINITY;
    if (first === undefined) return;
    const delay = Math.min(Math.max(Math.ceil(first.due - performance.now()), 0), longestTimeout);
    this.#timer = setTimeout(() => this.#fire(), delay);
    this.#timer.unref();
  }

  #fire(): void {
    const now = performance.now();
    const due: Item[] = [];
    for (let first = this.#heap[0]; first !== undefined && first.due <= now; first = this.#heap[0]) {
      this.delete(first);
      due.push(first);
    }
    this.#arm();
    if (due.length > 0) this.#fallDue(due);
  }

  #place(item: Item, index: number): void {
    this.#heap[index] = item;
    item.heapIndex = index;
  }

  #rise(item: Item): void {
    while (item.heapIndex > 0) {
      const parentIndex = (item.heapIndex - 1) >> 1;
      const parent = this.#heap[parentIndex];
      if (parent === undefined || parent.due <= item.due) return;
      this.#place(parent, item.heapIndex);
      this.#place(item, parentIndex);
    }
  }

  #sink(item: Item): void {
    for (;;) {
      const left = this.#heap[2 * item.heapIndex + 1];
      const right = this.#heap[2 * item.heapIndex + 2];
      const child = left !== undefined && right !== undefined && right.due < left.due ? right : left;
      if (child === undefined || item.due <= child.due) return;
      const index = child.heapIndex;
      this.#place(child, item.heapIndex);
      this.#place(item, index);
    }
  }
}
