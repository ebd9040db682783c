import pg from 'pg';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, vi } from 'vitest';
import { ingestMedia } from '../../../../functions/ingest-object/media/ingest.ts';
import { ingestObjectMessage, type ObjectEvent } from '../../../../functions/ingest-object/message.ts';
import { type LocalStorage, startStorage } from '../../../../local/storage/index.ts';
import { listObjects } from '../../../../shared/gcp/storage/folder.ts';
import { deleteObject, findObject, type StoredObject } from '../../../../shared/gcp/storage/objects.ts';
import { writeObject } from '../../../../shared/gcp/storage/write.ts';
import { classify } from '../../../../shared/operation/classify.ts';
import { defineOperation } from '../../../../shared/operation/define.ts';
import type { OperationContext } from '../../../../shared/operation/definition.ts';
import type { OperationError } from '../../../../shared/operation/errors.ts';
import type { Outcome } from '../../../../shared/operation/outcome.ts';
import { keptLogins } from '../../../../shared/postgres/logins/kept-login.ts';
import { type MediaRoute, routeOf, routeSchema } from '../../../../shared/routes.ts';
import { push, reachPostgresAt, useWorker, type Worker } from '../../../shared/operation/worker.ts';
import { instance, type PreparedCluster, startPrepared } from '../../../support/postgres.ts';

export const bucket = 'acme-photos';
export const tenantsBucket = 'acme-tenants';
export const target = { instance, database: 'app' };

const { signal } = new AbortController();

const previews = [
  { name: 'thumbnail', width: 16, height: 16, formats: ['jpeg'] },
  { name: '32', width: 32, formats: ['webp', 'png'] },
];

/** Of users, of a catalogue and of tenants. */
export const routes = {
  users: mediaRoute({ bucket, objects: 'photos/{user}/original/**', target, schema: 'media', gps: true }),
  catalogue: mediaRoute({ bucket, objects: 'catalogue/**', target, schema: 'media' }),
  tenants: mediaRoute({ bucket: tenantsBucket, objects: 'tenants/{tenant}/photos/{user}/**' }),
};

export function mediaRoute(given: object): MediaRoute {
  return routeSchema.parse({ kind: 'media', previews, ...given }) as MediaRoute;
}

/** A row as PostgreSQL has it. */
export interface StoredRow {
  readonly id: string;
  readonly user_id: string | null;
  readonly generation: string;
  readonly previews: readonly { readonly object: string }[];
  readonly [column: string]: unknown;
}

export interface Delivery {
  readonly id?: string;
  readonly dryRun?: boolean;
  readonly route?: MediaRoute;
  /** Changes what the handler is given. */
  readonly as?: (operation: OperationContext) => OperationContext;
}

export interface World {
  cluster: PreparedCluster;
  storage: LocalStorage;
  worker: Worker;
  put(name: string, content: Buffer, metadata?: Record<string, string>): Promise<StoredObject>;
  remove(name: string): Promise<void>;
  live(name: string): Promise<StoredObject | undefined>;
  /** Delivers an event to a function that does nothing but this, and says how that ended. */
  deliver(event: ObjectEvent, delivery?: Delivery): Promise<Outcome>;
  rows(name?: string): Promise<StoredRow[]>;
  /** Names of all previews that there are. */
  previews(ofBucket?: string): Promise<string[]>;
  /** Those that no row of another object names. */
  previewsOf(name: string): Promise<string[]>;
  query(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
}

export function finalized({ bucket: name, name: object, generation }: StoredObject): ObjectEvent {
  return { event: 'OBJECT_FINALIZE', bucket: name, object, generation };
}

export function deleted({ bucket: name, name: object, generation }: StoredObject): ObjectEvent {
  return { event: 'OBJECT_DELETE', bucket: name, object, generation };
}

/** The real servers, and this process as the function. Each test has a folder of its own in its head. */
export function useWorld(): World {
  const world = {} as World;
  let observer: pg.Client;
  beforeAll(async () => {
    const cluster = await startPrepared();
    await cluster.open('app');
    reachPostgresAt(cluster.port);
    world.cluster = cluster;
    world.storage = await startStorage({ project: 'acme', buckets: [bucket, tenantsBucket] });
    process.env['STORAGE_EMULATOR_HOST'] = `http://${world.storage.host}`;
    observer = new pg.Client(cluster.superuserUrl('app'));
    await observer.connect();
  });
  const rules = [{ functions: ['ingest-object'], targets: [`${instance}/app`] }];
  world.worker = useWorker({ DROVER_POLICY: JSON.stringify({ rules }) });
  beforeEach(() => {
    world.storage.intercept = undefined;
  });
  afterEach(() => {
    world.storage.intercept = undefined;
  });
  afterAll(async () => {
    await keptLogins.drop(10_000);
    await observer.end();
    await world.storage.close();
    await world.cluster.remove();
  });

  let messages = 0;
  return Object.assign(world, {
    put: (name: string, content: Buffer, metadata: Record<string, string> = {}) =>
      writeObject({ bucket: name.startsWith('tenants/') ? tenantsBucket : bucket, name }, content, {
        signal,
        contentType: 'image/jpeg',
        metadata,
      }),
    remove: async (name: string) => void (await deleteObject({ bucket, name }, signal)),
    live: (name: string) => findObject({ bucket, name }, signal),
    async deliver(event: ObjectEvent, { id, dryRun = false, route, as = (one) => one }: Delivery = {}) {
      messages += 1;
      let ended: Outcome | undefined;
      let failure: unknown;
      const handler = defineOperation({
        name: 'ingest-object',
        timeoutSeconds: 60,
        message: ingestObjectMessage,
        access: () => undefined,
        async run(message, operation) {
          if (message.event === 'PLAN_MANIFEST') throw new Error('not sent here');
          try {
            const matched = routeOf(message, route ? [route] : Object.values(routes));
            if (matched?.route.kind !== 'media') throw new Error('no route');
            const { route: media } = matched;
            ended = await ingestMedia(message, { ...matched, route: media }, as(operation));
            return ended;
          } catch (error) {
            failure = error;
            throw error;
          }
        },
      });
      const attributes: Record<string, string> = dryRun ? { 'dry-run': 'true' } : {};
      // One that is to come again is not acknowledged.
      await handler(push(id ?? `message-${messages}`, event, attributes, messages)).catch(() => undefined);
      if (ended === undefined) throw failure ?? new Error('it was not run');
      return ended;
    },
    rows: async (name?: string) =>
      (await observer
        .query('SELECT * FROM media.media WHERE $1::text IS NULL OR object = $1 ORDER BY object', [
          name ?? null,
        ])
        .then(({ rows }) => rows)) as StoredRow[],
    async previews(ofBucket = bucket) {
      const all = await listObjects({ bucket: ofBucket, name: '' }, signal);
      return all.map(({ name }) => name).filter((name) => name.includes('previews/'));
    },
    async previewsOf(name: string) {
      const others = (await world.rows()).filter(({ object }) => object !== name);
      const named = new Set(others.flatMap(({ previews: all }) => all.map(({ object }) => object)));
      return (await world.previews()).filter((one) => !named.has(one));
    },
    query: async (text: string, values: readonly unknown[] = []) =>
      (await observer.query(text, [...values])).rows as Record<string, unknown>[],
  });
}

/** Has something done two hours later, by this process's clock: nobody can be about to name what was stored until now. */
export async function later<T>(work: () => Promise<T>): Promise<T> {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * 3_600_000 });
  try {
    return await work();
  } finally {
    vi.useRealTimers();
  }
}

let images = 0;

/** An image that no other call gives. */
export async function image(format: 'jpeg' | 'png' = 'jpeg', width = 64, height = 48): Promise<Buffer> {
  images += 1;
  const background = { r: images % 256, g: Math.floor(images / 256), b: 128 };
  return sharp({ create: { width, height, channels: 3, background } })
    .toFormat(format)
    .toBuffer();
}

/** What an event failed with, as its operation has it. */
export async function failureOf(call: Promise<unknown>): Promise<OperationError> {
  const error = await call.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  );
  return classify(error);
}
