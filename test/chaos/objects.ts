import { status } from '@grpc/grpc-js';
import { expect } from 'vitest';
import { GrpcError } from '../../local/grpc/server.ts';
import type { StackOptions } from '../../local/stack.ts';
import type { Where } from '../e2e/media.ts';
import { rowsOf, shownOf } from '../e2e/media.ts';
import {
  documentIdOf,
  type EventType,
  type ObjectsStack,
  operationIdOf,
  useObjects,
} from '../e2e/objects.ts';
import { photograph } from '../support/photos.ts';
import { target, uploads } from '../support/stack.ts';
import { nameOf, type Point, type ShownPoint, type Watcher, watch } from './points.ts';
import { type ChaosStack, longSilenceSeconds, startChaosStack } from './stack.ts';

/** As few files as show that there are several. */
const previews = [{ name: 'small', width: 64, formats: ['jpeg', 'webp'] }];

const media = (objects: string, schema: string) => ({
  kind: 'media',
  bucket: uploads,
  objects,
  target: target('app'),
  schema,
  previews,
});

/** So many images have a table of their own, which isn't there yet. */
const firstImages = 80;

/** Of a stack of these tests. */
export const objectRoutes = [
  media('photos/{user}/original/**', 'photos'),
  { kind: 'manifest', bucket: uploads, objects: 'manifests/**.yaml' },
  ...Array.from({ length: firstImages }, (_, n) => media(`first${n}/{user}/original/**`, `first_${n}`)),
];

/** The `nth` original of a table of its own. */
export function firstImage(nth: number): {
  readonly user: string;
  readonly object: string;
  readonly where: Where;
} {
  if (nth >= firstImages) throw new Error(`there are ${firstImages} routes of their own`);
  return {
    user: 'alice',
    object: `first${nth}/alice/original/a.jpg`,
    where: { folder: `previews/first${nth}/alice/`, table: `first_${nth}.media` },
  };
}

/** Functions whose operations a manifest's are. */
export const derived = ['create-schema', 'grant-roles', 'rotate-secret'];

export type ObjectsChaos = ObjectsStack<ChaosStack>;

export function useObjectsChaos(options: Partial<StackOptions> = {}): ObjectsChaos {
  return useObjects(
    { ...options, environment: { DROVER_ROUTES: JSON.stringify(objectRoutes), ...options.environment } },
    (all) => startChaosStack(all, ['ingest-object', ...derived]),
  );
}

let seeds = 0;
/** A picture that there has not been. */
export const picture = () => photograph({ width: 160, height: 120, seed: ++seeds, format: 'jpeg' });

/** A user's image, which is there already, with its row and previews. */
export async function present(cloud: ObjectsChaos, user: string) {
  const object = `photos/${user}/original/a.jpg`;
  const generation = await cloud.put(object, await picture());
  expect(await cloud.ended(object, generation)).toMatchObject({ state: 'succeeded' });
  await cloud.idle();
  return { object, generation };
}

/** What happens to an object. */
export interface Deed {
  readonly object: string;
  readonly event: EventType;
  /** @returns the generation that is told of */
  readonly act: () => Promise<string>;
  /** Of the points that the functions come to, those of the deed's operation: all but tests' own, unless it says other. */
  readonly isOf?: (point: ShownPoint, operation: string) => boolean;
  /** Everything else that is told has to wait until this was dealt with, so that it always comes to the same points. */
  readonly isAlone: boolean;
}

export const isPush = ({ call }: Pick<Point, 'call'>) => call.startsWith('Pub/Sub: push');

/** Tests upload and delete originals; they publish, and ack. */
export function isTests({ call, about }: ShownPoint): boolean {
  const isWrite = call === 'Storage: objects.insert' || call === 'Storage: objects.delete';
  return call.includes("test's") || (isWrite && !/"(?:previews|results)\//.test(about));
}

/**
 * Has something happen to an object, and shows the points that it comes to.
 *
 * @param cleared resolves when what watched was in nobody's way any more
 * @returns the generation, once it was dealt with
 */
export async function observe(
  { stack, ...cloud }: ObjectsChaos,
  deed: Deed,
  watcher: Watcher,
): Promise<string> {
  const { object, event, isOf = (point) => !isTests(point), isAlone } = deed;
  const [acted, over] = [Promise.withResolvers<string>(), Promise.withResolvers<void>()];
  let operation = '';
  const isOwnPush = (point: ShownPoint) => isPush(point) && point.about === `${event} ${object}`;
  const endOthers = watch(stack, async (point) => {
    if (point.phase !== 'before' || !isPush(point)) return;
    if (isOwnPush(point)) await acted.promise;
    else if (isAlone) await over.promise;
  });
  const end = watch(
    stack,
    async (point) => {
      if (isPush(point)) await acted.promise;
      await watcher(point);
    },
    (point) => isOwnPush(point) || (!isPush(point) && isOf(point, operation)),
  );
  const generation = await deed.act();
  operation = documentIdOf(object, generation, event);
  acted.resolve(generation);
  await cloud.ended(object, generation, event);
  over.resolve();
  await cloud.idle();
  end();
  endOthers();
  return generation;
}

/** All points that a deed comes to which nothing disturbs. */
export async function pointsOf(cloud: ObjectsChaos, deed: Deed): Promise<Point[]> {
  const met: Point[] = [];
  await observe(cloud, deed, (point) => void met.push(point));
  return met;
}

/**
 * Of a call's end and the beginning of the next one, between which nothing happens, one will do; and of a transaction its
 * beginning and end, for what comes in between is undone.
 */
export function worthwhile(points: readonly Point[]): Point[] {
  const isWithin = ({ call }: Point) => /^PostgreSQL: (?!BEGIN|COMMIT|SELECT)/.test(call);
  const bounds = points.filter((point) => !isWithin(point));
  return bounds.filter(({ phase }, index) => phase === 'after' || bounds[index - 1]?.phase !== 'after');
}

/**
 * Kills the function when what happens to an object comes to a point, and has it go on in another process.
 *
 * @param look is called when it is dead, and before it goes on
 * @returns the generation
 */
export async function killAt(
  cloud: ObjectsChaos,
  deed: Deed,
  fatal: string,
  look: () => Promise<void> = async () => undefined,
): Promise<string> {
  const { stack } = cloud;
  const opened = Promise.withResolvers<void>();
  let isDead = false;
  const bury = async (exited: Promise<unknown>, restarted: Promise<void>) => {
    await exited;
    await restarted;
    await look();
    // The dead are silent: the lease ends, and so does a transaction that was open.
    stack.firestore.advance(longSilenceSeconds);
    opened.resolve();
  };
  let buried: Promise<void> | undefined;
  const generation = await observe(cloud, deed, async (point) => {
    if (isDead) return isPush(point) && point.phase === 'before' ? opened.promise : undefined;
    if (nameOf(point) !== fatal) return undefined;
    isDead = true;
    const [exited, restarted] = [stack.worker.exited(), stack.worker.restarted()];
    process.kill(stack.worker.pid(), 'SIGKILL');
    buried = bury(exited, restarted);
    await exited;
    throw new GrpcError(status.UNAVAILABLE, 'the function was killed here');
  });
  if (buried === undefined) throw new Error(`nothing came to "${fatal}"`);
  await buried;
  return generation;
}

/** What everybody else learns of what happened to an object. */
export async function learned(cloud: ObjectsChaos, { object, event }: Deed, generation: string) {
  const record = await cloud.stack.record('ingest-object', operationIdOf(object, generation, event));
  const results = cloud.stack.results.get(documentIdOf(object, generation, event));
  return {
    state: record?.state,
    code: record?.error?.code,
    reported: record?.reported,
    events: [...new Map(results?.map(({ id, data }) => [id, data.state])).values()],
  };
}

export const success = { state: 'succeeded', code: undefined, reported: true, events: ['succeeded'] };

/** Expects that whoever looks just now finds every preview that a row names. */
export async function expectNothingMissing(
  cloud: ObjectsChaos,
  user: string,
  { what, ...where }: Where & { readonly what: string },
): Promise<void> {
  const rows = await rowsOf(cloud, user, where.table);
  const { previews: there } = await shownOf(cloud, user, where);
  const names = there.map((preview) => preview.object);
  const named = rows.flatMap((row) => row.previews.map((preview) => preview.object));
  expect.soft(names, `${what}, when it was dead`).toEqual(expect.arrayContaining(named));
}
