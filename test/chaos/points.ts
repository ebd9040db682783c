import type { InterceptedCall } from '../../local/grpc/server.ts';
import type { PostgresCall } from '../support/postgres-proxy.ts';
import type { ChaosStack } from './stack.ts';

/** One moment of a message's life that can be seen from outside of the function. */
export interface Point {
  /** What is called: `Firestore: claim`, `PostgreSQL: COMMIT`. */
  readonly call: string;
  /** Of the calls of that name, which. */
  readonly nth: number;
  /** Before it has an effect, or after, when the function doesn't know of it yet. */
  readonly phase: 'before' | 'after';
  /** After a push: the status code. */
  readonly answer?: unknown;
}

export function nameOf({ call, nth, phase }: Point): string {
  return `${phase} ${call}${nth === 1 ? '' : ` (${nth})`}`;
}

/** Waits, to hold the call; throws, to lose it before it takes effect, or its answer. */
export type Watcher = (point: Point) => void | Promise<void>;

type Watched = Pick<ChaosStack, 'firestore' | 'pubsub' | 'secretmanager' | 'proxy' | 'watchers' | 'worker'>;

/** Shows every point that the stack's functions come to to its watchers. */
export function showPoints(stack: Watched): void {
  const { firestore, pubsub, secretmanager, proxy, watchers, worker } = stack;
  const show = async (call: string, phase: Point['phase'], answer?: unknown) => {
    await Promise.all([...watchers].map((watcher) => watcher(call, phase, answer)));
  };
  firestore.intercept = (call) => show(firestoreCall(call), call.phase);
  pubsub.intercept = (call) => show(pubsubCall(call, worker.name), call.phase, call.request['statusCode']);
  proxy.intercept = (call) => show(postgresCall(call), call.phase);
  if (secretmanager) secretmanager.intercept = (call) => show(secretManagerCall(call), call.phase);
}

/**
 * Calls `watcher` at every point from now on.
 *
 * @returns ends the watch
 */
export function watch({ watchers }: Pick<ChaosStack, 'watchers'>, watcher: Watcher): () => void {
  const met = new Map<string, number>();
  const meet = async (call: string, phase: Point['phase'], answer: unknown) => {
    const nth = (met.get(`${phase} ${call}`) ?? 0) + 1;
    met.set(`${phase} ${call}`, nth);
    await watcher({ call, nth, phase, ...(answer === undefined ? {} : { answer }) });
  };
  watchers.add(meet);
  return () => watchers.delete(meet);
}

/** Holds the first call of this name at this phase, until it is let go. */
export function hold(stack: Pick<ChaosStack, 'watchers'>, call: string, phase: Point['phase'] = 'before') {
  const met = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const end = watch(stack, (point) => {
    if (point.call !== call || point.phase !== phase) return undefined;
    end();
    met.resolve();
    return held.promise;
  });
  return { met: met.promise, letGo: held.resolve };
}

/** Resolves when the functions have come to a point. */
export function reached(
  stack: Pick<ChaosStack, 'watchers'>,
  call: string,
  phase: Point['phase'],
): Promise<Point> {
  return new Promise((resolve) => {
    const end = watch(stack, (point) => {
      if (point.call !== call || point.phase !== phase) return;
      end();
      resolve(point);
    });
  });
}

function postgresCall({ query }: PostgresCall): string {
  const [words = query] = /^\s*(?:BEGIN|\w+(?: (?!"|\d|')\w+)?)/.exec(query) ?? [];
  return `PostgreSQL: ${words.trim()}`;
}

function pubsubCall({ method, request }: InterceptedCall, worker: string): string {
  if (method === 'Push') {
    const subscription = String(request['subscription']).split('/').at(-1);
    if (subscription === worker) return 'Pub/Sub: push';
    return `Pub/Sub: push to ${subscription}`;
  }
  const toResults = method === 'Publish' && String(request['topic']).endsWith('/operation-results');
  // The tests themselves are clients, too.
  return toResults ? 'Pub/Sub: publish' : `Pub/Sub: test's ${method}`;
}

/** Tests that read secrets are clients, too. */
function secretManagerCall({ method, request }: InterceptedCall): string {
  const { name, parent, secretId } = request;
  const isPending = [name, parent, secretId].some((one) => /--pending(\/|$)/.test(String(one)));
  return `Secret Manager: ${method}${isPending ? ' of what is pending' : ''}`;
}

interface Commit {
  readonly writes?: {
    readonly update?: { readonly name: string; readonly fields?: object };
    readonly currentDocument?: { readonly exists?: boolean; readonly updateTime?: object };
  }[];
}

/** What the calls are for shows in what they write. */
function firestoreCall({ method, request }: InterceptedCall): string {
  if (method === 'BatchGetDocuments') {
    const { documents = [], newTransaction } = request as { documents?: string[]; newTransaction?: object };
    const collections = documents.map((name) => name.split('/').at(-2));
    return `Firestore: read ${collections.join(' and ')}${newTransaction ? ' and lock' : ''}`;
  }
  if (method !== 'Commit') return `Firestore: ${method}`;
  const { writes = [] } = request as Commit;
  const [first] = writes;
  const { name = '', fields: written = {} } = first?.update ?? {};
  const fields = Object.keys(written);
  const collection = name.split('/').at(-2);
  if (collection === 'databases') return 'Firestore: database';
  if (collection === 'grants') return 'Firestore: grants';
  if (collection === 'schemas') return 'Firestore: intent';
  if (collection === 'secrets') return 'Firestore: secret';
  if (first?.currentDocument?.exists === false) return 'Firestore: claim';
  if (fields.includes('finishedAt')) return 'Firestore: complete';
  if (fields.includes('owner')) return 'Firestore: take over';
  if (fields.join() === 'reported') return 'Firestore: reported';
  if (fields.join() === 'renewedAt') return 'Firestore: renew';
  if (fields.includes('state')) return 'Firestore: release';
  return `Firestore: write ${fields.join()}`;
}
