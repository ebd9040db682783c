/** How messages leave for Pub/Sub: to a topic's full name. */
export type Publish = (topic: string, data: Buffer, attributes: Readonly<Record<string, string>>) => unknown;

/** Notifications on their way: no call waits for one or fails with one, and what can't be published is lost. */
export class Outbox {
  readonly #publish: Publish;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(publish: Publish) {
    this.#publish = publish;
  }

  send(topic: string, data: Buffer, attributes: Readonly<Record<string, string>>): void {
    const publishing = (async () => this.#publish(topic, data, attributes))()
      .catch(() => undefined)
      .finally(() => this.#underWay.delete(publishing));
    this.#underWay.add(publishing);
  }

  /** Resolves when nothing is being published. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }
}
