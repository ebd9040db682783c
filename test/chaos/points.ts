import type { InterceptedCall } from '../../local/grpc/server.ts';
import type { InterceptedCall as InterceptedRequest } from '../../local/http/interceptor.ts';
import { attribute } from '../../shared/operation/request.ts';
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
  /** Names of what it is about, in one text. */
  readonly about: string;
}

export function nameOf({ call, nth, phase }: Pick<Point, 'call' | 'nth' | 'phase'>): string {
  return `${phase} ${call}${nth === 1 ? '' : ` (${nth})`}`;
}

/** Waits, to hold the call; throws, to lose it before it takes effect, or its answer. */
export type Watcher = (point: Point) => void | Promise<void>;

/** A point before it is known which of its name it is. */
export type ShownPoint = Omit<Point, 'nth'>;

type Watched = Pick<
  ChaosStack,
  'firestore' | 'pubsub' | 'secretmanager' | 'storage' | 'bigquery' | 'kms' | 'proxy' | 'watchers' | 'worker'
>;

/** Shows every point that the stack's functions come to to its watchers. */
export function showPoints(stack: Watched): void {
  const { firestore, pubsub, secretmanager, storage, bigquery, kms, proxy, watchers, worker } = stack;
  const show = async (call: string, { phase }: Pick<Point, 'phase'>, about: string, answer?: unknown) => {
    const point = { call, phase, about, ...(answer === undefined ? {} : { answer }) };
    await Promise.all([...watchers].map((watcher) => watcher(point)));
  };
  firestore.intercept = (call) => show(firestoreCall(call), call, documentsIn(call));
  pubsub.intercept = (call) =>
    show(pubsubCall(call, worker.name), call, messagesIn(call), call.request['statusCode']);
  proxy.intercept = (call) => show(postgresCall(call), call, call.query);
  if (secretmanager) secretmanager.intercept = (call) => show(secretManagerCall(call), call, namesIn(call));
  if (kms) kms.intercept = (call) => show(`KMS: ${call.method}`, call, namesIn(call));
  if (storage) storage.intercept = (call) => show(`Storage: ${call.method}`, call, namesIn(call));
  if (bigquery) bigquery.intercept = (call) => show(`BigQuery: ${call.method}`, call, namesIn(call));
}

/**
 * Calls `watcher` at every point from now on.
 *
 * @param isMeant of which points; others aren't counted
 * @returns ends the watch
 */
export function watch(
  { watchers }: Pick<ChaosStack, 'watchers'>,
  watcher: Watcher,
  isMeant: (point: ShownPoint) => boolean = () => true,
): () => void {
  const met = new Map<string, number>();
  const meet = async (point: ShownPoint) => {
    if (!isMeant(point)) return;
    const { call, phase } = point;
    const nth = (met.get(`${phase} ${call}`) ?? 0) + 1;
    met.set(`${phase} ${call}`, nth);
    await watcher({ ...point, nth });
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

/** Resolves when the functions have come to a point, about whatever `isMeant` says. */
export function reached(
  stack: Pick<ChaosStack, 'watchers'>,
  call: string,
  phase: Point['phase'],
  isMeant: (about: string) => boolean = () => true,
): Promise<Point> {
  return new Promise((resolve) => {
    const end = watch(stack, (point) => {
      if (point.call !== call || point.phase !== phase || !isMeant(point.about)) return;
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

interface PushedMessage {
  readonly attributes?: Readonly<Record<string, string>>;
}

/** What is published, with its topic and, of results, whose they are; or of a message that is pushed its name only. */
function messagesIn({ request }: InterceptedCall): string {
  const { message, messages, topic } = request as {
    message?: PushedMessage;
    messages?: readonly PushedMessage[];
    topic?: string;
  };
  if (messages === undefined) return nameIn(message);
  const functions = messages.map(({ attributes }) => attributes?.['function'] ?? '');
  return [topic?.split('/').at(-1), ...functions, ...messages.map(nameIn)].join(' ');
}

/** The id that a publisher gave it, or the object that a bucket tells of. */
function nameIn({ attributes = {} }: PushedMessage = {}): string {
  const { eventType = '', objectId = '' } = attributes;
  return attributes[attribute.operationId] ?? `${eventType} ${objectId}`.trim();
}

/** Ids and paths; what else a request has may be long, or a value that has no place in a name. */
function namesIn({ request }: InterceptedCall | InterceptedRequest): string {
  const { name, parent, secretId, bucket, object, dataset, table, datasetReference } = request;
  const { additionalAuthenticatedData: whose } = request;
  const ids = [name, parent, secretId, bucket, object, dataset, table, datasetReference];
  return [JSON.stringify(ids), ...(whose instanceof Uint8Array ? [`of ${Buffer.from(whose)}`] : [])].join(
    ' ',
  );
}

interface Write {
  readonly update?: {
    readonly name: string;
    readonly fields?: Readonly<Record<string, { readonly stringValue?: string }>>;
  };
  readonly delete?: string;
  readonly currentDocument?: { readonly exists?: boolean; readonly updateTime?: object };
}

interface Commit {
  readonly writes?: readonly Write[];
}

function documentsIn({ method, request }: InterceptedCall): string {
  if (method !== 'Commit') return '';
  const { writes = [] } = request as Commit;
  return writes.map((write) => write.update?.name ?? write.delete).join(' ');
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
  const ofTenant = tenantCommit(writes);
  if (ofTenant !== undefined) return ofTenant;
  const [first] = writes;
  const { name = '', fields: written = {} } = first?.update ?? {};
  const fields = Object.keys(written);
  const collection = name.split('/').at(-2);
  if (collection === 'databases') return 'Firestore: database';
  if (collection === 'grants') return 'Firestore: grants';
  if (collection === 'schemas') return 'Firestore: intent';
  if (collection === 'secrets') return 'Firestore: secret';
  if (collection === 'quotas' && writes.length > 1) return admissionCommit(writes);
  if (first?.currentDocument?.exists === false) return 'Firestore: claim';
  if (fields.includes('finishedAt')) return 'Firestore: complete';
  if (fields.includes('owner')) return 'Firestore: take over';
  if (fields.join() === 'reported') return 'Firestore: reported';
  if (fields.join() === 'renewedAt') return 'Firestore: renew';
  if (fields.includes('state')) return 'Firestore: release';
  return `Firestore: write ${fields.join()}`;
}

/** What a tenant's usage is written for: one of its operations runs, or waits. */
function admissionCommit(writes: readonly Write[]): string {
  const waits = writes.some(({ update }) => update?.fields?.['state']?.stringValue === 'deferred');
  return waits ? 'Firestore: deferral' : 'Firestore: admission';
}

/** What becomes of a tenant, or else of one of its steps. */
function tenantCommit(writes: readonly Write[]): string | undefined {
  const states = writes.flatMap(({ update }) => {
    const [collection, id] = update?.name.split('/').slice(-2) ?? [];
    const state = update?.fields?.['state']?.stringValue;
    return state === undefined ? [] : [{ collection, id, state }];
  });
  const tenant = states.find(({ collection }) => collection === 'tenants');
  if (tenant) return `Firestore: tenant ${tenant.state}`;
  const step = states.find(({ collection }) => collection === 'steps');
  return step && `Firestore: step ${step.id} ${step.state}`;
}
