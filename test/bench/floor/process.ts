import path from 'node:path';
import { findFreePort } from '../../../local/ports.ts';
import { localProject } from '../../../local/stack.ts';
import { type Child, startChild } from '../child.ts';
import type { Cloud } from '../cloud.ts';
import type { LoginStatements } from './rotation-statements.ts';
import type { Statements } from './statements.ts';

/** What the floor's process is told. */
export interface Order {
  readonly equip?: Equip & {
    /** An operation of the product: its id, the paths of its documents and its result event. */
    readonly example: Example & { readonly registered: string };
  };
  readonly statements?: readonly (readonly [schema: string, Statements])[];
  /** To rotate secrets. */
  readonly equipForSecrets?: Equip & { readonly example: Example };
  readonly secrets?: readonly FloorSecret[];
  /** To bootstrap tenants. */
  readonly equipForTenants?: Equip;
  readonly tenants?: readonly FloorTenant[];
}

export interface Equip {
  /** Of PostgreSQL. */
  readonly port: number;
  readonly database: string;
  readonly connections: number;
}

/** A secret that the floor rotates. */
export interface FloorSecret {
  readonly secret: string;
  /** Path of the registry's document. */
  readonly registered: string;
  readonly logins: readonly (readonly [login: string, LoginStatements])[];
}

/** A tenant that the floor bootstraps. */
export interface FloorTenant {
  readonly tenant: string;
  /** Path of the record of the operation that does it. */
  readonly record: string;
  /** A `Recording`, as JSON, in which all names are this tenant's. */
  readonly recording: string;
  /** The text of its result event. */
  readonly result: string;
  readonly apiKey: string;
}

export interface Ready {
  readonly ready: true;
}

export interface Example {
  readonly id: string;
  readonly record: string;
  readonly result: string;
}

/** Answers when it is ready for what it was told. */
export type Floor = Child<Order, Ready>;

/** The topic whose messages are pushed to the floor. */
export const floorTopic = 'floor';

/** Starts the floor as a process and has a topic pushed to it, with the same settings as a function's. */
export async function startFloor({ pubsub, environment }: Cloud): Promise<Floor> {
  const port = await findFreePort();
  const floor = await startChild<Order, Ready>(path.join(import.meta.dirname, 'main.ts'), {
    ...environment,
    PORT: String(port),
  });
  const [topic] = await pubsub.createTopic(floorTopic);
  await topic.createSubscription(floorTopic, {
    pushEndpoint: `http://127.0.0.1:${port}/projects/${localProject}/topics/${floorTopic}`,
    ackDeadlineSeconds: 600,
  });
  return floor;
}
