import { IdempotencyStrategy, Storage } from '@google-cloud/storage';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { adaptNotification } from '../../functions/ingest-object/notification.ts';
import type { InterceptedCall } from '../../local/http/interceptor.ts';
import { localProject, type StackOptions } from '../../local/stack.ts';
import { attribute } from '../../shared/operation/request.ts';
import {
  type OperationRecord,
  operationDocumentId,
  type RecordedError,
} from '../../shared/registry/operations.ts';
import { reopenOperation } from '../../shared/registry/replay.ts';
import { objectFunctions, startTestStack, type TestStack, target, uploads } from '../support/stack.ts';
import type { Held } from './repositories.ts';

/** Where each kind of object is understood. */
export const routes = [
  {
    kind: 'media',
    bucket: uploads,
    objects: 'photos/{user}/original/**',
    target: target('app'),
    schema: 'photos',
    gps: true,
  },
  { kind: 'manifest', bucket: uploads, objects: ['manifests/**.yaml', 'manifests/**.json'] },
  {
    kind: 'archive',
    bucket: uploads,
    objects: ['repositories/**.tar.gz', 'repositories/**.zip'],
    target: target('app'),
  },
];

export type EventType = 'OBJECT_FINALIZE' | 'OBJECT_DELETE' | 'OBJECT_ARCHIVE';

/** A stack whose buckets tell of their objects, and what tests do with those. */
export interface ObjectsStack<S extends TestStack = TestStack> {
  readonly stack: S;
  readonly storage: Storage;
  /** @returns its generation */
  put(object: string, content: Buffer | string, contentType?: string, bucket?: string): Promise<string>;
  /** Uploads it, and resolves with the record of what came of that. */
  ingested(object: string, content: Buffer | string): Promise<OperationRecord>;
  /** The same of one that succeeds. */
  done(object: string, content: Buffer | string): Promise<OperationRecord>;
  /** The same of one that fails for good: its error. */
  refused(object: string, content: Buffer | string, code: string): Promise<RecordedError>;
  /** Deletes it, and resolves with the record of what came of that. */
  deleted(object: string): Promise<OperationRecord>;
  /** Resolves with the record of an event, once it was dealt with. */
  ended(object: string, generation: string, event?: EventType, bucket?: string): Promise<OperationRecord>;
  /** Publishes an event again, as Cloud Storage would. */
  tell(object: string, generation: string, event?: EventType): Promise<void>;
  /** Replays an event that failed, and resolves with the record of what came of that. */
  replayed(object: string, generation: string, bucket?: string): Promise<OperationRecord>;
  /** Resolves when nothing is left to be told, or to be done about it. */
  idle(): Promise<void>;
  /** Holds what is told of an object until it is let go: of the first generation of which an event of that type comes. */
  holdEvent(object: string, event?: EventType): Held;
  /** Holds the first call of Cloud Storage that is meant until it is let go. */
  holdCall(isMeant: (call: InterceptedCall) => boolean): Held;
  /** Custom metadata, of the live generation. */
  tagsOf(object: string): Promise<Readonly<Record<string, unknown>>>;
  exists(object: string): Promise<boolean>;
  /** Names of all objects that begin with it. */
  list(prefix: string): Promise<string[]>;
  query(text: string): Promise<Record<string, unknown>[]>;
}

const notification = (object: string, generation: string, event: EventType, bucket = uploads) => ({
  data: Buffer.from(JSON.stringify({ name: object, metageneration: '1' })),
  attributes: {
    eventType: event,
    bucketId: bucket,
    objectId: object,
    objectGeneration: generation,
    payloadFormat: 'JSON_API_V1',
  },
});

/** The id of the operation that an event becomes. */
export function operationIdOf(
  object: string,
  generation: string,
  event: EventType = 'OBJECT_FINALIZE',
  bucket = uploads,
): string {
  const adapted = adaptNotification(notification(object, generation, event, bucket));
  if (adapted === undefined || 'ignore' in adapted) throw new Error(`${event} of ${object} is no message`);
  return adapted.attributes[attribute.operationId] ?? '';
}

/** The id of that operation's record. */
export function documentIdOf(object: string, generation: string, event?: EventType, bucket?: string): string {
  const operationId = operationIdOf(object, generation, event, bucket);
  return operationDocumentId('ingest-object', { operationId, dryRun: false });
}

export function useObjects(options?: Partial<StackOptions>): ObjectsStack;
export function useObjects<S extends TestStack>(
  options: Partial<StackOptions>,
  start: (options: Partial<StackOptions>) => Promise<S>,
): ObjectsStack<S>;
export function useObjects(
  options: Partial<StackOptions> = {},
  start: (options: Partial<StackOptions>) => Promise<TestStack> = startTestStack,
): ObjectsStack {
  let stack: TestStack;
  let storage: Storage;
  /** Takes away what was put in the way of calls. */
  let clear = () => {};
  const file = (object: string, bucket = uploads) => storage.bucket(bucket).file(object);
  const cloud: ObjectsStack = {
    get stack() {
      return stack;
    },
    get storage() {
      return storage;
    },
    async put(object, content, contentType = 'application/octet-stream', bucket = uploads) {
      const uploaded = file(object, bucket);
      await uploaded.save(content, { resumable: false, contentType });
      return String(uploaded.metadata.generation);
    },
    ingested: async (object, content) => cloud.ended(object, await cloud.put(object, content)),
    async done(object, content) {
      const record = await cloud.ingested(object, content);
      expect(record).toMatchObject({ state: 'succeeded' });
      return record;
    },
    async refused(object, content, code) {
      const record = await cloud.ingested(object, content);
      expect(record).toMatchObject({ state: 'failed', error: { code } });
      return record.error as RecordedError;
    },
    async deleted(object) {
      const [{ generation }] = await file(object).getMetadata();
      await file(object).delete();
      return cloud.ended(object, String(generation), 'OBJECT_DELETE');
    },
    ended: (object, generation, event, bucket) =>
      stack.ended('ingest-object', operationIdOf(object, generation, event, bucket)),
    async tell(object, generation, event = 'OBJECT_FINALIZE') {
      await stack.messaging.topic('ingest-object').publishMessage(notification(object, generation, event));
    },
    async replayed(object, generation, bucket) {
      await cloud.idle();
      const id = documentIdOf(object, generation, 'OBJECT_FINALIZE', bucket);
      stack.results.delete(id);
      const { topic, data, attributes } = await reopenOperation(stack.db, id);
      await stack.messaging.topic(topic).publishMessage({ data, attributes });
      return cloud.ended(object, generation, 'OBJECT_FINALIZE', bucket);
    },
    async idle() {
      await stack.storage?.idle();
      await stack.pubsub?.idle();
    },
    holdEvent(object, event = 'OBJECT_FINALIZE') {
      const [met, free] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const { pubsub } = stack;
      if (pubsub === undefined) throw new Error('the stack is not whole');
      let generation: string | undefined;
      pubsub.intercept = ({ method, phase, request }) => {
        if (method !== 'Push' || phase !== 'before') return undefined;
        const { attributes = {} } = request['message'] as { attributes?: Record<string, string> };
        if (attributes['objectId'] !== object || attributes['eventType'] !== event) return undefined;
        generation ??= attributes['objectGeneration'];
        if (generation !== attributes['objectGeneration']) return undefined;
        met.resolve();
        return free.promise;
      };
      return { met: met.promise, letGo: free.resolve };
    },
    holdCall(isMeant) {
      const [met, free] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const { storage: server } = stack;
      if (server === undefined) throw new Error('the stack is not whole');
      let isHeld = false;
      server.intercept = (call) => {
        if (isHeld || !isMeant(call)) return undefined;
        isHeld = true;
        met.resolve();
        return free.promise;
      };
      return { met: met.promise, letGo: free.resolve };
    },
    async tagsOf(object) {
      const [{ metadata = {} }] = await file(object).getMetadata();
      return metadata;
    },
    async exists(object) {
      const [exists] = await file(object).exists();
      return exists;
    },
    async list(prefix) {
      const [files] = await storage.bucket(uploads).getFiles({ prefix });
      return files.map(({ name }) => name);
    },
    query: (text) => stack.query('app', text),
  };
  beforeAll(async () => {
    stack = await start({
      only: objectFunctions,
      ...options,
      environment: { DROVER_ROUTES: JSON.stringify(routes), ...options.environment },
    });
    const { storage: server, pubsub } = stack;
    const former = [server?.intercept, pubsub?.intercept] as const;
    clear = () => {
      if (server) server.intercept = former[0];
      if (pubsub) pubsub.intercept = former[1];
    };
    storage = new Storage({
      projectId: localProject,
      apiEndpoint: stack.environment['STORAGE_EMULATOR_HOST'] ?? '',
      // An idle connection may be closed in the moment in which it is used again.
      retryOptions: { idempotencyStrategy: IdempotencyStrategy.RetryAlways },
    });
  });
  afterEach(() => clear());
  afterAll(() => stack?.stop());
  return cloud;
}
