import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { findFreePort } from '../../../local/ports.ts';
import { localProject } from '../../../local/stack.ts';
import type { Cloud } from '../cloud.ts';
import type { Statements } from './statements.ts';

/** What the floor's process is told. */
export interface Order {
  readonly equip?: {
    /** Of PostgreSQL. */
    readonly port: number;
    readonly database: string;
    readonly connections: number;
    /** An operation of the product: its id, the paths of its documents and its result event. */
    readonly example: Example;
  };
  readonly statements?: readonly (readonly [schema: string, Statements])[];
}

export interface Ready {
  readonly ready: true;
}

export interface Example {
  readonly id: string;
  readonly record: string;
  readonly registered: string;
  readonly result: string;
}

export interface Floor {
  /** Tells the process and waits until it is ready. */
  tell(order: Order): Promise<void>;
  stop(): Promise<void>;
}

/** The topic whose messages are pushed to the floor. */
export const floorTopic = 'floor';

/** Starts the floor as a process and has a topic pushed to it, with the same settings as a function's. */
export async function startFloor({ pubsub, environment }: Cloud): Promise<Floor> {
  const port = await findFreePort();
  const child = fork(path.join(import.meta.dirname, 'main.ts'), {
    env: { ...environment, PORT: String(port), PATH: process.env['PATH'] ?? '' },
  });
  await once(child, 'message');
  const [topic] = await pubsub.createTopic(floorTopic);
  await topic.createSubscription(floorTopic, {
    pushEndpoint: `http://127.0.0.1:${port}/projects/${localProject}/topics/${floorTopic}`,
    ackDeadlineSeconds: 600,
  });
  return {
    async tell(order) {
      const ready = once(child, 'message');
      child.send(order);
      await ready;
    },
    async stop() {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    },
  };
}
