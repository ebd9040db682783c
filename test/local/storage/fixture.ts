import { type Bucket, type File, type FileMetadata, Storage } from '@google-cloud/storage';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type LocalStorage, type StorageOptions, startStorage } from '../../../local/storage/index.ts';

export const project = 'test-project';

/** Where the server's time stands when it starts. */
export const start = new Date('2026-03-01T12:00:00Z');

/** What went to a topic. */
export interface Published {
  readonly topic: string;
  /** The object; undefined where a message has no data. */
  readonly resource: Record<string, unknown> | undefined;
  readonly attributes: Readonly<Record<string, string>>;
}

/** One server and the official client for it. */
export interface Cloud {
  server: LocalStorage;
  client: Storage;
  /** All that was published since the test began. */
  published: Published[];
}

/** One server for the tests of a file; {@link newBucket} keeps them apart. */
export function useStorage(options: Partial<StorageOptions> = {}): Cloud {
  const cloud: Cloud = { published: [] } as unknown as Cloud;
  beforeAll(async () => {
    cloud.server = await startStorage({
      project,
      publish(topic, data, attributes) {
        const resource = data.length > 0 ? JSON.parse(data.toString()) : undefined;
        cloud.published.push({ topic, resource, attributes });
      },
      ...options,
    });
    cloud.client = clientOf(cloud.server);
  });
  afterEach(async () => {
    await cloud.server.idle();
    cloud.server.intercept = undefined;
    cloud.published.length = 0;
  });
  afterAll(() => cloud.server.close());
  return cloud;
}

/** The official client. It repeats nothing by itself. */
export function clientOf({ host }: LocalStorage, options = {}): Storage {
  return new Storage({
    apiEndpoint: `http://${host}`,
    projectId: project,
    retryOptions: { autoRetry: false },
    ...options,
  });
}

let names = 0;

/** A bucket that no other test of the file uses. */
export async function newBucket({ client }: Cloud, metadata = {}): Promise<Bucket> {
  names += 1;
  const [bucket] = await client.createBucket(`bucket-${names}`, metadata);
  return bucket;
}

/** An object, uploaded at once. */
export async function newFile(
  bucket: Bucket,
  name: string,
  content: string | Buffer = 'hello',
  metadata = {},
) {
  const file = bucket.file(name);
  await file.save(content, { resumable: false, metadata });
  return file;
}

export async function metadataOf(file: File) {
  const [metadata] = await file.getMetadata();
  return metadata;
}

/** Content that is the same each time, and different at each place. */
export function contentOfSize(size: number): Buffer<ArrayBuffer> {
  const content = Buffer.alloc(size);
  for (let at = 0; at + 4 <= size; at += 4) content.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at);
  return content;
}

/** Writes an object, resumably. What is said of checksums is not in the client's types. */
export function save(
  file: File,
  content: string | Buffer,
  resumable: boolean,
  metadata: object,
): Promise<void> {
  return file.save(content, { resumable, metadata: metadata as FileMetadata });
}

/** Calls the server past the client. */
export function call({ server }: Cloud, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(path.startsWith('http') ? path : `http://${server.host}${path}`, init);
}

export const invalid = (message: string | RegExp) => refusal(400, 'invalid', message);
export const missing = (message: string | RegExp) => refusal(404, 'notFound', message);
export const conflict = (message: string | RegExp) => refusal(409, 'conflict', message);
export const unsupported = (message: string | RegExp) => refusal(501, 'notImplemented', message);
export const conditionNotMet = refusal(412, 'conditionNotMet', /pre-conditions/);

/** What the client makes of a refusal. */
function refusal(code: number, reason: string, message: string | RegExp) {
  return expect.objectContaining({
    code,
    message: typeof message === 'string' ? message : expect.stringMatching(message),
    errors: [expect.objectContaining({ reason, domain: 'global' })],
  });
}
