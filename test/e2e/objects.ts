import { IdempotencyStrategy, Storage } from '@google-cloud/storage';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { adaptNotification } from '../../functions/ingest-object/notification.ts';
import { localProject, type StackOptions } from '../../local/stack.ts';
import { attribute } from '../../shared/operation/request.ts';
import type { OperationRecord, RecordedError } from '../../shared/registry/operations.ts';
import { objectFunctions, startTestStack, type TestStack, target, uploads } from '../support/stack.ts';

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
  put(object: string, content: Buffer | string, contentType?: string): Promise<string>;
  /** Uploads it, and resolves with the record of what came of that. */
  ingested(object: string, content: Buffer | string): Promise<OperationRecord>;
  /** The same of one that succeeds. */
  done(object: string, content: Buffer | string): Promise<OperationRecord>;
  /** The same of one that fails for good: its error. */
  refused(object: string, content: Buffer | string, code: string): Promise<RecordedError>;
  /** Deletes it, and resolves with the record of what came of that. */
  deleted(object: string): Promise<OperationRecord>;
  /** Resolves with the record of an event, once it was dealt with. */
  ended(object: string, generation: string, event?: EventType): Promise<OperationRecord>;
  /** Publishes an event again, as Cloud Storage would. */
  tell(object: string, generation: string, event?: EventType): Promise<void>;
  /** Custom metadata, of the live generation. */
  tagsOf(object: string): Promise<Readonly<Record<string, unknown>>>;
  exists(object: string): Promise<boolean>;
  /** Names of all objects that begin with it. */
  list(prefix: string): Promise<string[]>;
  query(text: string): Promise<Record<string, unknown>[]>;
}

const notification = (object: string, generation: string, event: EventType) => ({
  data: Buffer.from(JSON.stringify({ name: object, metageneration: '1' })),
  attributes: {
    eventType: event,
    bucketId: uploads,
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
): string {
  const adapted = adaptNotification(notification(object, generation, event));
  if (adapted === undefined || 'ignore' in adapted) throw new Error(`${event} of ${object} is no message`);
  return adapted.attributes[attribute.operationId] ?? '';
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
  const file = (object: string) => storage.bucket(uploads).file(object);
  const cloud: ObjectsStack = {
    get stack() {
      return stack;
    },
    get storage() {
      return storage;
    },
    async put(object, content, contentType = 'application/octet-stream') {
      const uploaded = file(object);
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
    ended: (object, generation, event) =>
      stack.ended('ingest-object', operationIdOf(object, generation, event)),
    async tell(object, generation, event = 'OBJECT_FINALIZE') {
      await stack.messaging.topic('ingest-object').publishMessage(notification(object, generation, event));
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
    storage = new Storage({
      projectId: localProject,
      apiEndpoint: stack.environment['STORAGE_EMULATOR_HOST'] ?? '',
      // An idle connection may be closed in the moment in which it is used again.
      retryOptions: { idempotencyStrategy: IdempotencyStrategy.RetryAlways },
    });
  });
  afterEach(() => {
    if (stack.storage) stack.storage.intercept = undefined;
  });
  afterAll(() => stack?.stop());
  return cloud;
}
