import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { notFound } from '../../../local/pubsub/errors.ts';
import {
  type Consumer,
  type Delivery,
  type Faults,
  type Outcome,
  type QueueSettings,
  SubscriptionQueue,
} from '../../../local/pubsub/subscription-queue.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

const settings: QueueSettings = {
  retentionMs: 600_000,
  retryPolicy: undefined,
  maxDeliveryAttempts: undefined,
};

function createQueue(given: Partial<QueueSettings> = {}) {
  const forwarded: string[] = [];
  const faults: Faults = { duplicateProbability: 0, reorder: false, random: Math.random };
  const effects = {
    forward: ({ messageId }: { messageId: string }) => forwarded.push(messageId) > 0,
    emptied: vi.fn(),
  };
  const queue = new SubscriptionQueue('s1.', { ...settings, ...given }, effects, faults);
  let added = 0;
  const add = (count: number, bytes = 1) => {
    for (let n = 0; n < count; n += 1) {
      added += 1;
      queue.add({
        messageId: String(added),
        publishTime: Date.now(),
        data: Buffer.alloc(0),
        attributes: {},
        orderingKey: '',
        bytes,
      });
    }
    queue.dispatch();
  };
  return { queue, add, forwarded, faults, effects };
}

class Recorder implements Consumer {
  readonly delivered: string[] = [];
  readonly batches: number[] = [];
  readonly outcomes: Outcome[] = [];
  readonly outstanding = new Map<string, string>();
  readonly #maxMessages: number;

  constructor(maxMessages = Number.POSITIVE_INFINITY) {
    this.#maxMessages = maxMessages;
  }

  room() {
    return { messages: this.#maxMessages - this.outstanding.size, bytes: Number.POSITIVE_INFINITY };
  }

  ackDeadline(): number {
    return 10_000;
  }

  deliver(deliveries: readonly Delivery[]): void {
    this.batches.push(deliveries.length);
    for (const { ackId, message } of deliveries) {
      this.delivered.push(message.messageId);
      this.outstanding.set(ackId, message.messageId);
    }
  }

  settled(delivery: Delivery, outcome: Outcome): void {
    this.outcomes.push(outcome);
    this.outstanding.delete(delivery.ackId);
  }

  disconnected(): void {}
}

describe('the queue of a subscription', () => {
  test('drops what is older than the retention instead of delivering it', () => {
    const { queue, add, effects } = createQueue();
    add(1);
    vi.advanceTimersByTime(600_001);
    add(1);
    const consumer = new Recorder();
    queue.attach(consumer);
    expect(consumer.delivered).toEqual(['2']);
    queue.acknowledge([...consumer.outstanding.keys()]);
    expect(queue.size).toBe(0);
    expect(effects.emptied).toHaveBeenCalledOnce();
  });

  test('delivers nothing again after its acknowledgement, whatever time passes', () => {
    const { queue, add } = createQueue();
    const consumer = new Recorder();
    queue.attach(consumer);
    add(3);
    queue.acknowledge([...consumer.outstanding.keys()]);
    vi.advanceTimersByTime(600_000);
    expect(consumer.delivered).toEqual(['1', '2', '3']);
    expect(consumer.outcomes).toEqual(['acknowledged', 'acknowledged', 'acknowledged']);
  });

  test('delivers again exactly when the deadline passes', () => {
    const { queue, add } = createQueue();
    const consumer = new Recorder();
    queue.attach(consumer);
    add(1);
    vi.advanceTimersByTime(9_999);
    expect(consumer.delivered).toEqual(['1']);
    vi.advanceTimersByTime(2);
    expect(consumer.delivered).toEqual(['1', '1']);
    expect(consumer.outcomes).toEqual(['expired']);
  });

  test('shares the backlog among its consumers', () => {
    const { queue, add } = createQueue();
    const consumers = [new Recorder(), new Recorder(), new Recorder()];
    for (const consumer of consumers) queue.attach(consumer);
    add(300);
    expect(consumers.map(({ delivered }) => delivered.length)).toEqual(
      expect.arrayContaining([expect.closeTo(100, -2), expect.closeTo(100, -2), expect.closeTo(100, -2)]),
    );
    expect(new Set(consumers.flatMap(({ delivered }) => delivered)).size).toBe(300);
  });

  test('never fills a response beyond what clients accept', () => {
    const { queue, add } = createQueue();
    const consumer = new Recorder();
    add(3, 3_000_000);
    add(1500);
    queue.attach(consumer);
    // The message that crosses 4 MB is the last of its batch; 1000 are the most of small ones.
    expect(consumer.batches).toEqual([2, 1000, 501]);
  });

  test('copes with consumers that answer at once, however long the backlog is', () => {
    const { queue, add } = createQueue();
    add(20_000);
    class Immediate extends Recorder {
      override deliver(deliveries: readonly Delivery[]): void {
        super.deliver(deliveries);
        queue.acknowledge(deliveries.map(({ ackId }) => ackId));
      }
    }
    const consumer = new Immediate(1);
    queue.attach(consumer);
    expect(consumer.delivered).toHaveLength(20_000);
    expect(queue.size).toBe(0);
  });

  test('forgets its messages, and when they were due, when it is cleared', () => {
    const { queue, add, effects } = createQueue();
    const consumer = new Recorder(1);
    queue.attach(consumer);
    add(2);
    queue.disconnect(notFound('s'));
    queue.clear();
    vi.advanceTimersByTime(600_000);
    expect(consumer.delivered).toEqual(['1']);
    expect(consumer.outcomes).toEqual(['expired']);
    expect(queue.size).toBe(0);
    expect(effects.emptied).toHaveBeenCalledOnce();
  });

  test('loses nothing and overfills no one, whatever consumers do', () => {
    const steps = fc.array(
      fc.record({
        kind: fc.constantFrom('add', 'acknowledge', 'nack', 'extend', 'wait', 'attach', 'detach'),
        amount: fc.integer({ min: 0, max: 12 }),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, fc.boolean(), fc.integer({ min: 0, max: 1 }), (list, reorder, duplicates) => {
        const { queue, add, forwarded, faults } = createQueue({
          retryPolicy: { minimumBackoff: 1_000, maximumBackoff: 4_000 },
          maxDeliveryAttempts: 5,
        });
        faults.reorder = reorder;
        faults.duplicateProbability = duplicates;
        const consumers: Recorder[] = [];
        const attached: Recorder[] = [];
        const acknowledged = new Set<string>();
        let added = 0;
        const outstanding = () => consumers.flatMap(({ outstanding }) => [...outstanding]);
        const actions: Record<string, (amount: number) => void> = {
          add: (amount) => {
            added += amount;
            add(amount);
          },
          acknowledge: (amount) => {
            const chosen = outstanding().slice(0, amount);
            queue.acknowledge(chosen.map(([ackId]) => ackId));
            for (const [, messageId] of chosen) acknowledged.add(messageId);
          },
          nack: (amount) =>
            queue.modifyDeadlines(
              outstanding()
                .slice(0, amount)
                .map(([ackId]) => ackId),
              0,
            ),
          extend: (amount) =>
            queue.modifyDeadlines(
              outstanding()
                .slice(0, amount)
                .map(([ackId]) => ackId),
              20_000,
            ),
          wait: (amount) => vi.advanceTimersByTime(amount * 1_000),
          attach: (amount) => {
            const consumer = new Recorder(amount);
            consumers.push(consumer);
            attached.push(consumer);
            queue.attach(consumer);
          },
          detach: () => {
            const consumer = attached.pop();
            if (consumer !== undefined) queue.detach(consumer);
          },
        };
        for (const { kind, amount } of list) {
          actions[kind]?.(amount);
          const messageIds = outstanding().map(([, messageId]) => messageId);
          expect(new Set(messageIds).size).toBe(messageIds.length);
          for (const consumer of consumers) expect(consumer.room().messages).toBeGreaterThanOrEqual(0);
        }
        actions['attach']?.(Number.POSITIVE_INFINITY);
        for (let round = 0; round < 10 && queue.size > 0; round += 1) {
          actions['wait']?.(30);
          actions['acknowledge']?.(Number.POSITIVE_INFINITY);
        }
        expect(queue.size).toBe(0);
        expect(new Set([...acknowledged, ...forwarded]).size).toBe(added);
      }),
    );
  });
});
